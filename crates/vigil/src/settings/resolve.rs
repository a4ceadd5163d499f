//! What will be done: every setting decided.

use super::LogFormat;
use super::env::Environment;
use super::parse::{Parser, Warning};
use super::signals::{NAMES, SignalSettings, backend, exporters, proxies, signal};
use super::variables::name;
use crate::deliver::{Backend, DEFAULT_SPOOL_BYTES, Protocol, Proxies, SpoolConfig};
use crate::encode::{AttributeLimits, Temporality};
use crate::record::Sampler;
use crate::span::{RemoteParent, parse_traceparent};
use std::path::PathBuf;
use std::time::Duration;

/// Where free text may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct ContentMode {
    /// Onto spans.
    pub(crate) spans: bool,
    /// Into the details event of model calls.
    pub(crate) events: bool,
}

impl ContentMode {
    pub(crate) fn any(self) -> bool {
        self.spans || self.events
    }
}

/// What came with the trace context and goes on to child processes unread.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Carrier {
    /// Whether child processes get the trace context at all.
    pub(crate) hands_on: bool,
    pub(crate) tracestate: Option<String>,
    pub(crate) baggage: Option<String>,
}

/// How much Vigil says of itself on stderr.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Level {
    None,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// Everything decided.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Settings {
    pub(crate) disabled: bool,
    pub(crate) service_name: String,
    pub(crate) resource: Vec<(String, String)>,
    /// By [`crate::encode::Signal::index`].
    pub(crate) signals: [SignalSettings; 3],
    /// Signals that are not wanted at all: not on the wire, not in files. By signal index.
    pub(crate) unwanted: [bool; 3],
    pub(crate) proxies: Proxies,
    /// Whose limits are kept; `None` to go by the host's name.
    pub(crate) backend: Option<Backend>,
    pub(crate) spool: Option<SpoolConfig>,
    pub(crate) sampler: Sampler,
    pub(crate) span_limits: AttributeLimits,
    pub(crate) log_limits: AttributeLimits,
    pub(crate) span_links: usize,
    pub(crate) content: ContentMode,
    pub(crate) log: LogFormat,
    pub(crate) log_color: bool,
    /// Where model calls are written, a line each.
    pub(crate) calls: Option<PathBuf>,
    /// How much Vigil says of itself.
    pub(crate) level: Level,
    /// By signal index; metrics do not wait.
    pub(crate) schedule_delay: [Duration; 3],
    /// The most records of a batch, by signal index.
    pub(crate) batch_records: [u32; 3],
    /// The most records a queue in memory holds, by signal index.
    pub(crate) queue_records: [Option<u64>; 3],
    pub(crate) metric_interval: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) handle_signals: bool,
    pub(crate) handle_panics: bool,
    pub(crate) temporality: Temporality,
    pub(crate) compat: bool,
    /// Whether what LangSmith looks at is written too.
    pub(crate) langsmith: bool,
    pub(crate) parent: Option<RemoteParent>,
    pub(crate) carrier: Carrier,
    pub(crate) warnings: Vec<Warning>,
}

/// What the builder was told; it wins over the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) log: Option<LogFormat>,
    pub(crate) capture_content: Option<bool>,
    pub(crate) sampling_ratio: Option<f64>,
    pub(crate) compat: Option<bool>,
    pub(crate) langsmith: Option<bool>,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) schedule_delay: Option<Duration>,
    pub(crate) metric_interval: Option<Duration>,
    pub(crate) disabled: Option<bool>,
    pub(crate) calls: Option<PathBuf>,
    pub(crate) otlp: Option<bool>,
    pub(crate) spool: Option<bool>,
    pub(crate) spool_directory: Option<PathBuf>,
    pub(crate) spool_bytes: Option<u64>,
    /// Whether there is a spool where nobody says.
    pub(crate) spool_default: bool,
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) handle_signals: Option<bool>,
    pub(crate) handle_panics: Option<bool>,
    /// A destination beside the environment's exists (a folder, memory), so that the log is not the only way out.
    pub(crate) has_destination: bool,
}

const SCHEDULE_DELAY_DEFAULT: Duration = Duration::from_secs(1);
const METRIC_INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
const COUNT_LIMIT_DEFAULT: usize = 128;
const BATCH_RECORDS_DEFAULT: u32 = 2048;
const SHUTDOWN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// The least a spool may take: 1 MiB, a few batches.
const SPOOL_BYTES_MIN: u64 = 1 << 20;

impl Settings {
    /// Decides every setting.
    pub(crate) fn resolve(service_name: &str, environment: &Environment, overrides: &Overrides) -> Self {
        let mut parser = Parser { environment, warnings: Vec::new() };
        let p = &mut parser;
        let disabled = overrides.disabled.or_else(|| p.boolean(name::SDK_DISABLED)).unwrap_or(false);
        unsupported(p);
        let otlp = overrides.otlp.or_else(|| p.boolean(name::VIGIL_OTLP));

        let mut resource = p.pairs(name::RESOURCE_ATTRIBUTES).unwrap_or_default();
        resource.extend(overrides.resource.iter().cloned());
        let named = resource.iter().rposition(|(key, _)| key == "service.name").map(|at| resource.remove(at).1);
        let service_name = p.text(name::SERVICE_NAME).or(named).unwrap_or_else(|| service_name.to_owned());
        resource.retain(|(key, _)| key != "service.name");

        let mut console = false;
        let mut unwanted = [false; 3];
        let signals = std::array::from_fn(|index| {
            let exporters = exporters(p, NAMES[index].exporter);
            console |= exporters.console;
            unwanted[index] = exporters.given && !exporters.otlp;
            signal(p, index, exporters, otlp, overrides)
        });

        let log = overrides.log.or_else(|| {
            let words = [("pretty", LogFormat::Pretty), ("json", LogFormat::Json), ("off", LogFormat::Off)];
            p.choice(name::VIGIL_LOG_FORMAT, &words, "the default")
        });
        let delivers = overrides.has_destination || signals.iter().any(|signal| signal.endpoint.is_some());
        let log = log.unwrap_or(if console || !delivers { LogFormat::Pretty } else { LogFormat::Off });

        let (trace_context, baggage) = propagators(p);
        let span_delay = overrides.schedule_delay.or_else(|| p.millis(name::SCHEDULE_DELAY, "1000"));
        let log_delay = overrides.schedule_delay.or_else(|| p.millis(name::LOG_SCHEDULE_DELAY, "1000"));
        let delay = |given: Option<Duration>| given.unwrap_or(SCHEDULE_DELAY_DEFAULT);
        let mut batch = |variable| p.at_least_one(variable, "2048").unwrap_or(BATCH_RECORDS_DEFAULT);
        let batch_records =
            [batch(name::MAX_EXPORT_BATCH_SIZE), batch(name::LOG_MAX_EXPORT_BATCH_SIZE), BATCH_RECORDS_DEFAULT];

        Self {
            disabled,
            service_name,
            resource,
            signals,
            unwanted,
            proxies: proxies(p),
            backend: backend(p),
            spool: spool(p, overrides),
            sampler: sampler(p, overrides.sampling_ratio),
            span_limits: limits(p, name::SPAN_VALUE_LENGTH_LIMIT, name::SPAN_COUNT_LIMIT),
            log_limits: limits(p, name::LOG_VALUE_LENGTH_LIMIT, name::LOG_COUNT_LIMIT),
            span_links: p.number(name::SPAN_LINK_COUNT_LIMIT, "128").unwrap_or(COUNT_LIMIT_DEFAULT),
            content: content(p, overrides.capture_content),
            log,
            log_color: p.text(name::NO_COLOR).is_none(),
            calls: overrides.calls.clone().or_else(|| p.text(name::VIGIL_JSONL_PATH).map(PathBuf::from)),
            level: level(p),
            schedule_delay: [delay(span_delay), delay(log_delay), delay(span_delay)],
            batch_records,
            queue_records: [
                p.at_least_one(name::MAX_QUEUE_SIZE, "the limit in bytes"),
                p.at_least_one(name::LOG_MAX_QUEUE_SIZE, "the limit in bytes"),
                None,
            ],
            shutdown_timeout: overrides
                .shutdown_timeout
                .or_else(|| p.millis(name::VIGIL_SHUTDOWN_TIMEOUT, "5000"))
                .unwrap_or(SHUTDOWN_TIMEOUT_DEFAULT),
            handle_signals: overrides.handle_signals.or_else(|| p.boolean(name::VIGIL_HANDLE_SIGNALS)).unwrap_or(false),
            handle_panics: overrides.handle_panics.or_else(|| p.boolean(name::VIGIL_HANDLE_PANICS)).unwrap_or(false),
            metric_interval: overrides
                .metric_interval
                .filter(|interval| !interval.is_zero())
                .or_else(|| p.some_millis(name::METRIC_INTERVAL, "60000"))
                .unwrap_or(METRIC_INTERVAL_DEFAULT),
            temporality: temporality(p),
            compat: overrides.compat.or_else(|| p.boolean(name::VIGIL_COMPAT)).unwrap_or(false),
            langsmith: overrides.langsmith.or_else(|| p.boolean(name::VIGIL_LANGSMITH_ENRICHMENT)).unwrap_or(false),
            parent: if trace_context { parent(p) } else { None },
            carrier: Carrier {
                tracestate: p.text(name::TRACESTATE).filter(|_| trace_context),
                baggage: p.text(name::BAGGAGE).filter(|_| baggage),
                hands_on: trace_context,
            },
            warnings: deduplicated(parser.warnings),
        }
    }
}

/// A variable that several signals fall back to is read once for each; its warning is told once.
fn deduplicated(warnings: Vec<Warning>) -> Vec<Warning> {
    let mut unique: Vec<Warning> = Vec::new();
    for warning in warnings {
        if !unique.contains(&warning) {
            unique.push(warning);
        }
    }
    unique
}

fn sampler(p: &mut Parser<'_>, ratio: Option<f64>) -> Sampler {
    if let Some(ratio) = ratio.or_else(|| p.ratio(name::VIGIL_SAMPLING_RATIO)) {
        return Sampler::ratio(ratio, true);
    }
    #[derive(Clone, Copy)]
    enum Kind {
        On,
        Off,
        Ratio,
    }
    let words = [
        ("always_on", (Kind::On, false)),
        ("always_off", (Kind::Off, false)),
        ("traceidratio", (Kind::Ratio, false)),
        ("parentbased_always_on", (Kind::On, true)),
        ("parentbased_always_off", (Kind::Off, true)),
        ("parentbased_traceidratio", (Kind::Ratio, true)),
    ];
    let (kind, parent_based) =
        p.choice(name::TRACES_SAMPLER, &words, "parentbased_always_on").unwrap_or((Kind::On, true));
    let ratio = match kind {
        Kind::On => 1.0,
        Kind::Off => 0.0,
        Kind::Ratio => p.ratio(name::TRACES_SAMPLER_ARG).unwrap_or(1.0),
    };
    Sampler::ratio(ratio, parent_based)
}

fn limits(p: &mut Parser<'_>, value_chars: &'static str, count: &'static str) -> AttributeLimits {
    AttributeLimits {
        value_chars: p
            .number(value_chars, "the general limit")
            .or_else(|| p.number(name::VALUE_LENGTH_LIMIT, "no limit")),
        count: Some(
            p.number(count, "the general limit")
                .or_else(|| p.number(name::COUNT_LIMIT, "128"))
                .unwrap_or(COUNT_LIMIT_DEFAULT),
        ),
    }
}

fn content(p: &mut Parser<'_>, capture: Option<bool>) -> ContentMode {
    if let Some(capture) = capture {
        return ContentMode { spans: capture, events: false };
    }
    let words = [
        ("NO_CONTENT", ContentMode { spans: false, events: false }),
        ("SPAN_ONLY", ContentMode { spans: true, events: false }),
        ("EVENT_ONLY", ContentMode { spans: false, events: true }),
        ("SPAN_AND_EVENT", ContentMode { spans: true, events: true }),
    ];
    // Both are always read, so that a wrong one is told even when the other decides.
    let standard = p.choice(name::CAPTURE_MESSAGE_CONTENT, &words, "NO_CONTENT");
    let own = p.boolean(name::VIGIL_CAPTURE_CONTENT);
    match (standard, p.text(name::CAPTURE_MESSAGE_CONTENT)) {
        (Some(mode), _) => mode,
        // Fails closed: a value that is not understood never opens the gate.
        (None, Some(_)) => ContentMode::default(),
        (None, None) => ContentMode { spans: own.unwrap_or(false), events: false },
    }
}

fn temporality(p: &mut Parser<'_>) -> Temporality {
    let words =
        [("cumulative", Temporality::Cumulative), ("delta", Temporality::Delta), ("lowmemory", Temporality::Delta)];
    p.choice(name::TEMPORALITY, &words, "cumulative").unwrap_or_default()
}

/// Says what is set and does not work here.
fn unsupported(p: &mut Parser<'_>) {
    for variable in [name::CONFIG_FILE, name::EXPERIMENTAL_CONFIG_FILE] {
        if let Some(value) = p.text(variable) {
            p.warn(variable, &value, "a configuration file is not supported; the other variables are used");
        }
    }
    if let Some(value) = p.text(name::ENTITIES) {
        p.warn(name::ENTITIES, &value, "entities are not supported; OTEL_RESOURCE_ATTRIBUTES is used");
    }
    let aggregations = [("explicit_bucket_histogram", ())];
    p.choice(name::HISTOGRAM_AGGREGATION, &aggregations, "explicit_bucket_histogram");
    let filters = [("always_on", ()), ("always_off", ()), ("trace_based", ())];
    p.choice(name::EXEMPLAR_FILTER, &filters, "trace_based");
    for variable in [name::SPAN_EVENT_COUNT_LIMIT, name::EVENT_COUNT_LIMIT, name::LINK_COUNT_LIMIT] {
        p.number::<u32>(variable, "128");
    }
}

fn level(p: &mut Parser<'_>) -> Level {
    let words = [
        ("none", Level::None),
        ("error", Level::Error),
        ("warn", Level::Warn),
        ("info", Level::Info),
        ("debug", Level::Debug),
        ("trace", Level::Debug),
    ];
    p.choice(name::LOG_LEVEL, &words, "info").unwrap_or_default()
}

/// Whether the trace context, and whether the baggage, is read and handed on.
fn propagators(p: &mut Parser<'_>) -> (bool, bool) {
    let Some(value) = p.text(name::PROPAGATORS) else { return (true, true) };
    let (mut trace_context, mut baggage, mut known) = (false, false, false);
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "tracecontext" => (trace_context, known) = (true, true),
            "baggage" => (baggage, known) = (true, true),
            "none" => known = true,
            _ => {
                let text = format!("{word:?} is not one of tracecontext, baggage, none; it is left out");
                p.warn(name::PROPAGATORS, &value, text);
            }
        }
    }
    if known { (trace_context, baggage) } else { (true, true) }
}

fn spool(p: &mut Parser<'_>, overrides: &Overrides) -> Option<SpoolConfig> {
    let switch = p.boolean(name::VIGIL_SPOOL);
    let directory = overrides.spool_directory.clone().or_else(|| p.text(name::VIGIL_SPOOL_DIR).map(PathBuf::from));
    let wanted = overrides.spool.or(switch).unwrap_or(overrides.spool_default || directory.is_some());
    let max_bytes = overrides.spool_bytes.or_else(|| p.number(name::VIGIL_SPOOL_MAX_BYTES, "1073741824"));
    if !wanted {
        return None;
    }
    let state = || match p.text(name::XDG_STATE_HOME).map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(state) => Some(state),
        None => p.text(name::HOME).map(|home| PathBuf::from(home).join(".local/state")),
    };
    let Some(directory) = directory.or_else(|| state().map(|state| state.join("vigil/spool"))) else {
        if overrides.spool == Some(true) || switch == Some(true) {
            p.warn(name::VIGIL_SPOOL, "true", "no folder for it: neither VIGIL_SPOOL_DIR nor HOME is set");
        }
        return None;
    };
    let mut config = SpoolConfig::new(directory);
    config.max_bytes = max_bytes.unwrap_or(DEFAULT_SPOOL_BYTES).max(SPOOL_BYTES_MIN);
    Some(config)
}

fn parent(p: &mut Parser<'_>) -> Option<RemoteParent> {
    let value = p.text(name::TRACEPARENT)?;
    let parent = parse_traceparent(&value);
    if parent.is_none() {
        p.warn(name::TRACEPARENT, &value, "not a W3C traceparent; new traces are started");
    }
    parent
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "every_variable_tests.rs"]
mod every_variable;

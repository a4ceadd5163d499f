//! What will be done: every setting decided.

use super::LogFormat;
use super::env::Environment;
use super::parse::{Parser, Warning, check_url};
use super::variables::name;
use crate::deliver::Protocol;
use crate::encode::{AttributeLimits, Temporality};
use crate::record::Sampler;
use crate::span::{RemoteParent, parse_traceparent};
use std::time::Duration;

/// Where free text may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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

/// How one signal is delivered; without an endpoint it is not.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct SignalSettings {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Protocol,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
}

/// What came with the trace context and goes on to child processes unread.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Carrier {
    pub(crate) tracestate: Option<String>,
    pub(crate) baggage: Option<String>,
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
    pub(crate) sampler: Sampler,
    pub(crate) span_limits: AttributeLimits,
    pub(crate) log_limits: AttributeLimits,
    pub(crate) content: ContentMode,
    pub(crate) log: LogFormat,
    pub(crate) log_color: bool,
    pub(crate) schedule_delay: Duration,
    pub(crate) metric_interval: Duration,
    pub(crate) temporality: Temporality,
    pub(crate) compat: bool,
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
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) schedule_delay: Option<Duration>,
    pub(crate) metric_interval: Option<Duration>,
    pub(crate) disabled: Option<bool>,
    /// A destination beside the environment's exists (a folder, memory), so that the log is not the only way out.
    pub(crate) has_destination: bool,
}

/// One row a signal: exporter, endpoint, protocol, headers, timeout, compression.
const PER_SIGNAL: [(&str, &str, [&str; 6]); 3] = [
    (
        "traces",
        "v1/traces",
        [
            name::TRACES_EXPORTER,
            name::TRACES_ENDPOINT,
            name::TRACES_PROTOCOL,
            name::TRACES_HEADERS,
            name::TRACES_TIMEOUT,
            name::TRACES_COMPRESSION,
        ],
    ),
    (
        "logs",
        "v1/logs",
        [
            name::LOGS_EXPORTER,
            name::LOGS_ENDPOINT,
            name::LOGS_PROTOCOL,
            name::LOGS_HEADERS,
            name::LOGS_TIMEOUT,
            name::LOGS_COMPRESSION,
        ],
    ),
    (
        "metrics",
        "v1/metrics",
        [
            name::METRICS_EXPORTER,
            name::METRICS_ENDPOINT,
            name::METRICS_PROTOCOL,
            name::METRICS_HEADERS,
            name::METRICS_TIMEOUT,
            name::METRICS_COMPRESSION,
        ],
    ),
];

const PROTOCOLS: &[(&str, Protocol)] = &[("http/protobuf", Protocol::HttpProtobuf), ("grpc", Protocol::Grpc)];
const COMPRESSIONS: &[(&str, bool)] = &[("gzip", true), ("none", false)];
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const SCHEDULE_DELAY_DEFAULT: Duration = Duration::from_secs(1);
const METRIC_INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
const COUNT_LIMIT_DEFAULT: usize = 128;

/// What `OTEL_*_EXPORTER` asks for.
#[derive(Clone, Copy, Default)]
struct Exporters {
    given: bool,
    otlp: bool,
    console: bool,
}

impl Settings {
    /// Decides every setting.
    pub(crate) fn resolve(service_name: &str, environment: &Environment, overrides: &Overrides) -> Self {
        let mut parser = Parser { environment, warnings: Vec::new() };
        let p = &mut parser;
        let disabled = overrides.disabled.or_else(|| p.boolean(name::SDK_DISABLED)).unwrap_or(false);

        let mut resource = p.pairs(name::RESOURCE_ATTRIBUTES).unwrap_or_default();
        resource.extend(overrides.resource.iter().cloned());
        let named = resource.iter().rposition(|(key, _)| key == "service.name").map(|at| resource.remove(at).1);
        let service_name = p.text(name::SERVICE_NAME).or(named).unwrap_or_else(|| service_name.to_owned());
        resource.retain(|(key, _)| key != "service.name");

        let mut console = false;
        let mut unwanted = [false; 3];
        let signals = std::array::from_fn(|index| {
            let (_, _, names) = PER_SIGNAL[index];
            let exporters = exporters(p, names[0]);
            console |= exporters.console;
            unwanted[index] = exporters.given && !exporters.otlp;
            signal(p, index, exporters, overrides)
        });

        let log = overrides.log.or_else(|| {
            let words = [("pretty", LogFormat::Pretty), ("json", LogFormat::Json), ("off", LogFormat::Off)];
            p.choice(name::VIGIL_LOG_FORMAT, &words, "the default")
        });
        let delivers = overrides.has_destination || signals.iter().any(|signal| signal.endpoint.is_some());
        let log = log.unwrap_or(if console || !delivers { LogFormat::Pretty } else { LogFormat::Off });

        Self {
            disabled,
            service_name,
            resource,
            signals,
            unwanted,
            sampler: sampler(p, overrides.sampling_ratio),
            span_limits: limits(p, name::SPAN_VALUE_LENGTH_LIMIT, name::SPAN_COUNT_LIMIT),
            log_limits: limits(p, name::LOG_VALUE_LENGTH_LIMIT, name::LOG_COUNT_LIMIT),
            content: content(p, overrides.capture_content),
            log,
            log_color: p.text(name::NO_COLOR).is_none(),
            schedule_delay: overrides
                .schedule_delay
                .or_else(|| p.millis(name::SCHEDULE_DELAY, "1000"))
                .unwrap_or(SCHEDULE_DELAY_DEFAULT),
            metric_interval: overrides
                .metric_interval
                .filter(|interval| !interval.is_zero())
                .or_else(|| p.some_millis(name::METRIC_INTERVAL, "60000"))
                .unwrap_or(METRIC_INTERVAL_DEFAULT),
            temporality: temporality(p),
            compat: overrides.compat.or_else(|| p.boolean(name::VIGIL_COMPAT)).unwrap_or(false),
            parent: parent(p),
            carrier: Carrier { tracestate: p.text(name::TRACESTATE), baggage: p.text(name::BAGGAGE) },
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

fn exporters(p: &mut Parser<'_>, variable: &'static str) -> Exporters {
    let Some(value) = p.text(variable) else { return Exporters { otlp: true, ..Exporters::default() } };
    let mut exporters = Exporters { given: true, ..Exporters::default() };
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "otlp" => exporters.otlp = true,
            "console" => exporters.console = true,
            "none" => {}
            _ => {
                p.warn(variable, &value, format!("{word:?} is not one of otlp, console, none; it is left out"));
                // As if it had not been said: an unknown word must not switch the signal off.
                exporters.given &= exporters.otlp || exporters.console || value.contains(',');
                exporters.otlp |= !exporters.given;
            }
        }
    }
    exporters
}

fn signal(p: &mut Parser<'_>, index: usize, exporters: Exporters, overrides: &Overrides) -> SignalSettings {
    let (_, path, [_, endpoint, protocol, headers, timeout, compression]) = PER_SIGNAL[index];
    let protocol = overrides
        .protocol
        .or_else(|| p.choice(protocol, PROTOCOLS, "the general protocol"))
        .or_else(|| p.choice(name::PROTOCOL, PROTOCOLS, "http/protobuf"))
        .unwrap_or_default();
    let mut base = match &overrides.endpoint {
        Some(url) => match check_url(url.trim()) {
            Ok(()) => Some(url.trim().to_owned()),
            Err(why) => {
                p.warn("endpoint", url, format!("{why}; nothing is sent there"));
                None
            }
        },
        None => None,
    };
    let own = if base.is_none() { p.url(endpoint) } else { None };
    if base.is_none() && own.is_none() {
        base = p.url(name::ENDPOINT);
    }
    if base.is_none() && own.is_none() && exporters.given && exporters.otlp && p.text(name::ENDPOINT).is_none() {
        // Asked for by name: the specification's default endpoint holds. Never without being asked.
        base =
            Some(if protocol == Protocol::Grpc { "http://localhost:4317" } else { "http://localhost:4318" }.to_owned());
    }
    let endpoint = own.or_else(|| {
        base.map(|base| match protocol {
            Protocol::Grpc => base,
            Protocol::HttpProtobuf => format!("{}/{path}", base.trim_end_matches('/')),
        })
    });
    let mut all_headers = p.pairs(headers).or_else(|| p.pairs(name::HEADERS)).unwrap_or_default();
    all_headers.extend(overrides.headers.iter().cloned());
    SignalSettings {
        endpoint: endpoint.filter(|_| exporters.otlp),
        protocol,
        headers: all_headers,
        timeout: p
            .some_millis(timeout, "the general timeout")
            .or_else(|| p.some_millis(name::TIMEOUT, "10000"))
            .unwrap_or(TIMEOUT_DEFAULT),
        gzip: p
            .choice(compression, COMPRESSIONS, "the general compression")
            .or_else(|| p.choice(name::COMPRESSION, COMPRESSIONS, "none"))
            .unwrap_or(false),
    }
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

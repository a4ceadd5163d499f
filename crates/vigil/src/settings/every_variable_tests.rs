//! A test a variable: each row sets one (and what it needs to matter) and looks at what it changed. A variable of the
//! table without a row fails.

use super::*;
use crate::deliver::Compression;
use crate::encode::Signal;
use crate::settings::VARIABLES;
use std::path::Path;

fn resolve(pairs: &[(&str, &str)]) -> Settings {
    let map = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Settings::resolve("app", &Environment::Given(map), &Overrides::default())
}

/// What must be so with the variable set.
type Check = fn(&Settings) -> bool;

struct Row {
    variable: &'static str,
    value: &'static str,
    beside: &'static [(&'static str, &'static str)],
    check: Check,
}

const fn row(variable: &'static str, value: &'static str, check: Check) -> Row {
    Row { variable, value, beside: &[], check }
}

const fn with(
    beside: &'static [(&'static str, &'static str)],
    variable: &'static str,
    value: &'static str,
    check: Check,
) -> Row {
    Row { variable, value, beside, check }
}

const ENDPOINT: &[(&str, &str)] = &[(name::ENDPOINT, "http://c:4318")];
const GRPC: &[(&str, &str)] = &[(name::ENDPOINT, "c:4317"), (name::PROTOCOL, "grpc")];

fn traces(settings: &Settings) -> &SignalSettings {
    &settings.signals[Signal::Traces.index()]
}
fn logs(settings: &Settings) -> &SignalSettings {
    &settings.signals[Signal::Logs.index()]
}
fn metrics(settings: &Settings) -> &SignalSettings {
    &settings.signals[Signal::Metrics.index()]
}
/// Whether something holds of one signal alone.
fn only(of: usize, settings: &Settings, holds: impl Fn(&SignalSettings) -> bool) -> bool {
    settings.signals.iter().enumerate().all(|(index, signal)| holds(signal) == (index == of))
}
fn all(settings: &Settings, holds: impl Fn(&SignalSettings) -> bool) -> bool {
    settings.signals.iter().all(holds)
}
fn warned(settings: &Settings, variable: &str, words: &str) -> bool {
    settings.warnings.iter().any(|warning| warning.variable == variable && warning.text.contains(words))
}

const TRACES: usize = 0;
const LOGS: usize = 1;
const METRICS: usize = 2;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(name::SDK_DISABLED, "TRUE", |s| s.disabled),
    row(name::VIGIL_OTLP, "true", |s| traces(s).endpoint.as_deref() == Some("http://localhost:4318/v1/traces")),
    with(ENDPOINT, name::VIGIL_OTLP, "false", |s| all(s, |one| one.endpoint.is_none())),
    with(ENDPOINT, name::TRACES_EXPORTER, "none", |s| only(TRACES, s, |one| one.endpoint.is_none()) && s.unwanted[TRACES]),
    with(ENDPOINT, name::METRICS_EXPORTER, "none", |s| only(METRICS, s, |one| one.endpoint.is_none()) && s.unwanted[METRICS]),
    with(ENDPOINT, name::LOGS_EXPORTER, "otlp,console", |s| logs(s).endpoint.is_some() && s.log == LogFormat::Pretty),
    with(ENDPOINT, name::CONFIG_FILE, "otel.yaml", |s| warned(s, name::CONFIG_FILE, "not supported") && traces(s).endpoint.is_some()),
    row(name::EXPERIMENTAL_CONFIG_FILE, "otel.yaml", |s| warned(s, name::EXPERIMENTAL_CONFIG_FILE, "not supported")),

    row(name::SERVICE_NAME, "other", |s| s.service_name == "other"),
    row(name::RESOURCE_ATTRIBUTES, "a=b%20c", |s| s.resource == [("a".to_owned(), "b c".to_owned())]),
    row(name::ENTITIES, "host{host.id=1}", |s| warned(s, name::ENTITIES, "not supported")),

    row(name::ENDPOINT, "http://c:4318/x/", |s| logs(s).endpoint.as_deref() == Some("http://c:4318/x/v1/logs")),
    row(name::TRACES_ENDPOINT, "http://c/t", |s| only(TRACES, s, |one| one.endpoint.as_deref() == Some("http://c/t"))),
    row(name::METRICS_ENDPOINT, "http://c/m", |s| only(METRICS, s, |one| one.endpoint.as_deref() == Some("http://c/m"))),
    row(name::LOGS_ENDPOINT, "http://c/l", |s| only(LOGS, s, |one| one.endpoint.as_deref() == Some("http://c/l"))),
    row(name::PROTOCOL, "http/json", |s| all(s, |one| one.protocol == Protocol::HttpJson)),
    row(name::TRACES_PROTOCOL, "grpc", |s| only(TRACES, s, |one| one.protocol == Protocol::Grpc)),
    row(name::METRICS_PROTOCOL, "grpc", |s| only(METRICS, s, |one| one.protocol == Protocol::Grpc)),
    row(name::LOGS_PROTOCOL, "grpc", |s| only(LOGS, s, |one| one.protocol == Protocol::Grpc)),
    row(name::HEADERS, "k=v%3D1", |s| all(s, |one| one.headers == [("k".to_owned(), "v=1".to_owned())])),
    row(name::TRACES_HEADERS, "k=v", |s| only(TRACES, s, |one| one.headers.len() == 1)),
    row(name::METRICS_HEADERS, "k=v", |s| only(METRICS, s, |one| one.headers.len() == 1)),
    row(name::LOGS_HEADERS, "k=v", |s| only(LOGS, s, |one| one.headers.len() == 1)),
    row(name::TIMEOUT, "7", |s| all(s, |one| one.timeout.as_millis() == 7)),
    row(name::TRACES_TIMEOUT, "7", |s| only(TRACES, s, |one| one.timeout.as_millis() == 7)),
    row(name::METRICS_TIMEOUT, "7", |s| only(METRICS, s, |one| one.timeout.as_millis() == 7)),
    row(name::LOGS_TIMEOUT, "7", |s| only(LOGS, s, |one| one.timeout.as_millis() == 7)),
    row(name::COMPRESSION, "zstd", |s| all(s, |one| one.compression == Compression::Zstd)),
    row(name::TRACES_COMPRESSION, "gzip", |s| only(TRACES, s, |one| one.compression == Compression::Gzip)),
    row(name::METRICS_COMPRESSION, "gzip", |s| only(METRICS, s, |one| one.compression == Compression::Gzip)),
    row(name::LOGS_COMPRESSION, "gzip", |s| only(LOGS, s, |one| one.compression == Compression::Gzip)),
    with(GRPC, name::INSECURE, "true", |s| all(s, |one| one.insecure == Some(true)) && traces(s).endpoint.as_deref() == Some("c:4317")),
    with(GRPC, name::TRACES_INSECURE, "true", |s| only(TRACES, s, |one| one.insecure == Some(true))),
    with(GRPC, name::METRICS_INSECURE, "true", |s| only(METRICS, s, |one| one.insecure == Some(true))),
    with(GRPC, name::LOGS_INSECURE, "true", |s| only(LOGS, s, |one| one.insecure == Some(true))),
    row(name::CERTIFICATE, "/ca", |s| all(s, |one| one.certificate.as_deref() == Some(Path::new("/ca")))),
    row(name::TRACES_CERTIFICATE, "/ca", |s| only(TRACES, s, |one| one.certificate.is_some())),
    row(name::METRICS_CERTIFICATE, "/ca", |s| only(METRICS, s, |one| one.certificate.is_some())),
    row(name::LOGS_CERTIFICATE, "/ca", |s| only(LOGS, s, |one| one.certificate.is_some())),
    row(name::CLIENT_CERTIFICATE, "/c", |s| all(s, |one| one.client_certificate.as_deref() == Some(Path::new("/c")))),
    row(name::TRACES_CLIENT_CERTIFICATE, "/c", |s| only(TRACES, s, |one| one.client_certificate.is_some())),
    row(name::METRICS_CLIENT_CERTIFICATE, "/c", |s| only(METRICS, s, |one| one.client_certificate.is_some())),
    row(name::LOGS_CLIENT_CERTIFICATE, "/c", |s| only(LOGS, s, |one| one.client_certificate.is_some())),
    row(name::CLIENT_KEY, "/k", |s| all(s, |one| one.client_key.as_deref() == Some(Path::new("/k")))),
    row(name::TRACES_CLIENT_KEY, "/k", |s| only(TRACES, s, |one| one.client_key.is_some())),
    row(name::METRICS_CLIENT_KEY, "/k", |s| only(METRICS, s, |one| one.client_key.is_some())),
    row(name::LOGS_CLIENT_KEY, "/k", |s| only(LOGS, s, |one| one.client_key.is_some())),
    row(name::HTTP_PROXY, "http://p:1", |s| s.proxies.http.is_some() && s.proxies.https.is_none()),
    row(name::HTTPS_PROXY, "http://p:1", |s| s.proxies.https.is_some() && s.proxies.http.is_none()),
    with(&[("https_proxy", "http://lower:1")], name::ALL_PROXY, "http://p:1", |s| {
        s.proxies.http.as_deref() == Some("http://p:1") && s.proxies.https.as_deref() == Some("http://lower:1")
    }),
    row(name::NO_PROXY, "a,b", |s| s.proxies.none_for.as_deref() == Some("a,b")),
    row(name::VIGIL_BACKEND, "Tempo", |s| s.backend == Some(Backend::Tempo)),

    row(name::SCHEDULE_DELAY, "5", |s| s.schedule_delay[TRACES].as_millis() == 5 && s.schedule_delay[LOGS].as_millis() == 1000),
    row(name::LOG_SCHEDULE_DELAY, "5", |s| s.schedule_delay[LOGS].as_millis() == 5 && s.schedule_delay[TRACES].as_millis() == 1000),
    row(name::MAX_EXPORT_BATCH_SIZE, "64", |s| s.batch_records == [64, 2048, 2048]),
    row(name::LOG_MAX_EXPORT_BATCH_SIZE, "64", |s| s.batch_records == [2048, 64, 2048]),
    row(name::MAX_QUEUE_SIZE, "9", |s| s.queue_records == [Some(9), None, None]),
    row(name::LOG_MAX_QUEUE_SIZE, "9", |s| s.queue_records == [None, Some(9), None]),
    row(name::EXPORT_TIMEOUT, "9", |s| only(TRACES, s, |one| one.timeout.as_millis() == 9)),
    row(name::LOG_EXPORT_TIMEOUT, "9", |s| only(LOGS, s, |one| one.timeout.as_millis() == 9)),
    row(name::METRIC_EXPORT_TIMEOUT, "9", |s| only(METRICS, s, |one| one.timeout.as_millis() == 9)),
    row(name::METRIC_INTERVAL, "9", |s| s.metric_interval.as_millis() == 9),
    row(name::VIGIL_SHUTDOWN_TIMEOUT, "9", |s| s.shutdown_timeout.as_millis() == 9),
    row(name::VIGIL_HANDLE_SIGNALS, "true", |s| s.handle_signals),
    row(name::VIGIL_HANDLE_PANICS, "true", |s| s.handle_panics),

    with(&[(name::HOME, "/home/me")], name::VIGIL_SPOOL, "true", |s| {
        s.spool.as_ref().is_some_and(|spool| spool.directory == Path::new("/home/me/.local/state/vigil/spool"))
    }),
    row(name::VIGIL_SPOOL, "true", |s| s.spool.is_none() && warned(s, name::VIGIL_SPOOL, "no folder")),
    row(name::VIGIL_SPOOL_DIR, "/spool", |s| s.spool.as_ref().is_some_and(|spool| spool.directory == Path::new("/spool"))),
    with(&[(name::VIGIL_SPOOL_DIR, "/spool")], name::VIGIL_SPOOL_MAX_BYTES, "9000000", |s| {
        s.spool.as_ref().is_some_and(|spool| spool.max_bytes == 9_000_000)
    }),
    with(&[(name::VIGIL_SPOOL, "true"), (name::HOME, "/h")], name::XDG_STATE_HOME, "/state", |s| {
        s.spool.as_ref().is_some_and(|spool| spool.directory == Path::new("/state/vigil/spool"))
    }),
    with(&[(name::VIGIL_SPOOL, "true"), (name::XDG_STATE_HOME, "not/absolute")], name::HOME, "/h", |s| {
        s.spool.as_ref().is_some_and(|spool| spool.directory == Path::new("/h/.local/state/vigil/spool"))
    }),

    row(name::TRACES_SAMPLER, "always_off", |s| s.sampler == Sampler::ratio(0.0, false)),
    with(&[(name::TRACES_SAMPLER, "traceidratio")], name::TRACES_SAMPLER_ARG, "0.25", |s| s.sampler == Sampler::ratio(0.25, false)),
    row(name::VIGIL_SAMPLING_RATIO, "0.5", |s| s.sampler == Sampler::ratio(0.5, true)),
    row(name::VALUE_LENGTH_LIMIT, "9", |s| [s.span_limits, s.log_limits].iter().all(|limits| limits.value_chars == Some(9))),
    row(name::COUNT_LIMIT, "9", |s| [s.span_limits, s.log_limits].iter().all(|limits| limits.count == Some(9))),
    row(name::SPAN_VALUE_LENGTH_LIMIT, "9", |s| (s.span_limits.value_chars, s.log_limits.value_chars) == (Some(9), None)),
    row(name::SPAN_COUNT_LIMIT, "9", |s| (s.span_limits.count, s.log_limits.count) == (Some(9), Some(128))),
    row(name::SPAN_LINK_COUNT_LIMIT, "9", |s| s.span_links == 9),
    row(name::SPAN_EVENT_COUNT_LIMIT, "many", |s| warned(s, name::SPAN_EVENT_COUNT_LIMIT, "not a whole number")),
    row(name::EVENT_COUNT_LIMIT, "many", |s| warned(s, name::EVENT_COUNT_LIMIT, "not a whole number")),
    row(name::LINK_COUNT_LIMIT, "many", |s| warned(s, name::LINK_COUNT_LIMIT, "not a whole number")),
    row(name::LOG_VALUE_LENGTH_LIMIT, "9", |s| (s.span_limits.value_chars, s.log_limits.value_chars) == (None, Some(9))),
    row(name::LOG_COUNT_LIMIT, "9", |s| (s.span_limits.count, s.log_limits.count) == (Some(128), Some(9))),
    row(name::TEMPORALITY, "LowMemory", |s| s.temporality == Temporality::Delta),
    row(name::HISTOGRAM_AGGREGATION, "base2_exponential_bucket_histogram", |s| {
        warned(s, name::HISTOGRAM_AGGREGATION, "explicit_bucket_histogram is used")
    }),
    row(name::EXEMPLAR_FILTER, "sometimes", |s| warned(s, name::EXEMPLAR_FILTER, "trace_based is used")),

    row(name::CAPTURE_MESSAGE_CONTENT, "SPAN_AND_EVENT", |s| s.content == ContentMode { spans: true, events: true }),
    row(name::VIGIL_CAPTURE_CONTENT, "true", |s| s.content == ContentMode { spans: true, events: false }),
    row(name::VIGIL_COMPAT, "true", |s| s.compat),
    row(name::VIGIL_LANGSMITH_ENRICHMENT, "true", |s| s.langsmith),

    row(name::VIGIL_JSONL_PATH, "/calls", |s| s.calls.as_deref() == Some(Path::new("/calls"))),
    row(name::VIGIL_LOG_FORMAT, "json", |s| s.log == LogFormat::Json),
    row(name::LOG_LEVEL, "error", |s| s.level == Level::Error),
    row(name::NO_COLOR, "1", |s| !s.log_color),

    with(&[(name::TRACEPARENT, PARENT), (name::BAGGAGE, "a=b")], name::PROPAGATORS, "baggage", |s| {
        s.parent.is_none() && !s.carrier.hands_on && s.carrier.baggage.is_some()
    }),
    with(&[(name::TRACEPARENT, PARENT), (name::BAGGAGE, "a=b")], name::PROPAGATORS, "none", |s| {
        s.parent.is_none() && s.carrier.baggage.is_none()
    }),
    with(&[(name::TRACEPARENT, PARENT)], name::PROPAGATORS, "b3", |s| s.parent.is_some() && warned(s, name::PROPAGATORS, "left out")),
    row(name::TRACEPARENT, PARENT, |s| s.parent.is_some_and(|parent| parent.sampled)),
    row(name::TRACESTATE, "v=1", |s| s.carrier.tracestate.as_deref() == Some("v=1")),
    row(name::BAGGAGE, "a=b", |s| s.carrier.baggage.as_deref() == Some("a=b")),
];

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn every_variable_of_the_table_does_what_it_says() {
    for row in ROWS {
        let mut pairs = row.beside.to_vec();
        assert!(!(row.check)(&resolve(&pairs)), "{}={} changes nothing", row.variable, row.value);
        pairs.push((row.variable, row.value));
        assert!((row.check)(&resolve(&pairs)), "{}={}: {:#?}", row.variable, row.value, resolve(&pairs));
    }
    for variable in VARIABLES {
        assert!(ROWS.iter().any(|row| row.variable == variable.name), "{} has no row", variable.name);
    }
}

#[test]
fn what_must_not_have_an_effect_has_none() {
    // A header of a web request, in a program that answers those.
    let web_request = resolve(&[("REQUEST_METHOD", "GET"), (name::HTTP_PROXY, "http://evil:1")]);
    assert_eq!(web_request.proxies.http, None);
    let longer = resolve(&[(name::EXPORT_TIMEOUT, "30000")]);
    assert!(all(&longer, |one| one.timeout.as_secs() == 10), "the shorter holds");
    let no_spool = resolve(&[(name::VIGIL_SPOOL, "false"), (name::VIGIL_SPOOL_DIR, "/spool")]);
    assert_eq!(no_spool.spool, None);
}

#[test]
fn an_empty_value_is_as_good_as_none() {
    let nothing = resolve(&[]);
    for variable in VARIABLES {
        for empty in ["", "  "] {
            assert_eq!(resolve(&[(variable.name, empty)]), nothing, "{}", variable.name);
        }
    }
}

#[test]
fn a_value_that_makes_no_sense_is_told_once_and_changes_nothing_else() {
    let plain = resolve(ENDPOINT);
    for variable in [
        name::SDK_DISABLED,
        name::VIGIL_OTLP,
        name::TRACES_EXPORTER,
        name::PROTOCOL,
        name::TIMEOUT,
        name::LOGS_TIMEOUT,
        name::COMPRESSION,
        name::VIGIL_BACKEND,
        name::SCHEDULE_DELAY,
        name::MAX_EXPORT_BATCH_SIZE,
        name::MAX_QUEUE_SIZE,
        name::EXPORT_TIMEOUT,
        name::METRIC_INTERVAL,
        name::VIGIL_SHUTDOWN_TIMEOUT,
        name::VIGIL_SPOOL,
        name::VIGIL_SPOOL_MAX_BYTES,
        name::TRACES_SAMPLER,
        name::COUNT_LIMIT,
        name::SPAN_LINK_COUNT_LIMIT,
        name::TEMPORALITY,
        name::VIGIL_COMPAT,
        name::VIGIL_LOG_FORMAT,
        name::LOG_LEVEL,
        name::PROPAGATORS,
        name::TRACEPARENT,
    ] {
        let mut pairs = ENDPOINT.to_vec();
        pairs.push((variable, "~nonsense~"));
        let mut settings = resolve(&pairs);
        assert_eq!(settings.warnings.len(), 1, "{variable}: {:?}", settings.warnings);
        let line = settings.warnings[0].to_string();
        assert!(line.starts_with(variable) && line.contains("~nonsense~"), "{line}");
        settings.warnings.clear();
        if variable != name::VIGIL_OTLP {
            assert_eq!(settings, plain, "{variable}");
        }
    }
}

#[test]
fn what_the_code_says_wins_over_the_environment() {
    let overrides = Overrides {
        otlp: Some(true),
        spool: Some(false),
        shutdown_timeout: Some(Duration::from_millis(1)),
        ..Overrides::default()
    };
    let given = [(name::VIGIL_OTLP, "false"), (name::VIGIL_SPOOL_DIR, "/spool"), (name::VIGIL_SHUTDOWN_TIMEOUT, "9")];
    let map = given.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let settings = Settings::resolve("app", &Environment::Given(map), &overrides);
    assert!(traces(&settings).endpoint.is_some() && metrics(&settings).endpoint.is_some());
    assert_eq!((settings.spool, settings.shutdown_timeout.as_millis()), (None, 1));
}

#[test]
fn c3_an_explicit_switch_an_endpoint_and_headers_set_up_the_export() {
    let switch = |value| {
        let settings = resolve(&[(name::VIGIL_OTLP, value), (name::ENDPOINT, "http://c:4318"), (name::HEADERS, "k=v")]);
        (traces(&settings).endpoint.is_some(), traces(&settings).headers.len(), settings.log)
    };
    assert_eq!(switch("true"), (true, 1, LogFormat::Off));
    assert_eq!(switch("false"), (false, 1, LogFormat::Pretty), "then the log is what there is");
}

#[test]
fn a_grpc_endpoint_without_a_scheme_is_secure_unless_told_otherwise() {
    use crate::deliver::Endpoint;
    let secure = |pairs: &[(&str, &str)]| {
        let settings = resolve(&[GRPC, pairs].concat());
        let signal = traces(&settings);
        let endpoint = signal.endpoint.as_deref().unwrap();
        Endpoint::grpc(endpoint, signal.insecure.unwrap_or(false), Signal::Traces).unwrap().is_https()
    };
    assert!(secure(&[]));
    assert!(!secure(&[(name::INSECURE, "true")]));
    assert!(!secure(&[(name::ENDPOINT, "http://c:4317"), (name::INSECURE, "false")]), "a scheme decides");
}

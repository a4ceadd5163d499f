//! Every environment variable Vigil reads, once. `docs/environment.md` is made of this table.

/// An environment variable.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is about, as a heading.
    pub group: &'static str,
    /// What it does, its values and unit.
    pub meaning: &'static str,
    /// What holds without it.
    pub default: &'static str,
}

impl Variable {
    /// Its value as it may be shown: nothing of a header, no user and password of a URL.
    pub fn shown(&self, value: &str) -> String {
        if self.name.ends_with("_HEADERS") {
            let names = value.split(',').filter_map(|member| member.split_once('='));
            let names: Vec<_> = names.map(|(name, _)| format!("{}=…", name.trim())).collect();
            return if names.is_empty() { "…".to_owned() } else { names.join(",") };
        }
        // A path or a query of an address may hold a key.
        let value = match value.split_once('?') {
            Some((before, _)) if value.contains("://") => format!("{before}?…"),
            _ => value.to_owned(),
        };
        super::mask_userinfo(&value).chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    }
}

macro_rules! variables {
    ($($group:literal { $($constant:ident = $name:literal, $default:literal: $meaning:literal;)* })*) => {
        /// The names, to read them by.
        pub(crate) mod name {
            $($(pub(crate) const $constant: &str = $name;)*)*
        }

        /// The table, in the order people look for things.
        pub const VARIABLES: &[Variable] = &[$($(
            Variable { name: $name, group: $group, meaning: $meaning, default: $default },
        )*)*];
    };
}

variables! {
    "On and off" {
        SDK_DISABLED = "OTEL_SDK_DISABLED", "false": "`true` switches all telemetry off. Trace context is still passed on.";
        VIGIL_OTLP = "VIGIL_OTLP", "sent where there is an endpoint": "`true` sends over OTLP even where no endpoint is set (to `localhost`), `false` sends nothing though one is.";
        TRACES_EXPORTER = "OTEL_TRACES_EXPORTER", "otlp where there is an endpoint": "`otlp`, `console` (the log on stderr), `none`, or several.";
        METRICS_EXPORTER = "OTEL_METRICS_EXPORTER", "otlp where there is an endpoint": "`otlp` or `none`.";
        LOGS_EXPORTER = "OTEL_LOGS_EXPORTER", "otlp where there is an endpoint": "`otlp`, `console` (the log on stderr), `none`, or several.";
        CONFIG_FILE = "OTEL_CONFIG_FILE", "none": "Not supported, which is said when it is set; the other variables hold.";
        EXPERIMENTAL_CONFIG_FILE = "OTEL_EXPERIMENTAL_CONFIG_FILE", "none": "The older name of `OTEL_CONFIG_FILE`; not supported either.";
    }
    "Who speaks" {
        SERVICE_NAME = "OTEL_SERVICE_NAME", "the name given in code": "`service.name` of everything recorded.";
        RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES", "none": "Resource attributes: `key=value,key2=value2`, values percent-encoded.";
        ENTITIES = "OTEL_ENTITIES", "none": "Not supported, which is said when it is set: use `OTEL_RESOURCE_ATTRIBUTES`.";
    }
    "Where to" {
        ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "none: nothing is sent": "Base URL of the OTLP endpoint; with HTTP `/v1/<signal>` is appended.";
        TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "from the general one": "URL for spans, used as it is.";
        METRICS_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "from the general one": "URL for metrics, used as it is.";
        LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "from the general one": "URL for events, used as it is.";
        PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf": "`http/protobuf`, `http/json` or `grpc`.";
        TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "the general one": "Protocol for spans.";
        METRICS_PROTOCOL = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "the general one": "Protocol for metrics.";
        LOGS_PROTOCOL = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "the general one": "Protocol for events.";
        HEADERS = "OTEL_EXPORTER_OTLP_HEADERS", "none": "Headers of every request: `key=value,key2=value2`, values percent-encoded. Never shown anywhere.";
        TRACES_HEADERS = "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "the general ones": "Headers for spans.";
        METRICS_HEADERS = "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "the general ones": "Headers for metrics.";
        LOGS_HEADERS = "OTEL_EXPORTER_OTLP_LOGS_HEADERS", "the general ones": "Headers for events.";
        TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT", "10000": "Milliseconds one request may take.";
        TRACES_TIMEOUT = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "the general one": "Milliseconds one request of spans may take.";
        METRICS_TIMEOUT = "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "the general one": "Milliseconds one request of metrics may take.";
        LOGS_TIMEOUT = "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "the general one": "Milliseconds one request of events may take.";
        COMPRESSION = "OTEL_EXPORTER_OTLP_COMPRESSION", "none": "`gzip`, `zstd` or `none`.";
        TRACES_COMPRESSION = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "the general one": "Compression for spans.";
        METRICS_COMPRESSION = "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "the general one": "Compression for metrics.";
        LOGS_COMPRESSION = "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "the general one": "Compression for events.";
        INSECURE = "OTEL_EXPORTER_OTLP_INSECURE", "false": "`true`: gRPC without TLS where the endpoint has no scheme. `http://` and `https://` decide over it.";
        TRACES_INSECURE = "OTEL_EXPORTER_OTLP_TRACES_INSECURE", "the general one": "The same for spans.";
        METRICS_INSECURE = "OTEL_EXPORTER_OTLP_METRICS_INSECURE", "the general one": "The same for metrics.";
        LOGS_INSECURE = "OTEL_EXPORTER_OTLP_LOGS_INSECURE", "the general one": "The same for events.";
        CERTIFICATE = "OTEL_EXPORTER_OTLP_CERTIFICATE", "the system's": "PEM file of the authorities a server is checked against, instead of the system's.";
        TRACES_CERTIFICATE = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "the general one": "The same for spans.";
        METRICS_CERTIFICATE = "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "the general one": "The same for metrics.";
        LOGS_CERTIFICATE = "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "the general one": "The same for events.";
        CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "none": "PEM file of the certificate (and its chain) we show to a server: mTLS, with the key below.";
        TRACES_CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "the general one": "The same for spans.";
        METRICS_CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "the general one": "The same for metrics.";
        LOGS_CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", "the general one": "The same for events.";
        CLIENT_KEY = "OTEL_EXPORTER_OTLP_CLIENT_KEY", "none": "PEM file of the private key that belongs to the client certificate.";
        TRACES_CLIENT_KEY = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "the general one": "The same for spans.";
        METRICS_CLIENT_KEY = "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "the general one": "The same for metrics.";
        LOGS_CLIENT_KEY = "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "the general one": "The same for events.";
        HTTP_PROXY = "HTTP_PROXY", "none": "Proxy (`http://[user:password@]host:port`) for `http` endpoints. This and the next three in lower case win.";
        HTTPS_PROXY = "HTTPS_PROXY", "none": "Proxy for `https` endpoints, through a tunnel.";
        ALL_PROXY = "ALL_PROXY", "none": "Proxy for both.";
        NO_PROXY = "NO_PROXY", "none": "Hosts reached without a proxy: names (their subdomains too), addresses, networks, or `*`. `localhost` and loopback addresses never need to be named.";
        VIGIL_BACKEND = "VIGIL_BACKEND", "known by its host name, else none": "Whose limits are kept before anything leaves: `dash0`, `jaeger`, `langsmith`, `tempo`, or `none`. Longer texts are cut and counted, spans beyond a trace's limit are lost and counted.";
    }
    "When" {
        SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY", "1000": "Milliseconds finished spans wait for others before they are sent.";
        LOG_SCHEDULE_DELAY = "OTEL_BLRP_SCHEDULE_DELAY", "1000": "Milliseconds events wait for others before they are sent.";
        MAX_EXPORT_BATCH_SIZE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2048": "Spans a batch has at most; it also ends at 512 KiB.";
        LOG_MAX_EXPORT_BATCH_SIZE = "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "2048": "Events a batch has at most; it also ends at 512 KiB.";
        MAX_QUEUE_SIZE = "OTEL_BSP_MAX_QUEUE_SIZE", "by bytes alone": "Spans a destination's queue in memory holds at most, beside its limit of 32 MiB; then the oldest are lost and counted.";
        LOG_MAX_QUEUE_SIZE = "OTEL_BLRP_MAX_QUEUE_SIZE", "by bytes alone": "Events a destination's queue in memory holds at most, likewise.";
        EXPORT_TIMEOUT = "OTEL_BSP_EXPORT_TIMEOUT", "the request's": "Milliseconds one request of spans may take, where that is less than `OTEL_EXPORTER_OTLP_TIMEOUT` says. What was not taken is sent again.";
        LOG_EXPORT_TIMEOUT = "OTEL_BLRP_EXPORT_TIMEOUT", "the request's": "The same for events.";
        METRIC_EXPORT_TIMEOUT = "OTEL_METRIC_EXPORT_TIMEOUT", "the request's": "The same for metrics.";
        METRIC_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL", "60000": "Milliseconds between two collections of metrics.";
    }
    "The end" {
        VIGIL_SHUTDOWN_TIMEOUT = "VIGIL_SHUTDOWN_TIMEOUT", "5000": "Milliseconds the end waits for delivery where the code does not say: a dropped telemetry value, `vigil::exit`, a signal or panic that is handled. With a spool it waits for no network.";
        VIGIL_HANDLE_SIGNALS = "VIGIL_HANDLE_SIGNALS", "false": "`true`: SIGTERM, SIGINT and SIGHUP end telemetry within that time, before the process dies of them. One that has a handler when telemetry starts, or is ignored, is left alone.";
        VIGIL_HANDLE_PANICS = "VIGIL_HANDLE_PANICS", "false": "`true`: spans that a panic ends fail with `error.type` = `panic`, and when it ends the process, what was recorded is delivered or spooled first. Its message is free text like any other.";
    }
    "What is kept on disk" {
        VIGIL_SPOOL = "VIGIL_SPOOL", "false; true for `vigil run`": "`true` keeps what is to be sent in a folder until it is taken, so that it outlives the process.";
        VIGIL_SPOOL_DIR = "VIGIL_SPOOL_DIR", "`vigil/spool` in `XDG_STATE_HOME` or `~/.local/state`": "The folder of the spool; setting it switches the spool on unless `VIGIL_SPOOL` is `false`.";
        VIGIL_SPOOL_MAX_BYTES = "VIGIL_SPOOL_MAX_BYTES", "1073741824": "Bytes the spool may take; then the oldest records give way and are counted.";
        XDG_STATE_HOME = "XDG_STATE_HOME", "`~/.local/state`": "Where the spool is, unless its folder is set.";
        HOME = "HOME", "none": "Where the spool is, unless one of the two above is set.";
    }
    "How much" {
        TRACES_SAMPLER = "OTEL_TRACES_SAMPLER", "parentbased_always_on": "`always_on`, `always_off`, `traceidratio`, or one of them after `parentbased_`. Metrics and events are made of everything.";
        TRACES_SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG", "1.0": "The share of traces `traceidratio` keeps, 0.0 to 1.0.";
        VIGIL_SAMPLING_RATIO = "VIGIL_SAMPLING_RATIO", "1.0": "The share of traces to export; short for a parent-based `traceidratio`.";
        VALUE_LENGTH_LIMIT = "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "none": "Characters a text attribute keeps.";
        COUNT_LIMIT = "OTEL_ATTRIBUTE_COUNT_LIMIT", "128": "Attributes a span or event keeps.";
        SPAN_VALUE_LENGTH_LIMIT = "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "the general one": "Characters a span's text attribute keeps.";
        SPAN_COUNT_LIMIT = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "the general one": "Attributes a span keeps.";
        SPAN_LINK_COUNT_LIMIT = "OTEL_SPAN_LINK_COUNT_LIMIT", "128": "Links a span keeps.";
        SPAN_EVENT_COUNT_LIMIT = "OTEL_SPAN_EVENT_COUNT_LIMIT", "128": "No effect: events are log records here, never parts of a span.";
        EVENT_COUNT_LIMIT = "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "128": "No effect, likewise: see `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`.";
        LINK_COUNT_LIMIT = "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "128": "No effect: links have no attributes here.";
        LOG_VALUE_LENGTH_LIMIT = "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "the general one": "Characters an event's text attribute keeps.";
        LOG_COUNT_LIMIT = "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "the general one": "Attributes an event keeps.";
        TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative": "`cumulative`, `delta`, or `lowmemory` (as delta).";
        HISTOGRAM_AGGREGATION = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram": "`explicit_bucket_histogram`; another is told of and not used.";
        EXEMPLAR_FILTER = "OTEL_METRICS_EXEMPLAR_FILTER", "trace_based": "`always_on`, `always_off` or `trace_based`. No effect: metrics have no exemplars here.";
    }
    "Content and names" {
        CAPTURE_MESSAGE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT": "Where prompts, answers, arguments and results are recorded: `NO_CONTENT`, `SPAN_ONLY`, `EVENT_ONLY`, `SPAN_AND_EVENT`.";
        VIGIL_CAPTURE_CONTENT = "VIGIL_CAPTURE_CONTENT", "false": "`true` is short for `SPAN_ONLY` above.";
        VIGIL_COMPAT = "VIGIL_COMPAT", "false": "`true` also writes the deprecated names today's backends still read (`gen_ai.system`, `gen_ai.client.token.usage`, `gen_ai.client.operation.duration`).";
        VIGIL_LANGSMITH_ENRICHMENT = "VIGIL_LANGSMITH_ENRICHMENT", "false": "`true` also writes what LangSmith filters runs by: copies of key attributes as `langsmith.metadata.*` (names, words and numbers, never content), and the session as `session.id` and `langsmith.metadata.thread_id`, which make its threads.";
    }
    "What is written for programs" {
        VIGIL_JSONL_PATH = "VIGIL_JSONL_PATH", "none": "A file every model call is appended to as one line of JSON: identity, model, economics, reliability, governance, cache. Never content.";
    }
    "What is said on stderr" {
        VIGIL_LOG_FORMAT = "VIGIL_LOG_FORMAT", "pretty without an endpoint, else off": "The structured log on stderr: `pretty`, `json`, `off`.";
        LOG_LEVEL = "OTEL_LOG_LEVEL", "info": "How much Vigil says of itself: `none`, `error` (losses), `warn` (and wrong settings, what cannot be reached), `info` (and what recovered), `debug`.";
        NO_COLOR = "NO_COLOR", "unset": "Any value: no colour in the log.";
    }
    "Trace context" {
        PROPAGATORS = "OTEL_PROPAGATORS", "tracecontext,baggage": "Which of `tracecontext` and `baggage` are read from the environment and handed to child processes, or `none`. Others are told of and left out.";
        TRACEPARENT = "TRACEPARENT", "none": "The W3C trace context of the process that started this one: root spans become its children.";
        TRACESTATE = "TRACESTATE", "none": "The W3C trace state that belongs to `TRACEPARENT`; handed on to child processes as it is.";
        BAGGAGE = "BAGGAGE", "none": "W3C baggage; handed on to child processes as it is, and recorded nowhere.";
    }
}

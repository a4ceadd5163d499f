//! Every environment variable Vigil reads, once.

/// An environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does, its values and unit.
    pub meaning: &'static str,
    /// What holds without it.
    pub default: &'static str,
}

macro_rules! variables {
    ($($constant:ident = $name:literal, $default:literal: $meaning:literal;)*) => {
        /// The names, to read them by.
        pub(crate) mod name {
            $(pub(crate) const $constant: &str = $name;)*
        }

        /// The table, in the order people look for things.
        pub const VARIABLES: &[Variable] = &[$(Variable { name: $name, meaning: $meaning, default: $default }),*];
    };
}

variables! {
    SDK_DISABLED = "OTEL_SDK_DISABLED", "false": "`true` switches all telemetry off. Trace context is still passed on.";
    SERVICE_NAME = "OTEL_SERVICE_NAME", "the name given in code": "`service.name` of everything recorded.";
    RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES", "none": "Resource attributes: `key=value,key2=value2`, values percent-encoded.";
    ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "none: nothing is sent": "Base URL of the OTLP endpoint; with HTTP `/v1/<signal>` is appended.";
    TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "from the general one": "URL for spans, used as it is.";
    METRICS_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "from the general one": "URL for metrics, used as it is.";
    LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "from the general one": "URL for events, used as it is.";
    PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf": "`http/protobuf` or `grpc`.";
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
    COMPRESSION = "OTEL_EXPORTER_OTLP_COMPRESSION", "none": "`gzip` or `none`.";
    TRACES_COMPRESSION = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "the general one": "Compression for spans.";
    METRICS_COMPRESSION = "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "the general one": "Compression for metrics.";
    LOGS_COMPRESSION = "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "the general one": "Compression for events.";
    TRACES_EXPORTER = "OTEL_TRACES_EXPORTER", "otlp where there is an endpoint": "`otlp`, `console` (the log on stderr), `none`, or several.";
    METRICS_EXPORTER = "OTEL_METRICS_EXPORTER", "otlp where there is an endpoint": "`otlp` or `none`.";
    LOGS_EXPORTER = "OTEL_LOGS_EXPORTER", "otlp where there is an endpoint": "`otlp`, `console` (the log on stderr), `none`, or several.";
    TRACES_SAMPLER = "OTEL_TRACES_SAMPLER", "parentbased_always_on": "`always_on`, `always_off`, `traceidratio`, or one of them after `parentbased_`. Metrics and events are made of everything.";
    TRACES_SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG", "1.0": "The share of traces `traceidratio` keeps, 0.0 to 1.0.";
    VALUE_LENGTH_LIMIT = "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "none": "Characters a text attribute keeps.";
    COUNT_LIMIT = "OTEL_ATTRIBUTE_COUNT_LIMIT", "128": "Attributes a span or event keeps.";
    SPAN_VALUE_LENGTH_LIMIT = "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "the general one": "Characters a span's text attribute keeps.";
    SPAN_COUNT_LIMIT = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "the general one": "Attributes a span keeps.";
    LOG_VALUE_LENGTH_LIMIT = "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "the general one": "Characters an event's text attribute keeps.";
    LOG_COUNT_LIMIT = "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "the general one": "Attributes an event keeps.";
    SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY", "1000": "Milliseconds finished spans and events wait for others before they are sent.";
    METRIC_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL", "60000": "Milliseconds between two collections of metrics.";
    TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative": "`cumulative`, `delta`, or `lowmemory` (as delta).";
    CAPTURE_MESSAGE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT": "Where prompts, answers, arguments and results are recorded: `NO_CONTENT`, `SPAN_ONLY`, `EVENT_ONLY`, `SPAN_AND_EVENT`.";
    VIGIL_CAPTURE_CONTENT = "VIGIL_CAPTURE_CONTENT", "false": "`true` is short for `SPAN_ONLY` above.";
    VIGIL_LOG_FORMAT = "VIGIL_LOG_FORMAT", "pretty without an endpoint, else off": "The structured log on stderr: `pretty`, `json`, `off`.";
    VIGIL_SAMPLING_RATIO = "VIGIL_SAMPLING_RATIO", "1.0": "The share of traces to export; short for a parent-based `traceidratio`.";
    VIGIL_COMPAT = "VIGIL_COMPAT", "false": "`true` also writes the deprecated names today's backends still read (`gen_ai.system`, `gen_ai.client.token.usage`, `gen_ai.client.operation.duration`).";
    TRACEPARENT = "TRACEPARENT", "none": "The W3C trace context of the process that started this one: root spans become its children.";
    TRACESTATE = "TRACESTATE", "none": "The W3C trace state that belongs to `TRACEPARENT`; handed on to child processes as it is.";
    BAGGAGE = "BAGGAGE", "none": "W3C baggage; handed on to child processes as it is, and recorded nowhere.";
    NO_COLOR = "NO_COLOR", "unset": "Any value: no colour in the log.";
}

//! The OTLP messages as a table: field numbers, JSON names and types (opentelemetry-proto 1.x, stable; the
//! deprecated `instrumentation_library` fields are gone from it). Numbers stay below 64.

pub(super) struct Message(pub(super) &'static [Field]);

pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
}

pub(super) enum Kind {
    Text,
    /// Bytes shown in hexadecimal: ids.
    Hex,
    /// Bytes shown in base64.
    Bytes,
    Bool,
    /// A varint shown as text.
    Int64,
    /// A 32-bit number or an enum.
    Small,
    Fixed64,
    SignedFixed64,
    Double,
    Message(&'static Message),
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: false }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: true }
}

use Kind::{Bool, Bytes, Double, Fixed64, Hex, Int64, SignedFixed64, Small, Text};

// === Common ===

static ANY_VALUE: Message = Message(&[
    one(1, "stringValue", Text),
    one(2, "boolValue", Bool),
    one(3, "intValue", Int64),
    one(4, "doubleValue", Double),
    one(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
    one(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
    one(7, "bytesValue", Bytes),
]);
static ARRAY_VALUE: Message = Message(&[many(1, "values", Kind::Message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = Message(&[many(1, "values", Kind::Message(&KEY_VALUE))]);
static KEY_VALUE: Message = Message(&[one(1, "key", Text), one(2, "value", Kind::Message(&ANY_VALUE))]);
static RESOURCE: Message =
    Message(&[many(1, "attributes", Kind::Message(&KEY_VALUE)), one(2, "droppedAttributesCount", Small)]);
static SCOPE: Message = Message(&[
    one(1, "name", Text),
    one(2, "version", Text),
    many(3, "attributes", Kind::Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Small),
]);

// === Traces ===

pub(super) static TRACES_DATA: Message = Message(&[many(1, "resourceSpans", Kind::Message(&RESOURCE_SPANS))]);
static RESOURCE_SPANS: Message = Message(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeSpans", Kind::Message(&SCOPE_SPANS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_SPANS: Message = Message(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "spans", Kind::Message(&SPAN)),
    one(3, "schemaUrl", Text),
]);
static SPAN: Message = Message(&[
    one(1, "traceId", Hex),
    one(2, "spanId", Hex),
    one(3, "traceState", Text),
    one(4, "parentSpanId", Hex),
    one(16, "flags", Small),
    one(5, "name", Text),
    one(6, "kind", Small),
    one(7, "startTimeUnixNano", Fixed64),
    one(8, "endTimeUnixNano", Fixed64),
    many(9, "attributes", Kind::Message(&KEY_VALUE)),
    one(10, "droppedAttributesCount", Small),
    many(11, "events", Kind::Message(&SPAN_EVENT)),
    one(12, "droppedEventsCount", Small),
    many(13, "links", Kind::Message(&LINK)),
    one(14, "droppedLinksCount", Small),
    one(15, "status", Kind::Message(&STATUS)),
]);
static SPAN_EVENT: Message = Message(&[
    one(1, "timeUnixNano", Fixed64),
    one(2, "name", Text),
    many(3, "attributes", Kind::Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Small),
]);
static LINK: Message = Message(&[
    one(1, "traceId", Hex),
    one(2, "spanId", Hex),
    one(3, "traceState", Text),
    many(4, "attributes", Kind::Message(&KEY_VALUE)),
    one(5, "droppedAttributesCount", Small),
    one(6, "flags", Small),
]);
static STATUS: Message = Message(&[one(2, "message", Text), one(3, "code", Small)]);

// === Logs ===

pub(super) static LOGS_DATA: Message = Message(&[many(1, "resourceLogs", Kind::Message(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message = Message(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeLogs", Kind::Message(&SCOPE_LOGS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_LOGS: Message = Message(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "logRecords", Kind::Message(&LOG_RECORD)),
    one(3, "schemaUrl", Text),
]);
static LOG_RECORD: Message = Message(&[
    one(1, "timeUnixNano", Fixed64),
    one(11, "observedTimeUnixNano", Fixed64),
    one(2, "severityNumber", Small),
    one(3, "severityText", Text),
    one(12, "eventName", Text),
    one(5, "body", Kind::Message(&ANY_VALUE)),
    many(6, "attributes", Kind::Message(&KEY_VALUE)),
    one(7, "droppedAttributesCount", Small),
    one(8, "flags", Small),
    one(9, "traceId", Hex),
    one(10, "spanId", Hex),
]);

// === Metrics ===

pub(super) static METRICS_DATA: Message = Message(&[many(1, "resourceMetrics", Kind::Message(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message = Message(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeMetrics", Kind::Message(&SCOPE_METRICS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_METRICS: Message = Message(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "metrics", Kind::Message(&METRIC)),
    one(3, "schemaUrl", Text),
]);
static METRIC: Message = Message(&[
    one(1, "name", Text),
    one(2, "description", Text),
    one(3, "unit", Text),
    one(5, "gauge", Kind::Message(&GAUGE)),
    one(7, "sum", Kind::Message(&SUM)),
    one(9, "histogram", Kind::Message(&HISTOGRAM)),
    many(12, "metadata", Kind::Message(&KEY_VALUE)),
]);
static GAUGE: Message = Message(&[many(1, "dataPoints", Kind::Message(&NUMBER_POINT))]);
static SUM: Message = Message(&[
    many(1, "dataPoints", Kind::Message(&NUMBER_POINT)),
    one(2, "aggregationTemporality", Small),
    one(3, "isMonotonic", Bool),
]);
static HISTOGRAM: Message =
    Message(&[many(1, "dataPoints", Kind::Message(&HISTOGRAM_POINT)), one(2, "aggregationTemporality", Small)]);
static NUMBER_POINT: Message = Message(&[
    many(7, "attributes", Kind::Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "asDouble", Double),
    one(6, "asInt", SignedFixed64),
    one(8, "flags", Small),
]);
static HISTOGRAM_POINT: Message = Message(&[
    many(9, "attributes", Kind::Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "bucketCounts", Fixed64),
    many(7, "explicitBounds", Double),
    one(10, "flags", Small),
    one(11, "min", Double),
    one(12, "max", Double),
]);

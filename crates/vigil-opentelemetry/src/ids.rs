//! Ids of both sides: the same bytes.

use vigil::{SpanContext, SpanId, TraceId};

pub(crate) fn trace_id(id: TraceId) -> opentelemetry::trace::TraceId {
    opentelemetry::trace::TraceId::from_bytes(id.0)
}

pub(crate) fn span_id(id: SpanId) -> opentelemetry::trace::SpanId {
    opentelemetry::trace::SpanId::from_bytes(id.0)
}

pub(crate) fn context(of: &opentelemetry::trace::SpanContext) -> SpanContext {
    SpanContext { trace_id: TraceId(of.trace_id().to_bytes()), span_id: SpanId(of.span_id().to_bytes()) }
}

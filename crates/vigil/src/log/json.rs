//! One JSON object a line.
//!
//! Spans: `time` (of the end), `level`, `type` = `span`, `kind`, `name`, `trace_id`, `span_id`,
//! `parent_span_id`, `start_time`, `duration_ms`, `outcome`, `originator`, `attributes`. Events: `type` =
//! `event`, `name`, and the span they happened in. Starts of long spans: `type` = `span_started`. Times are
//! nanoseconds since the epoch as RFC 3339 text.

use crate::time::rfc3339;
use serde_json::ser::{CompactFormatter, Formatter};
use vigil_core::contract::attr;
use vigil_core::fact::{AnyValue, AttributeSet, EventData, Outcome, SpanData, SpanStart, UnixNanos};
use vigil_core::id::{SpanContext, SpanId};

pub(super) fn span(line: &mut String, span: &SpanData<'_>) {
    let level = if matches!(span.outcome, Outcome::Error(_)) { "ERROR" } else { "INFO" };
    head(line, span.end, level, "span");
    field(line, "kind", span.kind.id());
    field(line, "name", &span.name());
    ids(line, span.context, span.parent);
    field(line, "start_time", &rfc3339(span.start));
    number(line, "duration_ms", span.duration().as_secs_f64() * 1e3);
    field(line, "outcome", span.attributes.str(attr::VIGIL_OUTCOME).unwrap_or_default());
    field(line, "originator", span.attributes.str(attr::VIGIL_ORIGINATOR).unwrap_or_default());
    if let Outcome::Error(error) = &span.outcome {
        field(line, "error_type", error.as_str());
    }
    attributes(line, &span.attributes);
    line.push('}');
}

pub(super) fn started(line: &mut String, start: &SpanStart) {
    head(line, start.start, "INFO", "span_started");
    field(line, "kind", start.kind.id());
    field(line, "name", &start.kind.span_name(&AttributeSet::new(), &start.target));
    ids(line, start.context, start.parent);
    line.push('}');
}

pub(super) fn event(line: &mut String, event: &EventData<'_>) {
    // The start has its own line.
    if event.kind == vigil_core::contract::EventKind::SpanStarted {
        return;
    }
    head(line, event.time, event.severity.as_str(), "event");
    field(line, "name", event.kind.def().name);
    if let Some(context) = event.span {
        ids(line, context, None);
    }
    field(line, "originator", event.attributes.str(attr::VIGIL_ORIGINATOR).unwrap_or_default());
    attributes(line, &event.attributes);
    line.push('}');
}

fn head(line: &mut String, time: UnixNanos, level: &str, what: &str) {
    line.push_str("{\"time\":\"");
    line.push_str(&rfc3339(time));
    line.push('"');
    field(line, "level", level);
    field(line, "type", what);
}

fn ids(line: &mut String, context: SpanContext, parent: Option<SpanId>) {
    field(line, "trace_id", &context.trace_id.to_string());
    field(line, "span_id", &context.span_id.to_string());
    if let Some(parent) = parent {
        field(line, "parent_span_id", &parent.to_string());
    }
}

fn attributes(line: &mut String, attributes: &AttributeSet<'_>) {
    line.push_str(",\"attributes\":{");
    let known = attributes.iter().map(|(key, value)| (key.name(), value));
    let shown = known
        .filter(|(name, _)| *name != attr::VIGIL_ORIGINATOR.name() && *name != attr::VIGIL_OUTCOME.name())
        .chain(attributes.custom());
    for (index, (name, value)) in shown.enumerate() {
        if index > 0 {
            line.push(',');
        }
        string(line, name);
        line.push(':');
        put(line, value);
    }
    line.push('}');
}

fn put(line: &mut String, value: &AnyValue<'_>) {
    match value {
        AnyValue::Str(text) => string(line, text),
        AnyValue::Int(number) => line.push_str(itoa::Buffer::new().format(*number)),
        AnyValue::Double(number) => double(line, *number),
        AnyValue::Bool(truth) => line.push_str(if *truth { "true" } else { "false" }),
        AnyValue::StrList(items) => list(line, items, |line, item| string(line, item)),
        AnyValue::IntList(items) => list(line, items, |line, item| line.push_str(itoa::Buffer::new().format(*item))),
        _ => line.push_str("null"),
    }
}

fn list<T>(line: &mut String, items: &[T], put: impl Fn(&mut String, &T)) {
    line.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        put(line, item);
    }
    line.push(']');
}

fn field(line: &mut String, name: &str, value: &str) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":");
    string(line, value);
}

fn number(line: &mut String, name: &str, value: f64) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":");
    double(line, (value * 1e6).round() / 1e6);
}

fn double(line: &mut String, value: f64) {
    let mut bytes = Vec::new();
    // Writing to memory does not fail; JSON has no NaN and no infinities.
    if value.is_finite() && CompactFormatter.write_f64(&mut bytes, value).is_ok() {
        line.push_str(&String::from_utf8_lossy(&bytes));
    } else {
        line.push_str("null");
    }
}

fn string(line: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(quoted) => line.push_str(&quoted),
        Err(_) => line.push_str("\"\""),
    }
}

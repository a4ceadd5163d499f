//! One JSON object a line.
//!
//! Spans: `time` (of the end), `level`, `type` = `span`, `kind`, `name`, `trace_id`, `span_id`,
//! `parent_span_id`, `start_time`, `duration_ms`, `outcome`, `originator`, `attributes`. Events: `type` =
//! `event`, `name`, and the span they happened in. Starts of long spans: `type` = `span_started`. Times are
//! nanoseconds since the epoch as RFC 3339 text.

use crate::time::rfc3339;
use vigil_core::contract::attr;
use vigil_core::fact::{AnyValue, AttributeSet, EventData, Outcome, SpanData, SpanStart, UnixNanos};
use vigil_core::id::{SpanContext, SpanId};

pub(super) fn span(line: &mut Vec<u8>, span: &SpanData<'_>) {
    let level = if matches!(span.outcome, Outcome::Error(_)) { "ERROR" } else { "INFO" };
    head(line, span.end, level, "span");
    plain(line, "kind", span.kind.id());
    span.kind.with_span_name(&span.attributes, &span.target, |parts| {
        key(line, "name");
        line.push(b'"');
        parts.iter().for_each(|part| escaped(line, part));
        line.push(b'"');
    });
    ids(line, span.context, span.parent);
    time(line, ",\"start_time\":\"", span.start);
    key(line, "duration_ms");
    double(line, (span.duration().as_secs_f64() * 1e9).round() / 1e6);
    field(line, "outcome", span.attributes.str(attr::VIGIL_OUTCOME).unwrap_or_default());
    field(line, "originator", span.attributes.str(attr::VIGIL_ORIGINATOR).unwrap_or_default());
    if let Outcome::Error(error) = &span.outcome {
        field(line, "error_type", error.as_str());
    }
    attributes(line, &span.attributes);
    line.push(b'}');
}

pub(super) fn started(line: &mut Vec<u8>, start: &SpanStart) {
    head(line, start.start, "INFO", "span_started");
    plain(line, "kind", start.kind.id());
    field(line, "name", &start.kind.span_name(&AttributeSet::new(), &start.target));
    ids(line, start.context, start.parent);
    line.push(b'}');
}

pub(super) fn event(line: &mut Vec<u8>, event: &EventData<'_>) {
    // The start has its own line.
    if event.kind == vigil_core::contract::EventKind::SpanStarted {
        return;
    }
    head(line, event.time, event.severity.as_str(), "event");
    plain(line, "name", event.kind.def().name);
    if let Some(context) = event.span {
        ids(line, context, None);
    }
    field(line, "originator", event.attributes.str(attr::VIGIL_ORIGINATOR).unwrap_or_default());
    attributes(line, &event.attributes);
    line.push(b'}');
}

fn head(line: &mut Vec<u8>, at: UnixNanos, level: &str, what: &str) {
    time(line, "{\"time\":\"", at);
    plain(line, "level", level);
    plain(line, "type", what);
}

fn time(line: &mut Vec<u8>, before: &str, at: UnixNanos) {
    line.extend_from_slice(before.as_bytes());
    line.extend_from_slice(&rfc3339(at));
    line.push(b'"');
}

fn ids(line: &mut Vec<u8>, context: SpanContext, parent: Option<SpanId>) {
    hex(line, ",\"trace_id\":\"", context.trace_id.0);
    hex(line, ",\"span_id\":\"", context.span_id.0);
    if let Some(parent) = parent {
        hex(line, ",\"parent_span_id\":\"", parent.0);
    }
}

fn hex<const N: usize>(line: &mut Vec<u8>, before: &str, id: [u8; N]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    line.extend_from_slice(before.as_bytes());
    line.extend(id.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
    line.push(b'"');
}

fn attributes(line: &mut Vec<u8>, attributes: &AttributeSet<'_>) {
    line.extend_from_slice(b",\"attributes\":{");
    let before = line.len();
    for (key, value) in attributes.iter() {
        if key != attr::VIGIL_ORIGINATOR && key != attr::VIGIL_OUTCOME {
            // Names of the contract have nothing to escape.
            line.push(b'"');
            line.extend_from_slice(key.name().as_bytes());
            line.extend_from_slice(b"\":");
            put(line, value);
            line.push(b',');
        }
    }
    for (name, value) in attributes.custom() {
        string(line, name);
        line.push(b':');
        put(line, value);
        line.push(b',');
    }
    if line.len() > before {
        line.pop();
    }
    line.push(b'}');
}

fn put(line: &mut Vec<u8>, value: &AnyValue<'_>) {
    match value {
        AnyValue::Str(text) => string(line, text),
        AnyValue::Int(number) => line.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
        AnyValue::Double(number) => double(line, *number),
        AnyValue::Bool(truth) => line.extend_from_slice(if *truth { b"true" } else { b"false" }),
        AnyValue::StrList(items) => list(line, items, |line, item| string(line, item)),
        AnyValue::IntList(items) => list(line, items, |line, item| put(line, &AnyValue::Int(*item))),
        _ => line.extend_from_slice(b"null"),
    }
}

fn list<T>(line: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    line.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        put(line, item);
    }
    line.push(b']');
}

fn key(line: &mut Vec<u8>, name: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
}

/// A field whose value is a word with nothing to escape.
fn plain(line: &mut Vec<u8>, name: &str, word: &str) {
    key(line, name);
    line.push(b'"');
    line.extend_from_slice(word.as_bytes());
    line.push(b'"');
}

fn field(line: &mut Vec<u8>, name: &str, value: &str) {
    key(line, name);
    string(line, value);
}

fn double(line: &mut Vec<u8>, value: f64) {
    // JSON has no NaN and no infinities: they are written as null. Writing to memory does not fail.
    serde_json::to_writer(line, &value).ok();
}

fn string(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    escaped(line, text);
    line.push(b'"');
}

fn escaped(line: &mut Vec<u8>, text: &str) {
    // Without an early exit, so that it is done sixteen bytes at a time.
    let harmless = text.bytes().fold(true, |harmless, byte| harmless & (byte >= b' ' && byte != b'"' && byte != b'\\'));
    if harmless {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    let start = line.len();
    serde_json::to_writer(&mut *line, text).ok();
    line.pop();
    line.remove(start);
}

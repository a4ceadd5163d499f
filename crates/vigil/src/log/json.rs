//! One JSON object a line.
//!
//! Spans: `time` (of the end), `level`, `type` = `span`, `kind`, `name`, `trace_id`, `span_id`,
//! `parent_span_id`, `start_time`, `duration_ms`, `outcome`, `originator`, `attributes`. Events: `type` =
//! `event`, `name`, and the span they happened in. Starts of long spans: `type` = `span_started`. Times are
//! nanoseconds since the epoch as RFC 3339 text.
//!
//! Lines are made where they wait to be written, without anything in between.

use crate::block::{Block, SHORT, keep, put_short, write_with};
use crate::time::{RFC3339_BYTES, Stamps};
use std::sync::LazyLock;
use vigil_core::contract::{EventKind, Key, attr};
use vigil_core::eights;
use vigil_core::fact::{AnyValue, AttributeSet, EventData, Outcome, SpanData, SpanStart};
use vigil_core::id::{SpanContext, SpanId};

/// What a line takes beside its attributes, about.
const LINE_BYTES: usize = 512;

pub(super) fn span(line: &mut Vec<u8>, stamps: &mut Stamps, span: &SpanData<'_>) {
    line.reserve(LINE_BYTES);
    head(line, stamps.rfc3339(span.end));
    raw(line, if matches!(span.outcome, Outcome::Error(_)) { "ERROR" } else { "INFO" });
    raw(line, "\",\"type\":\"span\",\"kind\":\"");
    word(line, span.kind.id());
    raw(line, "\",\"name\":\"");
    span.kind.with_span_name(&span.attributes, &span.target, |parts| parts.iter().for_each(|part| escaped(line, part)));
    line.push(b'"');
    ids(line, span.context, span.parent);
    const START: &[u8; 61] = b",\"start_time\":\"0000-00-00T00:00:00.000000000Z\",\"duration_ms\":";
    write_with(line, START, |block| {
        block[15..45].copy_from_slice(stamps.rfc3339(span.start));
        block.len()
    });
    millis(line, span.end.0.saturating_sub(span.start.0));
    short(line, b",\"outcome\":", span.attributes.str(attr::VIGIL_OUTCOME).unwrap_or_default());
    short(line, b",\"originator\":", span.attributes.str(attr::VIGIL_ORIGINATOR).unwrap_or_default());
    if let Outcome::Error(error) = &span.outcome {
        raw(line, ",\"error_type\":");
        string(line, error.as_str());
    }
    attributes(line, &span.attributes);
    raw(line, "}\n");
}

pub(super) fn started(line: &mut Vec<u8>, stamps: &mut Stamps, start: &SpanStart) {
    head(line, stamps.rfc3339(start.start));
    raw(line, "INFO\",\"type\":\"span_started\",\"kind\":\"");
    raw(line, start.kind.id());
    raw(line, "\",\"name\":");
    string(line, &start.kind.span_name(&AttributeSet::new(), &start.target));
    ids(line, start.context, start.parent);
    raw(line, "}\n");
}

pub(super) fn event(line: &mut Vec<u8>, stamps: &mut Stamps, event: &EventData<'_>) {
    // The start has its own line.
    if event.kind == EventKind::SpanStarted {
        return;
    }
    head(line, stamps.rfc3339(event.time));
    raw(line, event.severity.as_str());
    raw(line, "\",\"type\":\"event\",\"name\":\"");
    raw(line, event.kind.def().name);
    line.push(b'"');
    if let Some(context) = event.span {
        ids(line, context, None);
    }
    raw(line, ",\"originator\":");
    string(line, event.attributes.str(attr::VIGIL_ORIGINATOR).unwrap_or_default());
    attributes(line, &event.attributes);
    raw(line, "}\n");
}

/// What has nothing to escape.
#[inline(always)]
fn raw(line: &mut Vec<u8>, text: &str) {
    line.extend_from_slice(text.as_bytes());
}

/// Up to the word for the level.
#[inline]
fn head(line: &mut Vec<u8>, at: &[u8; RFC3339_BYTES]) {
    const HEAD: &[u8; 50] = b"{\"time\":\"0000-00-00T00:00:00.000000000Z\",\"level\":\"";
    write_with(line, HEAD, |block| {
        block[9..39].copy_from_slice(at);
        block.len()
    });
}

fn ids(line: &mut Vec<u8>, context: SpanContext, parent: Option<SpanId>) {
    const IDS: &[u8; 111] = b",\"trace_id\":\"00000000000000000000000000000000\",\"span_id\":\"0000000000000000\"\
        ,\"parent_span_id\":\"0000000000000000\"";
    write_with(line, IDS, |block| {
        hex(&mut block[13..45], context.trace_id.0);
        hex(&mut block[58..74], context.span_id.0);
        let Some(parent) = parent else { return 75 };
        hex(&mut block[94..110], parent.0);
        block.len()
    });
}

#[inline(always)]
fn hex<const N: usize>(digits: &mut [u8], id: [u8; N]) {
    for (digits, bytes) in digits.as_chunks_mut::<8>().0.iter_mut().zip(id.as_chunks::<4>().0) {
        *digits = eights::hex(*bytes);
    }
}

/// `"name":` is kept ready in blocks with room for a number or a short text.
const BLOCK: usize = 96;
/// What a number or a short text takes after it: a whole number of 20 bytes, or a text in quotes, and a comma.
const VALUE: usize = SHORT + 3;

/// `"name":` of the contract's attributes, by [`Key::index`]. Names of the contract have nothing to escape.
static NAMES: LazyLock<Vec<Option<Block<BLOCK>>>> = LazyLock::new(|| {
    let name = |key: Key| Block::new(format!("\"{}\":", key.name()).as_bytes());
    Key::all().map(|key| name(key).filter(|name| name.len() + VALUE <= BLOCK)).collect()
});

fn attributes(line: &mut Vec<u8>, attributes: &AttributeSet<'_>) {
    raw(line, ",\"attributes\":{");
    let before = line.len();
    let names = NAMES.as_slice();
    for (key, value) in attributes.iter() {
        if key == attr::VIGIL_ORIGINATOR || key == attr::VIGIL_OUTCOME {
            continue;
        }
        match (names.get(usize::from(key.index())), value) {
            (Some(Some(name)), AnyValue::Str(text)) if text.len() <= SHORT && is_harmless(text) => {
                let (at, end) = (name.len() + 1, name.len() + 1 + text.len());
                if let Some(block) = name.append(line) {
                    block[at - 1] = b'"';
                    put_short(&mut block[at..end], text.as_bytes());
                    block[end..end + 2].copy_from_slice(b"\",");
                    keep::<BLOCK>(line, end + 2);
                }
                continue;
            }
            (Some(Some(name)), AnyValue::Int(number)) => {
                let (mut digits, at) = (itoa::Buffer::new(), name.len());
                let digits = digits.format(*number).as_bytes();
                if let Some(block) = name.append(line) {
                    put_short(&mut block[at..at + digits.len()], digits);
                    block[at + digits.len()] = b',';
                    keep::<BLOCK>(line, at + digits.len() + 1);
                }
                continue;
            }
            (Some(Some(name)), _) => name.write(line),
            _ => {
                string(line, key.name());
                line.push(b':');
            }
        }
        put(line, value);
        line.push(b',');
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

#[inline]
fn put(line: &mut Vec<u8>, value: &AnyValue<'_>) {
    match value {
        AnyValue::Str(text) => string(line, text),
        AnyValue::Int(number) => int(line, *number),
        AnyValue::Double(number) => double(line, *number),
        AnyValue::Bool(truth) => raw(line, if *truth { "true" } else { "false" }),
        AnyValue::StrList(items) => list(line, items, |line, item| string(line, item)),
        AnyValue::IntList(items) => list(line, items, |line, item| int(line, *item)),
        _ => raw(line, "null"),
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

#[inline]
fn int(line: &mut Vec<u8>, number: i64) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Nanoseconds as milliseconds: `1240.0`, `0.004217`.
fn millis(line: &mut Vec<u8>, nanos: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(nanos / 1_000_000).as_bytes());
    let mut rest = (nanos % 1_000_000) as u32;
    let mut fraction = *b".000000";
    for digit in fraction.iter_mut().skip(1).rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    line.extend_from_slice(&fraction);
    // One digit stays.
    for _ in 0..5 {
        if line.last() != Some(&b'0') {
            break;
        }
        line.pop();
    }
}

fn double(line: &mut Vec<u8>, value: f64) {
    // JSON has no NaN and no infinities: they are written as null. Writing to memory does not fail.
    serde_json::to_writer(line, &value).ok();
}

#[inline]
fn string(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    escaped(line, text);
    line.push(b'"');
}

/// A field whose value is a word: `name` is the comma, the name and the colon.
#[inline(always)]
fn short<const N: usize>(line: &mut Vec<u8>, name: &[u8; N], word: &str) {
    line.extend_from_slice(name);
    if word.len() > SHORT || !is_harmless(word) {
        string(line, word);
        return;
    }
    write_with(line, &[b'"'; SHORT + 2], |block| {
        put_short(&mut block[1..=word.len()], word.as_bytes());
        // The quotes were there before.
        word.len() + 2
    });
}

/// What has nothing to escape, and is short mostly.
#[inline]
fn word(line: &mut Vec<u8>, text: &str) {
    if text.len() > SHORT {
        return raw(line, text);
    }
    line.extend_from_slice(&[0; SHORT]);
    if let Some(block) = line.last_chunk_mut::<SHORT>() {
        put_short(&mut block[..text.len()], text.as_bytes());
        keep::<SHORT>(line, text.len());
    }
}

#[inline]
fn escaped(line: &mut Vec<u8>, text: &str) {
    if is_harmless(text) {
        word(line, text);
    } else {
        escaped_for_sure(line, text);
    }
}

/// Whether there is nothing to escape.
#[inline]
fn is_harmless(text: &str) -> bool {
    eights::all(text.as_bytes(), |eight| !eights::need_escapes(eight))
}

#[cold]
fn escaped_for_sure(line: &mut Vec<u8>, text: &str) {
    let start = line.len();
    serde_json::to_writer(&mut *line, text).ok();
    line.pop();
    line.remove(start);
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigil_core::id::TraceId;

    #[test]
    fn durations_are_milliseconds_to_the_nanosecond() {
        for (nanos, text) in [
            (0, "0.0"),
            (1, "0.000001"),
            (4_217, "0.004217"),
            (500_000, "0.5"),
            (1_240_000_000, "1240.0"),
            (10_000_100, "10.0001"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            let mut line = Vec::new();
            millis(&mut line, nanos);
            assert_eq!(String::from_utf8(line).unwrap(), text);
        }
    }

    #[test]
    fn ids_are_where_they_belong() {
        let context = SpanContext { trace_id: TraceId([0xa7; 16]), span_id: SpanId([0x1b; 8]) };
        for parent in [None, Some(SpanId([0x3c; 8]))] {
            let mut line = b"{\"a\":1".to_vec();
            ids(&mut line, context, parent);
            line.push(b'}');
            let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(line["trace_id"], context.trace_id.to_string());
            assert_eq!(line["span_id"], context.span_id.to_string());
            assert_eq!(line["parent_span_id"].as_str().map(str::to_owned), parent.map(|parent| parent.to_string()));
        }
    }

    #[test]
    fn whatever_a_text_holds_it_is_the_same_text_when_it_is_read() {
        for letter in (0..=0x2ff).filter_map(char::from_u32) {
            for text in [format!("{letter}"), format!("some {letter} words"), format!("seven b{letter}")] {
                let mut line = Vec::new();
                string(&mut line, &text);
                assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
            }
        }
    }
}

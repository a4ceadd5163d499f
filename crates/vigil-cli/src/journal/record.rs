//! A record as a line: for people, and as JSON.

use crate::output::{Style, Styles, grouped, printable};
use serde_json::{Value, json};
use std::fmt::Write as _;
use vigil::journal::{CAPABILITY_CALL, Call, Envelope, Outcome};

/// How much of a payload is looked at for people: enough for 200 characters.
const SHOWN_BYTES: usize = 1024;

/// `     7  2026-11-21T01:15:09.084000000Z  message.received  find me a paper`.
pub(super) fn line(envelope: &Envelope<'_>, styles: Styles) -> String {
    let (sequence, time) = (envelope.sequence, styles.paint(Style::Faint, &envelope.time_rfc3339()));
    let said = match call(envelope) {
        Some(call) => said_call(&call),
        None => excerpt(envelope.payload),
    };
    format!("{sequence:>6}  {time}  {:<20}  {said}", envelope.kind).trim_end().to_owned()
}

/// A record as one JSON object. A payload that is text is `payload`, any other `payload_hex`.
pub(super) fn json(envelope: &Envelope<'_>) -> Value {
    let mut value = json!({
        "sequence": envelope.sequence,
        "time": envelope.time_rfc3339(),
        "kind": envelope.kind,
        "trace_id": envelope.context.map(|context| context.trace_id.to_string()),
        "span_id": envelope.context.map(|context| context.span_id.to_string()),
        "previous": envelope.previous.to_string(),
        "hash": envelope.hash.to_string(),
    });
    if let Some(call) = call(envelope) {
        value["call"] = json!({ "number": call.number, "capability": call.capability, "digest": hex(&call.digest) });
        match call.outcome {
            Outcome::Answered(bytes) => put(&mut value["call"], "result", bytes),
            Outcome::Failed { kind, error_type } => {
                value["call"]["error_kind"] = kind.as_str().into();
                value["call"]["error_type"] = error_type.into();
            }
        }
    } else {
        put(&mut value, "payload", envelope.payload);
    }
    value
}

/// Bytes as what they are: text under `name`, others in hexadecimal digits under `name_hex`.
pub(super) fn put(value: &mut Value, name: &str, bytes: &[u8]) {
    match str::from_utf8(bytes) {
        Ok(text) => value[name] = text.into(),
        Err(_) => value[format!("{name}_hex")] = hex(bytes).into(),
    }
}

/// Bytes for a terminal: text that cannot steer it, or what they are.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let beginning = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let whole = match str::from_utf8(beginning) {
        Ok(text) => Some(text),
        // A character that was cut is no reason to call it binary.
        Err(error) if error.error_len().is_none() => str::from_utf8(&beginning[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    whole.map_or_else(|| format!("{} bytes", grouped(bytes.len() as u64)), printable)
}

fn call<'a>(envelope: &Envelope<'a>) -> Option<Call<'a>> {
    (envelope.kind == CAPABILITY_CALL).then(|| Call::from_payload(envelope.payload))?
}

fn said_call(call: &Call<'_>) -> String {
    let (capability, digest) = (printable(call.capability), hex(&call.digest[..4]));
    match call.outcome {
        Outcome::Answered(bytes) => format!("{capability} {digest}… gave {} bytes", grouped(bytes.len() as u64)),
        Outcome::Failed { kind, error_type } => {
            format!("{capability} {digest}… failed: {}, {}", kind.as_str(), printable(error_type))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _a_string_takes_all = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_text_where_they_are_and_never_steer_the_terminal() {
        assert_eq!(excerpt(b"hello"), "hello");
        assert_eq!(excerpt(b"a\x1b[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(excerpt(&[0xff; 2000]), "2,000 bytes");
        assert_eq!(excerpt(b""), "");
        // Two bytes a character, and the 1024th byte in the middle of one.
        assert_eq!(excerpt(format!("x{}", "é".repeat(1000)).as_bytes()).chars().count(), 200);
    }

    #[test]
    fn json_says_whether_bytes_are_text() {
        let mut value = json!({});
        put(&mut value, "payload", b"{}");
        put(&mut value, "result", &[0xff, 0]);
        assert_eq!(value, json!({ "payload": "{}", "result_hex": "ff00" }));
    }
}

//! OTLP/JSON as a view of the encoded bytes.
//!
//! A small table says what each OTLP message holds; the transcoder walks the protobuf bytes with it. So a
//! file shows exactly what the wire carried, and nothing is encoded twice. As the OTLP specification has it:
//! names in lowerCamelCase, trace and span ids in hexadecimal, enums as numbers, 64-bit integers as text,
//! other bytes in base64, `NaN` and infinities as text. Fields the table does not know are left out.

mod schema;

use super::batch::Signal;
use super::proto::{Fields, Malformed, Wire};
use schema::{Field, Kind, Message};
use std::fmt;
use std::io::Write as _;

/// How deep messages may nest; OTLP's own need 8, the rest is for lists within lists.
const MAX_DEPTH: usize = 64;

/// The bytes are not an OTLP request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotOtlp;

impl fmt::Display for NotOtlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not an encoded OTLP request")
    }
}

impl std::error::Error for NotOtlp {}

impl From<Malformed> for NotOtlp {
    fn from(Malformed: Malformed) -> Self {
        NotOtlp
    }
}

/// Appends `body`, an encoded request of `signal`, as one line of JSON and a line feed.
///
/// # Errors
/// The bytes are not protobuf, hold a text that is not UTF-8, or nest deeper than 64 messages. Nothing is
/// appended then.
pub fn to_json_line(signal: Signal, body: &[u8], out: &mut Vec<u8>) -> Result<(), NotOtlp> {
    let before = out.len();
    let root = match signal {
        Signal::Traces => &schema::TRACES_DATA,
        Signal::Logs => &schema::LOGS_DATA,
        Signal::Metrics => &schema::METRICS_DATA,
    };
    let result = message(root, body, MAX_DEPTH, out);
    match result {
        Ok(()) => out.push(b'\n'),
        Err(_) => out.truncate(before),
    }
    result
}

fn message(schema: &Message, bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), NotOtlp> {
    let depth = depth.checked_sub(1).ok_or(NotOtlp)?;
    // Repeated fields may be scattered over the message but are one list in JSON, so the message is walked once
    // to see which fields are there, and once for each of those.
    let mut present = 0u64;
    let mut fields = Fields::new(bytes);
    while let Some((number, _)) = fields.next()? {
        if let Some(bit) = 1u64.checked_shl(number) {
            present |= bit;
        }
    }
    out.push(b'{');
    let mut first = true;
    for field in schema.0.iter().filter(|field| present & 1 << field.number != 0) {
        if !std::mem::replace(&mut first, false) {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b"\":");
        if field.repeated {
            list(field, bytes, depth, out)?;
        } else {
            let value = Fields::find(bytes, field.number)?.ok_or(NotOtlp)?;
            single(&field.kind, value, depth, out)?;
        }
    }
    out.push(b'}');
    Ok(())
}

fn list(field: &Field, bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), NotOtlp> {
    out.push(b'[');
    let mut first = true;
    let mut fields = Fields::new(bytes);
    while let Some((number, value)) = fields.next()? {
        if number != field.number {
            continue;
        }
        let mut comma = |out: &mut Vec<u8>| {
            if !std::mem::replace(&mut first, false) {
                out.push(b',');
            }
        };
        match (&field.kind, value) {
            // Lists of numbers come packed.
            (Kind::Fixed64 | Kind::Double, Wire::Bytes(packed)) => {
                let (numbers, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(NotOtlp);
                }
                for number in numbers {
                    comma(out);
                    single(&field.kind, Wire::Fixed64(u64::from_le_bytes(*number)), depth, out)?;
                }
            }
            (kind, value) => {
                comma(out);
                single(kind, value, depth, out)?;
            }
        }
    }
    out.push(b']');
    Ok(())
}

fn single(kind: &Kind, value: Wire<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), NotOtlp> {
    match (kind, value) {
        (Kind::Text, Wire::Bytes(bytes)) => text(std::str::from_utf8(bytes).map_err(|_| NotOtlp)?, out),
        (Kind::Hex, Wire::Bytes(bytes)) => {
            out.push(b'"');
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let digit = |nibble: u8| DIGITS[usize::from(nibble & 15)];
            out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]));
            out.push(b'"');
        }
        (Kind::Bytes, Wire::Bytes(bytes)) => {
            out.push(b'"');
            base64(bytes, out);
            out.push(b'"');
        }
        (Kind::Bool, Wire::Varint(number)) => out.extend_from_slice(if number == 0 { b"false" } else { b"true" }),
        (Kind::Int64, Wire::Varint(number)) | (Kind::SignedFixed64, Wire::Fixed64(number)) => {
            quoted(itoa::Buffer::new().format(number as i64), out);
        }
        (Kind::Fixed64, Wire::Fixed64(number)) => quoted(itoa::Buffer::new().format(number), out),
        (Kind::Small, Wire::Varint(number)) => {
            out.extend_from_slice(itoa::Buffer::new().format(number as u32).as_bytes());
        }
        (Kind::Small, Wire::Fixed32(number)) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        (Kind::Double, Wire::Fixed64(bits)) => double(f64::from_bits(bits), out),
        (Kind::Message(schema), Wire::Bytes(bytes)) => message(schema, bytes, depth, out)?,
        _ => return Err(NotOtlp),
    }
    Ok(())
}

/// A number as text: JSON's own numbers lose digits above 2⁵³.
fn quoted(digits: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(digits.as_bytes());
    out.push(b'"');
}

fn show(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    drop(out.write_fmt(text));
}

fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    } else {
        // The shortest digits that read back as the same number.
        show(out, format_args!("{value:?}"));
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(text.as_bytes().get(plain_from..at).unwrap_or_default());
        plain_from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => show(out, format_args!("\\u{control:04x}")),
        }
    }
    out.extend_from_slice(text.as_bytes().get(plain_from..).unwrap_or_default());
    out.push(b'"');
}

/// Appends standard, padded base64.
pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            out.push(if digit > chunk.len() { b'=' } else { DIGITS[(group >> (18 - 6 * digit) & 63) as usize] });
        }
    }
}

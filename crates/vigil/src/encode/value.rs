//! Attributes: `KeyValue` and `AnyValue`.

use super::names::{BLOCK, Name, names};
use super::options::AttributeLimits;
use super::proto;
use crate::block::{SHORT, keep, put_short};
use vigil_core::contract::Key;
use vigil_core::fact::{AnyValue, AttributeSet};

/// Field numbers of `AnyValue`.
mod any {
    pub(super) const STRING: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const INT: u32 = 3;
    pub(super) const DOUBLE: u32 = 4;
    pub(super) const ARRAY: u32 = 5;
}

/// Appends attributes as `field` of the message being written, and counts what the limits left out.
pub(super) struct AttributeWriter {
    field: u32,
    limits: AttributeLimits,
    written: usize,
    /// How many attributes did not fit [`AttributeLimits::count`].
    pub(super) dropped: u32,
}

impl AttributeWriter {
    pub(super) fn new(field: u32, limits: AttributeLimits) -> Self {
        Self { field, limits, written: 0, dropped: 0 }
    }

    /// Appends all attributes: the contract's, then the user's own.
    #[inline(always)]
    pub(super) fn write_all(&mut self, out: &mut Vec<u8>, attributes: &AttributeSet<'_>) {
        let after = self.written + attributes.len();
        if self.limits.value_chars.is_none() && self.limits.count.is_none_or(|count| after <= count) {
            // As nearly always: there is nothing to cut or to leave out.
            let names = names();
            for (key, value) in attributes.iter() {
                write(out, self.field, names, key, value);
            }
            self.written = after - attributes.custom().len();
        } else {
            for (key, value) in attributes.iter() {
                self.write(out, key, value);
            }
        }
        for (name, value) in attributes.custom() {
            self.write_custom(out, name, value);
        }
    }

    /// Appends an attribute of the contract.
    fn write(&mut self, out: &mut Vec<u8>, key: Key, value: &AnyValue<'_>) {
        if !self.has_room() {
            return;
        }
        match self.limits.value_chars {
            None => write(out, self.field, names(), key, value),
            max_chars => attribute(out, self.field, key.name(), value, max_chars),
        }
    }

    /// Appends an attribute of the user's own.
    pub(super) fn write_custom(&mut self, out: &mut Vec<u8>, name: &str, value: &AnyValue<'_>) {
        if self.has_room() {
            attribute(out, self.field, name, value, self.limits.value_chars);
        }
    }

    pub(super) fn write_str(&mut self, out: &mut Vec<u8>, key: Key, value: &str) {
        self.write(out, key, &AnyValue::Str(value.into()));
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        let room = self.limits.count.is_none_or(|count| self.written < count);
        if room {
            self.written += 1;
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
        room
    }
}

/// Appends an attribute of the contract, whole.
#[inline(always)]
fn write(out: &mut Vec<u8>, field: u32, names: &[Name], key: Key, value: &AnyValue<'_>) {
    if !write_short(out, field, names, key, value) {
        attribute(out, field, key.name(), value, None);
    }
}

/// Writes an attribute whose lengths all take one byte, as nearly all do: they are known before anything is
/// written, and nothing has to be moved. Answers whether it did.
#[inline(always)]
fn write_short(out: &mut Vec<u8>, field: u32, names: &[Name], key: Key, value: &AnyValue<'_>) -> bool {
    let Some(name) = names.get(usize::from(key.index())).filter(|name| name.len() > 0) else { return false };
    let at = name.len();
    // No closures: what one captures is put into memory where it is not inlined.
    match value {
        AnyValue::Str(text) => {
            let len = text.len();
            let value = [(len as u8).wrapping_add(2), (any::STRING << 3 | 2) as u8, len as u8];
            short_text(out, field, name, value, text)
        }
        AnyValue::Int(number) => {
            let Some(block) = name.append(out) else { return false };
            let end = proto::varint_at(block, at + 2, *number as u64);
            head(block, field, at, end - at);
            block[at] = (end - at - 1) as u8;
            block[at + 1] = (any::INT << 3) as u8;
            keep::<BLOCK>(out, end);
            true
        }
        AnyValue::Double(number) => {
            let Some(block) = name.append(out) else { return false };
            head(block, field, at, 10);
            block[at] = 9;
            block[at + 1] = (any::DOUBLE << 3 | 1) as u8;
            block[at + 2..at + 10].copy_from_slice(&number.to_bits().to_le_bytes());
            keep::<BLOCK>(out, at + 10);
            true
        }
        // A list with one text, such as the reason a model stopped for.
        AnyValue::StrList(texts) => {
            let [text] = texts.as_slice() else { return false };
            let len = text.len() as u8;
            let list = [(any::ARRAY << 3 | 2) as u8, len.wrapping_add(4), 1 << 3 | 2, len.wrapping_add(2)];
            let [a, b, c, d] = list;
            let value = [len.wrapping_add(6), a, b, c, d, (any::STRING << 3 | 2) as u8, len];
            short_text(out, field, name, value, text)
        }
        _ => false,
    }
}

/// Tag and length of `KeyValue { key, value: AnyValue { … } }`, of whose block `at` bytes are there; `rest` is what
/// comes after the tag of the value.
#[inline(always)]
fn head(block: &mut [u8; BLOCK], field: u32, at: usize, rest: usize) {
    block[0] = (field << 3 | 2) as u8;
    block[1] = (at - 2 + rest) as u8;
}

/// Writes an attribute that ends in a text, where it has less than 128 bytes in all. `before` is what comes between
/// the tag of the value and the text.
#[inline(always)]
fn short_text<const N: usize>(out: &mut Vec<u8>, field: u32, name: &Name, before: [u8; N], text: &str) -> bool {
    let (at, len) = (name.len(), text.len());
    if at - 2 + N + len >= 128 {
        return false;
    }
    let Some(block) = name.append(out) else { return false };
    head(block, field, at, N + len);
    block[at..at + N].copy_from_slice(&before);
    if len <= SHORT && at + N + len <= BLOCK {
        put_short(&mut block[at + N..at + N + len], text.as_bytes());
        keep::<BLOCK>(out, at + N + len);
    } else {
        keep::<BLOCK>(out, at + N);
        out.extend_from_slice(text.as_bytes());
    }
    true
}

/// Appends one `KeyValue` as `field`. Texts are cut to `max_chars` characters.
pub(super) fn attribute(out: &mut Vec<u8>, field: u32, key: &str, value: &AnyValue<'_>, max_chars: Option<usize>) {
    key_value(out, field, key, |out| any_value(out, value, max_chars));
}

fn key_value(out: &mut Vec<u8>, field: u32, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    proto::message(out, field, |out| {
        proto::bytes(out, 1, key.as_bytes());
        proto::message(out, 2, value);
    });
}

fn text(out: &mut Vec<u8>, text: &str, max_chars: Option<usize>) {
    proto::bytes(out, any::STRING, cut(text, max_chars).as_bytes());
}

fn any_value(out: &mut Vec<u8>, value: &AnyValue<'_>, max_chars: Option<usize>) {
    match value {
        AnyValue::Str(value) => text(out, value, max_chars),
        AnyValue::Int(number) => proto::uint(out, any::INT, *number as u64),
        AnyValue::Double(number) => proto::double(out, any::DOUBLE, *number),
        AnyValue::Bool(truth) => proto::uint(out, any::BOOL, u64::from(*truth)),
        AnyValue::StrList(texts) => proto::message(out, any::ARRAY, |out| {
            for value in texts {
                proto::message(out, 1, |out| text(out, value, max_chars));
            }
        }),
        AnyValue::IntList(numbers) => proto::message(out, any::ARRAY, |out| {
            for number in numbers {
                proto::message(out, 1, |out| proto::uint(out, any::INT, *number as u64));
            }
        }),
        // A kind of value added to the contract and not here yet: an empty AnyValue, which OTLP allows.
        _ => {}
    }
}

fn cut(text: &str, max_chars: Option<usize>) -> &str {
    match max_chars.and_then(|max| text.char_indices().nth(max)) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!(cut("äöü", Some(2)), "äö");
        assert_eq!(cut("äöü", Some(3)), "äöü");
        assert_eq!(cut("äöü", Some(0)), "");
        assert_eq!(cut("äöü", None), "äöü");
    }
}

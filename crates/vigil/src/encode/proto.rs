//! The protobuf wire format, as much of it as OTLP needs.
//!
//! Writing appends to a `Vec<u8>`; a nested message is written in place, behind room for its length, which is put in
//! front afterwards. Reading walks the fields of one message without allocating and answers [`Malformed`] for
//! anything that is not protobuf: it never panics and never reads past the slice.

/// How the bytes of a field are delimited.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

// === Writing ===

/// Appends `value` as a varint: 1 to 10 bytes.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Puts `value` as a varint into `bytes` at `at`, where there is room for ten bytes, and answers with its end.
#[inline]
pub(crate) fn varint_at(bytes: &mut [u8], mut at: usize, mut value: u64) -> usize {
    while value >= 0x80 {
        bytes[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    bytes[at] = value as u8;
    at + 1
}

/// The number of bytes [`varint`] writes for `value`.
#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    (63 - (value | 1).leading_zeros() as usize) / 7 + 1
}

#[inline]
fn tag(out: &mut Vec<u8>, field: u32, wire: u64) {
    varint(out, u64::from(field) << 3 | wire);
}

/// Appends an integer, a truth value or an enum, also when it is zero.
#[inline]
pub(crate) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

/// Appends a `fixed64`, or an `sfixed64` by its bits.
#[inline]
pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a `fixed32`.
#[inline]
pub(crate) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a `double`.
pub(crate) fn double(out: &mut Vec<u8>, field: u32, value: f64) {
    fixed64(out, field, value.to_bits());
}

/// Appends bytes, a text or an encoded message, also when it is empty.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    delimited(out, field, value.len());
    out.extend_from_slice(value);
}

/// Appends the tag and length of a field whose `len` bytes the caller appends next.
#[inline]
pub(crate) fn delimited(out: &mut Vec<u8>, field: u32, len: usize) {
    tag(out, field, DELIMITED);
    varint(out, len as u64);
}

/// Appends a nested message that `write` writes.
#[inline]
pub(crate) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    // Most messages are attributes below 128 bytes.
    nested::<1>(out, field, write);
}

/// Appends a nested message of 128 bytes to 16 KiB, as most records are; one of another size costs a move.
#[inline]
pub(crate) fn record(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    nested::<2>(out, field, write);
}

/// Appends a nested message whose length takes `N` bytes; where it takes more or fewer, the content moves.
#[inline(always)]
fn nested<const N: usize>(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, DELIMITED);
    let length_at = out.len();
    out.extend_from_slice(&[0; N]);
    write(out);
    let len = out.len() - length_at - N;
    if varint_len(len as u64) != N {
        make_room(out, length_at, N, len);
    }
    // A varint that is written where one of the same length has its place.
    let mut rest = len as u64;
    for slot in out.iter_mut().skip(length_at) {
        *slot = rest as u8 | 0x80;
        rest >>= 7;
        if rest == 0 {
            *slot &= 0x7f;
            break;
        }
    }
}

/// Moves the `len` bytes that follow the `kept` bytes at `at` to where their length just fits in front of them.
#[cold]
fn make_room(out: &mut Vec<u8>, at: usize, kept: usize, len: usize) {
    let needed = varint_len(len as u64);
    if needed > kept {
        out.resize(out.len() + needed - kept, 0);
    }
    out.copy_within(at + kept..at + kept + len, at + needed);
    out.truncate(at + needed + len);
}

// === Reading ===

/// The bytes are not a protobuf message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// The value of a field as the wire tells it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Wire<'a> {
    /// An integer, truth value or enum.
    Varint(u64),
    /// A `fixed64`, `sfixed64` or `double` by its bits.
    Fixed64(u64),
    /// A `fixed32` by its bits.
    Fixed32(u32),
    /// Bytes, text, a message or a packed list.
    Bytes(&'a [u8]),
}

/// Walks the fields of one message.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Walks `message`.
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field and its number; `None` at the end of the message.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = u32::try_from(key >> 3).map_err(|_| Malformed)?;
        if field == 0 {
            return Err(Malformed);
        }
        let value = match key & 7 {
            VARINT => Wire::Varint(self.varint()?),
            FIXED64 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            DELIMITED => {
                let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Wire::Bytes(self.take(len)?)
            }
            FIXED32 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed),
        };
        Ok(Some((field, value)))
    }

    /// The last value of `field`, as protobuf has it for a field that occurs more than once.
    pub(crate) fn find(message: &'a [u8], field: u32) -> Result<Option<Wire<'a>>, Malformed> {
        let mut fields = Self::new(message);
        let mut found = None;
        while let Some((number, value)) = fields.next()? {
            if number == field {
                found = Some(value);
            }
        }
        Ok(found)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(index + 1..).ok_or(Malformed)?;
                return Ok(value);
            }
        }
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_message_has_a_minimal_length_whatever_its_size() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152] {
            let content = vec![7; len];
            let mut nested = vec![0xee];
            message(&mut nested, 3, |out| out.extend_from_slice(&content));
            let mut plain = vec![0xee];
            bytes(&mut plain, 3, &content);
            assert_eq!(nested, plain, "{len}");
            let mut nested = vec![0xee];
            record(&mut nested, 3, |out| out.extend_from_slice(&content));
            assert_eq!(nested, plain, "{len} as a record");
        }
    }

    #[test]
    fn varints_are_as_long_as_announced() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, (1u64 << shift) | 1] {
                let mut out = Vec::new();
                varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                let mut place = [0; 12];
                let end = varint_at(&mut place, 1, value);
                assert_eq!(&place[1..end], out);
                assert_eq!(Fields { rest: &out }.varint(), Ok(value));
            }
        }
        let mut out = Vec::new();
        varint(&mut out, u64::MAX);
        assert_eq!((out.len(), varint_len(u64::MAX)), (10, 10));
    }

    #[test]
    fn a_message_cut_anywhere_is_malformed_or_shorter_and_never_a_panic() {
        let mut whole = Vec::new();
        uint(&mut whole, 1, 300);
        fixed64(&mut whole, 2, 5);
        fixed32(&mut whole, 3, 6);
        bytes(&mut whole, 4, b"text");
        for end in 0..whole.len() {
            let mut fields = Fields::new(&whole[..end]);
            while let Ok(Some(_)) = fields.next() {}
        }
        assert_eq!(Fields::find(&whole, 4), Ok(Some(Wire::Bytes(b"text"))));
        assert_eq!(Fields::new(&[0x80; 11]).next(), Err(Malformed));
        assert_eq!(Fields::new(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]).next(), Err(Malformed));
        assert_eq!(Fields::new(&[0x03]).next(), Err(Malformed));
    }
}

//! Looking at short texts eight bytes at a time.
//!
//! Names, words and ids are some ten bytes long: too short for what a compiler makes of a loop over bytes, and looked
//! at for every span. A question about bytes is put to eight of them at once, as the number they make.

/// A byte of 1 in every place.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The highest bit of every byte.
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Whether every eight bytes of `bytes` pass `test`. What does not fill eight is filled up with bytes of `bytes`.
#[inline(always)]
pub fn all(bytes: &[u8], test: impl Fn(u64) -> bool) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        return test(u64::from_ne_bytes(*last))
            && bytes.as_chunks::<8>().0.iter().all(|eight| test(u64::from_ne_bytes(*eight)));
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some([a, b, c, d]), Some([e, f, g, h])) => test(u64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        _ => match *bytes {
            [] => true,
            [a] => test(u64::from_ne_bytes([a; 8])),
            [a, b] => test(u64::from_ne_bytes([a, b, a, a, a, a, a, a])),
            [a, b, c, ..] => test(u64::from_ne_bytes([a, b, c, a, a, a, a, a])),
        },
    }
}

/// Whether one of the eight bytes is below `limit`, which is 128 at most.
#[inline]
pub const fn has_below(eight: u64, limit: u8) -> bool {
    eight.wrapping_sub(ONES * limit as u64) & !eight & HIGH != 0
}

/// Whether one of the eight bytes is something JSON escapes: a control character of ASCII, `"` or `\`.
#[inline]
pub const fn need_escapes(eight: u64) -> bool {
    let (control, quote, backslash) = (ONES * b' ' as u64, ONES * b'"' as u64, ONES * b'\\' as u64);
    // Each difference borrows from the highest bit of a byte that is one of these; those above ASCII have it set.
    let borrowed =
        eight.wrapping_sub(control) | (eight ^ quote).wrapping_sub(ONES) | (eight ^ backslash).wrapping_sub(ONES);
    borrowed & !eight & HIGH != 0
}

/// Four bytes as eight hexadecimal digits.
#[inline]
pub const fn hex(four: [u8; 4]) -> [u8; 8] {
    let mut halves = u32::from_be_bytes(four) as u64;
    halves = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    halves = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Six more than nine reaches the next bit.
    let letters = (halves + ONES * 6) >> 4 & ONES;
    (halves + ONES * b'0' as u64 + letters * (b'a' - b'9' - 1) as u64).to_be_bytes()
}

/// Whether all of the eight bytes are ASCII.
#[inline]
pub const fn are_ascii(eight: u64) -> bool {
    eight & HIGH == 0
}

/// Whether all of the eight bytes are printable ASCII or spaces.
#[inline]
pub const fn are_printable(eight: u64) -> bool {
    // Adding one to a byte of ASCII reaches the highest bit for DEL alone.
    are_ascii(eight) && are_ascii(eight.wrapping_add(ONES)) && !has_below(eight, b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_of_every_length_is_seen() {
        for len in 0..=33 {
            let plain = vec![b'm'; len];
            assert!(all(&plain, are_printable), "{len}");
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = plain.clone();
                    bytes[at] = byte;
                    assert_eq!(all(&bytes, are_ascii), byte.is_ascii(), "{byte} at {at} of {len}");
                    assert_eq!(all(&bytes, are_printable), matches!(byte, b' '..=b'~'), "{byte} at {at} of {len}");
                    let escapes = matches!(byte, ..b' ' | b'"' | b'\\');
                    assert_eq!(!all(&bytes, |eight| !need_escapes(eight)), escapes, "{byte} at {at} of {len}");
                    assert_eq!(!all(&bytes, |eight| !has_below(eight, 128)), len > 1 || byte < 128);
                }
            }
        }
    }
    #[test]
    fn every_byte_is_two_digits() {
        for byte in 0..=u8::MAX {
            let expected = format!("{byte:02x}{:02x}00ff", byte ^ 0x5a);
            assert_eq!(hex([byte, byte ^ 0x5a, 0, 0xff]), expected.as_bytes());
        }
    }
}

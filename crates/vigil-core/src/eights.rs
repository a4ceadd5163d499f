//! Looking at short texts eight bytes at a time.
//!
//! Names, words and ids are some ten bytes long: too short for what a compiler makes of a loop over bytes, and looked
//! at for every span. A question about bytes is put to eight of them at once, as the number they make.

/// A byte of 1 in every place.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The highest bit of every byte.
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Whether every eight bytes of `bytes` pass `test`. What does not fill eight is filled up with bytes of `bytes`.
#[inline]
pub fn all(bytes: &[u8], test: impl Fn(u64) -> bool) -> bool {
    let mut rest = bytes;
    while let Some((eight, more)) = rest.split_first_chunk::<8>() {
        if !test(u64::from_ne_bytes(*eight)) {
            return false;
        }
        rest = more;
    }
    let (Some(first), Some(last)) = (rest.first(), rest.last()) else { return true };
    if let Some(eight) = bytes.last_chunk::<8>() {
        return test(u64::from_ne_bytes(*eight));
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some([a, b, c, d]), Some([e, f, g, h])) => test(u64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        _ => {
            let middle = rest.get(rest.len() / 2).unwrap_or(first);
            test(u64::from_ne_bytes([*first, *middle, *last, *first, *first, *first, *first, *first]))
        }
    }
}

/// Whether one of the eight bytes is below `limit`, which is 128 at most.
#[inline]
pub const fn has_below(eight: u64, limit: u8) -> bool {
    eight.wrapping_sub(ONES * limit as u64) & !eight & HIGH != 0
}

/// Whether one of the eight bytes is `byte`.
#[inline]
pub const fn has(eight: u64, byte: u8) -> bool {
    has_below(eight ^ (ONES * byte as u64), 1)
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
                    assert_eq!(!all(&bytes, |eight| !has(eight, b'"')), byte == b'"', "{byte} at {at} of {len}");
                    assert_eq!(!all(&bytes, |eight| !has_below(eight, 128)), len > 1 || byte < 128);
                }
            }
        }
    }
}

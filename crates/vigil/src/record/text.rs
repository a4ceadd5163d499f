//! Text of records, read back.
//!
//! Names, words and ids are short and nearly all of them ASCII, which eight bytes at a time tell; the standard library
//! looks at texts of that length byte by byte. The argument for the one `unsafe` here: bytes that are all ASCII are
//! UTF-8.
#![expect(unsafe_code, reason = "bytes that were looked at are taken for the text they are; the argument is above")]

use vigil_core::eights;

/// `bytes` as text; `None` where they are none.
#[inline]
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    if eights::all(bytes, eights::are_ascii) {
        // SAFETY: every byte is ASCII (`eights::all` is tested for every byte at every place), and ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_is_no_text_for_the_standard_library_is_none_here() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = byte;
                    assert_eq!(text(&bytes), std::str::from_utf8(&bytes).ok());
                }
            }
        }
        assert_eq!(text("modèle".as_bytes()), Some("modèle"));
    }
}

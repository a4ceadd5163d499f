//! Text without what a terminal, a wrapper or an encoding does to it, so that phrases can be found in it.
//!
//! Terminals wrap in the middle of a phrase or of a JSON string, clients put bodies into strings of bodies, libraries
//! print them as Python or Node would. Squeezing forgets all of that: blanks, line ends and their escapes, hyphens,
//! backslashes, ANSI sequences and every character beyond ASCII are dropped, every kind of quotation mark becomes
//! `'`, letters become small. `{\"type\":\n  \"rate_limit_error\"` and `{'type': 'rate_limit_error'` are then the same.
//! Patterns are squeezed by the same function, so that tables hold what people read.

/// What becomes of a byte: itself or another byte, or one of these.
const DROP: u8 = 0;
const SPECIAL: u8 = 1;

const ESCAPE: u8 = 0x1b;
/// The longest ANSI sequence that is passed over, in bytes; a longer one is none.
const MAX_ANSI_BYTES: usize = 128;

static FATE: [u8; 256] = fates();

const fn fates() -> [u8; 256] {
    let mut fate = [DROP; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        fate[byte] = (byte as u8).to_ascii_lowercase();
        byte += 1;
    }
    fate[b'-' as usize] = DROP;
    fate[b'"' as usize] = b'\'';
    fate[b'`' as usize] = b'\'';
    fate[b'\\' as usize] = SPECIAL;
    fate[ESCAPE as usize] = SPECIAL;
    // U+2018, U+2019, U+201C and U+201D begin with it; U+02BC with the other.
    fate[0xe2] = SPECIAL;
    fate[0xca] = SPECIAL;
    fate
}

/// Gives every byte of the squeezed text to `emit`, with the place in `text` it stands for.
#[inline(always)]
fn squeeze_with(text: &[u8], mut emit: impl FnMut(u8, usize)) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match FATE[usize::from(byte)] {
            DROP => at += 1,
            SPECIAL => {
                let (replacement, length) = special(&text[at..]);
                if replacement != DROP {
                    emit(replacement, at);
                }
                at += length;
            }
            kept => {
                emit(kept, at);
                at += 1;
            }
        }
    }
}

/// What becomes of a sequence that starts with a special byte, and how long it is.
#[cold]
fn special(text: &[u8]) -> (u8, usize) {
    match text {
        [b'\\', ..] => escaped(text),
        [ESCAPE, ..] => (DROP, ansi_length(text)),
        [0xe2, 0x80, 0x98 | 0x99 | 0x9b | 0x9c | 0x9d, ..] => (b'\'', 3),
        [0xca, 0xbc, ..] => (b'\'', 2),
        _ => (DROP, 1),
    }
}

/// An escape of JSON, Python or JavaScript, at whatever depth: line ends and blanks vanish, others stand for
/// themselves.
fn escaped(text: &[u8]) -> (u8, usize) {
    let slashes = text.iter().take_while(|byte| **byte == b'\\').count();
    match text.get(slashes..).unwrap_or_default() {
        [b'n' | b'r' | b't', ..] => (DROP, slashes + 1),
        [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => {
            let quote = matches!([*a, *b, *c, d.to_ascii_lowercase()], [b'2', b'0', b'1', b'8' | b'9' | b'c' | b'd']);
            let ascii = if *a == b'0' && *b == b'0' { hex(*c) * 16 + hex(*d) } else { u8::MAX };
            let fate = if ascii < 0x80 { FATE[usize::from(ascii)] } else { DROP };
            (
                if quote {
                    b'\''
                } else if fate == SPECIAL {
                    DROP
                } else {
                    fate
                },
                slashes + 5,
            )
        }
        _ => (DROP, slashes),
    }
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}

/// The length of an ANSI sequence (`ESC [ … letter`, `ESC ] … BEL`, `ESC ] … ESC \`), 1 for a lone escape. Another
/// escape ends the search, so that a text of nothing but beginnings is read once.
pub(in crate::throttle) fn ansi_length(text: &[u8]) -> usize {
    let window = text.get(2..MAX_ANSI_BYTES.min(text.len())).unwrap_or_default();
    let ends = match text.get(1) {
        Some(b'[') => |byte: &u8| (0x40..=0x7e).contains(byte) || *byte == ESCAPE,
        Some(b']') => |byte: &u8| matches!(*byte, 0x07 | ESCAPE),
        _ => return 1,
    };
    let Some(at) = window.iter().position(ends) else { return 1 };
    match window[at..] {
        [ESCAPE, b'\\', ..] => at + 4,
        [ESCAPE, ..] => 1,
        _ => at + 3,
    }
}

/// Squeezes `text` into `into`, which is emptied first.
pub(super) fn squeeze_into(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    into.reserve(text.len());
    squeeze_with(text, |byte, _| into.push(byte));
}

/// For every byte of the squeezed text, its place in `text`.
pub(super) fn places(text: &[u8]) -> Vec<u32> {
    let mut places = Vec::with_capacity(text.len());
    squeeze_with(text, |_, at| places.push(u32::try_from(at).unwrap_or(u32::MAX)));
    places
}

/// A pattern, squeezed.
pub(in crate::throttle) fn squeezed(text: &str) -> String {
    let mut bytes = Vec::new();
    squeeze_into(text.as_bytes(), &mut bytes);
    bytes.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_encodings_and_terminals_do_to_a_text_does_not_matter() {
        let same = [
            r#"{"type":"rate_limit_error","message":"You've hit it"}"#,
            "{\"type\":\n   \"rate_limit_\n  error\", \"message\": \"You\u{2019}ve hit \u{2502}\n\u{2502} it\"}",
            r#"{\"type\":\"rate_limit_error\",\n\"message\":\"You\u2019ve hit it\"}"#,
            r#"{\\\"type\\\":\\n\\\"rate_limit_error\\\",\\\"message\\\":\\\"You've hit it\\\"}"#,
            "{'type': 'rate_limit_error', 'message': 'You\\'ve hit it'}",
            "\u{1b}[31m{'type': 'rate_limit_error',\u{1b}[0m 'message': \u{1b}]8;;x\u{7}'You`ve hit it'}",
        ];
        for text in same {
            assert_eq!(squeezed(text), "{'type':'rate_limit_error','message':'you'vehitit'}", "{text}");
        }
        assert_eq!(squeezed("Rate-Limited — naïve"), "ratelimitednave");
        assert_eq!(squeezed("a\\u0041\\u001b[b"), "aa[b");
    }

    #[test]
    fn places_are_those_of_the_bytes_they_stand_for() {
        let text = "\u{1b}[1mA b\\nc\u{2019}d".as_bytes();
        let mut bytes = Vec::new();
        squeeze_into(text, &mut bytes);
        assert_eq!(bytes, b"abc'd");
        let places = places(text);
        assert_eq!(places.len(), bytes.len());
        assert_eq!(places.iter().map(|at| text[*at as usize]).collect::<Vec<_>>(), b"Abc\xe2d");
    }

    #[test]
    fn an_escape_without_an_end_costs_only_itself() {
        for text in ["\u{1b}", "\u{1b}[", "\u{1b}]no end", "\\", "\\u12", "\\\\\\"] {
            let mut bytes = Vec::new();
            squeeze_into(text.as_bytes(), &mut bytes);
            assert_eq!(bytes.len(), places(text.as_bytes()).len(), "{text:?}");
        }
        assert_eq!(squeezed(&format!("\u{1b}[{}x", "1".repeat(300))).len(), 302);
    }
}

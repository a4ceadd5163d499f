//! Reading numbers and words from text that may be wrapped, coloured, padded or escaped.

use crate::throttle::text::ansi_length;

/// A place in a text, which moves on as tokens are read.
#[derive(Clone, Copy, Debug)]
pub(in crate::throttle) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

/// The most blanks that are passed over at once, in bytes: a line of a wide terminal.
const MAX_BLANK_BYTES: usize = 512;

impl<'a> Cursor<'a> {
    pub(in crate::throttle) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Where it is, in bytes from the start.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// What comes next.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes over blanks, line ends (also escaped ones), colours and the lines of boxes.
    pub(in crate::throttle) fn skip_blanks(&mut self) {
        let end = self.text.len().min(self.at + MAX_BLANK_BYTES);
        while self.at < end {
            self.at += match self.rest() {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => 1,
                [0x1b, ..] => ansi_length(self.rest()),
                [b'\\', b'n' | b'r' | b't', ..] => 2,
                [b'\\', b'\\', ..] => 1,
                [0xc2, 0xa0, ..] => 2,
                // U+2500 to U+259F, lines and blocks; U+202F and U+2009, narrow spaces.
                [0xe2, 0x94..=0x96, _, ..] | [0xe2, 0x80, 0xaf | 0x89, ..] => 3,
                _ => return,
            };
        }
    }

    /// Reads one of these bytes.
    pub(in crate::throttle) fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| bytes.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    /// Passes over these bytes, however many.
    pub(in crate::throttle) fn skip(&mut self, bytes: &[u8]) {
        let count = self.rest().iter().take(16).take_while(|byte| bytes.contains(byte)).count();
        self.at += count;
    }

    /// Reads a whole number of at most 18 digits; a longer one is none.
    pub(in crate::throttle) fn integer(&mut self) -> Option<u64> {
        let digits = self.rest().iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > 18 {
            return None;
        }
        let number = self.rest()[..digits].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        self.at += digits;
        Some(number)
    }

    /// Reads a number with or without a fraction. Not "1.2.3", and not the "1" of "1.x".
    pub(super) fn number(&mut self) -> Option<f64> {
        let start = *self;
        let whole = self.integer()?;
        let mut value = whole as f64;
        if self.peek() == Some(b'.') && self.rest().get(1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
            let digits = self.rest().iter().take(32).take_while(|byte| byte.is_ascii_digit()).count();
            let mut scale = 0.1;
            for digit in &self.rest()[..digits] {
                value += f64::from(digit - b'0') * scale;
                scale /= 10.0;
            }
            self.at += digits;
            if self.peek() == Some(b'.') && self.rest().get(1).is_some_and(u8::is_ascii_digit) {
                *self = start;
                return None;
            }
        }
        Some(value)
    }

    /// Reads a word of ASCII letters, at most 24 of them.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        let letters = self.rest().iter().take(25).take_while(|byte| byte.is_ascii_alphabetic()).count();
        if letters == 0 || letters > 24 {
            return None;
        }
        let word = std::str::from_utf8(&self.rest()[..letters]).ok()?;
        self.at += letters;
        Some(word)
    }

    /// Reads this word, in any case, if it is what comes after blanks.
    pub(in crate::throttle) fn keyword(&mut self, words: &[&str]) -> bool {
        let mut ahead = *self;
        ahead.skip_blanks();
        let found = ahead.word().is_some_and(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)));
        if found {
            *self = ahead;
        }
        found
    }
}

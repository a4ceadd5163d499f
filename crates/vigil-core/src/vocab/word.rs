//! How vocabularies are made, and what keeps foreign words short and harmless.

use std::fmt;

/// The longest word that is kept, in bytes.
pub const MAX_WORD_BYTES: usize = 64;

/// A text that is not a word of a closed vocabulary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownWord {
    /// The words that are known.
    pub known: &'static [&'static str],
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not one of {}", self.known.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

/// Whether `byte` may appear in a word.
pub(crate) const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-' | b'/')
}

/// Whether `text` is one word of letters, digits and `_.:-/`, at most [`MAX_WORD_BYTES`] long, or empty.
pub fn is_word(text: &str) -> bool {
    text.len() <= MAX_WORD_BYTES && text.bytes().all(is_word_byte)
}

/// `text` if it is one word of letters, digits and `_.:-/`, at most [`MAX_WORD_BYTES`] long; otherwise nothing.
///
/// For codes and names from outside that go where a low-cardinality word is expected. A text with anything else
/// in it is a message, not a code: no part of it is kept, because any part may be what must not leave. It cannot
/// know whether the word means anything.
pub fn sanitise(text: &str) -> String {
    let word = text.trim();
    if is_word(word) { word.to_owned() } else { String::new() }
}

/// A closed vocabulary: a `Copy` enum whose variants each have one word.
macro_rules! closed_words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// Every word, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word on the wire.
            #[inline]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::vocab::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or($crate::vocab::UnknownWord { known: Self::WORDS })
            }
        }

        impl From<$name> for $crate::fact::AnyValue<'_> {
            fn from(value: $name) -> Self {
                $crate::fact::AnyValue::from(value.as_str())
            }
        }
    };
}

/// An open vocabulary: known words as constants, others as text. `$fallback` stands in for an empty one.
macro_rules! open_words {
    ($(#[$meta:meta])* $name:ident, empty is $fallback:ident { $($(#[$word_meta:meta])* $constant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(::std::borrow::Cow<'static, str>);

        impl $name {
            $($(#[$word_meta])* pub const $constant: Self = Self::from_static($word);)*

            /// The words known to Vigil, in the order of the constants.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// A word the program knows when it is compiled.
            #[inline]
            pub const fn from_static(word: &'static str) -> Self {
                Self(::std::borrow::Cow::Borrowed(word))
            }

            /// A word from outside: a known one costs nothing; of another the letters, digits and `_.:-/` are
            /// kept, at most 64 bytes.
            pub fn from_code(code: &str) -> Self {
                if let Some(known) = Self::WORDS.iter().find(|word| **word == code) {
                    return Self::from_static(known);
                }
                let word = $crate::vocab::sanitise(code);
                if word.is_empty() { Self::$fallback } else { Self(word.into()) }
            }

            /// The word on the wire.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<$name> for $crate::fact::AnyValue<'_> {
            fn from(value: $name) -> Self {
                $crate::fact::AnyValue::Str(value.0)
            }
        }

        impl From<&$name> for $crate::fact::AnyValue<'_> {
            fn from(value: &$name) -> Self {
                $crate::fact::AnyValue::Str(value.0.clone())
            }
        }
    };
}

pub(super) use {closed_words, open_words};

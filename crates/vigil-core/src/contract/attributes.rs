//! Attribute keys and the table that defines them.
//!
//! A [`Key`] is an index into the table. The constants in [`attr`] are the only source of keys besides
//! looking a name up, and their names are the upper-snake form of the wire name.

mod table;

pub use table::attr;

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

/// An attribute key of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u16);

/// What the contract says about an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyDef {
    /// The name on the wire.
    pub name: &'static str,
    /// The type of its value.
    pub ty: ValueType,
    /// How private its value may be.
    pub class: Class,
    /// The values that are known, for an [`Class::Enum`].
    pub words: Words,
    /// What it says, with its unit.
    pub doc: &'static str,
    /// Who named it.
    pub source: Source,
}

/// The type of an attribute's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// Text.
    Str,
    /// A whole number.
    Int,
    /// A floating point number.
    Double,
    /// A truth value.
    Bool,
    /// A list of texts.
    StrList,
    /// A list of whole numbers.
    IntList,
}

/// How private a value may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A number, a truth value, or a list of numbers.
    Number,
    /// One of few words, from a closed or an open list: at most 64 letters, digits and `_.:-/`.
    Enum,
    /// An identifier or a name that is meant to be seen: a model, a tool, an id, a host. At most 256 bytes.
    Name,
    /// Free text: prompts, arguments, results, messages, paths, descriptions. Passes the content gate only.
    Text,
}

/// The values an attribute may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Words {
    /// The contract lists none.
    Unlisted,
    /// These, and others.
    Known(&'static [&'static str]),
    /// These and no others.
    Closed(&'static [&'static str]),
}

/// Who named an attribute, span, event or metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The OpenTelemetry GenAI conventions (MCP, OpenAI and Bedrock included).
    GenAi,
    /// The OpenTelemetry core conventions.
    OpenTelemetry,
    /// Older GenAI conventions, for backends that still read them.
    Compat,
    /// A seed document, by the id of its line.
    Seed(&'static str),
    /// Vigil.
    Vigil,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GenAi => write!(f, "GenAI conventions {}", super::GENAI_COMMIT),
            Self::OpenTelemetry => f.write_str("OpenTelemetry conventions 1.44"),
            Self::Compat => f.write_str("GenAI conventions up to 1.41 (compat)"),
            Self::Seed(line) => write!(f, "seed {line}"),
            Self::Vigil => f.write_str("Vigil"),
        }
    }
}

impl Key {
    /// What the contract says about it.
    #[inline]
    pub fn def(self) -> &'static KeyDef {
        // Keys are made from the table's own indices, so that the index always exists.
        &table::TABLE[usize::from(self.0)]
    }

    /// The name on the wire.
    #[inline]
    pub fn name(self) -> &'static str {
        self.def().name
    }

    /// Whether its value is free text, which passes the content gate only.
    #[inline]
    pub fn is_text(self) -> bool {
        self.def().class == Class::Text
    }

    /// Its place in the table; stable within one version of Vigil.
    #[inline]
    pub const fn index(self) -> u16 {
        self.0
    }

    /// The key at this place.
    #[inline]
    pub fn from_index(index: u16) -> Option<Self> {
        (usize::from(index) < table::TABLE.len()).then_some(Self(index))
    }

    /// The key with this name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        static BY_NAME: OnceLock<HashMap<&'static str, Key>> = OnceLock::new();
        BY_NAME.get_or_init(|| Self::all().map(|key| (key.name(), key)).collect()).get(name).copied()
    }

    /// Every key, in the order of the table.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..table::TABLE.len()).map(|index| Self(index as u16))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;

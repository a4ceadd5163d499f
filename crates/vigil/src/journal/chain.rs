//! The hash chain: what binds a record to all before it.
//!
//! The hash is SHA-256, so that anybody can check a journal with the tools at hand. At the size of an event it is
//! as fast as anything (a record of 300 bytes: 0.3 µs with the processor's instructions for it).

use super::error::KindError;
use super::frame;
use ring::digest::{SHA256, digest};
use std::fmt;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hash(pub [u8; 32]);

/// Where a chain ends: its last record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// The sequence of the last record; 0 when there is none.
    pub sequence: u64,
    /// Its hash; zeros when there is none.
    pub hash: Hash,
}

/// A chain without a file: the head the same events would give a journal.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    head: Head,
    buffer: Vec<u8>,
}

impl Hash {
    /// Of the bytes of a record that are hashed.
    pub(super) fn of(hashed: &[u8]) -> Self {
        let mut hash = Self::default();
        // Both are 32 bytes, by the algorithm.
        hash.0.copy_from_slice(digest(&SHA256, hashed).as_ref());
        hash
    }

    /// Reads 64 lower- or upper-case hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let nibble = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
        let mut hash = Self::default();
        for (byte, pair) in hash.0.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Chain {
    /// A chain without a record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the chain ends.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The head with one more record; the chain moves on to it.
    ///
    /// # Errors
    /// The kind is not one a journal takes.
    pub fn append(&mut self, kind: &str, payload: &[u8]) -> Result<Head, KindError> {
        frame::check_kind(kind)?;
        self.buffer.clear();
        let sequence = self.head.sequence + 1;
        frame::encode_hashed(self.head.hash, sequence, kind, payload, &mut self.buffer);
        self.head = Head { sequence, hash: Hash::of(&self.buffer) };
        Ok(self.head)
    }
}

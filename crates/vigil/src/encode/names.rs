//! The contract's attribute names as they are on the wire, encoded once for the life of the process.

use super::proto;
use std::sync::LazyLock;
use vigil_core::contract::Key;

/// Names are kept in blocks of one size, so that copying one is a handful of moves and no call. Longer names than
/// fit are written the long way.
const BLOCK: usize = 64;

/// `KeyValue.key` of one attribute: tag, length, name.
pub(super) struct Name {
    block: [u8; BLOCK],
    len: usize,
}

static NAMES: LazyLock<Vec<Option<Name>>> = LazyLock::new(|| Key::all().map(|key| Name::new(key.name())).collect());

/// The names, by [`Key::index`]; `None` for those that are too long.
pub(super) fn names() -> &'static [Option<Name>] {
    &NAMES
}

impl Name {
    fn new(name: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(BLOCK);
        proto::bytes(&mut bytes, 1, name.as_bytes());
        let len = bytes.len();
        bytes.resize(BLOCK.max(len), 0);
        Some(Self { block: bytes.try_into().ok()?, len })
    }

    /// How many bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.block);
        out.truncate(end);
    }
}

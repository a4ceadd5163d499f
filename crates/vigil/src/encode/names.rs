//! The contract's attribute names as they are on the wire, encoded once for the life of the process.

use super::proto;
use crate::block::Block;
use std::sync::LazyLock;
use vigil_core::contract::Key;

/// What is kept ready of an attribute, with room for a number or a short text after it. Longer names than fit are
/// written the long way.
pub(super) const BLOCK: usize = 96;
/// The most bytes a value that is no text takes: tag and length of the value, tag and ten bytes of a number.
const VALUE: usize = 13;

/// The beginning of one attribute: two bytes for tag and length, which the writer knows; `KeyValue.key`; the tag of
/// `KeyValue.value`.
pub(super) type Name = Block<BLOCK>;

static NAMES: LazyLock<Vec<Name>> =
    LazyLock::new(|| Key::all().map(|key| name(key.name()).unwrap_or_else(Block::empty)).collect());

/// The names, by [`Key::index`]; empty for those that are too long.
pub(super) fn names() -> &'static [Name] {
    &NAMES
}

fn name(name: &str) -> Option<Name> {
    let mut bytes = vec![0, 0];
    proto::bytes(&mut bytes, 1, name.as_bytes());
    bytes.push(2 << 3 | 2);
    Block::new(&bytes).filter(|name| name.len() + VALUE <= BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_every_name_is_kept_ready() {
        let long = names().iter().filter(|name| name.len() == 0).count();
        assert!(long * 20 < names().len(), "{long} of {}", names().len());
    }
}

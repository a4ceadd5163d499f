//! What the three lists of kinds (spans, events, metrics) have in common.

/// Gives a `repr(u8)` enum its table of definitions, its index, and the way back from both index and id.
///
/// `$id` is the field of the definition that names the kind for people and files.
macro_rules! indexed {
    ($type:ident, $def:ident, $id:ident) => {
        impl $type {
            /// What the contract says about it.
            #[inline]
            pub fn def(self) -> &'static $def {
                // The tables are built from the same list as the enum, so that the index always exists.
                &TABLE[usize::from(self.index())]
            }

            /// Its stable name in files and on the wire.
            #[inline]
            pub fn id(self) -> &'static str {
                self.def().$id
            }

            /// The kind with this [`id`](Self::id).
            pub fn from_id(id: &str) -> Option<Self> {
                Self::all().find(|kind| kind.id() == id)
            }

            /// Its place in the table; stable within one version of Vigil, never written to disk.
            #[inline]
            pub const fn index(self) -> u8 {
                self as u8
            }

            /// The kind at this place.
            #[inline]
            pub fn from_index(index: u8) -> Option<Self> {
                ALL.get(usize::from(index)).copied()
            }

            /// Every kind, in the order of the table.
            pub fn all() -> impl ExactSizeIterator<Item = Self> {
                ALL.iter().copied()
            }
        }
    };
}

/// One list of attribute keys from several.
macro_rules! keys {
    ($($group:expr),* $(,)?) => {{
        const GROUPS: &[&[$crate::contract::Key]] = &[$($group),*];
        const LEN: usize = $crate::contract::kind::total(GROUPS);
        const KEYS: [$crate::contract::Key; LEN] = $crate::contract::kind::joined(GROUPS);
        &KEYS
    }};
}

pub(super) use {indexed, keys};

use super::Key;

pub(super) const fn total(groups: &[&[Key]]) -> usize {
    let mut sum = 0;
    let mut group = 0;
    while group < groups.len() {
        sum += groups[group].len();
        group += 1;
    }
    sum
}

pub(super) const fn joined<const LEN: usize>(groups: &[&[Key]]) -> [Key; LEN] {
    let mut keys = [super::attr::ERROR_TYPE; LEN];
    let mut next = 0;
    let mut group = 0;
    while group < groups.len() {
        let mut index = 0;
        while index < groups[group].len() {
            keys[next] = groups[group][index];
            next += 1;
            index += 1;
        }
        group += 1;
    }
    keys
}

//! What goes into a call and comes out of it, as something that can be measured and told apart.

use bytes::Bytes;
use ring::digest::{Context, SHA256};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Arguments or results of a capability call.
///
/// `bytes_in` and `bytes_out` are the bytes of text that can be reached from them, through lists, maps (names
/// included), tuples, options and results; numbers count nothing. Where calls are recorded, the same walk makes
/// the digest of a request. For types of your own:
///
/// ```
/// use vigil::gateway::{Payload, Walk};
///
/// struct Query {
///     sql: String,
///     rows: u64,
/// }
///
/// impl Payload for Query {
///     fn walk(&self, walk: &mut Walk) {
///         (&self.sql, self.rows).walk(walk);
///     }
/// }
///
/// assert_eq!(vigil::gateway::text_bytes(&Query { sql: "select 1".into(), rows: 10 }), 8);
/// ```
pub trait Payload {
    /// Shows everything this holds to `walk`, always in the same order.
    fn walk(&self, walk: &mut Walk);
}

/// A walk over a payload: sums bytes, and where calls are recorded makes a digest.
pub struct Walk {
    bytes: u64,
    digest: Option<Context>,
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Walk {
    pub(super) fn measuring() -> Self {
        Self { bytes: 0, digest: None }
    }

    pub(super) fn digesting() -> Self {
        Self { bytes: 0, digest: Some(Context::new(&SHA256)) }
    }

    pub(super) fn bytes_walked(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 over all that was shown, each thing with its sort and length before it.
    pub(super) fn digest(self) -> [u8; 32] {
        let mut digest = [0; 32];
        if let Some(context) = self.digest {
            digest.copy_from_slice(context.finish().as_ref());
        }
        digest
    }

    fn show(&mut self, sort: u8, content: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(&[sort]);
            digest.update(&(content.len() as u64).to_le_bytes());
            digest.update(content);
        }
    }

    /// Shows text.
    pub fn text(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        self.show(b't', text.as_bytes());
    }

    /// Shows bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.show(b'b', bytes);
    }

    /// Shows a whole number. Counts no bytes.
    pub fn whole(&mut self, number: i128) {
        self.show(b'n', &number.to_le_bytes());
    }

    /// Shows a floating point number, by its bits. Counts no bytes.
    pub fn double(&mut self, number: f64) {
        self.show(b'd', &number.to_bits().to_le_bytes());
    }

    /// Shows which of several things follows: a variant, or how many items. Counts no bytes.
    pub fn case(&mut self, case: u64) {
        self.show(b'c', &case.to_le_bytes());
    }
}

/// The bytes of text in `payload`, as `bytes_in` and `bytes_out` have them.
pub fn text_bytes(payload: &(impl Payload + ?Sized)) -> u64 {
    let mut walk = Walk::measuring();
    payload.walk(&mut walk);
    walk.bytes_walked()
}

/// What tells requests apart where calls are recorded.
pub fn digest_of(payload: &(impl Payload + ?Sized)) -> [u8; 32] {
    let mut walk = Walk::digesting();
    payload.walk(&mut walk);
    walk.digest()
}

// === Text and bytes ===

macro_rules! text {
    ($($type:ty),*) => { $(impl Payload for $type {
        fn walk(&self, walk: &mut Walk) {
            walk.text(self);
        }
    })* };
}
text!(str, String, Cow<'_, str>);

macro_rules! bytes {
    ($($type:ty),*) => { $(impl Payload for $type {
        fn walk(&self, walk: &mut Walk) {
            walk.bytes(self);
        }
    })* };
}
// A single u8 is no payload, so that lists of them are bytes and not lists of numbers.
bytes!([u8], Vec<u8>, Bytes);

impl<const N: usize> Payload for [u8; N] {
    fn walk(&self, walk: &mut Walk) {
        walk.bytes(self);
    }
}

impl Payload for Path {
    fn walk(&self, walk: &mut Walk) {
        walk.bytes(self.as_os_str().as_encoded_bytes());
    }
}

impl Payload for PathBuf {
    fn walk(&self, walk: &mut Walk) {
        self.as_path().walk(walk);
    }
}

// === Numbers ===

macro_rules! whole {
    ($($type:ty),*) => { $(impl Payload for $type {
        fn walk(&self, walk: &mut Walk) {
            walk.whole(i128::from(*self));
        }
    })* };
}
whole!(bool, i16, i32, i64, i128, u16, u32, u64);

impl Payload for usize {
    fn walk(&self, walk: &mut Walk) {
        walk.whole(*self as i128);
    }
}

impl Payload for f64 {
    fn walk(&self, walk: &mut Walk) {
        walk.double(*self);
    }
}

impl Payload for f32 {
    fn walk(&self, walk: &mut Walk) {
        walk.double(f64::from(*self));
    }
}

impl Payload for Duration {
    fn walk(&self, walk: &mut Walk) {
        walk.whole(i128::try_from(self.as_nanos()).unwrap_or(i128::MAX));
    }
}

// === What holds others ===

impl<T: Payload + ?Sized> Payload for &T {
    fn walk(&self, walk: &mut Walk) {
        (**self).walk(walk);
    }
}

impl<T: Payload + ?Sized> Payload for Box<T> {
    fn walk(&self, walk: &mut Walk) {
        (**self).walk(walk);
    }
}

impl<T: Payload + ?Sized> Payload for Arc<T> {
    fn walk(&self, walk: &mut Walk) {
        (**self).walk(walk);
    }
}

impl<T: Payload> Payload for Option<T> {
    fn walk(&self, walk: &mut Walk) {
        walk.case(u64::from(self.is_some()));
        if let Some(value) = self {
            value.walk(walk);
        }
    }
}

impl<T: Payload, E: Payload> Payload for Result<T, E> {
    fn walk(&self, walk: &mut Walk) {
        walk.case(u64::from(self.is_ok()));
        match self {
            Ok(value) => value.walk(walk),
            Err(error) => error.walk(walk),
        }
    }
}

fn items<'a, T: Payload + 'a>(items: impl ExactSizeIterator<Item = &'a T>, walk: &mut Walk) {
    walk.case(items.len() as u64);
    items.for_each(|item| item.walk(walk));
}

impl<T: Payload> Payload for [T] {
    fn walk(&self, walk: &mut Walk) {
        items(self.iter(), walk);
    }
}

impl<T: Payload, const N: usize> Payload for [T; N] {
    fn walk(&self, walk: &mut Walk) {
        items(self.iter(), walk);
    }
}

impl<T: Payload> Payload for Vec<T> {
    fn walk(&self, walk: &mut Walk) {
        items(self.iter(), walk);
    }
}

impl<T: Payload> Payload for VecDeque<T> {
    fn walk(&self, walk: &mut Walk) {
        items(self.iter(), walk);
    }
}

impl<T: Payload> Payload for BTreeSet<T> {
    fn walk(&self, walk: &mut Walk) {
        items(self.iter(), walk);
    }
}

impl<K: Payload, V: Payload> Payload for BTreeMap<K, V> {
    fn walk(&self, walk: &mut Walk) {
        walk.case(self.len() as u64);
        self.iter().for_each(|entry| entry.walk(walk));
    }
}

// A hash has an order of its own in every process: sorted, two runs see the same.
impl<T: Payload + Ord, S> Payload for HashSet<T, S> {
    fn walk(&self, walk: &mut Walk) {
        let mut sorted: Vec<&T> = self.iter().collect();
        sorted.sort_unstable();
        sorted.walk(walk);
    }
}

impl<K: Payload + Ord, V: Payload, S> Payload for HashMap<K, V, S> {
    fn walk(&self, walk: &mut Walk) {
        let mut sorted: Vec<(&K, &V)> = self.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted.walk(walk);
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*)),*) => { $(
        impl<$($name: Payload),*> Payload for ($($name,)*) {
            fn walk(&self, _walk: &mut Walk) {
                $(self.$index.walk(_walk);)*
            }
        }
    )* };
}
tuples!((), (A 0), (A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3), (A 0, B 1, C 2, D 3, E 4),
        (A 0, B 1, C 2, D 3, E 4, F 5));

impl Payload for Value {
    fn walk(&self, walk: &mut Walk) {
        // Which of the six it is comes first: an empty list is not null.
        walk.case(match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Number(_) => 2,
            Value::String(_) => 3,
            Value::Array(_) => 4,
            Value::Object(_) => 5,
        });
        match self {
            Value::Null => {}
            Value::Bool(truth) => truth.walk(walk),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => number.walk(walk),
                (None, Some(number)) => number.walk(walk),
                (None, None) => walk.double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => walk.text(text),
            Value::Array(items) => items.walk(walk),
            Value::Object(map) => {
                // Sorted, whether or not a feature of serde_json keeps the order of insertion.
                let mut entries: Vec<(&String, &Value)> = map.iter().collect();
                entries.sort_unstable_by_key(|(name, _)| *name);
                entries.walk(walk);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn b2_sizes_are_the_bytes_of_text_that_can_be_reached() {
        assert_eq!(text_bytes("grün"), 5);
        assert_eq!(text_bytes(&String::from("abc")), 3);
        assert_eq!(text_bytes(&vec![1_u8, 2, 3]), 3);
        assert_eq!(text_bytes(&("ab", 7, 1.5, true, Some("c"))), 3);
        assert_eq!(text_bytes(&vec!["a", "bc"]), 3);
        assert_eq!(text_bytes(&Some(Ok::<_, String>(vec![Some("abc"), None]))), 3);
        assert_eq!(text_bytes(&Err::<u64, _>("four")), 4);
        assert_eq!(text_bytes(&BTreeMap::from([("key", "value")])), 8);
        assert_eq!(text_bytes(&HashMap::from([("key", vec!["v"])])), 4);
        assert_eq!(text_bytes(Path::new("/a/b")), 4);
        assert_eq!(text_bytes(&()), 0);
        // Through records, lists and maps of JSON; names count, numbers do not.
        assert_eq!(text_bytes(&json!({ "name": ["ab", 3, null, { "x": "y" }] })), 8);
    }

    #[test]
    fn digests_tell_apart_what_differs_and_only_that() {
        let different = [
            digest_of("ab"),
            digest_of(&("a", "b")),
            digest_of(&("ab", "")),
            digest_of(&vec!["a", "b"]),
            digest_of(&vec![vec!["a"], vec!["b"]]),
            digest_of(&vec![vec!["a", "b"]]),
            digest_of("ab".as_bytes()),
            digest_of(&Some("ab")),
            digest_of(&Some(1)),
            digest_of(&Some(2)),
            digest_of(&None::<u64>),
            digest_of(&1.5),
            digest_of(&json!({ "a": 1 })),
            digest_of(&json!({ "a": "1" })),
            digest_of(&json!({ "a": 1.0 })),
            digest_of(&json!({ "a": [] })),
            digest_of(&json!({ "a": null })),
        ];
        assert_eq!(different.iter().collect::<HashSet<_>>().len(), different.len());
        let many = || (0..100).map(|number| (number.to_string(), number));
        assert_eq!(digest_of(&many().collect::<HashMap<_, _>>()), digest_of(&many().rev().collect::<HashMap<_, _>>()));
        assert_eq!(digest_of(&json!({ "a": 1, "b": 2 })), digest_of(&json!({ "b": 2, "a": 1 })));
    }
}

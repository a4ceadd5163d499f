//! Results as they are written down where calls are recorded, and read again where they are replayed.

use super::payload::{Payload, Walk};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The result of a capability call.
///
/// There are implementations for text, bytes, numbers, truth values, nothing, options of them and JSON; whatever
/// serde can write and read is one in a [`Json`].
pub trait Answer: Payload + Sized {
    /// The result as bytes; only where calls are recorded.
    fn to_record(&self) -> Vec<u8>;

    /// The result again. `None` where the bytes are of another type.
    fn from_record(bytes: &[u8]) -> Option<Self>;
}

impl Answer for Vec<u8> {
    fn to_record(&self) -> Vec<u8> {
        self.clone()
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

impl Answer for String {
    fn to_record(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl Answer for () {
    fn to_record(&self) -> Vec<u8> {
        Vec::new()
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(())
    }
}

macro_rules! numbers {
    ($($type:ty),*) => { $(impl Answer for $type {
        fn to_record(&self) -> Vec<u8> {
            self.to_le_bytes().to_vec()
        }

        fn from_record(bytes: &[u8]) -> Option<Self> {
            Some(Self::from_le_bytes(bytes.try_into().ok()?))
        }
    })* };
}
numbers!(i32, u32, i64, u64, f64);

impl Answer for bool {
    fn to_record(&self) -> Vec<u8> {
        vec![u8::from(*self)]
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl Answer for Value {
    fn to_record(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl<T: Answer> Answer for Option<T> {
    fn to_record(&self) -> Vec<u8> {
        match self {
            None => Vec::new(),
            Some(value) => [&[1], value.to_record().as_slice()].concat(),
        }
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [] => Some(None),
            [1, rest @ ..] => T::from_record(rest).map(Some),
            _ => None,
        }
    }
}

/// Makes a payload and an answer of whatever serde can write and read. Its size is that of its JSON's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize> Payload for Json<T> {
    fn walk(&self, walk: &mut Walk) {
        // What cannot be written as JSON is told apart from everything that can, and has no size.
        match serde_json::to_value(&self.0) {
            Ok(value) => value.walk(walk),
            Err(_) => walk.case(u64::MAX),
        }
    }
}

impl<T: Serialize + DeserializeOwned> Answer for Json<T> {
    fn to_record(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn comes_back<T: Answer + PartialEq + std::fmt::Debug>(answer: T) {
        assert_eq!(T::from_record(&answer.to_record()), Some(answer));
    }

    #[test]
    fn every_answer_comes_back_from_its_record() {
        comes_back("grün".to_owned());
        comes_back(vec![0, 255]);
        comes_back(());
        comes_back(true);
        comes_back(-5_i64);
        comes_back(u64::MAX);
        comes_back(1.5);
        comes_back(None::<String>);
        comes_back(Some(String::new()));
        comes_back(json!({ "a": [1, null, "b"] }));
        comes_back(Json(BTreeMap::from([("a".to_owned(), vec![1.5])])));
    }

    #[test]
    fn a_record_of_another_type_is_not_taken_for_this_one() {
        assert_eq!(String::from_record(&[0xff]), None);
        assert_eq!(u64::from_record(b"abc"), None);
        assert_eq!(bool::from_record(b"x"), None);
        assert_eq!(<()>::from_record(b"x"), None);
        assert_eq!(Value::from_record(b"{"), None);
        assert_eq!(Option::<bool>::from_record(&[1, 7]), None);
    }

    #[test]
    fn b2_the_size_of_json_is_that_of_its_text() {
        assert_eq!(super::super::text_bytes(&Json(BTreeMap::from([("key", ("value", 12))]))), 8);
    }
}

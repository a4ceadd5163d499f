//! Reading foreign JSON without trusting its shape.
//!
//! Agent CLIs change their formats between releases. A derived deserializer gives up on a whole line when
//! one field has another type, or appears twice; here a field of the wrong type reads as absent, the last of
//! two fields wins, and unknown fields are skipped without being decoded. Texts are borrowed from the
//! line wherever they hold no escape.
//!
//! Nothing here allocates for what is skipped, and nothing recurses on foreign input: serde_json limits the
//! depth of what is read (128) and skips the rest iteratively.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The visits every lenient reader answers with "absent".
macro_rules! absent {
    ($($what:ident),*) => { $(absent!(@ $what);)* };
    (@ bool) => { fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok(Default::default()) } };
    (@ numbers) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok(Default::default()) }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok(Default::default()) }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok(Default::default()) }
    };
    (@ text) => { fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok(Default::default()) } };
    (@ null) => { fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok(Default::default()) } };
    (@ list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
    (@ object) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
}
pub(crate) use absent;

fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("any JSON value")
}

/// A text, or nothing when the value is something else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Str<'a>(Option<Cow<'a, str>>);

impl Str<'_> {
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The text, empty when there is none.
    pub(crate) fn or_empty(&self) -> &str {
        self.get().unwrap_or_default()
    }

    /// The text unless there is none or it is empty.
    pub(crate) fn some(&self) -> Option<&str> {
        self.get().filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for Str<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl<'de> Visitor<'de> for StrVisitor {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Some(Cow::Owned(text.to_owned()))))
            }
            absent!(bool, numbers, null, list, object);
        }
        deserializer.deserialize_any(StrVisitor)
    }
}

/// A number; whole numbers up to 2^53 are exact. Text that holds a number counts as one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Number(Option<f64>);

impl Number {
    pub(crate) fn float(self) -> Option<f64> {
        self.0.filter(|value| value.is_finite())
    }

    /// The number as a count: absent when negative, cut to whole.
    pub(crate) fn count(self) -> Option<u64> {
        self.float().filter(|value| *value >= 0.0).map(|value| value as u64)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Number(Some(value)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Number(text.parse().ok()))
            }
            absent!(bool, null, list, object);
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// A truth value, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flag(Option<bool>);

impl Flag {
    /// Whether the value is there and true.
    pub(crate) fn is_set(self) -> bool {
        self.0 == Some(true)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl<'de> Visitor<'de> for FlagVisitor {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Flag(Some(value)))
            }
            absent!(numbers, text, null, list, object);
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// A list of at most [`List::LIMIT`] elements; what is more is skipped, and anything else is the empty list.
#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> List<T> {
    /// Elements kept of one list. Messages hold tens of blocks; 4096 is beyond anything real.
    pub(crate) const LIMIT: usize = 4096;
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                // Most lists of a stream hold one block.
                let mut items = Vec::with_capacity(1);
                while items.len() < List::<T>::LIMIT {
                    match seq.next_element()? {
                        Some(item) => items.push(item),
                        None => return Ok(List(items)),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(List(items))
            }
            absent!(bool, numbers, text, null, object);
        }
        deserializer.deserialize_any(ListVisitor(std::marker::PhantomData))
    }
}

/// An object as a list of entries (at most [`List::LIMIT`]); absent when the value is something else.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a, T>(pub(crate) Option<Vec<(Cow<'a, str>, T)>>);

impl<T> Default for Entries<'_, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<'de, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    if entries.len() < List::<T>::LIMIT {
                        entries.push((name, map.next_value()?));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Entries(Some(entries)))
            }
            absent!(bool, numbers, text, null, list);
        }
        deserializer.deserialize_any(EntriesVisitor(std::marker::PhantomData))
    }
}

/// The name of a field, borrowed where it holds no escape.
pub(crate) struct Name<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// What every [`record!`] knows.
pub(crate) trait Record {
    /// Whether the value was an object at all.
    fn is_present(&self) -> bool;
}

/// A struct read from a JSON object by field names (several names may mean the same field). Anything but an
/// object reads as the default.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $($($key:literal)|+ => $field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        pub(crate) struct $name<'a> {
            $(pub(crate) $field: $type,)*
            present: bool,
            lifetime: std::marker::PhantomData<&'a ()>,
        }

        impl $crate::lenient::Record for $name<'_> {
            fn is_present(&self) -> bool {
                self.present
            }
        }

        impl<'de: 'a, 'a> serde::de::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct RecordVisitor<'a>(std::marker::PhantomData<&'a ()>);
                impl<'de: 'a, 'a> serde::de::Visitor<'de> for RecordVisitor<'a> {
                    type Value = $name<'a>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("any JSON value")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut record = $name { present: true, ..Default::default() };
                        while let Some($crate::lenient::Name(key)) = map.next_key()? {
                            match &*key {
                                $($($key)|+ => record.$field = map.next_value()?,)*
                                _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                            }
                        }
                        Ok(record)
                    }
                    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok(Default::default()) }
                    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok(Default::default()) }
                    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok(Default::default()) }
                    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok(Default::default()) }
                    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok(Default::default()) }
                    fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok(Default::default()) }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                        Ok(Default::default())
                    }
                }
                deserializer.deserialize_any(RecordVisitor(std::marker::PhantomData))
            }
        }
    };
}
pub(crate) use record;

#[cfg(test)]
mod tests {
    use super::*;

    record! {
        /// A record to try the reader on.
        Sample {
            "name" | "title" => name: Str<'a>,
            "count" => count: Number,
            "on" => on: Flag,
            "items" => items: List<Number>,
        }
    }

    fn read(json: &str) -> Sample<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn fields_of_the_wrong_type_read_as_absent() {
        for json in
            [r#"{"name":1,"count":[],"on":"yes","items":{}}"#, r#"{"name":{"a":1},"count":null,"on":2,"items":"x"}"#]
        {
            let sample = read(json);
            assert!(sample.is_present());
            assert_eq!(sample.name.get(), None);
            assert_eq!(sample.count.count(), None);
            assert!(!sample.on.is_set());
            assert!(sample.items.0.is_empty());
        }
    }

    #[test]
    fn a_value_that_is_no_object_is_an_absent_record() {
        for json in ["1", "-1.5", "null", "true", "\"x\"", "[1,[2]]"] {
            assert!(!read(json).is_present(), "{json}");
        }
    }

    #[test]
    fn the_last_of_two_equal_fields_wins_and_aliases_are_one_field() {
        assert_eq!(read(r#"{"name":"a","title":"b","extra":{"deep":[1]}}"#).name.get(), Some("b"));
        assert_eq!(read(r#"{"na\u006de":"é\n","count":"12"}"#).name.get(), Some("é\n"));
        assert_eq!(read(r#"{"count":"12"}"#).count.count(), Some(12));
        assert_eq!(read(r#"{"count":-3}"#).count.count(), None);
    }
}

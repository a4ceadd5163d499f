//! The fields of a host's span or event as JSON. Only collected where content may be recorded.

use serde_json::{Map, Value};
use std::fmt::Write;

/// The bytes all fields of one span or event keep; what does not fit is cut. 64 KiB.
const BYTES_MAX: usize = 64 << 10;
/// The fields one span or event keeps.
const FIELDS_MAX: usize = 128;

/// Fields in the making.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    map: Map<String, Value>,
    bytes: usize,
}

impl Fields {
    /// Adds the fields of `other`, replacing earlier values.
    #[cfg(feature = "tracing")]
    pub(crate) fn extend(&mut self, other: Fields) {
        for (name, value) in other.map {
            self.put(&name, value);
        }
    }

    /// Takes the message out: what `info!("…")` says.
    #[cfg(feature = "tracing")]
    pub(crate) fn take_message(&mut self) -> Option<String> {
        match self.map.remove("message")? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// A JSON object; `None` when there are no fields.
    pub(crate) fn to_json(&self) -> Option<String> {
        (!self.map.is_empty()).then(|| serde_json::to_string(&self.map).unwrap_or_default())
    }

    pub(crate) fn put(&mut self, name: &str, value: Value) {
        let bytes = name.len() + value.as_str().map_or(8, str::len);
        let is_new = !self.map.contains_key(name);
        if self.bytes + bytes > BYTES_MAX || (is_new && self.map.len() >= FIELDS_MAX) {
            return;
        }
        self.bytes += bytes;
        self.map.insert(name.to_owned(), value);
    }

    /// Adds a text, as much of it as there is room for.
    pub(crate) fn put_text(&mut self, name: &str, arguments: std::fmt::Arguments<'_>) {
        let room = BYTES_MAX.saturating_sub(self.bytes + name.len());
        let mut text = Bounded { text: String::new(), room };
        // It fails when the room is used up or a foreign `Debug` fails; what was written until then is kept.
        text.write_fmt(arguments).ok();
        self.put(name, text.text.into());
    }
}

/// A text that stops growing.
struct Bounded {
    text: String,
    room: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        let room = self.room - self.text.len();
        if more.len() <= room {
            self.text.push_str(more);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| more.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&more[..end]);
        Err(std::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_end_is_cut_where_a_character_ends() {
        let mut text = Bounded { text: String::new(), room: 10 };
        assert!(text.write_str(&"ü".repeat(1000)).is_err());
        assert_eq!(text.text, "üüüüü");
        let mut text = Bounded { text: String::new(), room: 9 };
        assert!(write!(text, "1{}", "ü".repeat(1000)).is_err());
        assert_eq!(text.text, "1üüüü");
    }

    #[test]
    fn fields_beyond_the_limits_are_left_out() {
        let mut fields = Fields::default();
        (0..1000).for_each(|number| fields.put(&format!("f{number}"), number.into()));
        assert_eq!(fields.map.len(), FIELDS_MAX);
        let mut fields = Fields::default();
        fields.put("big", "x".repeat(BYTES_MAX - 3).into());
        fields.put("more", 1.into());
        assert_eq!(fields.map.keys().collect::<Vec<_>>(), ["big"]);
    }
}

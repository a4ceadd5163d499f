//! Spans and events as values.
//!
//! Adapters turn foreign records into [`Fact`]s; the SDK's assembler joins its own binary records into the
//! same types. From here on nothing knows where a span came from: metrics are derived from a
//! [`SpanRecord`], the encoder writes it, the log prints it.

use crate::contract::{EventKind, Key, SpanKind};
use crate::id::{SpanContext, SpanId, TraceId};
use crate::vocab::{ErrorType, Severity};
use std::borrow::Cow;

/// Text that is usually known when the program is compiled.
pub type Text = Cow<'static, str>;

/// Nanoseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct UnixNanos(pub u64);

impl UnixNanos {
    /// The time from `self` to `later`, zero when `later` is earlier.
    pub fn until(self, later: UnixNanos) -> std::time::Duration {
        std::time::Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

/// The value of an attribute. OTLP spans know these; maps are written as JSON text.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    Str(Text),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// A list of texts.
    StrList(Vec<Text>),
    /// A list of whole numbers.
    IntList(Vec<i64>),
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),*) => { $(
        impl From<$from> for Value {
            fn from(value: $from) -> Self { Value::$variant(value.into()) }
        }
    )* };
}
value_from!(&'static str => Str, String => Str, Text => Str, i64 => Int, i32 => Int, u32 => Int, f64 => Double,
            bool => Bool, Vec<Text> => StrList, Vec<i64> => IntList);

impl From<u64> for Value {
    /// Saturates at `i64::MAX`: OTLP has no unsigned integers.
    fn from(value: u64) -> Self {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl Value {
    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

/// Attributes in the order they were recorded. A key that is set again replaces its earlier value.
///
/// Beside the contract's keys there is room for the user's own names (`custom`), which the contract knows
/// nothing about: they are written after the others and never appear on metrics.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Attributes {
    known: Vec<(Key, Value)>,
    custom: Vec<(Text, Value)>,
}

impl Attributes {
    /// No attributes yet.
    pub const fn new() -> Self {
        Self { known: Vec::new(), custom: Vec::new() }
    }

    /// No attributes yet, with room for `capacity` of the contract's.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { known: Vec::with_capacity(capacity), custom: Vec::new() }
    }

    /// Sets `key`, replacing an earlier value.
    pub fn set(&mut self, key: Key, value: impl Into<Value>) {
        let value = value.into();
        match self.known.iter_mut().find(|(k, _)| *k == key) {
            Some(slot) => slot.1 = value,
            None => self.known.push((key, value)),
        }
    }

    /// Sets `key` where there is a value.
    pub fn set_some(&mut self, key: Key, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// The value of `key`.
    pub fn get(&self, key: Key) -> Option<&Value> {
        self.known.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The text value of `key`.
    pub fn str(&self, key: Key) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The whole-number value of `key`.
    pub fn int(&self, key: Key) -> Option<i64> {
        self.get(key).and_then(Value::as_int)
    }

    /// Every attribute of the contract in order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Value)> {
        self.known.iter().map(|(key, value)| (*key, value))
    }

    /// Sets an attribute of the user's own, replacing an earlier value.
    pub fn set_custom(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.custom.iter_mut().find(|(n, _)| *n == name) {
            Some(slot) => slot.1 = value,
            None => self.custom.push((name, value)),
        }
    }

    /// The user's own attributes in order.
    pub fn custom(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.custom.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Keeps the attributes `keep` says yes to; `keep` may change the value.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(Key, &mut Value) -> bool) {
        self.known.retain_mut(|(key, value)| keep(*key, value));
    }

    /// Like [`retain_mut`](Self::retain_mut) for the user's own attributes.
    pub fn retain_custom_mut(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        self.custom.retain_mut(|(name, value)| keep(name, value));
    }

    /// How many attributes there are, the user's own included.
    pub fn len(&self) -> usize {
        self.known.len() + self.custom.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a span ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Outcome {
    /// It did what it was meant to. OTLP status unset.
    #[default]
    Ok,
    /// It failed: OTLP status error and `error.type`.
    Error(ErrorType),
    /// The caller gave up on it. Not an error by the conventions: OTLP status unset, `vigil.outcome = cancelled`.
    Cancelled,
}

/// A span that has started and not ended.
#[derive(Clone, PartialEq, Debug)]
pub struct SpanStart {
    /// Its identity.
    pub context: SpanContext,
    /// Its parent, in the same trace.
    pub parent: Option<SpanId>,
    /// What kind of work it is.
    pub kind: SpanKind,
    /// The variable part of the name: the model, the tool, the phase. Empty when there is none.
    pub target: Text,
    /// When it started.
    pub start: UnixNanos,
}

/// A span that has ended.
#[derive(Clone, PartialEq, Debug)]
pub struct SpanRecord {
    /// Its identity.
    pub context: SpanContext,
    /// Its parent, in the same trace.
    pub parent: Option<SpanId>,
    /// What kind of work it is.
    pub kind: SpanKind,
    /// The variable part of the name: the model, the tool, the phase. Empty when there is none.
    pub target: Text,
    /// When it started.
    pub start: UnixNanos,
    /// When it ended; never before `start` once assembled.
    pub end: UnixNanos,
    /// How it ended.
    pub outcome: Outcome,
    /// What is known of it.
    pub attributes: Attributes,
    /// Spans elsewhere that this one has to do with.
    pub links: Vec<SpanContext>,
}

impl SpanRecord {
    /// The name on the wire, as the contract forms it.
    pub fn name(&self) -> String {
        self.kind.span_name(&self.attributes, &self.target)
    }

    /// How long it took.
    pub fn duration(&self) -> std::time::Duration {
        self.start.until(self.end)
    }
}

/// Something that happened at one moment; an OTLP log record with an event name.
#[derive(Clone, PartialEq, Debug)]
pub struct EventRecord {
    /// Which event.
    pub kind: EventKind,
    /// The span it happened in.
    pub span: Option<SpanContext>,
    /// When.
    pub time: UnixNanos,
    /// How serious it is.
    pub severity: Severity,
    /// What is known of it.
    pub attributes: Attributes,
}

/// One thing an adapter learned.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// Work began; it will be told again as [`Fact::Ended`].
    Started(SpanStart),
    /// Work ended: the whole span.
    Ended(SpanRecord),
    /// Something happened.
    Event(EventRecord),
}

impl Fact {
    /// The trace this belongs to, if any.
    pub fn trace_id(&self) -> Option<TraceId> {
        match self {
            Fact::Started(span) => Some(span.context.trace_id),
            Fact::Ended(span) => Some(span.context.trace_id),
            Fact::Event(event) => event.span.map(|span| span.trace_id),
        }
    }
}

#[cfg(test)]
mod tests;

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

/// The value of an attribute, whose text may be borrowed. OTLP spans know these; maps are written as JSON text.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum AnyValue<'a> {
    /// Text.
    Str(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// A list of texts.
    StrList(Vec<Cow<'a, str>>),
    /// A list of whole numbers.
    IntList(Vec<i64>),
}

/// A value that borrows nothing.
pub type Value = AnyValue<'static>;

macro_rules! value_from {
    ($($from:ty => $variant:ident),*) => { $(
        impl<'a> From<$from> for AnyValue<'a> {
            #[inline]
            fn from(value: $from) -> Self { AnyValue::$variant(value.into()) }
        }
    )* };
}
value_from!(&'a str => Str, String => Str, Cow<'a, str> => Str, i64 => Int, i32 => Int, u32 => Int, f64 => Double,
            bool => Bool, Vec<Cow<'a, str>> => StrList, Vec<i64> => IntList);

impl From<u64> for AnyValue<'_> {
    /// Saturates at `i64::MAX`: OTLP has no unsigned integers.
    #[inline]
    fn from(value: u64) -> Self {
        AnyValue::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl AnyValue<'_> {
    /// The text, if this is one.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            AnyValue::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if this is one.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            AnyValue::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The length of the text, or of the longest in the list; 0 where there is none.
    #[inline]
    fn longest_text(&self) -> usize {
        match self {
            AnyValue::Str(text) => text.len(),
            AnyValue::StrList(list) => list.iter().map(|text| text.len()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The same, borrowing nothing.
    pub fn to_value(&self) -> Value {
        match self {
            AnyValue::Str(text) => Value::Str(owned(text)),
            AnyValue::Int(number) => Value::Int(*number),
            AnyValue::Double(number) => Value::Double(*number),
            AnyValue::Bool(truth) => Value::Bool(*truth),
            AnyValue::StrList(list) => Value::StrList(list.iter().map(owned).collect()),
            AnyValue::IntList(list) => Value::IntList(list.clone()),
        }
    }
}

fn owned(text: impl AsRef<str>) -> Text {
    Cow::Owned(text.as_ref().to_owned())
}

/// Attributes in the order they were recorded. A key that is set again replaces its earlier value.
///
/// Beside the contract's keys there is room for the user's own names (`custom`), which the contract knows
/// nothing about: they are written after the others and never appear on metrics.
#[derive(Clone, Debug, Default)]
pub struct AttributeSet<'a> {
    known: Vec<(Key, AnyValue<'a>)>,
    custom: Vec<(Cow<'a, str>, AnyValue<'a>)>,
    /// Where the contract's attributes are.
    places: Places,
    /// Which keys may be there.
    maybe: KeySet,
    /// No text under a key of the contract is longer.
    longest: usize,
}

/// Where attributes are in their list: by the low byte of their key's index, one more than their place; 0 where there is
/// none. Keys beyond the 256th share an entry with others, and places beyond the 254th are not told: whoever finds
/// another key there looks through all.
#[derive(Clone)]
struct Places([u8; 256]);

impl Places {
    const fn new() -> Self {
        Self([0; 256])
    }

    #[inline]
    fn entry(key: Key) -> usize {
        usize::from(key.index() & 0xff)
    }

    #[inline]
    fn note(&mut self, key: Key, place: usize) {
        self.0[Self::entry(key)] = u8::try_from(place + 1).unwrap_or(u8::MAX);
    }

    /// Where the attribute is in `known`, if it is there.
    #[inline(always)]
    fn of(&self, key: Key, known: &[(Key, AnyValue<'_>)]) -> Option<usize> {
        let place = usize::from(self.0[Self::entry(key)]).checked_sub(1)?;
        match known.get(place) {
            Some((there, _)) if *there == key => Some(place),
            _ => Self::look_for(key, known),
        }
    }

    #[cold]
    fn look_for(key: Key, known: &[(Key, AnyValue<'_>)]) -> Option<usize> {
        known.iter().position(|(there, _)| *there == key)
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}

/// Keys of the contract, a bit each. Keys beyond the 256th share bits: [`may_meet`](Self::may_meet) is then
/// answered with yes too often, and never with no.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeySet([u64; 4]);

impl KeySet {
    /// None.
    pub const fn new() -> Self {
        Self([0; 4])
    }

    /// Adds a key.
    #[inline]
    pub fn insert(&mut self, key: Key) {
        let (word, bit) = Self::place(key);
        self.0[word] |= bit;
    }

    /// Whether a key may be in both.
    #[inline]
    pub fn may_meet(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(left, right)| left & right != 0)
    }

    #[inline]
    fn place(key: Key) -> (usize, u64) {
        let index = usize::from(key.index());
        ((index >> 6) & 3, 1 << (index & 63))
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut set = Self::new();
        keys.into_iter().for_each(|key| set.insert(key));
        set
    }
}

/// Attributes that borrow nothing.
pub type Attributes = AttributeSet<'static>;

impl PartialEq for AttributeSet<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.known == other.known && self.custom == other.custom
    }
}

impl<'a> AttributeSet<'a> {
    /// No attributes yet.
    pub const fn new() -> Self {
        Self { known: Vec::new(), custom: Vec::new(), places: Places::new(), maybe: KeySet::new(), longest: 0 }
    }

    /// No attributes yet, with room for `capacity` of the contract's.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { known: Vec::with_capacity(capacity), ..Self::new() }
    }

    /// Makes room for `more` attributes of the contract.
    pub fn reserve(&mut self, more: usize) {
        self.known.reserve(more);
    }

    /// Sets `key`, replacing an earlier value.
    #[inline(always)]
    pub fn set(&mut self, key: Key, value: impl Into<AnyValue<'a>>) {
        let longest = &mut self.longest;
        let mut made = |value: AnyValue<'a>| {
            *longest = (*longest).max(value.longest_text());
            value
        };
        if let Some(place) = self.places.of(key, &self.known)
            && let Some(slot) = self.known.get_mut(place)
        {
            slot.1 = made(value.into());
        } else {
            self.places.note(key, self.known.len());
            self.maybe.insert(key);
            // Made where it goes, once there is room. What exists while room is made has an address, and is moved from
            // there in pieces of another size than it was written in, which takes a processor longer than all else here.
            self.known.extend(std::iter::once(value).map(|value| (key, made(value.into()))));
        }
    }

    /// Sets `key` where there is a value.
    pub fn set_some(&mut self, key: Key, value: Option<impl Into<AnyValue<'a>>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// Sets `key` where there is a value and none was set before.
    #[inline(always)]
    pub fn set_absent(&mut self, key: Key, value: Option<impl Into<AnyValue<'a>>>) {
        if let Some(value) = value
            && self.get(key).is_none()
        {
            self.set(key, value);
        }
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&AnyValue<'a>> {
        self.places.of(key, &self.known).and_then(|place| self.known.get(place)).map(|(_, value)| value)
    }

    /// Whether any of `keys` may be there. Answered at once, with yes too often and never with no.
    #[inline]
    pub fn may_have(&self, keys: &KeySet) -> bool {
        self.maybe.may_meet(keys)
    }

    /// A length in bytes that no text under a key of the contract exceeds, those in lists included.
    #[inline]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The text value of `key`.
    #[inline]
    pub fn str(&self, key: Key) -> Option<&str> {
        self.get(key).and_then(AnyValue::as_str)
    }

    /// The whole-number value of `key`.
    #[inline]
    pub fn int(&self, key: Key) -> Option<i64> {
        self.get(key).and_then(AnyValue::as_int)
    }

    /// Every attribute of the contract in order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &AnyValue<'a>)> {
        self.known.iter().map(|(key, value)| (*key, value))
    }

    /// Sets an attribute of the user's own, replacing an earlier value.
    pub fn set_custom(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<AnyValue<'a>>) {
        let (name, value) = (name.into(), value.into());
        match self.custom.iter_mut().find(|(n, _)| *n == name) {
            Some(slot) => slot.1 = value,
            None => self.custom.push((name, value)),
        }
    }

    /// The user's own attributes in order.
    pub fn custom(&self) -> impl ExactSizeIterator<Item = (&str, &AnyValue<'a>)> {
        self.custom.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Keeps the attributes `keep` says yes to; `keep` may change the value.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(Key, &mut AnyValue<'a>) -> bool) {
        let mut longest = 0;
        self.known.retain_mut(|(key, value)| {
            let keeps = keep(*key, value);
            longest = longest.max(value.longest_text());
            keeps
        });
        self.longest = longest;
        self.places = Places::new();
        self.known.iter().enumerate().for_each(|(place, (key, _))| self.places.note(*key, place));
    }

    /// Like [`retain_mut`](Self::retain_mut) for the user's own attributes.
    pub fn retain_custom_mut(&mut self, mut keep: impl FnMut(&str, &mut AnyValue<'a>) -> bool) {
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

    /// The same, borrowing nothing.
    pub fn to_attributes(&self) -> Attributes {
        Attributes {
            known: self.known.iter().map(|(key, value)| (*key, value.to_value())).collect(),
            custom: self.custom.iter().map(|(name, value)| (owned(name), value.to_value())).collect(),
            places: self.places.clone(),
            maybe: self.maybe,
            longest: self.longest,
        }
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

/// A span that has ended, whose text may be borrowed.
#[derive(Clone, PartialEq, Debug)]
pub struct SpanData<'a> {
    /// Its identity.
    pub context: SpanContext,
    /// Its parent, in the same trace.
    pub parent: Option<SpanId>,
    /// What kind of work it is.
    pub kind: SpanKind,
    /// The variable part of the name: the model, the tool, the phase. Empty when there is none.
    pub target: Cow<'a, str>,
    /// When it started.
    pub start: UnixNanos,
    /// When it ended; never before `start` once assembled.
    pub end: UnixNanos,
    /// How it ended.
    pub outcome: Outcome,
    /// What is known of it.
    pub attributes: AttributeSet<'a>,
    /// Spans elsewhere that this one has to do with.
    pub links: Vec<SpanContext>,
}

/// A span that has ended and borrows nothing.
pub type SpanRecord = SpanData<'static>;

impl SpanData<'_> {
    /// The name on the wire, as the contract forms it.
    pub fn name(&self) -> String {
        self.kind.span_name(&self.attributes, &self.target)
    }

    /// How long it took.
    pub fn duration(&self) -> std::time::Duration {
        self.start.until(self.end)
    }

    /// The same, borrowing nothing.
    pub fn to_record(&self) -> SpanRecord {
        SpanRecord {
            target: owned(&self.target),
            outcome: self.outcome.clone(),
            attributes: self.attributes.to_attributes(),
            links: self.links.clone(),
            ..*self
        }
    }
}

/// Something that happened at one moment, an OTLP log record with an event name; its text may be borrowed.
#[derive(Clone, PartialEq, Debug)]
pub struct EventData<'a> {
    /// Which event.
    pub kind: EventKind,
    /// The span it happened in.
    pub span: Option<SpanContext>,
    /// When.
    pub time: UnixNanos,
    /// How serious it is.
    pub severity: Severity,
    /// What is known of it.
    pub attributes: AttributeSet<'a>,
}

/// Something that happened, borrowing nothing.
pub type EventRecord = EventData<'static>;

impl EventData<'_> {
    /// The same, borrowing nothing.
    pub fn to_record(&self) -> EventRecord {
        EventRecord { attributes: self.attributes.to_attributes(), ..*self }
    }
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

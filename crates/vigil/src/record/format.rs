//! The record format: what the hot path appends and the assembler reads.
//!
//! A record is `len u32 | tag u8 | body`, little endian, without pointers and self-describing, so that a
//! buffer can be read by another process after this one is gone. `len` counts the whole record.
//!
//! | tag | body |
//! |---|---|
//! | 1 start | trace id 16, span id 8, parent 8 (0: none), kind u8, flags u8, time u64, target text, attributes |
//! | 2 set | span id 8, attributes |
//! | 3 event | trace id 16, span id 8 (0: none), event u8, severity u8, time u64, attributes |
//! | 4 end | span id 8, outcome u8 (0 ok, 1 error, 2 cancelled; 128 added: alone), time u64, error type text, attributes |
//!
//! Times are readings of the recorder's clock (`clock.rs`). Text is `len u32 | UTF-8`. An attribute is
//! `key u16 | type u8 | value`; key `0xffff` is followed by the user's own name as text. Types are 0 text, 1 i64,
//! 2 f64, 3 truth u8, 4 a list `count u32 | texts`, 5 the record's target once more, without a value, and
//! 6 a reading of the clock u64 that stands for the seconds since the span's start. A span
//! ends *alone* when all its records, and the starts of all spans below it, are in the lane its end is in. A
//! reader given any bytes at all returns records or `None`, never panics.

use crate::clock::Ticks;
use vigil_core::contract::{EventKind, Key, SpanKind};
use vigil_core::fact::{AnyValue, AttributeSet};
use vigil_core::id::{SpanId, TraceId};
use vigil_core::vocab::Severity;

const START: u8 = 1;
const SET: u8 = 2;
const EVENT: u8 = 3;
const END: u8 = 4;
const CUSTOM: u16 = u16::MAX;

const STR: u8 = 0;
const INT: u8 = 1;
const DOUBLE: u8 = 2;
const BOOL: u8 = 3;
const STR_LIST: u8 = 4;
const TARGET: u8 = 5;
const SINCE_START: u8 = 6;

/// Added to an end's outcome when the span ended alone.
const ALONE: u8 = 0x80;

/// The trace is kept when spans are sampled.
pub(crate) const FLAG_SAMPLED: u8 = 1;
/// The parent is of another process: its start is in no lane.
pub(crate) const FLAG_REMOTE: u8 = 2;

/// A value on its way into a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ValueRef<'a> {
    Str(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// A list of texts with one in it.
    Only(&'a str),
    #[cfg(test)]
    StrList(&'a [&'a str]),
    /// The target of the start this is part of.
    Target,
    /// The seconds from the span's start until then.
    Until(Ticks),
}

impl<'a> From<&'a str> for ValueRef<'a> {
    #[inline(always)]
    fn from(value: &'a str) -> Self {
        Self::Str(value)
    }
}
impl From<i64> for ValueRef<'_> {
    #[inline(always)]
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u64> for ValueRef<'_> {
    #[inline(always)]
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<f64> for ValueRef<'_> {
    #[inline(always)]
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}
impl From<bool> for ValueRef<'_> {
    #[inline(always)]
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// An attribute on its way into a record.
pub(crate) type AttrRef<'a> = (Key, ValueRef<'a>);

/// How a record says that a span ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndedAs<'a> {
    Ok,
    Error(&'a str),
    Cancelled,
}

/// What a start record says.
#[derive(Clone, Copy)]
pub(crate) struct StartFields<'a> {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    /// Zeros where there is none.
    pub(crate) parent: SpanId,
    pub(crate) kind: SpanKind,
    pub(crate) flags: u8,
    pub(crate) time: Ticks,
    pub(crate) target: &'a str,
}

/// What is in front of every record's body.
const HEAD: usize = 5;

/// What can be written where a record goes.
pub(crate) trait Write {
    /// The bytes it needs at most.
    fn bound(&self) -> usize;
    /// Writes it at the beginning of `space`, which has so many, and answers with its length.
    fn write(&self, space: &mut [u8]) -> usize;
}

/// A record whose length is known before it is written.
///
/// Everything here is inlined into its few callers, where keys, kinds and the number of attributes are constants:
/// what is left of a record are some stores and a copy for each text.
trait Body {
    /// Which record it is.
    const TAG: u8;
    /// The length of the body.
    fn len(&self) -> usize;
    fn body(&self, out: &mut Out<'_>);
}

impl<B: Body> Write for B {
    #[inline(always)]
    fn bound(&self) -> usize {
        HEAD + self.len()
    }

    #[inline(always)]
    fn write(&self, space: &mut [u8]) -> usize {
        let len = space.len();
        let mut out = Out(space);
        out.head(len, Self::TAG);
        self.body(&mut out);
        debug_assert!(out.0.is_empty(), "a record writes as much as it says");
        len
    }
}

/// What is left to fill of a record.
pub(crate) struct Out<'a>(&'a mut [u8]);

impl Out<'_> {
    /// Fills the next `N` bytes.
    #[inline(always)]
    fn block<const N: usize>(&mut self, fill: impl FnOnce(&mut [u8; N])) {
        match std::mem::take(&mut self.0).split_first_chunk_mut::<N>() {
            Some((head, rest)) => {
                fill(head);
                self.0 = rest;
            }
            None => debug_assert!(false, "the record is larger than it said"),
        }
    }

    #[inline(always)]
    fn head(&mut self, len: usize, tag: u8) {
        self.block::<HEAD>(|head| {
            head[..4].copy_from_slice(&(len as u32).to_le_bytes());
            head[4] = tag;
        });
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        match std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            Some((head, rest)) => {
                copy(head, bytes);
                self.0 = rest;
            }
            None => debug_assert!(false, "the record is larger than it said"),
        }
    }

    #[inline(always)]
    fn text(&mut self, text: &str) {
        self.block::<4>(|len| *len = (text.len() as u32).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    #[inline(always)]
    fn number(&mut self, key: Key, kind: u8, bits: [u8; 8]) {
        self.block::<NUMBER>(|attribute| fill_number(attribute, key, kind, bits));
    }

    #[inline(always)]
    fn known(&mut self, attributes: &[AttrRef<'_>]) {
        for (key, value) in attributes {
            match *value {
                ValueRef::Int(number) => self.number(*key, INT, number.to_le_bytes()),
                ValueRef::Double(number) => self.number(*key, DOUBLE, number.to_le_bytes()),
                _ => {
                    self.block::<2>(|name| *name = key.index().to_le_bytes());
                    self.value(*value);
                }
            }
        }
    }

    #[inline(always)]
    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Str(string) => {
                self.block::<5>(|head| {
                    head[0] = STR;
                    head[1..].copy_from_slice(&(string.len() as u32).to_le_bytes());
                });
                self.bytes(string.as_bytes());
            }
            ValueRef::Int(number) => {
                self.block::<1>(|head| *head = [INT]);
                self.block::<8>(|bits| *bits = number.to_le_bytes());
            }
            ValueRef::Double(number) => {
                self.block::<1>(|head| *head = [DOUBLE]);
                self.block::<8>(|bits| *bits = number.to_le_bytes());
            }
            ValueRef::Bool(truth) => self.block::<2>(|head| *head = [BOOL, u8::from(truth)]),
            ValueRef::Only(item) => {
                self.block::<9>(|head| {
                    head[0] = STR_LIST;
                    head[1..5].copy_from_slice(&1_u32.to_le_bytes());
                    head[5..].copy_from_slice(&(item.len() as u32).to_le_bytes());
                });
                self.bytes(item.as_bytes());
            }
            #[cfg(test)]
            ValueRef::StrList(list) => {
                self.block::<5>(|head| {
                    head[0] = STR_LIST;
                    head[1..].copy_from_slice(&(list.len() as u32).to_le_bytes());
                });
                list.iter().for_each(|item| self.text(item));
            }
            ValueRef::Target => self.block::<1>(|head| *head = [TARGET]),
            ValueRef::Until(then) => {
                self.block::<1>(|head| *head = [SINCE_START]);
                self.block::<8>(|bits| *bits = then.0.to_le_bytes());
            }
        }
    }
}

/// Stands for a number nobody knows.
pub(crate) const UNKNOWN: u64 = u64::MAX;
/// The length of an attribute that is a number.
const NUMBER: usize = 11;

#[inline(always)]
fn fill_number(attribute: &mut [u8; NUMBER], key: Key, kind: u8, bits: [u8; 8]) {
    attribute[..2].copy_from_slice(&key.index().to_le_bytes());
    attribute[2] = kind;
    attribute[3..].copy_from_slice(&bits);
}

/// Copies a text, which is most often short: then by a few moves that overlap, instead of a call.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    if from.len() > 32 || to.len() != from.len() {
        to.copy_from_slice(from);
    } else {
        let _done = copy_ends::<16>(to, from)
            || copy_ends::<8>(to, from)
            || copy_ends::<4>(to, from)
            || copy_ends::<2>(to, from)
            || copy_ends::<1>(to, from);
    }
}

/// Copies the first and the last `N` bytes, where there are as many.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else { return false };
    let (first, last) = (*first, *last);
    if let Some(place) = to.first_chunk_mut::<N>() {
        *place = first;
    }
    if let Some(place) = to.last_chunk_mut::<N>() {
        *place = last;
    }
    true
}

pub(crate) struct Start<'a>(pub(crate) StartFields<'a>, pub(crate) &'a [AttrRef<'a>]);
pub(crate) struct Set<'a>(pub(crate) SpanId, pub(crate) &'a [AttrRef<'a>]);
/// Those of the numbers that are not [`UNKNOWN`].
pub(crate) struct SetNumbers<const N: usize>(pub(crate) SpanId, pub(crate) [Key; N], pub(crate) [u64; N]);
pub(crate) struct SetCustom<'a>(pub(crate) SpanId, pub(crate) &'a str, pub(crate) ValueRef<'a>);
pub(crate) struct Event<'a> {
    pub(crate) event: EventKind,
    pub(crate) span: Option<(TraceId, SpanId)>,
    pub(crate) severity: Severity,
    pub(crate) time: Ticks,
    pub(crate) attributes: &'a [AttrRef<'a>],
}
pub(crate) struct End<'a> {
    pub(crate) span: SpanId,
    pub(crate) time: Ticks,
    pub(crate) ended: EndedAs<'a>,
    pub(crate) alone: bool,
}

impl Body for Start<'_> {
    const TAG: u8 = START;

    #[inline(always)]
    fn len(&self) -> usize {
        46 + self.0.target.len() + known_len(self.1)
    }

    #[inline(always)]
    fn body(&self, out: &mut Out<'_>) {
        let fields = &self.0;
        out.block::<46>(|fixed| {
            fixed[..16].copy_from_slice(&fields.trace.0);
            fixed[16..24].copy_from_slice(&fields.span.0);
            fixed[24..32].copy_from_slice(&fields.parent.0);
            fixed[32] = fields.kind.index();
            fixed[33] = fields.flags;
            fixed[34..42].copy_from_slice(&fields.time.0.to_le_bytes());
            fixed[42..].copy_from_slice(&(fields.target.len() as u32).to_le_bytes());
        });
        out.bytes(fields.target.as_bytes());
        out.known(self.1);
    }
}

impl Body for Set<'_> {
    const TAG: u8 = SET;

    #[inline(always)]
    fn len(&self) -> usize {
        8 + known_len(self.1)
    }

    #[inline(always)]
    fn body(&self, out: &mut Out<'_>) {
        out.block::<8>(|span| *span = self.0.0);
        out.known(self.1);
    }
}

impl<const N: usize> Write for SetNumbers<N> {
    #[inline(always)]
    fn bound(&self) -> usize {
        HEAD + 8 + N * NUMBER
    }

    #[inline(always)]
    fn write(&self, space: &mut [u8]) -> usize {
        let mut len = HEAD + 8;
        for (key, number) in self.1.into_iter().zip(self.2) {
            // Written in any case, and written over where it is not known: cheaper than asking.
            if let Some(place) = space.get_mut(len..).and_then(<[u8]>::first_chunk_mut::<NUMBER>) {
                let clamped = i64::try_from(number).unwrap_or(i64::MAX);
                fill_number(place, key, INT, clamped.to_le_bytes());
            }
            len += if number == UNKNOWN { 0 } else { NUMBER };
        }
        let mut out = Out(space);
        out.head(len, SET);
        out.block::<8>(|span| *span = self.0.0);
        len
    }
}

impl Body for SetCustom<'_> {
    const TAG: u8 = SET;

    fn len(&self) -> usize {
        8 + 2 + text_len(self.1) + value_len(self.2)
    }

    fn body(&self, out: &mut Out<'_>) {
        out.block::<8>(|span| *span = self.0.0);
        out.block::<2>(|key| *key = CUSTOM.to_le_bytes());
        out.text(self.1);
        out.value(self.2);
    }
}

impl Body for Event<'_> {
    const TAG: u8 = EVENT;

    fn len(&self) -> usize {
        34 + known_len(self.attributes)
    }

    fn body(&self, out: &mut Out<'_>) {
        let (trace, span) = self.span.unwrap_or_default();
        out.block::<34>(|fixed| {
            fixed[..16].copy_from_slice(&trace.0);
            fixed[16..24].copy_from_slice(&span.0);
            fixed[24..26].copy_from_slice(&[self.event.index(), self.severity.number()]);
            fixed[26..].copy_from_slice(&self.time.0.to_le_bytes());
        });
        out.known(self.attributes);
    }
}

impl Body for End<'_> {
    const TAG: u8 = END;

    #[inline(always)]
    fn len(&self) -> usize {
        21 + self.error().len()
    }

    #[inline(always)]
    fn body(&self, out: &mut Out<'_>) {
        let outcome = match self.ended {
            EndedAs::Ok => 0,
            EndedAs::Error(_) => 1,
            EndedAs::Cancelled => 2,
        };
        let error = self.error();
        out.block::<21>(|fixed| {
            fixed[..8].copy_from_slice(&self.span.0);
            fixed[8] = outcome | if self.alone { ALONE } else { 0 };
            fixed[9..17].copy_from_slice(&self.time.0.to_le_bytes());
            fixed[17..].copy_from_slice(&(error.len() as u32).to_le_bytes());
        });
        out.bytes(error.as_bytes());
    }
}

impl<'a> End<'a> {
    #[inline(always)]
    fn error(&self) -> &'a str {
        match self.ended {
            EndedAs::Error(error) => error,
            EndedAs::Ok | EndedAs::Cancelled => "",
        }
    }
}

#[inline(always)]
fn text_len(text: &str) -> usize {
    4 + text.len()
}

#[inline(always)]
fn known_len(attributes: &[AttrRef<'_>]) -> usize {
    attributes.iter().map(|(_, value)| 2 + value_len(*value)).sum()
}

#[inline(always)]
fn value_len(value: ValueRef<'_>) -> usize {
    1 + match value {
        ValueRef::Str(string) => text_len(string),
        ValueRef::Int(_) | ValueRef::Double(_) | ValueRef::Until(_) => 8,
        ValueRef::Bool(_) => 1,
        ValueRef::Only(item) => 4 + text_len(item),
        #[cfg(test)]
        ValueRef::StrList(list) => 4 + list.iter().map(|item| text_len(item)).sum::<usize>(),
        ValueRef::Target => 0,
    }
}

/// A record that was read back.
#[derive(Debug, PartialEq)]
pub(crate) enum Record<'a> {
    Start {
        trace: TraceId,
        span: SpanId,
        parent: Option<SpanId>,
        kind: SpanKind,
        flags: u8,
        time: Ticks,
        target: &'a str,
        attributes: Attrs<'a>,
    },
    Set {
        span: SpanId,
        attributes: Attrs<'a>,
    },
    Event {
        event: EventKind,
        span: Option<(TraceId, SpanId)>,
        severity: Severity,
        time: Ticks,
        attributes: Attrs<'a>,
    },
    End {
        span: SpanId,
        time: Ticks,
        ended: EndedAs<'a>,
        /// All records of the span, and the starts of all spans below it, are in this lane.
        alone: bool,
        attributes: Attrs<'a>,
    },
}

/// Attributes still in their record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attrs<'a>(pub(crate) &'a [u8]);

/// Reads the record at the head of `bytes` and says how long it is; `None` where the bytes are no record.
pub(crate) fn read(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let len = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let body = bytes.get(5..len)?;
    let mut cursor = Cursor(body);
    let record = match bytes[4] {
        START => Record::Start {
            trace: TraceId(cursor.array()?),
            span: SpanId(cursor.array()?),
            parent: some_span(cursor.array()?),
            kind: SpanKind::from_index(cursor.u8()?)?,
            flags: cursor.u8()?,
            time: Ticks(cursor.u64()?),
            target: cursor.text()?,
            attributes: Attrs(cursor.0),
        },
        SET => Record::Set { span: SpanId(cursor.array()?), attributes: Attrs(cursor.0) },
        EVENT => {
            let trace = TraceId(cursor.array()?);
            let span = some_span(cursor.array()?).map(|span| (trace, span));
            Record::Event {
                event: EventKind::from_index(cursor.u8()?)?,
                span,
                severity: Severity::from_number(cursor.u8()?)?,
                time: Ticks(cursor.u64()?),
                attributes: Attrs(cursor.0),
            }
        }
        END => {
            let span = SpanId(cursor.array()?);
            let code = cursor.u8()?;
            let time = Ticks(cursor.u64()?);
            let error = cursor.text()?;
            let ended = match code & !ALONE {
                0 => EndedAs::Ok,
                1 => EndedAs::Error(error),
                2 => EndedAs::Cancelled,
                _ => return None,
            };
            Record::End { span, time, ended, alone: code & ALONE != 0, attributes: Attrs(cursor.0) }
        }
        _ => return None,
    };
    Some((record, len))
}

fn some_span(bytes: [u8; 8]) -> Option<SpanId> {
    (bytes != [0; 8]).then_some(SpanId(bytes))
}

impl<'a> Attrs<'a> {
    /// Sets every attribute on `set`; `target` is that of the span's start. A reading of the clock comes out as a
    /// whole number, for the caller to turn into seconds. Stops at the first byte that makes no sense.
    pub(crate) fn apply(self, target: &'a str, set: &mut AttributeSet<'a>) {
        let mut cursor = Cursor(self.0);
        while !cursor.0.is_empty() {
            if cursor.attribute(target, set).is_none() {
                return;
            }
        }
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
    fn text(&mut self) -> Option<&'a str> {
        let len = self.u32()? as usize;
        std::str::from_utf8(self.take(len)?).ok()
    }
    #[inline]
    fn attribute(&mut self, target: &'a str, set: &mut AttributeSet<'a>) -> Option<()> {
        let index = u16::from_le_bytes(self.array()?);
        if index == CUSTOM {
            let name = self.text()?;
            set.set_custom(name, self.value(target)?);
        } else {
            let key = Key::from_index(index)?;
            set.set(key, self.value(target)?);
        }
        Some(())
    }

    #[inline]
    fn value(&mut self, target: &'a str) -> Option<AnyValue<'a>> {
        Some(match self.u8()? {
            STR => AnyValue::Str(self.text()?.into()),
            INT | SINCE_START => AnyValue::Int(i64::from_le_bytes(self.array()?)),
            DOUBLE => AnyValue::Double(f64::from_le_bytes(self.array()?)),
            BOOL => AnyValue::Bool(self.u8()? != 0),
            STR_LIST => {
                let count = self.u32()?;
                // What the record says of itself is not believed before the texts are there.
                let mut list = Vec::with_capacity((count as usize).min(8));
                for _ in 0..count {
                    list.push(self.text()?.into());
                }
                AnyValue::StrList(list)
            }
            TARGET => AnyValue::Str(target.into()),
            _ => return None,
        })
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;

//! The record format: what the hot path appends and the assembler reads.
//!
//! A record is `head u32 | body`, little endian, without pointers and self-describing, so that a buffer can be
//! read by another process after this one is gone. The low 24 bits of the head are the length of the whole
//! record, the rest is its tag: a record has less than 16 MiB, and one that would have more is refused.
//!
//! | tag | body |
//! |---|---|
//! | 1 start | trace id 16, span id 8, parent 8 (0: none), time u64, length of the target u32, kind u8, flags u8, attributes, target |
//! | 2 set | span id 8, attributes |
//! | 3 event | trace id 16, span id 8 (0: none), event u8, severity u8, time u64, attributes |
//! | 4 end, well; 128 added: alone | span id 8, time u64, attributes |
//! | 5 end in an error; 128 added: alone | span id 8, time u64, error type text, attributes |
//! | 6 end as cancelled; 128 added: alone | span id 8, time u64, attributes |
//!
//! Times are readings of the recorder's clock (`clock.rs`). Text is `len u32 | UTF-8`. An attribute is
//! `head u16 | value`: the low 13 bits of its head are the key, the rest is the type; key `0x1fff` is followed by
//! the user's own name as text. Types are 0 text, 1 i64, 2 f64, 3 truth u8, 4 a list `count u32 | texts`, 5 the
//! record's target once more, without a value, 6 a reading of the clock u64 that stands for the seconds since
//! the span's start, and 7 a u64 that counts as the largest i64 where it is more; there is no room for more
//! types. A span ends *alone* when all its records, and the starts of all spans below it, are in the lane its
//! end is in. A reader given any bytes at all returns records or `None`, never panics.
//!
//! What is constant of a record is together, so that it is written by few stores: a processor does one at a time, and
//! they are what recording costs.

use super::text::text;
use crate::clock::Ticks;
use vigil_core::contract::{EventKind, Key, SpanKind};
use vigil_core::fact::{AnyValue, AttributeSet};
use vigil_core::id::{SpanId, TraceId};
use vigil_core::vocab::Severity;

const START: u8 = 1;
const SET: u8 = 2;
const EVENT: u8 = 3;
const END: u8 = 4;
const END_ERROR: u8 = 5;
const END_CANCELLED: u8 = 6;
/// Added to an end's tag when the span ended alone.
const ALONE: u8 = 0x80;

/// Bits of a record's head that are its length.
const LEN_BITS: u32 = 24;
/// What a record has at most.
pub(crate) const RECORD_MAX: usize = (1 << LEN_BITS) - 1;

/// Bits of an attribute's head that are its key.
const KEY_BITS: u32 = 13;
/// The key of the user's own attributes.
const CUSTOM: u16 = (1 << KEY_BITS) - 1;

const STR: u8 = 0;
const INT: u8 = 1;
const DOUBLE: u8 = 2;
const BOOL: u8 = 3;
const STR_LIST: u8 = 4;
const TARGET: u8 = 5;
const SINCE_START: u8 = 6;
const UNSIGNED: u8 = 7;

/// The trace is kept when spans are sampled.
pub(crate) const FLAG_SAMPLED: u8 = 1;
/// The parent is of another process: its start is in no lane.
pub(crate) const FLAG_REMOTE: u8 = 2;

/// A value on its way into a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ValueRef<'a> {
    Str(&'a str),
    Int(i64),
    Unsigned(u64),
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
        Self::Unsigned(value)
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
    pub(crate) trace: &'a TraceId,
    pub(crate) span: SpanId,
    /// Zeros where there is none.
    pub(crate) parent: SpanId,
    pub(crate) kind: SpanKind,
    pub(crate) flags: u8,
    pub(crate) time: Ticks,
    pub(crate) target: &'a str,
}

/// What is in front of every record's body.
const HEAD: usize = 4;
/// Texts up to this length are copied without a call.
const SHORT: usize = 64;

/// What can be written where a record goes.
pub(crate) trait Write {
    /// The bytes it needs at most.
    fn bound(&self) -> usize;
    /// Writes it at the beginning of `space`, which has so many, and answers with its length.
    fn write(&self, space: &mut [u8]) -> usize;
    /// Whether it is written by a few stores, without a call.
    fn is_short(&self) -> bool;
}

/// A record whose length is known before it is written.
///
/// Everything here is inlined into its few callers, where keys, kinds and the number of attributes are constants:
/// what is left of a record are some stores and a copy for each text.
trait Body {
    /// Which record it is.
    fn tag(&self) -> u8;
    /// The length of the body.
    fn len(&self) -> usize;
    fn body(&self, out: &mut Out<'_>);
    /// Whether its texts are short.
    fn is_short(&self) -> bool;
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
        out.head(len, self.tag());
        self.body(&mut out);
        debug_assert!(out.0.is_empty(), "a record writes as much as it says");
        len
    }

    #[inline(always)]
    fn is_short(&self) -> bool {
        Body::is_short(self)
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
        self.block::<HEAD>(|head| *head = (len as u32).wrapping_add(u32::from(tag) << LEN_BITS).to_le_bytes());
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

    /// What is in front of an attribute's value.
    #[inline(always)]
    fn key(&mut self, key: u16, name: Option<&str>, kind: u8) {
        self.block::<2>(|head| *head = attribute_head(key, kind).to_le_bytes());
        if let Some(name) = name {
            self.text(name);
        }
    }

    #[inline(always)]
    fn number(&mut self, key: u16, kind: u8, bits: [u8; 8]) {
        self.block::<NUMBER>(|attribute| fill_number(attribute, key, kind, bits));
    }

    #[inline(always)]
    fn known(&mut self, attributes: &[AttrRef<'_>]) {
        // Told one by one: what is in a loop is no constant to a compiler.
        match attributes {
            [] => {}
            [a] => self.attribute(a),
            [a, b] => {
                self.attribute(a);
                self.attribute(b);
            }
            [a, b, c] => {
                self.attribute(a);
                self.attribute(b);
                self.attribute(c);
            }
            more => more.iter().for_each(|one| self.attribute(one)),
        }
    }

    #[inline(always)]
    fn attribute(&mut self, (key, value): &AttrRef<'_>) {
        self.value_of(key.index(), None, *value);
    }

    /// An attribute: its key, its name if that is the user's own, and its value.
    #[inline(always)]
    fn value_of(&mut self, key: u16, name: Option<&str>, value: ValueRef<'_>) {
        match (value, name) {
            (ValueRef::Int(number), None) => self.number(key, INT, number.to_le_bytes()),
            (ValueRef::Unsigned(number), None) => self.number(key, UNSIGNED, number.to_le_bytes()),
            (ValueRef::Double(number), None) => self.number(key, DOUBLE, number.to_le_bytes()),
            (ValueRef::Str(string), _) => {
                self.key(key, name, STR);
                self.text(string);
            }
            (ValueRef::Int(number), _) => {
                self.key(key, name, INT);
                self.block::<8>(|bits| *bits = number.to_le_bytes());
            }
            (ValueRef::Unsigned(number), _) => {
                self.key(key, name, UNSIGNED);
                self.block::<8>(|bits| *bits = number.to_le_bytes());
            }
            (ValueRef::Double(number), _) => {
                self.key(key, name, DOUBLE);
                self.block::<8>(|bits| *bits = number.to_le_bytes());
            }
            (ValueRef::Bool(truth), _) => {
                self.key(key, name, BOOL);
                self.block::<1>(|byte| *byte = [u8::from(truth)]);
            }
            (ValueRef::Only(item), _) => {
                self.key(key, name, STR_LIST);
                self.block::<8>(|counts| *counts = (1 | (item.len() as u64) << 32).to_le_bytes());
                self.bytes(item.as_bytes());
            }
            #[cfg(test)]
            (ValueRef::StrList(list), _) => {
                self.key(key, name, STR_LIST);
                self.block::<4>(|count| *count = (list.len() as u32).to_le_bytes());
                list.iter().for_each(|item| self.text(item));
            }
            (ValueRef::Target, _) => self.key(key, name, TARGET),
            (ValueRef::Until(then), _) => {
                self.key(key, name, SINCE_START);
                self.block::<8>(|bits| *bits = then.0.to_le_bytes());
            }
        }
    }
}

/// Stands for a number nobody knows.
pub(crate) const UNKNOWN: u64 = u64::MAX;
/// The length of an attribute that is a number.
const NUMBER: usize = 10;

#[inline(always)]
fn attribute_head(key: u16, kind: u8) -> u16 {
    key | u16::from(kind) << KEY_BITS
}

#[inline(always)]
fn fill_number(attribute: &mut [u8; NUMBER], key: u16, kind: u8, bits: [u8; 8]) {
    attribute[..2].copy_from_slice(&attribute_head(key, kind).to_le_bytes());
    attribute[2..].copy_from_slice(&bits);
}

/// Copies a text, which is most often short: then by a few moves that overlap, instead of a call.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    if from.len() > SHORT || to.len() != from.len() {
        to.copy_from_slice(from);
    } else {
        let _done = copy_ends::<32>(to, from)
            || copy_ends::<16>(to, from)
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
    #[inline(always)]
    fn tag(&self) -> u8 {
        START
    }

    #[inline(always)]
    fn len(&self) -> usize {
        46 + known_len(self.1) + self.0.target.len()
    }

    #[inline(always)]
    fn body(&self, out: &mut Out<'_>) {
        let fields = &self.0;
        out.block::<40>(|fixed| {
            fixed[..16].copy_from_slice(&fields.trace.0);
            fixed[16..24].copy_from_slice(&fields.span.0);
            fixed[24..32].copy_from_slice(&fields.parent.0);
            fixed[32..].copy_from_slice(&fields.time.0.to_le_bytes());
        });
        let word = u64::from(fields.target.len() as u32)
            | u64::from(fields.kind.index()) << 32
            | u64::from(fields.flags) << 40;
        // The attribute that says the target once more is first mostly, and then goes along.
        if let [(key, ValueRef::Target), rest @ ..] = self.1 {
            let key = u64::from(attribute_head(key.index(), TARGET)) << 48;
            out.block::<8>(|fixed| *fixed = (word | key).to_le_bytes());
            out.known(rest);
        } else {
            out.block::<6>(|fixed| fixed.copy_from_slice(&word.to_le_bytes()[..6]));
            out.known(self.1);
        }
        out.bytes(fields.target.as_bytes());
    }

    #[inline(always)]
    fn is_short(&self) -> bool {
        self.0.target.len() <= SHORT && are_short(self.1)
    }
}

impl Body for Set<'_> {
    #[inline(always)]
    fn tag(&self) -> u8 {
        SET
    }

    #[inline(always)]
    fn len(&self) -> usize {
        8 + known_len(self.1)
    }

    #[inline(always)]
    fn body(&self, out: &mut Out<'_>) {
        out.block::<8>(|span| *span = self.0.0);
        out.known(self.1);
    }

    #[inline(always)]
    fn is_short(&self) -> bool {
        are_short(self.1)
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
                fill_number(place, key.index(), UNSIGNED, number.to_le_bytes());
            }
            len += if number == UNKNOWN { 0 } else { NUMBER };
        }
        let mut out = Out(space);
        out.head(len, SET);
        out.block::<8>(|span| *span = self.0.0);
        len
    }

    #[inline(always)]
    fn is_short(&self) -> bool {
        true
    }
}

impl Body for SetCustom<'_> {
    fn tag(&self) -> u8 {
        SET
    }

    fn len(&self) -> usize {
        8 + 2 + text_len(self.1) + value_len(self.2)
    }

    fn body(&self, out: &mut Out<'_>) {
        out.block::<8>(|span| *span = self.0.0);
        out.value_of(CUSTOM, Some(self.1), self.2);
    }

    fn is_short(&self) -> bool {
        false
    }
}

impl Body for Event<'_> {
    fn tag(&self) -> u8 {
        EVENT
    }

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

    fn is_short(&self) -> bool {
        false
    }
}

impl Body for End<'_> {
    #[inline(always)]
    fn tag(&self) -> u8 {
        let tag = match self.ended {
            EndedAs::Ok => END,
            EndedAs::Error(_) => END_ERROR,
            EndedAs::Cancelled => END_CANCELLED,
        };
        const { assert!(ALONE == 1 << 7) };
        tag | u8::from(self.alone) << 7
    }

    #[inline(always)]
    fn len(&self) -> usize {
        match self.ended {
            EndedAs::Error(error) => 16 + text_len(error),
            EndedAs::Ok | EndedAs::Cancelled => 16,
        }
    }

    #[inline(always)]
    fn body(&self, out: &mut Out<'_>) {
        out.block::<16>(|fixed| {
            fixed[..8].copy_from_slice(&self.span.0);
            fixed[8..].copy_from_slice(&self.time.0.to_le_bytes());
        });
        if let EndedAs::Error(error) = self.ended {
            out.text(error);
        }
    }

    #[inline(always)]
    fn is_short(&self) -> bool {
        match self.ended {
            EndedAs::Error(error) => error.len() <= SHORT,
            EndedAs::Ok | EndedAs::Cancelled => true,
        }
    }
}

#[inline(always)]
fn are_short(attributes: &[AttrRef<'_>]) -> bool {
    match attributes {
        [] => true,
        [a] => is_short(a),
        [a, b] => is_short(a) && is_short(b),
        [a, b, c] => is_short(a) && is_short(b) && is_short(c),
        more => more.iter().all(is_short),
    }
}

#[inline(always)]
fn is_short((_, value): &AttrRef<'_>) -> bool {
    match value {
        ValueRef::Str(text) | ValueRef::Only(text) => text.len() <= SHORT,
        #[cfg(test)]
        ValueRef::StrList(_) => false,
        _ => true,
    }
}

#[inline(always)]
fn text_len(text: &str) -> usize {
    4 + text.len()
}

#[inline(always)]
fn known_len(attributes: &[AttrRef<'_>]) -> usize {
    match attributes {
        [] => 0,
        [a] => attribute_len(a),
        [a, b] => attribute_len(a) + attribute_len(b),
        [a, b, c] => attribute_len(a) + attribute_len(b) + attribute_len(c),
        more => more.iter().map(attribute_len).sum(),
    }
}

#[inline(always)]
fn attribute_len((_, value): &AttrRef<'_>) -> usize {
    2 + value_len(*value)
}

#[inline(always)]
fn value_len(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Str(string) => text_len(string),
        ValueRef::Int(_) | ValueRef::Unsigned(_) | ValueRef::Double(_) | ValueRef::Until(_) => 8,
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
#[inline(always)]
pub(crate) fn read(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let head = u32::from_le_bytes(bytes.get(..HEAD)?.try_into().ok()?);
    let (len, tag) = (head as usize & RECORD_MAX, (head >> LEN_BITS) as u8);
    let mut cursor = Cursor(bytes.get(HEAD..len)?);
    let record = match tag {
        START => {
            let (trace, span) = (TraceId(cursor.array()?), SpanId(cursor.array()?));
            let (parent, time) = (some_span(cursor.array()?), Ticks(cursor.u64()?));
            let target = cursor.u32()? as usize;
            let (kind, flags) = (SpanKind::from_index(cursor.u8()?)?, cursor.u8()?);
            let (attributes, target) = cursor.0.split_at(cursor.0.len().checked_sub(target)?);
            let (attributes, target) = (Attrs(attributes), text(target)?);
            Record::Start { trace, span, parent, kind, flags, time, target, attributes }
        }
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
        tag => {
            let (span, time) = (SpanId(cursor.array()?), Ticks(cursor.u64()?));
            let ended = cursor.ended(tag)?;
            Record::End { span, time, ended, alone: tag & ALONE != 0, attributes: Attrs(cursor.0) }
        }
    };
    Some((record, len))
}

/// A record about a span that has started.
pub(crate) enum Later<'a> {
    Set(Attrs<'a>),
    /// It ended alone.
    Ended {
        time: Ticks,
        ended: EndedAs<'a>,
        attributes: Attrs<'a>,
    },
}

/// What [`read`] reads, if it is a set of this span, or its end and it ended alone.
#[inline(always)]
pub(crate) fn read_later(bytes: &[u8], span: SpanId) -> Option<(Later<'_>, usize)> {
    let head = u32::from_le_bytes(bytes.get(..HEAD)?.try_into().ok()?);
    let (len, tag) = (head as usize & RECORD_MAX, (head >> LEN_BITS) as u8);
    let mut cursor = Cursor(bytes.get(HEAD..len)?);
    // As one word: put together from bytes it could not be compared at once.
    if cursor.u64()? != u64::from_le_bytes(span.0) {
        return None;
    }
    if tag == SET {
        return Some((Later::Set(Attrs(cursor.0)), len));
    }
    if tag & ALONE == 0 {
        return None;
    }
    let time = Ticks(cursor.u64()?);
    let ended = cursor.ended(tag)?;
    Some((Later::Ended { time, ended, attributes: Attrs(cursor.0) }, len))
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

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }
    #[inline(always)]
    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }
    #[inline(always)]
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    #[inline(always)]
    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
    #[inline(always)]
    fn text(&mut self) -> Option<&'a str> {
        let len = self.u32()? as usize;
        text(self.take(len)?)
    }
    /// How a span ended, by the tag of its end and what comes after the time.
    #[inline(always)]
    fn ended(&mut self, tag: u8) -> Option<EndedAs<'a>> {
        Some(match tag & !ALONE {
            END => EndedAs::Ok,
            END_ERROR => EndedAs::Error(self.text()?),
            END_CANCELLED => EndedAs::Cancelled,
            _ => return None,
        })
    }
    #[inline(always)]
    fn unsigned(&mut self) -> Option<i64> {
        self.u64().map(|number| number.min(i64::MAX as u64) as i64)
    }
    #[inline(always)]
    fn attribute(&mut self, target: &'a str, set: &mut AttributeSet<'a>) -> Option<()> {
        let head = u16::from_le_bytes(self.array()?);
        let (index, kind) = (head & CUSTOM, (head >> KEY_BITS) as u8);
        if index == CUSTOM {
            let name = self.text()?;
            set.set_custom(name, self.value(kind, target)?);
            return Some(());
        }
        let key = Key::from_index(index)?;
        // Nearly all are texts and whole numbers.
        match kind {
            STR => set.set(key, self.text()?),
            UNSIGNED => set.set(key, self.unsigned()?),
            INT | SINCE_START => set.set(key, i64::from_le_bytes(self.array()?)),
            _ => set.set(key, self.value(kind, target)?),
        }
        Some(())
    }

    fn value(&mut self, kind: u8, target: &'a str) -> Option<AnyValue<'a>> {
        Some(match kind {
            STR => AnyValue::Str(self.text()?.into()),
            INT | SINCE_START => AnyValue::Int(i64::from_le_bytes(self.array()?)),
            UNSIGNED => AnyValue::Int(self.unsigned()?),
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

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
//! | 4 end | span id 8, outcome u8 (0 ok, 1 error, 2 cancelled), time u64, error type text, attributes |
//!
//! Times are readings of the recorder's clock (`clock.rs`). Text is `len u32 | UTF-8`. An attribute is `key u16 | type u8 | value`; key `0xffff` is followed by the
//! user's own name as text. A reader given any bytes at all returns records or `None`, never panics.

use super::lane::Space;
use crate::clock::Ticks;
use vigil_core::contract::{EventKind, Key, SpanKind};
use vigil_core::fact::{Attributes, Value};
use vigil_core::id::{SpanId, TraceId};
use vigil_core::vocab::Severity;

const START: u8 = 1;
const SET: u8 = 2;
const EVENT: u8 = 3;
const END: u8 = 4;
const CUSTOM: u16 = u16::MAX;

/// The trace is kept when spans are sampled.
pub(crate) const FLAG_SAMPLED: u8 = 1;

/// A value on its way into a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ValueRef<'a> {
    Str(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
    StrList(&'a [&'a str]),
}

impl<'a> From<&'a str> for ValueRef<'a> {
    fn from(value: &'a str) -> Self {
        Self::Str(value)
    }
}
impl From<i64> for ValueRef<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u64> for ValueRef<'_> {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<f64> for ValueRef<'_> {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}
impl From<bool> for ValueRef<'_> {
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
    pub(crate) parent: Option<SpanId>,
    pub(crate) kind: SpanKind,
    pub(crate) flags: u8,
    pub(crate) time: Ticks,
    pub(crate) target: &'a str,
}

/// What is in front of every record's body.
const HEAD: usize = 5;

/// A record to be written: knows how much room it needs, and writes itself there.
pub(crate) trait Write {
    /// The length of the body.
    fn len(&self) -> usize;
    /// Which record it is.
    const TAG: u8;
    fn body(&self, out: &mut Space<'_>);

    /// The length of the record.
    #[inline(always)]
    fn size(&self) -> usize {
        HEAD + self.len()
    }

    #[inline(always)]
    fn write(&self, out: &mut Space<'_>) {
        let len = (self.size() as u32).to_le_bytes();
        out.put(&[len[0], len[1], len[2], len[3], Self::TAG]);
        self.body(out);
    }
}

pub(crate) struct Start<'a>(pub(crate) StartFields<'a>, pub(crate) &'a [AttrRef<'a>]);
pub(crate) struct Set<'a>(pub(crate) SpanId, pub(crate) &'a [AttrRef<'a>]);
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
    pub(crate) attributes: &'a [AttrRef<'a>],
}

impl Write for Start<'_> {
    const TAG: u8 = START;

    #[inline(always)]
    fn len(&self) -> usize {
        16 + 8 + 8 + 2 + 8 + text_len(self.0.target) + known_len(self.1)
    }

    #[inline(always)]
    fn body(&self, out: &mut Space<'_>) {
        let fields = &self.0;
        let mut fixed = [0; 42];
        fixed[..16].copy_from_slice(&fields.trace.0);
        fixed[16..24].copy_from_slice(&fields.span.0);
        fixed[24..32].copy_from_slice(&fields.parent.unwrap_or_default().0);
        fixed[32] = fields.kind.index();
        fixed[33] = fields.flags;
        fixed[34..].copy_from_slice(&fields.time.0.to_le_bytes());
        out.put(&fixed);
        text(out, fields.target);
        known(out, self.1);
    }
}

impl Write for Set<'_> {
    const TAG: u8 = SET;

    #[inline(always)]
    fn len(&self) -> usize {
        8 + known_len(self.1)
    }

    #[inline(always)]
    fn body(&self, out: &mut Space<'_>) {
        out.put(&self.0.0);
        known(out, self.1);
    }
}

impl Write for SetCustom<'_> {
    const TAG: u8 = SET;

    fn len(&self) -> usize {
        8 + 2 + text_len(self.1) + value_len(self.2)
    }

    fn body(&self, out: &mut Space<'_>) {
        out.put(&self.0.0);
        out.put(&CUSTOM.to_le_bytes());
        text(out, self.1);
        put_value(out, self.2);
    }
}

impl Write for Event<'_> {
    const TAG: u8 = EVENT;

    fn len(&self) -> usize {
        16 + 8 + 2 + 8 + known_len(self.attributes)
    }

    fn body(&self, out: &mut Space<'_>) {
        let (trace, span) = self.span.unwrap_or_default();
        out.put(&trace.0);
        out.put(&span.0);
        out.put(&[self.event.index(), self.severity.number()]);
        out.put(&self.time.0.to_le_bytes());
        known(out, self.attributes);
    }
}

impl End<'_> {
    #[inline(always)]
    fn parts(&self) -> (u8, &str) {
        match self.ended {
            EndedAs::Ok => (0, ""),
            EndedAs::Error(error) => (1, error),
            EndedAs::Cancelled => (2, ""),
        }
    }
}

impl Write for End<'_> {
    const TAG: u8 = END;

    #[inline(always)]
    fn len(&self) -> usize {
        8 + 1 + 8 + text_len(self.parts().1) + known_len(self.attributes)
    }

    #[inline(always)]
    fn body(&self, out: &mut Space<'_>) {
        let (code, error) = self.parts();
        let mut fixed = [0; 17];
        fixed[..8].copy_from_slice(&self.span.0);
        fixed[8] = code;
        fixed[9..].copy_from_slice(&self.time.0.to_le_bytes());
        out.put(&fixed);
        text(out, error);
        known(out, self.attributes);
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
        ValueRef::Int(_) | ValueRef::Double(_) => 8,
        ValueRef::Bool(_) => 1,
        ValueRef::StrList(list) => 4 + list.iter().map(|item| text_len(item)).sum::<usize>(),
    }
}

#[inline(always)]
fn text(out: &mut Space<'_>, text: &str) {
    out.put(&(text.len() as u32).to_le_bytes());
    out.put(text.as_bytes());
}

#[inline(always)]
fn known(out: &mut Space<'_>, attributes: &[AttrRef<'_>]) {
    for (key, value) in attributes {
        out.put(&key.index().to_le_bytes());
        put_value(out, *value);
    }
}

#[inline(always)]
fn put_value(out: &mut Space<'_>, value: ValueRef<'_>) {
    match value {
        ValueRef::Str(string) => {
            out.put(&[0]);
            text(out, string);
        }
        ValueRef::Int(number) => {
            out.put(&[1]);
            out.put(&number.to_le_bytes());
        }
        ValueRef::Double(number) => {
            out.put(&[2]);
            out.put(&number.to_le_bytes());
        }
        ValueRef::Bool(truth) => out.put(&[3, u8::from(truth)]),
        ValueRef::StrList(list) => {
            out.put(&[4]);
            out.put(&(list.len() as u32).to_le_bytes());
            list.iter().for_each(|item| text(out, item));
        }
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
        attributes: Attrs<'a>,
    },
}

/// Attributes still in their record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attrs<'a>(&'a [u8]);

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
            let ended = match code {
                0 => EndedAs::Ok,
                1 => EndedAs::Error(error),
                2 => EndedAs::Cancelled,
                _ => return None,
            };
            Record::End { span, time, ended, attributes: Attrs(cursor.0) }
        }
        _ => return None,
    };
    Some((record, len))
}

fn some_span(bytes: [u8; 8]) -> Option<SpanId> {
    (bytes != [0; 8]).then_some(SpanId(bytes))
}

impl Attrs<'_> {
    /// Sets every attribute on `target`; stops at the first byte that makes no sense.
    pub(crate) fn apply(self, target: &mut Attributes) {
        let mut cursor = Cursor(self.0);
        while !cursor.0.is_empty() {
            if self::apply_one(&mut cursor, target).is_none() {
                return;
            }
        }
    }
}

fn apply_one(cursor: &mut Cursor<'_>, target: &mut Attributes) -> Option<()> {
    let index = u16::from_le_bytes(cursor.array()?);
    if index == CUSTOM {
        let name = cursor.text()?.to_owned();
        target.set_custom(name, cursor.value()?);
    } else {
        let key = Key::from_index(index)?;
        target.set(key, cursor.value()?);
    }
    Some(())
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
    fn value(&mut self) -> Option<Value> {
        Some(match self.u8()? {
            0 => Value::Str(self.text()?.to_owned().into()),
            1 => Value::Int(i64::from_le_bytes(self.array()?)),
            2 => Value::Double(f64::from_le_bytes(self.array()?)),
            3 => Value::Bool(self.u8()? != 0),
            4 => {
                let count = self.u32()?;
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(self.text()?.to_owned().into());
                }
                Value::StrList(list)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;

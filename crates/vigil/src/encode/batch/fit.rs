//! A batch made to fit what a destination takes: texts that are too long are cut, spans beyond a trace's limit are
//! left out. What fits already is not copied.

use super::super::proto::{self, Fields, Malformed, Wire};
use super::super::resource::RECORD;
use super::{Batch, Part, Signal};
use crate::truncate;
use vigil_core::id::TraceId;

/// What a batch became.
#[derive(Debug, Default)]
pub(crate) struct Fitted {
    /// The batch that fits; `None` when nothing is left of it.
    pub(crate) batch: Option<Batch>,
    /// Texts that were cut.
    pub(crate) cut: u64,
    /// Records that were left out.
    pub(crate) left_out: u32,
}

impl Batch {
    /// This batch with texts of `text_bytes` at most, without the spans whose trace `keeps` no more of.
    pub(crate) fn fitted(self, text_bytes: Option<usize>, mut keeps: impl FnMut(TraceId) -> bool) -> Fitted {
        let whole = self.body.get(self.span.clone()).unwrap_or_default();
        let (mut records, mut parts) = (Vec::new(), Vec::new());
        let (mut cut, mut left_out, mut begin) = (0, 0, 0);
        for part in self.parts.iter() {
            let record = whole.get(begin..part.end).unwrap_or_default();
            begin = part.end;
            if self.signal == Signal::Traces && trace_of(record).is_some_and(|trace| !keeps(trace)) {
                left_out += part.records;
                continue;
            }
            match text_bytes.and_then(|max| rewrite(self.signal, record, max).ok().flatten()) {
                Some((rewritten, texts)) => {
                    cut += texts;
                    records.extend_from_slice(&rewritten);
                }
                None => records.extend_from_slice(record),
            }
            parts.push(Part { end: records.len(), records: part.records });
        }
        let batch = match (cut, left_out) {
            (0, 0) => Some(self),
            _ if parts.is_empty() => None,
            _ => Some(Self::wrap(self.signal, &self.resource, &records, parts.into())),
        };
        Fitted { batch, cut, left_out }
    }
}

/// The trace of a span, from its record with tag and length.
fn trace_of(record: &[u8]) -> Option<TraceId> {
    let Ok(Some(Wire::Bytes(span))) = Fields::find(record, RECORD) else { return None };
    match Fields::find(span, 1) {
        Ok(Some(Wire::Bytes(id))) => Some(TraceId(id.try_into().ok()?)),
        _ => None,
    }
}

/// The record with its texts cut, and how many were; `None` when all of them fit.
fn rewrite(signal: Signal, record: &[u8], max: usize) -> Result<Option<(Vec<u8>, u64)>, Malformed> {
    // Span.attributes, LogRecord.attributes. Data points have no free text.
    let attributes = match signal {
        Signal::Traces => 9,
        Signal::Logs => 6,
        Signal::Metrics => return Ok(None),
    };
    let Some(Wire::Bytes(message)) = Fields::find(record, RECORD)? else { return Ok(None) };
    if message.len() <= max {
        return Ok(None);
    }
    let mut cut = 0;
    let mut out = Vec::with_capacity(message.len());
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match value {
            Wire::Bytes(attribute) if number == attributes => match cut_attribute(attribute, max)? {
                Some(shorter) => {
                    cut += 1;
                    proto::bytes(&mut out, number, &shorter);
                }
                None => proto::bytes(&mut out, number, attribute),
            },
            Wire::Bytes(bytes) => proto::bytes(&mut out, number, bytes),
            Wire::Varint(value) => proto::uint(&mut out, number, value),
            Wire::Fixed64(bits) => proto::fixed64(&mut out, number, bits),
            Wire::Fixed32(bits) => proto::fixed32(&mut out, number, bits),
        }
    }
    if cut == 0 {
        return Ok(None);
    }
    let mut rewritten = Vec::with_capacity(out.len() + 8);
    proto::bytes(&mut rewritten, RECORD, &out);
    Ok(Some((rewritten, cut)))
}

/// A `KeyValue` whose text has at most `max` bytes; `None` when it has, or holds no text.
fn cut_attribute(attribute: &[u8], max: usize) -> Result<Option<Vec<u8>>, Malformed> {
    let (Some(Wire::Bytes(key)), Some(Wire::Bytes(value))) = (Fields::find(attribute, 1)?, Fields::find(attribute, 2)?)
    else {
        return Ok(None);
    };
    let Some(Wire::Bytes(text)) = Fields::find(value, 1)? else { return Ok(None) };
    if text.len() <= max {
        return Ok(None);
    }
    let shorter = truncate::text(&String::from_utf8_lossy(text), max);
    let mut out = Vec::with_capacity(key.len() + shorter.len() + 16);
    proto::bytes(&mut out, 1, key);
    proto::message(&mut out, 2, |out| proto::bytes(out, 1, shorter.as_bytes()));
    Ok(Some(out))
}

//! A batch read back from its bytes, as the spool keeps them: it can be split again.

use super::super::proto::{Fields, Malformed, Wire, varint_len};
use super::super::resource::{RECORD, Resource};
use super::{Batch, Part, Signal};
use bytes::Bytes;

impl Batch {
    /// The batch whose body this is; `None` when the bytes are not a request as [`BatchBuilder`](super::BatchBuilder)
    /// makes them: one resource, one scope, the records side by side.
    pub(crate) fn reread(signal: Signal, body: Bytes) -> Option<Self> {
        let parsed = parse(signal, &body).ok().flatten()?;
        let records = parsed.parts.iter().fold(0u32, |sum, part| sum.saturating_add(part.records));
        Some(Self {
            signal,
            records,
            span: parsed.start..parsed.start + parsed.parts.last().map_or(0, |part| part.end),
            parts: parsed.parts.into(),
            resource: parsed.resource,
            body,
        })
    }
}

struct Parsed {
    resource: Resource,
    start: usize,
    parts: Vec<Part>,
}

fn parse(signal: Signal, body: &[u8]) -> Result<Option<Parsed>, Malformed> {
    let Some(outer) = only_message(body, 1)? else { return Ok(None) };
    let Some(scope_records) = only_message(outer, 2)? else { return Ok(None) };
    let (Some(Wire::Bytes(resource)), Some(Wire::Bytes(scope)), Some(Wire::Bytes(schema_url))) =
        (Fields::find(outer, 1)?, Fields::find(scope_records, 1)?, Fields::find(scope_records, 3)?)
    else {
        return Ok(None);
    };
    let mut records_at = None;
    let mut parts: Vec<Part> = Vec::new();
    let mut fields = Fields::new(scope_records);
    while let Some((number, value)) = fields.next()? {
        let (RECORD, Wire::Bytes(record)) = (number, value) else { continue };
        let end = offset_in(body, record) + record.len();
        let begin = end - record.len() - varint_len(record.len() as u64) - 1;
        let start = *records_at.get_or_insert(begin);
        if begin != start + parts.last().map_or(0, |part| part.end) {
            return Ok(None);
        }
        parts.push(Part { end: end - start, records: records_in(signal, record)? });
    }
    let resource = Resource::reread(resource, scope, schema_url);
    Ok(records_at.map(|start| Parsed { resource, start, parts }))
}

/// The value of `field`, when the message has it once.
fn only_message(message: &[u8], field: u32) -> Result<Option<&[u8]>, Malformed> {
    let mut found = None;
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match value {
            Wire::Bytes(bytes) if number == field && found.is_none() => found = Some(bytes),
            _ if number == field => return Ok(None),
            _ => {}
        }
    }
    Ok(found)
}

/// What a record counts for: a metric for its data points.
fn records_in(signal: Signal, record: &[u8]) -> Result<u32, Malformed> {
    if signal != Signal::Metrics {
        return Ok(1);
    }
    // Metric.gauge, sum, histogram, exponential_histogram, summary; in each of them data_points is field 1.
    const DATA: [u32; 5] = [5, 7, 9, 10, 11];
    let mut points = 0u32;
    let mut fields = Fields::new(record);
    while let Some((number, value)) = fields.next()? {
        let Wire::Bytes(data) = value else { continue };
        if DATA.contains(&number) {
            let mut inner = Fields::new(data);
            while let Some((number, _)) = inner.next()? {
                points = points.saturating_add(u32::from(number == 1));
            }
        }
    }
    Ok(points)
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

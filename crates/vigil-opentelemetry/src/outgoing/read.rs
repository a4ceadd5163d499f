//! An encoded batch as the types of the OpenTelemetry SDK.
//!
//! Vigil encodes a batch once, after every gate and limit, and that is what is read here: a pipeline sees what any
//! other destination sees. Bytes that are not what Vigil writes are an error, never a panic; values of types Vigil does
//! not write are left out.

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::time::{Duration, SystemTime};

/// The bytes are no batch.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed;

/// A field's value as the wire has it.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    fn number(self) -> Result<u64, Malformed> {
        match self {
            Wire::Number(number) => Ok(number),
            Wire::Bytes(_) => Err(Malformed),
        }
    }

    fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            Wire::Number(_) => Err(Malformed),
        }
    }

    fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    fn array<const N: usize>(self) -> Result<[u8; N], Malformed> {
        self.bytes()?.try_into().map_err(|_| Malformed)
    }
}

/// Calls `field` for each field of a message.
fn message<'a>(
    mut bytes: &'a [u8],
    mut field: impl FnMut(u32, Wire<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Number(u64::from_le_bytes(fixed(&mut bytes)?)),
            2 => {
                let len = usize::try_from(varint(&mut bytes)?).map_err(|_| Malformed)?;
                let (value, rest) = bytes.split_at_checked(len).ok_or(Malformed)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            5 => Wire::Number(u64::from(u32::from_le_bytes(fixed(&mut bytes)?))),
            _ => return Err(Malformed),
        };
        field(u32::try_from(key >> 3).map_err(|_| Malformed)?, value)?;
    }
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (value, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    *bytes = rest;
    Ok(*value)
}

/// What a batch says of whoever recorded it.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) resource: Vec<KeyValue>,
    pub(super) resource_schema: Option<String>,
}

/// Who recorded the batch.
pub(super) fn origin(batch: &[u8]) -> Result<Origin, Malformed> {
    let mut origin = Origin::default();
    message(batch, |number, records| match number {
        1 => message(records.bytes()?, |number, value| {
            match number {
                1 => message(value.bytes()?, |number, value| match number {
                    1 => attribute(value.bytes()?, &mut origin.resource),
                    _ => Ok(()),
                })?,
                3 => origin.resource_schema = Some(value.text()?.to_owned()),
                _ => {}
            }
            Ok(())
        }),
        _ => Ok(()),
    })?;
    Ok(origin)
}

/// Calls `record` with each record of the batch and the scope it is of.
fn records<'a>(
    batch: &'a [u8],
    mut record: impl FnMut(&'a [u8], &InstrumentationScope) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    message(batch, |number, resource_records| match number {
        1 => message(resource_records.bytes()?, |number, scope_records| match number {
            2 => {
                let scope_records = scope_records.bytes()?;
                let scope = scope(scope_records)?;
                message(scope_records, |number, value| match number {
                    2 => record(value.bytes()?, &scope),
                    _ => Ok(()),
                })
            }
            _ => Ok(()),
        }),
        _ => Ok(()),
    })
}

fn scope(scope_records: &[u8]) -> Result<InstrumentationScope, Malformed> {
    let (mut name, mut version, mut schema) = (String::new(), None, None);
    message(scope_records, |number, value| {
        match number {
            1 => message(value.bytes()?, |number, value| {
                match number {
                    1 => name = value.text()?.to_owned(),
                    2 => version = Some(value.text()?.to_owned()),
                    _ => {}
                }
                Ok(())
            })?,
            3 => schema = Some(value.text()?.to_owned()),
            _ => {}
        }
        Ok(())
    })?;
    let mut scope = InstrumentationScope::builder(name);
    if let Some(version) = version {
        scope = scope.with_version(version);
    }
    if let Some(schema) = schema {
        scope = scope.with_schema_url(schema);
    }
    Ok(scope.build())
}

/// The spans of a batch.
pub(super) fn spans(batch: &[u8]) -> Result<Vec<SpanData>, Malformed> {
    let mut spans = Vec::new();
    records(batch, |bytes, scope| {
        spans.push(span(bytes, scope)?);
        Ok(())
    })?;
    Ok(spans)
}

fn span(bytes: &[u8], scope: &InstrumentationScope) -> Result<SpanData, Malformed> {
    let (mut trace, mut own, mut parent, mut flags) = (TraceId::INVALID, SpanId::INVALID, SpanId::INVALID, 0);
    let mut span = SpanData {
        span_context: SpanContext::NONE,
        parent_span_id: SpanId::INVALID,
        // Vigil does not write it.
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "".into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        // What happens in a span of Vigil's is an event of its own.
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.clone(),
    };
    message(bytes, |number, value| {
        match number {
            1 => trace = TraceId::from_bytes(value.array()?),
            2 => own = SpanId::from_bytes(value.array()?),
            4 => parent = SpanId::from_bytes(value.array()?),
            5 => span.name = value.text()?.to_owned().into(),
            6 => span.span_kind = kind(value.number()?),
            7 => span.start_time = time(value.number()?),
            8 => span.end_time = time(value.number()?),
            9 => attribute(value.bytes()?, &mut span.attributes)?,
            10 => span.dropped_attributes_count = u32::try_from(value.number()?).unwrap_or(u32::MAX),
            13 => span.links.links.push(link(value.bytes()?)?),
            15 => span.status = status(value.bytes()?)?,
            16 => flags = value.number()?,
            _ => {}
        }
        Ok(())
    })?;
    span.span_context = SpanContext::new(trace, own, trace_flags(flags), false, TraceState::NONE);
    span.parent_span_id = parent;
    Ok(span)
}

fn kind(number: u64) -> SpanKind {
    match number {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

fn status(bytes: &[u8]) -> Result<Status, Malformed> {
    let (mut code, mut description) = (0, String::new());
    message(bytes, |number, value| {
        match number {
            2 => description = value.text()?.to_owned(),
            3 => code = value.number()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(match code {
        1 => Status::Ok,
        2 => Status::error(description),
        _ => Status::Unset,
    })
}

fn link(bytes: &[u8]) -> Result<Link, Malformed> {
    let (mut trace, mut span) = (TraceId::INVALID, SpanId::INVALID);
    message(bytes, |number, value| {
        match number {
            1 => trace = TraceId::from_bytes(value.array()?),
            2 => span = SpanId::from_bytes(value.array()?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Link::with_context(SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, false, TraceState::NONE)))
}

/// An event of a batch.
#[derive(Debug)]
pub(super) struct EventData {
    pub(super) scope: InstrumentationScope,
    pub(super) name: String,
    pub(super) time: SystemTime,
    pub(super) observed: SystemTime,
    pub(super) severity: u64,
    pub(super) attributes: Vec<KeyValue>,
    /// The span it happened in.
    pub(super) span: Option<(TraceId, SpanId, TraceFlags)>,
}

/// The events of a batch.
pub(super) fn events(batch: &[u8]) -> Result<Vec<EventData>, Malformed> {
    let mut events = Vec::new();
    records(batch, |bytes, scope| {
        events.push(event(bytes, scope)?);
        Ok(())
    })?;
    Ok(events)
}

fn event(bytes: &[u8], scope: &InstrumentationScope) -> Result<EventData, Malformed> {
    let (mut trace, mut span, mut flags) = (TraceId::INVALID, SpanId::INVALID, 0);
    let mut event = EventData {
        scope: scope.clone(),
        name: String::new(),
        time: SystemTime::UNIX_EPOCH,
        observed: SystemTime::UNIX_EPOCH,
        severity: 0,
        attributes: Vec::new(),
        span: None,
    };
    message(bytes, |number, value| {
        match number {
            1 => event.time = time(value.number()?),
            2 => event.severity = value.number()?,
            6 => attribute(value.bytes()?, &mut event.attributes)?,
            8 => flags = value.number()?,
            9 => trace = TraceId::from_bytes(value.array()?),
            10 => span = SpanId::from_bytes(value.array()?),
            11 => event.observed = time(value.number()?),
            12 => event.name = value.text()?.to_owned(),
            _ => {}
        }
        Ok(())
    })?;
    event.span = (span != SpanId::INVALID).then(|| (trace, span, trace_flags(flags)));
    Ok(event)
}

fn time(unix_nanos: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(unix_nanos)
}

/// The W3C flags are the low 8 bits.
fn trace_flags(flags: u64) -> TraceFlags {
    TraceFlags::new((flags & 0xff) as u8)
}

/// Reads a `KeyValue` into `attributes`.
fn attribute(bytes: &[u8], attributes: &mut Vec<KeyValue>) -> Result<(), Malformed> {
    let (mut name, mut value) = ("", None);
    message(bytes, |number, field| {
        match number {
            1 => name = field.text()?,
            2 => value = any(field.bytes()?)?,
            _ => {}
        }
        Ok(())
    })?;
    attributes.extend(value.map(|value| KeyValue::new(Key::new(name.to_owned()), value)));
    Ok(())
}

/// Reads an `AnyValue`; `None` for types Vigil does not write.
fn any(bytes: &[u8]) -> Result<Option<Value>, Malformed> {
    let mut read = None;
    message(bytes, |number, value| {
        match number {
            1 => read = Some(Value::String(value.text()?.to_owned().into())),
            2 => read = Some(Value::Bool(value.number()? != 0)),
            3 => read = Some(Value::I64(value.number()?.cast_signed())),
            4 => read = Some(Value::F64(f64::from_bits(value.number()?))),
            5 => read = Some(Value::Array(list(value.bytes()?)?)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(read)
}

fn list(bytes: &[u8]) -> Result<Array, Malformed> {
    let (mut texts, mut numbers) = (Vec::<StringValue>::new(), Vec::new());
    message(bytes, |number, value| {
        if number == 1 {
            // A list in a list would be an item `any` calls itself for; Vigil writes none, and depth has no end.
            message(value.bytes()?, |number, value| {
                match number {
                    1 => texts.push(value.text()?.to_owned().into()),
                    3 => numbers.push(value.number()?.cast_signed()),
                    _ => {}
                }
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(if numbers.is_empty() { Array::String(texts) } else { Array::I64(numbers) })
}

#[cfg(test)]
mod tests;

//! `EventData` to `opentelemetry.proto.logs.v1.LogRecord`.

use super::options::EncodeOptions;
use super::proto;
use super::resource::RECORD;
use super::value::AttributeWriter;
use vigil_core::fact::EventData;

/// Field numbers of `LogRecord`.
mod field {
    pub(super) const TIME: u32 = 1;
    pub(super) const SEVERITY_NUMBER: u32 = 2;
    pub(super) const ATTRIBUTES: u32 = 6;
    pub(super) const DROPPED_ATTRIBUTES: u32 = 7;
    pub(super) const FLAGS: u32 = 8;
    pub(super) const TRACE_ID: u32 = 9;
    pub(super) const SPAN_ID: u32 = 10;
    pub(super) const OBSERVED_TIME: u32 = 11;
    pub(super) const EVENT_NAME: u32 = 12;
}

const FLAG_SAMPLED: u32 = 1;

/// Events have a name and attributes; no event of the contract has a body.
pub(super) fn write_event(out: &mut Vec<u8>, event: &EventData<'_>, options: &EncodeOptions) {
    proto::record(out, RECORD, |out| {
        proto::fixed64(out, field::TIME, event.time.0);
        proto::uint(out, field::SEVERITY_NUMBER, event.severity as u64);
        let mut writer = AttributeWriter::new(field::ATTRIBUTES, options.event_limits);
        writer.write_all(out, &event.attributes);
        if writer.dropped > 0 {
            proto::uint(out, field::DROPPED_ATTRIBUTES, u64::from(writer.dropped));
        }
        if let Some(span) = event.span {
            proto::fixed32(out, field::FLAGS, FLAG_SAMPLED);
            proto::bytes(out, field::TRACE_ID, &span.trace_id.0);
            proto::bytes(out, field::SPAN_ID, &span.span_id.0);
        }
        // Vigil is where the event was first seen, so it was observed when it happened.
        proto::fixed64(out, field::OBSERVED_TIME, event.time.0);
        proto::bytes(out, field::EVENT_NAME, event.kind.def().name.as_bytes());
    });
}

//! `SpanData` to `opentelemetry.proto.trace.v1.Span`.

use super::options::EncodeOptions;
use super::resource::RECORD;
use super::value::AttributeWriter;
use super::{langsmith, proto};
use crate::host::HostKind;
use vigil_core::contract::{SpanKind, attr};
use vigil_core::fact::{Outcome, SpanData};
use vigil_core::id::SpanContext;
use vigil_core::vocab::OutcomeWord;

/// Field numbers of `Span`.
mod field {
    pub(super) const TRACE_ID: u32 = 1;
    pub(super) const SPAN_ID: u32 = 2;
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START_TIME: u32 = 7;
    pub(super) const END_TIME: u32 = 8;
    pub(super) const ATTRIBUTES: u32 = 9;
    pub(super) const DROPPED_ATTRIBUTES: u32 = 10;
    pub(super) const LINKS: u32 = 13;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
}

/// `Status.code` for an error; unset, the other one used, is not written.
const STATUS_ERROR: u64 = 2;
/// The W3C trace flag of a sampled span. Whether the parent is remote is not known here, so the mask that
/// would say so (0x100) stays clear.
const FLAG_SAMPLED: u32 = 1;

pub(super) fn write_span(out: &mut Vec<u8>, span: &SpanData<'_>, options: &EncodeOptions) {
    proto::record(out, RECORD, |out| {
        ids(out, span);
        span.kind.with_span_name(&span.attributes, &span.target, |parts| {
            proto::delimited(out, field::NAME, parts.iter().map(|part| part.len()).sum());
            parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        });
        proto::uint(out, field::KIND, kind(span));
        // A backend that sees an end of zero stores a span of 1970; an end before the start, a negative one.
        let mut times = [0; 18];
        times[0] = (field::START_TIME << 3 | 1) as u8;
        times[1..9].copy_from_slice(&span.start.0.to_le_bytes());
        times[9] = (field::END_TIME << 3 | 1) as u8;
        times[10..].copy_from_slice(&span.end.max(span.start).0.to_le_bytes());
        out.extend_from_slice(&times);
        attributes(out, span, options);
        for link in &span.links {
            proto::message(out, field::LINKS, |out| write_link(out, *link));
        }
        if matches!(span.outcome, Outcome::Error(_)) {
            proto::message(out, field::STATUS, |out| proto::uint(out, 3, STATUS_ERROR));
        }
        proto::fixed32(out, field::FLAGS, FLAG_SAMPLED);
    });
}

/// Appends trace id, span id and parent, whose lengths are known.
#[inline]
fn ids(out: &mut Vec<u8>, span: &SpanData<'_>) {
    let mut bytes = [0; 38];
    bytes[0] = (field::TRACE_ID << 3 | 2) as u8;
    bytes[1] = 16;
    bytes[2..18].copy_from_slice(&span.context.trace_id.0);
    bytes[18] = (field::SPAN_ID << 3 | 2) as u8;
    bytes[19] = 8;
    bytes[20..28].copy_from_slice(&span.context.span_id.0);
    match span.parent {
        Some(parent) => {
            bytes[28] = (field::PARENT_SPAN_ID << 3 | 2) as u8;
            bytes[29] = 8;
            bytes[30..].copy_from_slice(&parent.0);
            out.extend_from_slice(&bytes);
        }
        None => out.extend_from_slice(&bytes[..28]),
    }
}

fn attributes(out: &mut Vec<u8>, span: &SpanData<'_>, options: &EncodeOptions) {
    let mut writer = AttributeWriter::new(field::ATTRIBUTES, options.span_limits);
    writer.write_all(out, &span.attributes);
    match &span.outcome {
        Outcome::Error(error) if span.attributes.get(attr::ERROR_TYPE).is_none() => {
            writer.write_str(out, attr::ERROR_TYPE, error.as_str());
        }
        Outcome::Cancelled if span.attributes.get(attr::VIGIL_OUTCOME).is_none() => {
            writer.write_str(out, attr::VIGIL_OUTCOME, OutcomeWord::Cancelled.as_str());
        }
        _ => {}
    }
    if options.compat
        && let Some(provider) = span.attributes.str(attr::GEN_AI_PROVIDER_NAME)
    {
        writer.write_str(out, attr::GEN_AI_SYSTEM, system_of(provider));
    }
    if options.langsmith {
        langsmith::write(out, &mut writer, &span.attributes);
    }
    if writer.dropped > 0 {
        proto::uint(out, field::DROPPED_ATTRIBUTES, u64::from(writer.dropped));
    }
}

/// OTLP's number for the span's kind: the contract's, but a host's span may say itself what it is.
fn kind(span: &SpanData<'_>) -> u64 {
    let said = (span.kind == SpanKind::Host).then(|| span.attributes.str(attr::VIGIL_HOST_KIND)).flatten();
    said.and_then(HostKind::of_word).map_or(span.kind.def().otlp_kind as u64, |kind| kind as u64)
}

fn write_link(out: &mut Vec<u8>, link: SpanContext) {
    proto::bytes(out, 1, &link.trace_id.0);
    proto::bytes(out, 2, &link.span_id.0);
}

/// What `gen_ai.system` said for a provider whose name has changed since.
fn system_of(provider: &str) -> &str {
    match provider {
        "gcp.gemini" => "gemini",
        "gcp.vertex_ai" => "vertex_ai",
        "azure.ai.inference" => "az.ai.inference",
        "azure.ai.openai" => "az.ai.openai",
        "x_ai" => "xai",
        same => same,
    }
}

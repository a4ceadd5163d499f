//! The gate all free text passes, and the limits on what else leaves.
//!
//! Whoever recorded a value, the decision is made here, by the key's class in the contract: free text goes
//! on spans or into details events only where content capture asks for it. Names are cut at 256 bytes, so
//! that no foreign program can send content dressed as a name. Content is cut at 64 KiB a value, or at the
//! attribute length limit where that is less, in a way that keeps JSON valid.

use crate::encode::AttributeLimits;
use crate::settings::{ContentMode, Settings};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::LazyLock;
use vigil_core::contract::{Class, EventKind, Key, MAX_NAME_VALUE_BYTES, SpanKind, attr};
use vigil_core::fact::{AnyValue, AttributeSet, EventData, KeySet, SpanData};
use vigil_core::vocab::Severity;

/// The bytes one piece of content keeps. Defaults to 64 KiB.
pub(crate) const CONTENT_BYTES: usize = 64 << 10;

/// What may leave, and how much of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub(crate) mode: ContentMode,
    /// Bytes a piece of content keeps on spans and on events.
    span_bytes: usize,
    event_bytes: usize,
}

impl Gate {
    pub(crate) fn new(settings: &Settings) -> Self {
        // A limit in characters is one in bytes here: content is then cut a little early, and never by the encoder,
        // which does not know JSON.
        let bytes =
            |limits: AttributeLimits| limits.value_chars.map_or(CONTENT_BYTES, |chars| chars.min(CONTENT_BYTES));
        Self {
            mode: settings.content,
            span_bytes: bytes(settings.span_limits),
            event_bytes: bytes(settings.log_limits),
        }
    }
}

/// The keys of free text.
static TEXTS: LazyLock<KeySet> = LazyLock::new(|| Key::all().filter(|key| key.is_text()).collect());

/// Where an attribute is about to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Span,
    DetailsEvent,
    OtherEvent,
}

/// Cuts and drops what must not leave with `span`, and makes the details event of a model call where it is
/// asked for.
pub(crate) fn span<'a>(span: &mut SpanData<'a>, gate: Gate) -> Option<Box<EventData<'a>>> {
    // In a box, since there is none mostly, and none of some hundred bytes is moved like one.
    let details = (gate.mode.events && span.kind == SpanKind::Chat).then(|| Box::new(details(span, gate)));
    filter(&mut span.attributes, Place::Span, gate);
    details
}

/// Cuts and drops what must not leave with `event`.
pub(crate) fn event(event: &mut EventData<'_>, gate: Gate) {
    let place = if event.kind == EventKind::InferenceDetails { Place::DetailsEvent } else { Place::OtherEvent };
    filter(&mut event.attributes, place, gate);
}

fn details<'a>(span: &SpanData<'a>, gate: Gate) -> EventData<'a> {
    let kind = EventKind::InferenceDetails;
    let mut attributes = AttributeSet::new();
    for (key, value) in span.attributes.iter().filter(|(key, _)| kind.def().allows(*key)) {
        attributes.set(key, value.clone());
    }
    filter(&mut attributes, Place::DetailsEvent, gate);
    EventData { kind, span: Some(span.context), time: span.end, severity: Severity::Debug, attributes }
}

fn filter(attributes: &mut AttributeSet<'_>, place: Place, gate: Gate) {
    // Most spans carry words, names and numbers alone, and none of them long.
    let is_harmless = !attributes.may_have(&TEXTS) && attributes.longest() <= MAX_NAME_VALUE_BYTES;
    if is_harmless && attributes.custom().next().is_none() {
        return;
    }
    let mut cut = 0;
    attributes.retain_mut(|key, value| keep(key, value, place, gate, &mut cut));
    attributes.retain_custom_mut(|_, value| {
        limit(value, MAX_NAME_VALUE_BYTES, &mut 0);
        true
    });
    if cut > 0 {
        attributes.set(attr::VIGIL_CONTENT_TRUNCATED_BYTES, cut);
    }
}

fn keep(key: Key, value: &mut AnyValue<'_>, place: Place, gate: Gate, cut: &mut u64) -> bool {
    if key.def().class != Class::Text {
        limit(value, MAX_NAME_VALUE_BYTES, &mut 0);
        return true;
    }
    let (open, bytes) = match place {
        Place::Span => (gate.mode.spans, gate.span_bytes),
        Place::DetailsEvent => (gate.mode.events, gate.event_bytes),
        // Messages of errors go where span content goes.
        Place::OtherEvent => (gate.mode.spans, gate.event_bytes),
    };
    if open {
        limit(value, bytes, cut);
    }
    open
}

fn limit(value: &mut AnyValue<'_>, max: usize, cut: &mut u64) {
    match value {
        AnyValue::Str(text) => limit_text(text, max, cut),
        AnyValue::StrList(list) => list.iter_mut().for_each(|text| limit_text(text, max, cut)),
        _ => {}
    }
}

fn limit_text(text: &mut Cow<'_, str>, max: usize, cut: &mut u64) {
    if text.len() > max {
        let short = crate::truncate::text(text, max);
        *cut += (text.len() - short.len()) as u64;
        *text = short.into();
    }
}

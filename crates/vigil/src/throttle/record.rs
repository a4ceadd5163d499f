//! Recording a verdict: on a handle, or wherever the thread is.

use crate::record::Recorder;
use crate::record::format::{AttrRef, ValueRef};
use crate::span::{Ambient, Span};
use crate::telemetry::{Telemetry, installed};
use vigil_core::contract::EventKind;
use vigil_core::fact::{Attributes, Value};
use vigil_core::id::{SpanId, TraceId};
use vigil_core::throttle::{Headroom, Service, Throttle, Told};
use vigil_core::vocab::{Severity, ThrottleOutcome};

impl Span {
    /// Records that a downstream service throttled this span's work, as the event `downstream.rate_limit`, and what
    /// became of it. The span's own outcome stays what it is: a throttled call that was made again with success is
    /// no error; end one that failed for good with [`fail`](crate::ChatSpan::fail).
    pub fn throttled(&self, throttle: &Throttle, outcome: ThrottleOutcome) {
        self.throttled_with(throttle, Told { outcome: Some(outcome), ..Told::default() });
    }

    /// [`throttled`](Self::throttled) with everything that is known: how long is waited, what was being done where
    /// that is not what the span says, how often it happened.
    pub fn throttled_with(&self, throttle: &Throttle, told: Told) {
        if self.is_recording() {
            let attributes = throttle.attributes(told);
            self.event(EventKind::DownstreamRateLimit, Severity::Error, &borrowed(&attributes));
        }
    }

    /// Takes what the limit headers of a response leave into the gauge `vigil.throttle.remaining_ratio`, so that
    /// pressure shows before a failure. For successful responses; `host` names the service.
    pub fn record_headroom<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        host: &str,
        headers: impl IntoIterator<Item = (N, V)>,
    ) {
        if let Some(place) = Place::of(self) {
            place.headroom(Some(host), &super::owned(headers));
        }
    }
}

impl Telemetry {
    /// Records that a downstream service throttled, on the span that is current on this thread if there is one; see
    /// [`Span::throttled`].
    pub fn throttled(&self, throttle: &Throttle, outcome: ThrottleOutcome) {
        if let Some(place) = Place::here(Some(self)) {
            place.throttled(throttle, Told { outcome: Some(outcome), ..Told::default() });
        }
    }
}

/// Where something is recorded: a span of a recorder, or the recorder alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    recorder: &'static Recorder,
    span: Option<(TraceId, SpanId)>,
}

impl Place {
    fn of(span: &Span) -> Option<Self> {
        Some(Self::at(span.ambient()?))
    }

    fn at(ambient: Ambient) -> Self {
        Self { recorder: ambient.recorder, span: Some((ambient.context.trace_id, ambient.context.span_id)) }
    }

    /// The span this thread is inside of: one of `telemetry` if that is given, else of anybody. Outside of spans the
    /// telemetry alone, or the one that is installed.
    pub(super) fn here(telemetry: Option<&Telemetry>) -> Option<Self> {
        let alone = |recorder| Self { recorder, span: None };
        match telemetry {
            Some(telemetry) => {
                let recorder = telemetry.recorder()?;
                Some(Ambient::of(recorder).map_or(alone(recorder), Self::at))
            }
            None => Ambient::innermost().map(Self::at).or_else(|| installed()?.recorder().map(alone)),
        }
    }

    pub(super) fn throttled(&self, throttle: &Throttle, told: Told) {
        let attributes = throttle.attributes(told);
        self.recorder.event(EventKind::DownstreamRateLimit, self.span, None, Severity::Error, &borrowed(&attributes));
    }

    /// Takes what `headers` leave into the gauge. Where two headers tell of the same limit the lesser counts.
    pub(super) fn headroom(&self, host: Option<&str>, headers: &[(String, String)]) {
        let now = crate::clock::unix_wall();
        let mut left = super::with_borrowed(headers, |headers| vigil_core::throttle::headroom(headers, now));
        left.sort_by(|a, b| b.remaining_ratio.total_cmp(&a.remaining_ratio));
        let service = host.and_then(super::service_named);
        for headroom in left.iter().take(HEADROOMS_MAX) {
            self.one_headroom(headroom, service);
        }
    }

    fn one_headroom(&self, headroom: &Headroom, service: Option<Service>) {
        let attributes = headroom.attributes(service);
        self.recorder.event(EventKind::Headroom, self.span, None, Severity::Debug, &borrowed(&attributes));
    }
}

/// Limits of one response that are taken into the gauge.
const HEADROOMS_MAX: usize = 16;

fn borrowed(attributes: &Attributes) -> Vec<AttrRef<'_>> {
    attributes.iter().filter_map(|(key, value)| Some((key, value_ref(value)?))).collect()
}

fn value_ref(value: &Value) -> Option<ValueRef<'_>> {
    match value {
        Value::Str(text) => Some(ValueRef::Str(text)),
        Value::Int(number) => Some(ValueRef::Int(*number)),
        Value::Double(number) => Some(ValueRef::Double(*number)),
        Value::Bool(truth) => Some(ValueRef::Bool(*truth)),
        // A verdict holds no lists.
        _ => None,
    }
}

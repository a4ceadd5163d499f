//! The destination that hands on to the OpenTelemetry SDK.

use super::exporter::OwnedExporter;
use super::processor::SharedProcessor;
use super::{events, read};
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::fmt;
use std::sync::Arc;
use vigil::deliver::{DestinationConfig, LossReason, OwnDestination, Target};
use vigil::encode::{Batch, Signal};

/// The spans handed over at a time: half of what the SDK's batching processor exports at a time, and an eighth
/// of its queue, which may hold others' spans too.
const SPANS_AT_A_TIME: usize = 256;

/// What takes spans.
pub(super) trait TakesSpans: Send + Sync {
    /// Takes `spans`, all of them or none.
    fn take(&self, spans: Vec<SpanData>, origins: &Origins<'_>) -> OTelSdkResult;
}

/// Where the resource comes from that a pipeline without one is told.
pub(super) struct Origins<'a> {
    given: Option<&'a Resource>,
    batch: &'a Batch,
}

impl Origins<'_> {
    pub(super) fn resource(&self) -> Resource {
        if let Some(given) = self.given {
            return given.clone();
        }
        let origin = read::origin(self.batch.body()).unwrap_or_default();
        let resource = Resource::builder_empty();
        match origin.resource_schema {
            Some(schema) => resource.with_schema_url(origin.resource, schema).build(),
            None => resource.with_attributes(origin.resource).build(),
        }
    }
}

/// Hands Vigil's finished spans, and its events if asked to, to parts of the OpenTelemetry SDK that you own.
///
/// They arrive as Vigil delivers them anywhere, after sampling, the gate of content and the limits: with their own ids,
/// parents, kinds, times, attributes, links and status, from the scope `vigil`. Metrics are not handed on.
///
/// In the [receipt](vigil::Receipt) *delivered* is what an exporter took, or what was handed to a processor or logger
/// provider whose flush then did not fail; *lost* is what was refused (`rejected`), what came after their shutdown
/// (`closed`; for events `rejected`), and what was still in hand at the deadline (`deadline`).
#[must_use = "nothing is handed on until it is a destination of telemetry"]
pub struct Forward {
    spans: Box<dyn TakesSpans>,
    events: Option<SdkLoggerProvider>,
    resource: Option<Resource>,
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What exporters say of themselves may hold headers, and headers secrets.
        f.debug_struct("Forward").field("events", &self.events.is_some()).finish_non_exhaustive()
    }
}

impl Forward {
    /// Hands spans to a processor that you share between Vigil and a provider of yours, and flushes it after every 256.
    /// `on_start` is not called for them: they have ended.
    ///
    /// What a processor does with spans before it is flushed it tells nobody: one whose queue is full, or whose timer
    /// exported them in vain, makes them count as delivered.
    pub fn to_processor(processor: &SharedProcessor) -> Self {
        Self::to(processor.clone())
    }

    /// Hands spans to `exporter`, which nobody else feeds, and shuts it down at the end.
    pub fn to_exporter(exporter: impl SpanExporter + 'static) -> Self {
        Self::to(OwnedExporter::new(exporter))
    }

    fn to(spans: impl TakesSpans + 'static) -> Self {
        Self { spans: Box::new(spans), events: None, resource: None }
    }

    /// Also emits Vigil's events as log records through `provider`, which it flushes after every batch and never shuts
    /// down. Their resource is the provider's. Defaults to not.
    pub fn with_events(mut self, provider: SdkLoggerProvider) -> Self {
        self.events = Some(provider);
        self
    }

    /// The resource an exporter, or a processor that is part of no provider, is told. Defaults to Vigil's.
    pub fn with_resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// A destination for [`Builder::destination`](vigil::Builder::destination); `name` is what receipts call it.
    pub fn into_destination(self, name: impl Into<String>) -> DestinationConfig {
        DestinationConfig::new(name, Target::Own(Arc::new(self)))
    }

    fn take_spans(&self, batch: &Batch) -> Result<u64, LossReason> {
        // Whatever an exporter uses to do its work is no work of the program's.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let origins = Origins { given: self.resource.as_ref(), batch };
        let mut spans = read::spans(batch.body()).map_err(|_| LossReason::Internal)?;
        let (all, mut refused, mut reason) = (spans.len(), 0, LossReason::Rejected);
        while !spans.is_empty() {
            let rest = spans.split_off(spans.len().min(SPANS_AT_A_TIME));
            let count = spans.len();
            if let Err(error) = self.spans.take(spans, &origins) {
                refused += count;
                if matches!(error, OTelSdkError::AlreadyShutdown) {
                    reason = LossReason::Closed;
                }
            }
            spans = rest;
        }
        if refused == all { Err(reason) } else { Ok(refused as u64) }
    }

    fn take_events(provider: &SdkLoggerProvider, batch: &Batch) -> Result<u64, LossReason> {
        // Not suppressed: the SDK's logger takes nothing then.
        let events = read::events(batch.body()).map_err(|_| LossReason::Internal)?;
        Ok(events::emit(provider, events))
    }
}

impl OwnDestination for Forward {
    fn takes(&self, signal: Signal) -> bool {
        match signal {
            Signal::Traces => true,
            Signal::Logs => self.events.is_some(),
            Signal::Metrics => false,
        }
    }

    fn take(&self, batch: &Batch) -> Result<u64, LossReason> {
        match (batch.signal(), &self.events) {
            (Signal::Traces, _) => self.take_spans(batch),
            (Signal::Logs, Some(provider)) => Self::take_events(provider, batch),
            (Signal::Logs, None) | (Signal::Metrics, _) => Err(LossReason::Internal),
        }
    }
}

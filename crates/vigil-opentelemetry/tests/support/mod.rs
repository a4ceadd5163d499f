//! What the tests share.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

pub(crate) mod library;

use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData, SpanExporter};
use prost::Message;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};
use vigil::encode::Signal;

/// The SDK's exporter in memory, but for one thing: what it was given stays readable when it was shut down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exporter(InMemorySpanExporter);

impl Exporter {
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.0.get_finished_spans().unwrap()
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch).await
    }
}

/// A destination in memory, and what it keeps.
pub(crate) fn memory() -> (DestinationConfig, MemoryDestination) {
    let kept = MemoryDestination::new();
    (DestinationConfig::new("memory", Target::Memory(kept.clone())), kept)
}

/// The requests with spans that a destination was given, as anybody reads them.
pub(crate) fn decoded(kept: &MemoryDestination) -> Vec<TracesData> {
    kept.of(Signal::Traces).iter().map(|batch| TracesData::decode(batch.body().clone()).unwrap()).collect()
}

/// The spans of all of them, in order.
pub(crate) fn decoded_spans(kept: &MemoryDestination) -> Vec<Span> {
    let resources = decoded(kept).into_iter().flat_map(|data| data.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

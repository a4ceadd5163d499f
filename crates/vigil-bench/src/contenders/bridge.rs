//! `tracing` spans through `tracing-opentelemetry` into the OpenTelemetry SDK's batch processor.
//!
//! By default the bridge adds the place in the source, the thread and the busy and idle times to every span;
//! with these off its spans carry what the other contenders' carry.

use super::Contender;
use super::sdk::{NullExporter, null_provider};
use super::tracing_spans::{Sink, TracingSpans};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::Arc;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

struct Provider {
    provider: SdkTracerProvider,
    exporter: NullExporter,
}

pub(super) fn default() -> Arc<dyn Contender> {
    let (provider, exporter) = null_provider();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    tracing_subscriber::registry().with(layer).init();
    Arc::new(TracingSpans::new(Provider { provider, exporter }))
}

pub(super) fn lean() -> Arc<dyn Contender> {
    let (provider, exporter) = null_provider();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("bench"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    tracing_subscriber::registry().with(layer).init();
    Arc::new(TracingSpans::new(Provider { provider, exporter }))
}

impl Sink for Provider {
    fn settle(&self) {
        self.provider.force_flush().ok();
    }

    fn finish(&self) -> Option<u64> {
        self.provider.force_flush().ok();
        self.provider.shutdown().ok();
        Some(self.exporter.exported())
    }
}

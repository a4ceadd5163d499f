//! A span exporter that Vigil alone feeds.

use super::forward::{Origins, TakesSpans};
use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// An exporter, and what it was told so far. It is shut down when the destination goes.
pub(super) struct OwnedExporter<E: SpanExporter> {
    state: Mutex<State<E>>,
}

struct State<E> {
    exporter: E,
    has_resource: bool,
}

impl<E: SpanExporter> OwnedExporter<E> {
    pub(super) fn new(exporter: E) -> Self {
        Self { state: Mutex::new(State { exporter, has_resource: false }) }
    }
}

impl<E: SpanExporter> TakesSpans for OwnedExporter<E> {
    fn take(&self, spans: Vec<SpanData>, origins: &Origins<'_>) -> OTelSdkResult {
        // Uncontended: batches of spans come one at a time. It keeps the exporter's promise of one call at a time.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut state.has_resource, true) {
            state.exporter.set_resource(&origins.resource());
        }
        futures_executor::block_on(state.exporter.export(spans))?;
        // What it took counts as delivered, so it must not keep it.
        state.exporter.force_flush()
    }
}

impl<E: SpanExporter> Drop for OwnedExporter<E> {
    fn drop(&mut self) {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to tell; what it was given has its verdict.
        drop(catch_unwind(AssertUnwindSafe(|| state.exporter.shutdown())));
    }
}

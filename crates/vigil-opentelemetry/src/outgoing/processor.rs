//! A span processor that a provider of the user's and Vigil both feed.

use super::forward::{Origins, TakesSpans};
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// How often a processor is asked to flush that says it takes longer: with the 5 seconds each of the SDK's batching
/// one, a minute.
const FLUSHES_MAX: u32 = 12;

/// A span processor in two places: in a provider of yours and, by [`Forward::to_processor`](crate::Forward::to_processor),
/// behind Vigil. Clones share the processor.
///
/// Its resource is that of the provider it is added to, else Vigil's. The provider shuts it down; Vigil never does.
#[derive(Clone, Debug)]
pub struct SharedProcessor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    processor: RwLock<Box<dyn SpanProcessor>>,
    has_resource: AtomicBool,
    is_shut_down: AtomicBool,
}

impl SharedProcessor {
    /// Shares `processor`.
    pub fn new(processor: impl SpanProcessor + 'static) -> Self {
        let shared = Shared {
            processor: RwLock::new(Box::new(processor)),
            has_resource: AtomicBool::new(false),
            is_shut_down: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    fn processor(&self) -> RwLockReadGuard<'_, Box<dyn SpanProcessor>> {
        self.shared.processor.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn processor_mut(&self) -> RwLockWriteGuard<'_, Box<dyn SpanProcessor>> {
        self.shared.processor.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A processor that was shut down says nothing to spans it drops.
    fn check_open(&self) -> OTelSdkResult {
        match self.shared.is_shut_down.load(Ordering::Acquire) {
            true => Err(OTelSdkError::AlreadyShutdown),
            false => Ok(()),
        }
    }
}

impl SpanProcessor for SharedProcessor {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.processor().on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        self.processor().on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor().force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.shared.is_shut_down.store(true, Ordering::Release);
        self.processor().shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.shared.has_resource.store(true, Ordering::Release);
        self.processor_mut().set_resource(resource);
    }
}

impl TakesSpans for SharedProcessor {
    fn take(&self, spans: Vec<SpanData>, origins: &Origins<'_>) -> OTelSdkResult {
        self.check_open()?;
        if !self.shared.has_resource.swap(true, Ordering::AcqRel) {
            self.processor_mut().set_resource(&origins.resource());
        }
        spans.into_iter().for_each(|span| self.on_end(span));
        // Only a flush says what became of spans; and without one a burst would overflow a batching processor's queue.
        let mut flushed = self.force_flush();
        for _ in 1..FLUSHES_MAX {
            match flushed {
                Err(OTelSdkError::Timeout(_)) => flushed = self.force_flush(),
                _ => break,
            }
        }
        flushed
    }
}

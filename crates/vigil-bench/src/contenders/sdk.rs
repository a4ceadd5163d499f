//! The OpenTelemetry SDK used directly, with its batch processor and an exporter that drops what it is given.
//!
//! Everything at its default but the queue, which holds [`QUEUE_SPANS`] instead of 2048: a span that the queue
//! refuses would be cheaper than one it takes.

use super::Contender;
use crate::workload::{FINISH_REASON, OPERATION, PROVIDER, Shape, capability, chat, name};
use opentelemetry::trace::{Span as _, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanData, SpanExporter,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// More than a burst of all threads ([`crate::measure::BURST_SPANS`]).
const QUEUE_SPANS: usize = 32 << 10;

/// Counts spans and drops them.
#[derive(Clone, Debug, Default)]
pub(super) struct NullExporter(Arc<AtomicU64>);

impl NullExporter {
    pub(super) fn exported(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl SpanExporter for NullExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// A provider that exports to nowhere.
pub(super) fn null_provider() -> (SdkTracerProvider, NullExporter) {
    let exporter = NullExporter::default();
    let config = BatchConfigBuilder::default().with_max_queue_size(QUEUE_SPANS).build();
    let processor = BatchSpanProcessor::builder(exporter.clone()).with_batch_config(config).build();
    (SdkTracerProvider::builder().with_span_processor(processor).build(), exporter)
}

struct Sdk {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    agent: Context,
    exporter: NullExporter,
}

pub(super) fn set_up() -> Arc<dyn Contender> {
    let (provider, exporter) = null_provider();
    let tracer = provider.tracer("bench");
    let agent = Context::new().with_span(tracer.start("invoke_agent bench"));
    Arc::new(Sdk { provider, tracer, agent, exporter })
}

impl Contender for Sdk {
    fn record(&self, shape: Shape, spans: u32) {
        match shape {
            Shape::Capability => (0..spans).for_each(|_| record_capability(&self.tracer, &self.agent)),
            Shape::Chat => record_chats(&self.tracer, &self.agent, spans),
        }
    }

    fn settle(&self) {
        self.provider.force_flush().ok();
    }

    fn finish(&self) -> Option<u64> {
        self.agent.span().end();
        self.provider.force_flush().ok();
        self.provider.shutdown().ok();
        Some(self.exporter.exported().saturating_sub(1))
    }
}

fn int(name: &'static str, value: u64) -> KeyValue {
    KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX))
}

fn record_capability(tracer: &SdkTracer, agent: &Context) {
    let call = capability();
    let builder = tracer
        .span_builder("capability net.fetch")
        .with_kind(SpanKind::Internal)
        .with_attributes([KeyValue::new(name::CAP_NAME, call.name)]);
    let mut span = tracer.build_with_context(builder, agent);
    span.set_attributes([int(name::BYTES_IN, call.bytes_in), int(name::BYTES_OUT, call.bytes_out)]);
    span.set_attribute(int(name::CAP_BUDGET_REMAINING, call.budget_remaining));
    span.end();
}

/// Records chats below `agent`.
pub(crate) fn record_chats(tracer: &SdkTracer, agent: &Context, spans: u32) {
    for _ in 0..spans {
        let call = chat();
        let builder = tracer.span_builder("chat claude-sonnet-4-5").with_kind(SpanKind::Client).with_attributes([
            KeyValue::new(name::OPERATION, OPERATION),
            KeyValue::new(name::PROVIDER, PROVIDER),
            KeyValue::new(name::REQUEST_MODEL, call.model),
        ]);
        let mut span = tracer.build_with_context(builder, agent);
        span.set_attribute(int(name::MAX_TOKENS, call.max_tokens));
        span.set_attributes([
            KeyValue::new(name::RESPONSE_ID, call.response_id),
            KeyValue::new(name::RESPONSE_MODEL, call.response_model),
        ]);
        span.set_attributes([
            int(name::INPUT_TOKENS, call.input_tokens()),
            int(name::OUTPUT_TOKENS, call.output_tokens),
            int(name::CACHE_READ_TOKENS, call.cache_read_tokens),
            int(name::CACHE_WRITE_TOKENS, call.cache_write_tokens),
        ]);
        let reasons = Value::Array(Array::String(vec![StringValue::from(FINISH_REASON)]));
        span.set_attribute(KeyValue::new(name::FINISH_REASONS, reasons));
        span.end();
    }
}

/// Records a capability call and a chat.
pub(crate) fn record_one_of_each(tracer: &SdkTracer, agent: &Context) {
    record_capability(tracer, agent);
    record_chats(tracer, agent, 1);
}

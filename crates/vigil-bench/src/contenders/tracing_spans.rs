//! The two shapes as `tracing` spans: fields that come late are declared empty and recorded in groups.

use super::Contender;
use crate::workload::{FINISH_REASON, OPERATION, PROVIDER, Shape, capability, chat};
use tracing::field::Empty;
use tracing::{Span, info_span, record_all};

/// Records through whatever subscriber the process has; what becomes of the spans differs by contender.
pub(super) struct TracingSpans<Sink> {
    parent: Span,
    sink: Sink,
}

/// Where the spans go.
pub(super) trait Sink: Send + Sync {
    fn settle(&self) {}

    /// As [`Contender::finish`]. The parent is still open and not among those that arrived.
    fn finish(&self) -> Option<u64> {
        None
    }
}

impl<S: Sink> TracingSpans<S> {
    /// The subscriber must be in place.
    pub(super) fn new(sink: S) -> Self {
        Self { parent: info_span!("invoke_agent bench"), sink }
    }
}

impl<S: Sink> Contender for TracingSpans<S> {
    fn record(&self, shape: Shape, spans: u32) {
        match shape {
            Shape::Capability => (0..spans).for_each(|_| record_capability(&self.parent)),
            Shape::Chat => (0..spans).for_each(|_| record_chat(&self.parent)),
        }
    }

    fn settle(&self) {
        self.sink.settle();
    }

    fn finish(&self) -> Option<u64> {
        self.sink.finish()
    }
}

fn record_capability(parent: &Span) {
    let call = capability();
    let span = info_span!(
        parent: parent,
        "capability net.fetch",
        cap.name = call.name,
        bytes_in = Empty,
        bytes_out = Empty,
        cap.budget_remaining = Empty,
    );
    record_all!(span, bytes_in = call.bytes_in, bytes_out = call.bytes_out);
    record_all!(span, cap.budget_remaining = call.budget_remaining);
}

fn record_chat(parent: &Span) {
    let call = chat();
    let span = info_span!(
        parent: parent,
        "chat claude-sonnet-4-5",
        gen_ai.operation.name = OPERATION,
        gen_ai.provider.name = PROVIDER,
        gen_ai.request.model = call.model,
        gen_ai.request.max_tokens = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.cache_write.input_tokens = Empty,
        gen_ai.response.finish_reasons = Empty,
    );
    record_all!(span, gen_ai.request.max_tokens = call.max_tokens);
    record_all!(span, gen_ai.response.id = call.response_id, gen_ai.response.model = call.response_model);
    record_all!(
        span,
        gen_ai.usage.input_tokens = call.input_tokens(),
        gen_ai.usage.output_tokens = call.output_tokens,
        gen_ai.usage.cache_read.input_tokens = call.cache_read_tokens,
        gen_ai.usage.cache_write.input_tokens = call.cache_write_tokens
    );
    record_all!(span, gen_ai.response.finish_reasons = FINISH_REASON);
}

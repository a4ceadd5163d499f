//! fastrace: local spans under a root, which is what it is fastest at. A root lasts for a burst.

use super::Contender;
use crate::workload::{FINISH_REASON, OPERATION, PROVIDER, Shape, capability, chat, name};
use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::local::LocalSpan;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ROOT: &str = "invoke_agent bench";

/// Counts spans that are no roots, and drops them.
struct NullReporter(Arc<AtomicU64>);

impl Reporter for NullReporter {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        self.0.fetch_add(spans.iter().filter(|span| span.name != ROOT).count() as u64, Ordering::Relaxed);
    }
}

struct Fastrace {
    reported: Arc<AtomicU64>,
}

pub(super) fn set_up() -> Arc<dyn Contender> {
    let reported = Arc::new(AtomicU64::new(0));
    fastrace::set_reporter(NullReporter(reported.clone()), Config::default());
    Arc::new(Fastrace { reported })
}

impl Contender for Fastrace {
    fn record(&self, shape: Shape, spans: u32) {
        let root = Span::root(ROOT, SpanContext::random());
        let guard = root.set_local_parent();
        match shape {
            Shape::Capability => (0..spans).for_each(|_| record_capability()),
            Shape::Chat => (0..spans).for_each(|_| record_chat()),
        }
        drop(guard);
    }

    fn settle(&self) {
        fastrace::flush();
    }

    fn finish(&self) -> Option<u64> {
        fastrace::flush();
        Some(self.reported.load(Ordering::Relaxed))
    }
}

fn record_capability() {
    let call = capability();
    let _span = LocalSpan::enter_with_local_parent("capability net.fetch")
        .with_property(|| (name::CAP_NAME, call.name))
        .with_properties(|| {
            [(name::BYTES_IN, call.bytes_in.to_string()), (name::BYTES_OUT, call.bytes_out.to_string())]
        })
        .with_property(|| (name::CAP_BUDGET_REMAINING, call.budget_remaining.to_string()));
}

fn record_chat() {
    let call = chat();
    let _span = LocalSpan::enter_with_local_parent("chat claude-sonnet-4-5")
        .with_properties(|| {
            [(name::OPERATION, OPERATION), (name::PROVIDER, PROVIDER), (name::REQUEST_MODEL, call.model)]
        })
        .with_property(|| (name::MAX_TOKENS, call.max_tokens.to_string()))
        .with_properties(|| [(name::RESPONSE_ID, call.response_id), (name::RESPONSE_MODEL, call.response_model)])
        .with_properties(|| {
            [
                (name::INPUT_TOKENS, call.input_tokens().to_string()),
                (name::OUTPUT_TOKENS, call.output_tokens.to_string()),
                (name::CACHE_READ_TOKENS, call.cache_read_tokens.to_string()),
                (name::CACHE_WRITE_TOKENS, call.cache_write_tokens.to_string()),
            ]
        })
        .with_property(|| (name::FINISH_REASONS, FINISH_REASON));
}

//! `tracing` with no subscriber: what instrumentation costs a program that does not listen.

use super::Contender;
use super::tracing_spans::{Sink, TracingSpans};
use std::sync::Arc;

struct Nobody;

impl Sink for Nobody {}

pub(super) fn set_up() -> Arc<dyn Contender> {
    Arc::new(TracingSpans::new(Nobody))
}

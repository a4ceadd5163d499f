//! One notion of the current span for OpenTelemetry's API and Vigil.
//!
//! A span of Vigil's that is entered is attached as an OpenTelemetry context too, with baggage and values as they
//! were; what is current is asked there. So whichever was entered last is the parent of what starts next, on whatever
//! thread the context is carried to.
//!
//! Attaching costs an allocation each time a span is entered or a future in one is polled. The API panics when a
//! context is attached inside `Context::map_current` or `get_active_span`; here that is caught: the span is then
//! current for Vigil alone.

use crate::ids;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, ContextGuard};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vigil::{CurrentSpan, HostContext, Telemetry};

/// Lets spans of `telemetry` and spans of OpenTelemetry's API be each other's parents: a span that starts while one of
/// the other side is current becomes its child.
///
/// For spans of Vigil's that are entered from now on; [`tracer_provider`](crate::tracer_provider) does it itself.
/// Spans started from a handle keep that handle as their parent. Telemetry that is off shares nothing.
pub fn share_context(telemetry: &Telemetry) {
    telemetry.host().share_context(&OpenTelemetryContext);
}

#[derive(Debug)]
struct OpenTelemetryContext;

impl HostContext for OpenTelemetryContext {
    fn enter(&self, span: CurrentSpan) -> Box<dyn Any> {
        let attach =
            || Context::map_current(|current| current.with_remote_span_context(within(current, span))).attach();
        Box::new(Attached(caught(attach)))
    }

    fn current(&self) -> Option<CurrentSpan> {
        caught(|| Context::map_current(current)).flatten()
    }
}

/// The span that is active in `context`.
pub(crate) fn current(context: &Context) -> Option<CurrentSpan> {
    let span = context.span();
    let span = span.span_context();
    let current = || CurrentSpan { context: ids::context(span), sampled: span.is_sampled(), remote: span.is_remote() };
    span.is_valid().then(current)
}

/// `span` as OpenTelemetry knows spans. What vendors keep in the trace's state stays with the trace.
fn within(context: &Context, span: CurrentSpan) -> SpanContext {
    let CurrentSpan { context: ids, sampled, remote } = span;
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, above) = (ids::trace_id(ids.trace_id), context.span());
    let above = above.span_context();
    let state = if above.trace_id() == trace { above.trace_state().clone() } else { TraceState::NONE };
    SpanContext::new(trace, ids::span_id(ids.span_id), flags, remote, state)
}

/// Keeps a context attached.
struct Attached(Option<ContextGuard>);

impl Drop for Attached {
    fn drop(&mut self) {
        caught(|| drop(self.0.take()));
    }
}

/// `work`, unless it panics: the thread's context is borrowed, or torn down.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

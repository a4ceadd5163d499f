//! Which span a thread is inside of, as the host's tracing API has it.

use std::any::Any;
use vigil_core::id::SpanContext;

/// A span a thread is inside of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CurrentSpan {
    /// Its ids.
    pub context: SpanContext,
    /// Whether its trace is exported.
    pub sampled: bool,
    /// Whether it is certain to be a span of another process.
    pub remote: bool,
}

/// Another notion of what is current, kept in step with Vigil's by [`Host::share_context`](super::Host::share_context).
///
/// Vigil's spans are entered there too, so that one order of both exists, and it is the host's: a span of Vigil's that
/// has no parent of its own hangs from what is current there. Called in the caller's thread whenever a span is entered
/// or a root begins; must neither block nor panic.
pub trait HostContext: std::fmt::Debug + Send + Sync {
    /// Makes `span` current on this thread until the answer is dropped. Answers may be dropped in any order.
    fn enter(&self, span: CurrentSpan) -> Box<dyn Any>;

    /// The span that is current on this thread.
    fn current(&self) -> Option<CurrentSpan>;
}

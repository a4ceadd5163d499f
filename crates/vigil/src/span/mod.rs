//! Handles: how an agent says what it does.
//!
//! A handle is a span that has started. It is owned and `Send`, knows its parent, and is consumed by
//! `finish` or `fail`, so recording after the end does not compile. A handle that is dropped means the work
//! was given up: the span ends as cancelled.
//!
//! Every handle derefs to [`Span`], which holds what all have in common: children, context, budget, modes,
//! evaluations.

mod ambient;
mod envelope;
mod future;
pub(crate) mod kinds;
mod propagate;
#[allow(clippy::module_inception, reason = "the type the module is about")]
mod span;
mod state;
mod stream;

pub use ambient::{EnterGuard, current};
pub use future::{InSpan, InSpanExt};
pub use kinds::{
    AgentSpan, ApprovalSpan, CapabilitySpan, ChatSpan, CleanupSpan, EmbeddingsSpan, McpSpan, PhaseSpan, ToolSpan,
    TurnSpan, WorkflowSpan,
};
pub use propagate::{RemoteParent, parse_traceparent};
pub use span::{AttributeValue, BudgetLeft, Content, Evaluation, Span};
pub use state::{HealthReport, StateVector};
pub use stream::SpanStream;

pub(crate) use ambient::Ambient;
pub(crate) use propagate::traceparent;
pub(crate) use span::OFF;
pub(crate) use span::Parent;

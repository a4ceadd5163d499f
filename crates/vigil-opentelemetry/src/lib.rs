//! Vigil beside OpenTelemetry's own SDK and API, for those who have a pipeline.
#![warn(missing_docs)]

mod context;
mod ids;
mod incoming;
mod outgoing;

pub use context::share_context;
pub use incoming::{VigilSpan, VigilTracer, VigilTracerProvider, tracer_provider};
pub use outgoing::{Forward, SharedProcessor};

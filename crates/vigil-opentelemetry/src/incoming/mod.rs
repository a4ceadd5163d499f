//! Spans of libraries that are instrumented with OpenTelemetry's API, on their way into Vigil's traces.

mod names;
mod provider;
mod span;

pub use provider::{VigilTracer, VigilTracerProvider, tracer_provider};
pub use span::VigilSpan;

//! Tracers that record into Vigil.

use super::span::VigilSpan;
use opentelemetry::trace::{SpanBuilder, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use std::collections::HashSet;
use std::sync::Arc;
use vigil::{Host, Telemetry};

/// A provider of tracers whose spans join the traces of `telemetry`, and contexts that are
/// [shared](crate::share_context). Install it for the libraries of the process, or hand it to one.
///
/// ```
/// use opentelemetry::global;
/// use opentelemetry::trace::Tracer;
///
/// let telemetry = vigil::testing::recorder();
/// global::set_tracer_provider(vigil_opentelemetry::tracer_provider(&telemetry));
///
/// let agent = telemetry.agent_span("session-42", "researcher");
/// let inside = agent.enter();
/// // Somewhere in a library:
/// global::tracer("database").in_span("query", |_| {
///     telemetry.tool_span("search", "call-1").finish(); // and back again
/// });
/// drop(inside);
/// agent.finish();
/// assert_eq!(telemetry.recorded().tree(), "invoke_agent researcher\n  query\n    execute_tool search\n");
/// ```
pub fn tracer_provider(telemetry: &Telemetry) -> VigilTracerProvider {
    crate::share_context(telemetry);
    VigilTracerProvider { host: telemetry.host(), names: Arc::default() }
}

/// A provider of tracers that record into Vigil; made by [`tracer_provider`].
///
/// It does not keep telemetry alive. When telemetry is off or has ended its spans record nothing, and hand on the
/// context of their parents.
#[derive(Clone, Debug)]
pub struct VigilTracerProvider {
    host: Host,
    names: Arc<HashSet<String>>,
}

impl VigilTracerProvider {
    /// Says that texts under these keys are names, and may be recorded whatever the capture of content says. For
    /// attributes of your own libraries; those of the conventions are known.
    pub fn with_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Arc::make_mut(&mut self.names).extend(names.into_iter().map(Into::into));
        self
    }
}

impl TracerProvider for VigilTracerProvider {
    type Tracer = VigilTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> VigilTracer {
        VigilTracer { host: self.host, scope: scope.name().into(), names: Arc::clone(&self.names) }
    }
}

/// Starts spans for one library.
#[derive(Clone, Debug)]
pub struct VigilTracer {
    pub(super) host: Host,
    /// The library's name. Its version is not recorded.
    pub(super) scope: Arc<str>,
    pub(super) names: Arc<HashSet<String>>,
}

impl Tracer for VigilTracer {
    type Span = VigilSpan;

    fn build_with_context(&self, builder: SpanBuilder, parent_cx: &Context) -> VigilSpan {
        // Exporters say so while they export: nothing feeds back.
        if parent_cx.is_telemetry_suppressed() || Context::is_current_telemetry_suppressed() {
            return VigilSpan::unrecorded(opentelemetry::trace::SpanContext::NONE);
        }
        VigilSpan::start(self, builder, parent_cx)
    }
}

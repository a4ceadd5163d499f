//! Tracers that record into Vigil.

use super::names::is_name;
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
        let library = Library { name: scope.name().to_owned(), names: Arc::clone(&self.names) };
        VigilTracer { host: self.host, library: Arc::new(library) }
    }
}

/// Starts spans for one library.
#[derive(Clone, Debug)]
pub struct VigilTracer {
    pub(super) host: Host,
    pub(super) library: Arc<Library>,
}

/// Whose spans they are. Its version is not recorded.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) name: String,
    /// The keys whose texts are names, beside those that are known.
    names: Arc<HashSet<String>>,
}

impl Library {
    /// Whether texts under `key` are names.
    pub(super) fn is_name(&self, key: &str) -> bool {
        is_name(key) || self.names.contains(key)
    }
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

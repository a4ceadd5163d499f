//! Vigil beside OpenTelemetry's own API and SDK, for those who have a pipeline.
//!
//! Vigil speaks OTLP itself and needs none of this. It is for programs that have a pipeline of the OpenTelemetry SDK's
//! and want Vigil's spans in it, or libraries that are instrumented with its API and want their spans in Vigil's
//! traces. Whichever way spans go, a span of one side that starts while one of the other is current becomes its child,
//! in the same trace.
//!
//! # Out: Vigil's spans through your pipeline
//!
//! [`Forward`] makes a destination of an exporter, or of a processor that you share with a provider of yours. Spans
//! arrive as they are, ids unchanged, and the [receipt](vigil::Receipt) says what became of each.
//!
//! ```
//! use opentelemetry::trace::{Tracer, TracerProvider};
//! use opentelemetry_sdk::trace::{BatchSpanProcessor, InMemorySpanExporter, SdkTracerProvider};
//! use std::time::Duration;
//! use vigil_opentelemetry::{Forward, SharedProcessor, share_context};
//!
//! // Your pipeline; the exporter is whatever you have.
//! let exporter = InMemorySpanExporter::default();
//! let processor = SharedProcessor::new(BatchSpanProcessor::builder(exporter.clone()).build());
//! let provider = SdkTracerProvider::builder().with_span_processor(processor.clone()).build();
//!
//! let telemetry = vigil::from_env("researcher")
//!     .destination(Forward::to_processor(&processor).into_destination("my pipeline"))
//!     .start();
//! share_context(&telemetry);
//!
//! provider.tracer("program").in_span("request", |_| {
//!     telemetry.agent_span("session-42", "researcher").finish(); // a child of `request`
//! });
//! assert!(telemetry.flush(Duration::from_secs(5)));
//! assert_eq!(exporter.get_finished_spans().unwrap().len(), 2);
//!
//! // Vigil first: what it still has goes through the pipeline.
//! assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
//! provider.shutdown().unwrap();
//! ```
//!
//! # In: spans of instrumented libraries in Vigil's traces
//!
//! [`tracer_provider`] makes a provider of tracers that record into Vigil.
//!
//! ```
//! use opentelemetry::KeyValue;
//! use opentelemetry::trace::{Span, Tracer, TracerProvider};
//! use vigil_opentelemetry::tracer_provider;
//!
//! let telemetry = vigil::testing::recorder();
//! let provider = tracer_provider(&telemetry); // or global::set_tracer_provider(tracer_provider(&telemetry))
//!
//! let tool = telemetry.tool_span("search", "call-1");
//! let inside = tool.enter(); // async code: `.in_span(&tool)`
//! let mut span = provider.tracer("database").start("SELECT pages");
//! span.set_attribute(KeyValue::new("db.system.name", "postgresql"));
//! span.end();
//! drop(inside);
//! tool.finish();
//! assert_eq!(telemetry.recorded().tree(), "execute_tool search\n  SELECT pages\n");
//! ```
//!
//! What a library says is recorded as the `tracing` layer of Vigil's records it:
//!
//! - Names, kinds, ids, times, links, status and attributes that are names or numbers are recorded. A text is a name
//!   under the keys that Vigil's contract or OpenTelemetry's conventions have for names (`http.request.method`,
//!   `db.system.name`, …), and [those you add](VigilTracerProvider::with_names); it is cut after 256 bytes.
//! - Every other text is content and passes the gate that is closed by default: texts and lists under other keys (the
//!   field `vigil.host.fields`), names and attributes of events, the description of an error (`exception.message`).
//! - Events in spans are events of Vigil's (`vigil.host.log`), in the span they happened in. An error's type is
//!   `error.type` as the library says it, else `_OTHER`.
//! - The sampler of telemetry decides for roots, the parent for what is below. What is not exported is still recorded,
//!   and logged.
//!
//! # Limits
//!
//! - 128 links a span, 128 fields and 64 KiB of content a span or event, 128 MiB of records a thread that wait for the
//!   assembler; what is beyond is left out, and lost records are counted.
//! - Attributes of links and of scopes, a scope's version and the trace's state are not recorded; the state is handed
//!   on to what is started and sent below.
//! - Metrics stay with Vigil's other destinations. Spans handed out have no events in them: Vigil's events are log
//!   records, see [`Forward::with_events`].
//! - On machines without a constant time stamp counter, a span cannot have started before telemetry did.
//! - A span that is entered, or a future in one that is polled, allocates a context while contexts are shared.
//! - What is exported is not recorded again: not on Vigil's threads, nor where OpenTelemetry's context says that
//!   telemetry is suppressed.
#![warn(missing_docs)]

mod context;
mod ids;
mod incoming;
mod outgoing;

pub use context::share_context;
pub use incoming::{VigilSpan, VigilTracer, VigilTracerProvider, tracer_provider};
pub use outgoing::{Forward, SharedProcessor};

/// The code in the guide compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/opentelemetry.md")]
struct Guide;

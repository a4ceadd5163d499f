//! Vigil beside `tracing`, both ways (feature `tracing`).
//!
//! - **Vigil's spans in your subscriber.** Whoever subscribes to `tracing` sees every span of Vigil's as a
//!   `tracing` span of target `vigil` and level INFO, without any OpenTelemetry and also when telemetry is
//!   off. Its name is the kind (`chat`, `execute_tool`), since `tracing` wants names that are known when the
//!   program is compiled; the whole name is in `otel.name`, the ids in `vigil.trace_id` and `vigil.span_id`, the
//!   attributes of the contract under their own names as they become known. Free text is never among them, nor
//!   are attributes of your own. Where nobody subscribes this costs one relaxed load a span.
//! - **Your spans in Vigil's traces.** With [`layer`] in your subscriber your own `tracing` spans and events join
//!   Vigil's traces: a span inside a span of Vigil's is its child, and the other way round. Their names, levels
//!   and targets are recorded; fields and messages are content, and pass the closed gate as all content does.
//!
//! Vigil's own record stays the source: nothing of what is delivered is read back from the spans shown here.
//! Nothing is installed and nothing replaced: the subscriber is yours.
//!
//! ```
//! use tracing_subscriber::prelude::*;
//!
//! let telemetry = vigil::testing::recorder();
//! let subscriber = tracing_subscriber::registry().with(vigil::interop::layer(&telemetry));
//! tracing::subscriber::with_default(subscriber, || {
//!     let agent = telemetry.agent_span("session-42", "researcher");
//!     let inside = agent.enter();
//!     tracing::info_span!("query").in_scope(|| tracing::info!("in the database"));
//!     drop(inside);
//!     agent.finish();
//! });
//! assert_eq!(telemetry.recorded().tree(), "invoke_agent researcher\n  query\n");
//! ```

mod fields;
mod layer;
mod mirror;

pub use layer::{layer, layer_with_level};

pub(crate) use mirror::{close, is_anyone_interested, mirror, record};

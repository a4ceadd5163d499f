//! Finished spans and events on their way into a pipeline of the OpenTelemetry SDK's.

mod events;
mod exporter;
mod forward;
mod processor;
mod read;

pub use forward::Forward;
pub use processor::SharedProcessor;

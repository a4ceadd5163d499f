//! Writes finished work as OTLP protobuf, once.
//!
//! A [`BatchBuilder`] takes records of one signal and appends their bytes; [`BatchBuilder::take`] wraps them
//! into a complete `Export…ServiceRequest`, which is byte for byte a `TracesData`, `LogsData` or
//! `MetricsData` too. That [`Batch`] is what every destination, the spool and the viewer share: nobody
//! encodes a second time. [`json::to_json_line`] is a view of the same bytes for files.
//!
//! There is no tree of messages in between: a span is read once and written once. Bounds: one record at most
//! [`MAX_RECORD_BYTES`]; a larger one is handed back as [`RecordTooLarge`] and not written in part.

mod batch;
pub mod json;
mod langsmith;
mod logs;
mod metrics;
mod names;
mod options;
pub(crate) mod proto;
mod resource;
mod traces;
mod value;

pub use batch::{Batch, BatchBuilder, MAX_RECORD_BYTES, RecordTooLarge, Signal};
pub use metrics::{HistogramValue, MetricSeries, PointValue, Temporality};
pub use options::{AttributeLimits, EncodeOptions};
pub use resource::Resource;

#[cfg(test)]
mod tests;

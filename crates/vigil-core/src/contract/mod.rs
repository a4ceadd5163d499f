//! The contract: every name Vigil puts on the wire, once.
//!
//! | table | type | says |
//! |---|---|---|
//! | [`attr`], [`Key`] | [`KeyDef`] | name, type, privacy class, known words, unit and source of every attribute |
//! | [`SpanKind`] | [`SpanDef`] | name pattern, OTLP kind, required and allowed attributes of every kind of span |
//! | [`EventKind`] | [`EventDef`] | name, severity, required and allowed attributes of every event |
//! | [`Metric`] | [`MetricDef`] | name, unit, instrument, buckets and the closed set of attributes of every metric |
//!
//! [`verify`] holds facts against the tables; [`reference()`] renders them (docs/contract.md).
//!
//! GenAI and MCP names follow the OpenTelemetry GenAI conventions at commit [`GENAI_COMMIT`]. A name that is
//! not in a table cannot be recorded: there is no way to make a [`Key`] from a text that is unknown.

mod attributes;
mod events;
mod kind;
mod metrics;
mod reference;
mod spans;
mod verify;

pub use attributes::{Class, Key, KeyDef, Source, ValueType, Words, attr};
pub use events::{EventDef, EventKind};
pub use metrics::{Instrument, Metric, MetricDef, Number};
pub use reference::reference;
pub use spans::{COMMON, MAX_NAME_BYTES, OtlpKind, SpanDef, SpanKind};
pub use verify::{MAX_NAME_VALUE_BYTES, Problem, Violation, verify};

/// The schema that spans, events and metrics are said to follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev";

/// The commit of `open-telemetry/semantic-conventions-genai` the GenAI and MCP names were taken from
/// (2026-10-07; the repository has no releases).
pub const GENAI_COMMIT: &str = "06ec68e";

//! Events on their way into a logger provider of the user's.

use super::read::EventData;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{Array, Value};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use vigil::contract::EventKind;

/// Emits `events` as log records and flushes. Answers with how many were refused: by a provider that is shut down or has
/// no processor, by a processor that does not want them, or all of them where the flush failed.
pub(super) fn emit(provider: &SdkLoggerProvider, events: Vec<EventData>) -> u64 {
    let all = events.len() as u64;
    let mut refused = 0;
    for event in events {
        // A logger of a provider that was shut down since takes what it is given and drops it; a new one does not.
        let logger = provider.logger_with_scope(event.scope);
        let name = EventKind::from_id(&event.name).map(EventKind::id);
        let severity = severity(event.severity);
        if !logger.event_enabled(severity, "", name) {
            refused += 1;
            continue;
        }
        let mut record = logger.create_log_record();
        if let Some(name) = name {
            record.set_event_name(name);
        }
        record.set_timestamp(event.time);
        record.set_observed_timestamp(event.observed);
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        record.add_attributes(event.attributes.into_iter().map(|attribute| (attribute.key, any(attribute.value))));
        if let Some((trace, span, flags)) = event.span {
            record.set_trace_context(trace, span, Some(flags));
        }
        logger.emit(record);
    }
    match provider.force_flush() {
        Ok(()) => refused,
        Err(_) => all,
    }
}

/// The SDK's severity of OTLP's number; the contract's are the first of each range.
fn severity(number: u64) -> Severity {
    match number {
        0..=4 => Severity::Trace,
        5..=8 => Severity::Debug,
        9..=12 => Severity::Info,
        13..=16 => Severity::Warn,
        17..=20 => Severity::Error,
        _ => Severity::Fatal,
    }
}

fn any(value: Value) -> AnyValue {
    match value {
        Value::Bool(truth) => truth.into(),
        Value::I64(number) => number.into(),
        Value::F64(number) => number.into(),
        Value::String(text) => text.into(),
        Value::Array(Array::I64(numbers)) => numbers.into_iter().collect(),
        Value::Array(Array::String(texts)) => texts.into_iter().collect(),
        other => other.to_string().into(),
    }
}

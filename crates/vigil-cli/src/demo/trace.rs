//! A run as it would be sent: spans and events, read back from encoded OTLP batches.

use serde_json::{Map, Value, json};
use std::time::Duration;
use vigil::contract::{EventKind, Key, attr};
use vigil::encode::{Batch, Signal, json::to_json_line};

/// One span.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct TracedSpan {
    pub(super) id: String,
    /// Empty for a root.
    pub(super) parent: String,
    pub(super) trace_id: String,
    pub(super) name: String,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    attributes: Map<String, Value>,
    /// What happened in it, in order.
    pub(super) events: Vec<TracedEvent>,
}

/// One event.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct TracedEvent {
    name: String,
    attributes: Map<String, Value>,
}

impl TracedSpan {
    pub(super) fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.start_ns))
    }

    pub(super) fn text(&self, key: Key) -> Option<&str> {
        self.attributes.get(key.name())?.as_str()
    }

    pub(super) fn number(&self, key: Key) -> Option<u64> {
        self.attributes.get(key.name())?.as_u64()
    }

    pub(super) fn double(&self, key: Key) -> Option<f64> {
        self.attributes.get(key.name())?.as_f64()
    }

    pub(super) fn flag(&self, key: Key) -> bool {
        self.attributes.get(key.name()).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn event(&self, kind: EventKind) -> Option<&TracedEvent> {
        self.events.iter().find(|event| event.name == kind.def().name)
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let events = self.events.iter().map(|event| json!({ "name": event.name, "attributes": event.attributes }));
        json!({
            "name": self.name,
            "span_id": self.id,
            "parent_span_id": Some(&self.parent).filter(|parent| !parent.is_empty()),
            "start_unix_ns": self.start_ns,
            "duration_ms": (self.duration().as_secs_f64() * 1e6).round() / 1e3,
            "attributes": self.attributes,
            "events": events.collect::<Value>(),
        })
    }
}

impl TracedEvent {
    pub(super) fn text(&self, key: Key) -> Option<&str> {
        self.attributes.get(key.name())?.as_str()
    }

    pub(super) fn double(&self, key: Key) -> Option<f64> {
        self.attributes.get(key.name())?.as_f64()
    }
}

/// All spans in the order they started, each with its events.
pub(super) fn read(batches: &[Batch]) -> Vec<TracedSpan> {
    let requests = |signal| batches.iter().filter(move |batch| batch.signal() == signal).map(request);
    let mut spans: Vec<TracedSpan> = requests(Signal::Traces)
        .flat_map(|request| records(&request, ["resourceSpans", "scopeSpans", "spans"]))
        .map(|span| TracedSpan {
            id: text(&span["spanId"]),
            parent: text(&span["parentSpanId"]),
            trace_id: text(&span["traceId"]),
            name: text(&span["name"]),
            start_ns: number(&span["startTimeUnixNano"]),
            end_ns: number(&span["endTimeUnixNano"]),
            attributes: attributes(&span["attributes"]),
            events: Vec::new(),
        })
        .collect();
    spans.sort_by_key(|span| span.start_ns);
    let logs = requests(Signal::Logs);
    for log in logs.flat_map(|request| records(&request, ["resourceLogs", "scopeLogs", "logRecords"])) {
        let id = text(&log["spanId"]);
        let name = text(&log["eventName"]);
        // That a span started is what the span itself says.
        if name == EventKind::SpanStarted.def().name {
            continue;
        }
        if let Some(span) = spans.iter_mut().find(|span| span.id == id) {
            span.events.push(TracedEvent { name, attributes: attributes(&log["attributes"]) });
        }
    }
    spans
}

/// The agent's own span of a run: the first that is no other's child.
pub(super) fn root(spans: &[TracedSpan]) -> Option<&TracedSpan> {
    let operation = |span: &&TracedSpan| span.text(attr::GEN_AI_OPERATION_NAME) == Some("invoke_agent");
    spans.iter().find(operation)
}

fn request(batch: &Batch) -> Value {
    let mut line = Vec::new();
    // Our own bytes: if they cannot be read there is nothing to show, which is what an empty request says.
    let read = to_json_line(batch.signal(), batch.body(), &mut line);
    read.ok().and_then(|()| serde_json::from_slice(&line).ok()).unwrap_or_default()
}

fn records(request: &Value, [resources, scopes, records]: [&str; 3]) -> Vec<Value> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let scopes = list(request, resources).into_iter().flat_map(|resource| list(&resource, scopes));
    scopes.flat_map(|scope| list(&scope, records)).collect()
}

fn attributes(list: &Value) -> Map<String, Value> {
    let entry = |entry: &Value| (text(&entry["key"]), plain(&entry["value"]));
    list.as_array().into_iter().flatten().map(entry).collect()
}

/// `{"intValue": "5"}` as 5, and so on.
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|value| value.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "intValue" => inner.as_str().and_then(|text| text.parse::<i64>().ok()).into(),
        "arrayValue" => inner["values"].as_array().into_iter().flatten().map(plain).collect(),
        _ => inner.clone(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

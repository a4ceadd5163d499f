//! A span of OpenTelemetry's API as a host's span.

use super::provider::{Library, VigilTracer};
use crate::{context, ids};
use opentelemetry::trace::{
    Event, Link, Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags,
};
use opentelemetry::{Context, KeyValue, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;
use vigil::contract::attr;
use vigil::{AttributeValue, ErrorType, HostEvent, HostKind, HostSpan, HostStart, Severity};

/// A span that is recorded by Vigil. Dropped without an end it ends then, as the API has it.
#[derive(Debug)]
pub struct VigilSpan {
    context: SpanContext,
    /// `None` when it has ended or is not recorded.
    recorded: Option<Recorded>,
}

#[derive(Debug)]
struct Recorded {
    span: HostSpan,
    library: Arc<Library>,
    status: Status,
    /// What `error.type` was said to be.
    error: Option<ErrorType>,
}

impl VigilSpan {
    /// A span that hands on `context` and records nothing.
    pub(super) fn unrecorded(context: SpanContext) -> Self {
        Self { context, recorded: None }
    }

    pub(super) fn start(tracer: &VigilTracer, builder: SpanBuilder, parent_cx: &Context) -> Self {
        let parent = parent_cx.span();
        let parent = parent.span_context();
        let SpanBuilder { span_kind, name, start_time, attributes, events, links, .. } = builder;
        let start = HostStart {
            name: &name,
            target: &tracer.library.name,
            kind: kind(span_kind),
            parent: context::current(parent_cx),
            time: start_time,
        };
        let Some(span) = tracer.host.start(&start) else { return Self::unrecorded(parent.clone()) };
        let flags = if span.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let (trace, own) = (ids::trace_id(span.context().trace_id), ids::span_id(span.context().span_id));
        let context = SpanContext::new(trace, own, flags, false, parent.trace_state().clone());
        let mut recorded = Recorded { span, library: Arc::clone(&tracer.library), status: Status::Unset, error: None };
        attributes.into_iter().flatten().for_each(|attribute| recorded.attribute(&attribute));
        links.into_iter().flatten().for_each(|Link { span_context, .. }| recorded.link(&span_context));
        events.into_iter().flatten().for_each(|Event { name, timestamp, attributes, .. }| {
            recorded.event(&name, Some(timestamp), &attributes);
        });
        Self { context, recorded: Some(recorded) }
    }

    fn finish(&mut self, time: Option<SystemTime>) {
        if let Some(recorded) = self.recorded.take() {
            recorded.end(time);
        }
    }
}

impl Recorded {
    fn attribute(&mut self, attribute: &KeyValue) {
        let name = attribute.key.as_str();
        match &attribute.value {
            value if name == attr::ERROR_TYPE.name() => self.error = Some(ErrorType::from_code(&value.as_str())),
            Value::Bool(truth) => self.span.set_attribute(name, AttributeValue::Bool(*truth)),
            Value::I64(number) => self.span.set_attribute(name, AttributeValue::Int(*number)),
            Value::F64(number) => self.span.set_attribute(name, AttributeValue::Double(*number)),
            Value::String(text) if self.library.is_name(name) => {
                self.span.set_attribute(name, AttributeValue::Str(text.as_str()));
            }
            value if self.span.takes_content() => self.span.set_content(name, AttributeValue::Str(&value.as_str())),
            _ => {}
        }
    }

    fn link(&mut self, to: &SpanContext) {
        if to.is_valid() {
            self.span.link(ids::context(to));
        }
    }

    fn event(&mut self, name: &str, time: Option<SystemTime>, attributes: &[KeyValue]) {
        let severity = if name == "exception" { Severity::Error } else { Severity::Info };
        let texts: Vec<Cow<'_, str>> = match self.span.takes_content() {
            true => attributes.iter().map(|attribute| attribute.value.as_str()).collect(),
            false => Vec::new(),
        };
        let of_text = attributes.iter().zip(&texts);
        let fields: Vec<_> =
            of_text.map(|(attribute, text)| (attribute.key.as_str(), value(attribute, text))).collect();
        self.span.event(&HostEvent { target: &self.library.name, time, severity, message: name, fields: &fields });
    }

    fn end(self, time: Option<SystemTime>) {
        let Self { span, status, error, .. } = self;
        match (status, error) {
            (Status::Error { description }, error) => {
                if !description.is_empty() {
                    span.set_error_message(&description);
                }
                span.end(Some(&error.unwrap_or(ErrorType::OTHER)), time);
            }
            (_, Some(error)) => {
                span.set_attribute(attr::ERROR_TYPE.name(), AttributeValue::Str(error.as_str()));
                span.end(None, time);
            }
            (_, None) => span.end(None, time),
        }
    }
}

impl Span for VigilSpan {
    fn add_event<T: Into<Cow<'static, str>>>(&mut self, name: T, attributes: Vec<KeyValue>) {
        if let Some(recorded) = &mut self.recorded {
            recorded.event(&name.into(), None, &attributes);
        }
    }

    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) {
        if let Some(recorded) = &mut self.recorded {
            recorded.event(&name.into(), Some(timestamp), &attributes);
        }
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.recorded.is_some()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if let Some(recorded) = &mut self.recorded {
            recorded.attribute(&attribute);
        }
    }

    fn set_status(&mut self, status: Status) {
        if let Some(recorded) = &mut self.recorded
            // The API's order: well is final, and unset says nothing.
            && status > recorded.status
        {
            recorded.status = status;
        }
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        if let Some(recorded) = &self.recorded {
            recorded.span.set_name(&new_name.into());
        }
    }

    fn add_link(&mut self, span_context: SpanContext, _: Vec<KeyValue>) {
        if let Some(recorded) = &mut self.recorded {
            recorded.link(&span_context);
        }
    }

    fn end(&mut self) {
        self.finish(None);
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.finish(Some(timestamp));
    }
}

impl Drop for VigilSpan {
    fn drop(&mut self) {
        self.finish(None);
    }
}

fn kind(kind: Option<SpanKind>) -> HostKind {
    match kind {
        None | Some(SpanKind::Internal) => HostKind::Internal,
        Some(SpanKind::Server) => HostKind::Server,
        Some(SpanKind::Client) => HostKind::Client,
        Some(SpanKind::Producer) => HostKind::Producer,
        Some(SpanKind::Consumer) => HostKind::Consumer,
    }
}

/// The value of `attribute`, a list as `text`.
fn value<'a>(attribute: &KeyValue, text: &'a str) -> AttributeValue<'a> {
    match attribute.value {
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::I64(number) => AttributeValue::Int(number),
        Value::F64(number) => AttributeValue::Double(number),
        _ => AttributeValue::Str(text),
    }
}

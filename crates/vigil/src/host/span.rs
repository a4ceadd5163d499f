//! A span of the host's, from its start to its end.

use super::context::{CurrentSpan, HostContext};
use super::fields::Fields;
use crate::record::Recorder;
use crate::record::format::{AttrRef, EndedAs, FLAG_REMOTE, FLAG_SAMPLED, StartFields, ValueRef};
use crate::span::{AttributeValue, Parent};
use std::borrow::Cow;
use std::time::SystemTime;
use vigil_core::contract::{EventKind, Key, MAX_NAME_VALUE_BYTES, SpanKind, attr};
use vigil_core::fact::{AnyValue, SpanData};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::{ErrorType, Severity};

/// Links one span keeps.
const LINKS_MAX: u32 = 128;
/// How a record says that the span's name was changed, and what it is linked to: as attributes of these names, which
/// [`settle`] takes out again. The record format needs no more than it has.
const NAME: &str = "vigil.host.name";
const LINK: &str = "vigil.host.link.";

/// OTLP's kinds of spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum HostKind {
    /// Work in this process.
    #[default]
    Internal = 1,
    /// Answering a request.
    Server = 2,
    /// Making a request.
    Client = 3,
    /// Sending a message nobody answers.
    Producer = 4,
    /// Working on a message.
    Consumer = 5,
}

impl HostKind {
    const ALL: [Self; 5] = [Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// Its word in `vigil.host.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What is known of a span when it starts.
#[derive(Clone, Copy, Debug)]
pub struct HostStart<'a> {
    /// Its name, of which there should not be many. Cut after 256 bytes.
    pub name: &'a str,
    /// Who says so: a library or module.
    pub target: &'a str,
    /// What kind of work it is.
    pub kind: HostKind,
    /// What it hangs from; nothing starts a trace, or continues the one the process was given.
    pub parent: Option<CurrentSpan>,
    /// When it started, if not now.
    pub time: Option<SystemTime>,
}

/// Something that happened in a span.
#[derive(Clone, Copy, Debug)]
pub struct HostEvent<'a> {
    /// Who says so: a library or module.
    pub target: &'a str,
    /// When it happened, if not now.
    pub time: Option<SystemTime>,
    /// How serious it is.
    pub severity: Severity,
    /// What happened. Content.
    pub message: &'a str,
    /// What else is known. Content.
    pub fields: &'a [(&'a str, AttributeValue<'a>)],
}

/// Where spans of the host's join the traces of one telemetry value; made by [`Telemetry::host`](crate::Telemetry::host).
///
/// It does not keep telemetry alive, and does nothing when telemetry is off.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    recorder: Option<&'static Recorder>,
    root: Parent,
}

impl Host {
    pub(crate) fn new(recorder: Option<&'static Recorder>, root: Parent) -> Self {
        Self { recorder, root }
    }

    fn open(&self) -> Option<&'static Recorder> {
        self.recorder.filter(|recorder| !recorder.is_closed() && !crate::shell::is_own_thread())
    }

    /// Whether something may be recorded, here and now.
    pub fn is_open(&self) -> bool {
        self.open().is_some()
    }

    /// Shares what is current with `context` from now on; where that was done before, it stays as it was.
    pub fn share_context(&self, context: &'static dyn HostContext) {
        if let Some(recorder) = self.recorder {
            // A second bridge would put a second order beside the first.
            recorder.host_context.set(context).ok();
        }
    }

    /// Starts a span. `None` when telemetry is off, has ended, or has no room: then nothing is recorded of it.
    pub fn start(&self, start: &HostStart<'_>) -> Option<HostSpan> {
        let recorder = self.open()?;
        let of_current = |current: CurrentSpan| Parent {
            context: Some(current.context),
            sampled: Some(current.sampled),
            remote: current.remote,
        };
        let parent = start.parent.map_or(self.root, of_current);
        let trace = parent.context.map_or_else(|| recorder.ids.trace_id(), |context| context.trace_id);
        let flags = recorder.sampled_flag(trace, parent.sampled) | if parent.remote { FLAG_REMOTE } else { 0 };
        let context = SpanContext { trace_id: trace, span_id: recorder.ids.span_id() };
        let fields = StartFields {
            trace: &trace,
            span: context.span_id,
            parent: parent.context.map_or(SpanId([0; 8]), |context| context.span_id),
            kind: SpanKind::Host,
            flags,
            time: start.time.map_or_else(|| recorder.clock.ticks(), |time| recorder.clock.ticks_at(time)),
            target: &cut(start.name),
        };
        let target = cut(start.target);
        let attributes: [AttrRef<'_>; 2] =
            [(attr::VIGIL_HOST_TARGET, (&*target).into()), (attr::VIGIL_HOST_KIND, start.kind.as_str().into())];
        if recorder.start(fields, &attributes) == 0 {
            return None;
        }
        let fields = recorder.content.then(Fields::default);
        Some(HostSpan { recorder, context, sampled: flags & FLAG_SAMPLED != 0, fields, links: 0, ended: false })
    }
}

/// A span of the host's that has started. Dropped without [`end`](Self::end) it ends as cancelled.
#[derive(Debug)]
pub struct HostSpan {
    recorder: &'static Recorder,
    context: SpanContext,
    sampled: bool,
    /// Where content may be recorded.
    fields: Option<Fields>,
    links: u32,
    ended: bool,
}

impl HostSpan {
    /// Its ids.
    pub fn context(&self) -> SpanContext {
        self.context
    }

    /// Whether its trace is exported; metrics and logs are made either way.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// Whether content may be recorded: else there is no need to make any.
    pub fn takes_content(&self) -> bool {
        self.fields.is_some()
    }

    /// Records another name.
    pub fn set_name(&self, name: &str) {
        self.custom(NAME, ValueRef::Str(&cut(name)));
    }

    /// Records an attribute that is a name or a number, under its own name. Both are cut after 256 bytes. Names that
    /// begin with `vigil.` are Vigil's own and are left out.
    pub fn set_attribute(&self, name: &str, value: AttributeValue<'_>) {
        let shared = SHARED.into_iter().find(|key| key.name() == name);
        let value = match value {
            AttributeValue::Str(text) => ValueRef::Str(text),
            AttributeValue::Int(number) => ValueRef::Int(number),
            AttributeValue::Double(number) => ValueRef::Double(number),
            AttributeValue::Bool(truth) => ValueRef::Bool(truth),
        };
        match (shared, value) {
            _ if name.starts_with("vigil.") => {}
            (Some(key), ValueRef::Str(text)) => self.set(&[(key, ValueRef::Str(&cut(text)))]),
            (_, ValueRef::Str(text)) => self.custom(&cut(name), ValueRef::Str(&cut(text))),
            (_, value) => self.custom(&cut(name), value),
        }
    }

    /// Records a field that may be free text, where content is recorded.
    pub fn set_content(&mut self, name: &str, value: AttributeValue<'_>) {
        if let Some(fields) = &mut self.fields {
            put(fields, name, value);
        }
    }

    /// Records in words what went wrong, where content is recorded.
    pub fn set_error_message(&self, message: &str) {
        if self.takes_content() {
            self.set(&[(attr::EXCEPTION_MESSAGE, message.into())]);
        }
    }

    /// Records that it has to do with a span elsewhere.
    pub fn link(&mut self, to: SpanContext) {
        if self.links < LINKS_MAX {
            let name = format!("{LINK}{}", self.links);
            self.links += 1;
            self.custom(&name, ValueRef::Str(&format!("{}{}", to.trace_id, to.span_id)));
        }
    }

    /// Records that something happened.
    pub fn event(&self, event: &HostEvent<'_>) {
        if self.ended || self.recorder.is_closed() {
            return;
        }
        let recorder = self.recorder;
        let time = event.time.map_or_else(|| recorder.clock.ticks(), |time| recorder.clock.ticks_at(time));
        let target = cut(event.target);
        let mut attributes: Vec<AttrRef<'_>> =
            vec![(attr::VIGIL_HOST_TARGET, (&*target).into()), (attr::VIGIL_HOST_LEVEL, level(event.severity).into())];
        let mut content = Fields::default();
        let (message, fields);
        if self.takes_content() {
            event.fields.iter().for_each(|(name, value)| put(&mut content, name, *value));
            message = event.message;
            fields = content.to_json();
            attributes.push((attr::VIGIL_HOST_MESSAGE, message.into()));
            attributes.extend(fields.as_deref().map(|fields| (attr::VIGIL_HOST_FIELDS, fields.into())));
        }
        let span = Some((self.context.trace_id, self.context.span_id));
        recorder.event_at(time, EventKind::HostLog, span, None, event.severity, &attributes);
    }

    /// Ends it, at `time` if not now: well, or failed for a reason.
    pub fn end(mut self, failed: Option<&ErrorType>, time: Option<SystemTime>) {
        self.record_end(failed.map_or(EndedAs::Ok, |error| EndedAs::Error(error.as_str())), time);
    }

    fn record_end(&mut self, ended: EndedAs<'_>, time: Option<SystemTime>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(fields) = self.fields.as_ref().and_then(Fields::to_json) {
            self.recorder.set(self.context.span_id, &[(attr::VIGIL_HOST_FIELDS, (&*fields).into())]);
        }
        let clock = &self.recorder.clock;
        let time = time.map_or_else(|| clock.ticks(), |time| clock.ticks_at(time));
        // Not as one that is alone: its context was handed to the host's code, which may start spans below it anywhere.
        self.recorder.end_at(time, self.context.span_id, ended);
    }

    fn set(&self, attributes: &[AttrRef<'_>]) {
        self.recorder.set(self.context.span_id, attributes);
    }

    fn custom(&self, name: &str, value: ValueRef<'_>) {
        self.recorder.set_custom(self.context.span_id, name, value);
    }
}

impl Drop for HostSpan {
    fn drop(&mut self) {
        self.record_end(EndedAs::Cancelled, None);
    }
}

/// Names the host and Vigil both know, and that a span inherits from those above: what the host says is said once.
const SHARED: [Key; 4] =
    [attr::GEN_AI_AGENT_NAME, attr::GEN_AI_CONVERSATION_ID, attr::LIFE_SESSION_ID, attr::SESSION_ID];

/// Takes what was recorded as attributes for want of another way to where it belongs.
pub(crate) fn settle(span: &mut SpanData<'_>) {
    let SpanData { attributes, target, links, .. } = span;
    attributes.retain_custom_mut(|name, value| {
        let AnyValue::Str(text) = value else { return true };
        if name == NAME {
            *target = std::mem::take(text);
        } else if name.starts_with(LINK) {
            links.extend(read_link(text));
        } else {
            return true;
        }
        false
    });
}

fn read_link(text: &str) -> Option<SpanContext> {
    let (trace, span) = text.split_at_checked(32)?;
    Some(SpanContext { trace_id: TraceId::from_hex(trace)?, span_id: SpanId::from_hex(span)? })
}

fn put(fields: &mut Fields, name: &str, value: AttributeValue<'_>) {
    match value {
        AttributeValue::Str(text) => fields.put_text(name, format_args!("{text}")),
        AttributeValue::Int(number) => fields.put(name, number.into()),
        AttributeValue::Double(number) => fields.put(name, number.into()),
        AttributeValue::Bool(truth) => fields.put(name, truth.into()),
    }
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.len() > MAX_NAME_VALUE_BYTES {
        true => crate::truncate::text(text, MAX_NAME_VALUE_BYTES).into(),
        false => text.into(),
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Trace => "trace",
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warn => "warn",
        Severity::Error | Severity::Fatal => "error",
    }
}

//! What all handles have in common.

use super::ambient::{Ambient, EnterGuard, Scope};
use super::kinds::Starts;
#[cfg(feature = "tracing")]
use crate::clock::Ticks;
use crate::record::format::{AttrRef, EndedAs, FLAG_REMOTE, FLAG_SAMPLED, StartFields, ValueRef};
use crate::record::{Home, Recorder};
use crate::settings::{Carrier, name};
use std::time::Duration;
use vigil_core::contract::{EventKind, Key, MAX_NAME_VALUE_BYTES, SpanKind, attr};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::{EconomicMode, ErrorType, EvaluationTiming, OperatingMode, Severity, sanitise};

/// A span that has started: the part that is the same for every kind.
///
/// You hold one of the typed handles ([`AgentSpan`](crate::AgentSpan), [`ChatSpan`](crate::ChatSpan), …),
/// which deref to this.
#[derive(Debug)]
pub struct Span {
    /// `None` when telemetry is off or the start did not fit in the buffer.
    recorder: Option<&'static Recorder>,
    place: Place,
    home: Home,
    #[cfg(feature = "tracing")]
    started: Ticks,
    #[cfg(feature = "tracing")]
    mirror: Option<tracing::Span>,
}

/// Where in which trace a span is. Copied as a whole and never in parts: that is what off costs.
#[derive(Clone, Copy, Debug)]
struct Place {
    context: SpanContext,
    /// 0 or 1; as long as a word, since padding would be copied byte by byte.
    sampled: u64,
}

/// What a new span hangs from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parent {
    pub(crate) context: Option<SpanContext>,
    pub(crate) sampled: Option<bool>,
    /// Whether it is certain to be a span of another process.
    pub(crate) remote: bool,
}

/// What an agent may still spend. Fields that are `None` are not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BudgetLeft {
    /// Tokens left.
    pub tokens_remaining: Option<u64>,
    /// Money left, in nano-dollars.
    pub cost_remaining_nano_usd: Option<i64>,
    /// Wall time left.
    pub time_remaining: Option<Duration>,
    /// Tool calls left.
    pub tool_calls_remaining: Option<u64>,
}

/// The result of judging a piece of work, as `gen_ai.evaluation.result`.
#[derive(Clone, Debug, Default)]
pub struct Evaluation<'a> {
    /// What was judged: `relevance`, `task_success`, …
    pub name: &'a str,
    /// The score, where there is a number.
    pub score: Option<f64>,
    /// The verdict in a word: `pass`, `fail`, …
    pub label: Option<&'a str>,
    /// Who judged, by name.
    pub evaluator: Option<&'a str>,
    /// Which layer was judged, in a word: `reasoning`, `action`, `execution`, …
    pub layer: Option<&'a str>,
    /// When it was judged.
    pub timing: Option<EvaluationTiming>,
}

/// Kinds of free text. None is recorded unless content capture is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// What the model was given: a JSON array of messages.
    InputMessages,
    /// What the model answered: a JSON array of messages.
    OutputMessages,
    /// The system prompt: a JSON array of parts.
    SystemInstructions,
    /// The tools the model was offered: a JSON array.
    ToolDefinitions,
    /// The arguments of a tool call: a JSON object.
    ToolArguments,
    /// The result of a tool call: a JSON value.
    ToolResult,
    /// What went wrong, in words.
    ErrorMessage,
}

impl Content {
    fn key(self) -> Key {
        match self {
            Content::InputMessages => attr::GEN_AI_INPUT_MESSAGES,
            Content::OutputMessages => attr::GEN_AI_OUTPUT_MESSAGES,
            Content::SystemInstructions => attr::GEN_AI_SYSTEM_INSTRUCTIONS,
            Content::ToolDefinitions => attr::GEN_AI_TOOL_DEFINITIONS,
            Content::ToolArguments => attr::GEN_AI_TOOL_CALL_ARGUMENTS,
            Content::ToolResult => attr::GEN_AI_TOOL_CALL_RESULT,
            Content::ErrorMessage => attr::EXCEPTION_MESSAGE,
        }
    }
}

/// The value of an attribute of your own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue<'a> {
    /// A name or identifier. Not for content: it is recorded whatever the capture setting says.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A truth value.
    Bool(bool),
}

macro_rules! attribute_value_from {
    ($($from:ty => $variant:ident),*) => { $(
        impl<'a> From<$from> for AttributeValue<'a> {
            fn from(value: $from) -> Self { AttributeValue::$variant(value.into()) }
        }
    )* };
}
attribute_value_from!(&'a str => Str, i64 => Int, i32 => Int, u32 => Int, f64 => Double, bool => Bool);

impl Span {
    /// A span that records nothing.
    #[inline(always)]
    const fn unrecorded(place: Place) -> Self {
        Self {
            recorder: None,
            place,
            home: Home::nowhere(),
            #[cfg(feature = "tracing")]
            started: Ticks(0),
            #[cfg(feature = "tracing")]
            mirror: None,
        }
    }

    /// A span that records nothing below `parent`.
    #[inline]
    pub(crate) fn off(parent: Parent) -> Self {
        Self::unrecorded(Place {
            context: parent.context.unwrap_or(NO_CONTEXT),
            sampled: u64::from(parent.sampled.unwrap_or(false)),
        })
    }

    /// Starts a span below `parent`, or at the root of a trace.
    #[inline(always)]
    pub(crate) fn start(
        recorder: &'static Recorder,
        parent: Parent,
        kind: SpanKind,
        target: &str,
        attributes: &[AttrRef<'_>],
    ) -> Self {
        let trace = match parent.context {
            Some(context) => context.trace_id,
            None => recorder.ids.trace_id(),
        };
        let remote = if parent.remote { FLAG_REMOTE } else { 0 };
        let flags = recorder.sampled_flag(trace, parent.sampled) | remote;
        let above = parent.context.map_or(SpanId([0; 8]), |context| context.span_id);
        Self::record_start(recorder, trace, above, flags, kind, target, attributes)
    }

    #[inline(always)]
    fn record_start(
        recorder: &'static Recorder,
        trace: TraceId,
        parent: SpanId,
        flags: u8,
        kind: SpanKind,
        target: &str,
        attributes: &[AttrRef<'_>],
    ) -> Self {
        let span = recorder.ids.span_id();
        let started = recorder.clock.ticks();
        let fields = StartFields { trace, span, parent, kind, flags, time: started, target };
        let home = recorder.start(fields, attributes);
        Self {
            recorder: home.is_some().then_some(recorder),
            place: Place {
                context: SpanContext { trace_id: trace, span_id: span },
                sampled: u64::from(flags & FLAG_SAMPLED),
            },
            #[cfg(feature = "tracing")]
            started,
            home: home.unwrap_or_else(Home::nowhere),
            #[cfg(feature = "tracing")]
            mirror: None,
        }
    }

    /// Lets the span appear to whoever subscribes to `tracing`, below its parent's mirror where there is one.
    #[cfg(feature = "tracing")]
    pub(crate) fn show(
        &mut self,
        parent: Option<&tracing::Span>,
        kind: SpanKind,
        target: &str,
        attributes: &[AttrRef<'_>],
    ) {
        if crate::interop::is_anyone_interested() {
            let context = self.has_context().then_some(self.place.context);
            let ambient = self.ambient();
            self.mirror = crate::interop::mirror(parent, ambient, context, kind, target, attributes);
        }
    }

    #[inline(never)]
    fn start_below<A, const N: usize>(
        &self,
        child: &mut Span,
        kind: SpanKind,
        target: &str,
        values: &A,
        attributes: &impl for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
    ) {
        let Some(recorder) = self.recorder else { return };
        // What is recorded has a context, and where the parent's decision counts, it was made.
        let context = self.place.context;
        let flags = recorder.flags_below(context.trace_id, self.is_sampled());
        *child =
            Self::record_start(recorder, context.trace_id, context.span_id, flags, kind, target, &attributes(values));
        self.home.begun_below(&child.home);
    }

    /// Whether what is recorded here was done before and is only replayed.
    pub(crate) fn is_replay(&self) -> bool {
        self.recorder.is_some_and(|recorder| recorder.replay)
    }

    /// Records the seconds from the start until now.
    pub(crate) fn set_until_now(&self, key: Key) {
        #[cfg(feature = "tracing")]
        if let (Some(mirror), Some(recorder)) = (&self.mirror, self.recorder) {
            let seconds = recorder.clock.anchor().between(self.started, recorder.clock.ticks()).as_secs_f64();
            crate::interop::record(mirror, &[(key, seconds.into())]);
        }
        if let Some(recorder) = self.recorder {
            recorder.set(self.place.context.span_id, &self.home, &[(key, ValueRef::Until(recorder.clock.ticks()))]);
        }
    }

    #[inline(always)]
    fn has_context(&self) -> bool {
        self.place.context != NO_CONTEXT
    }

    /// The ids of this span. All zero when telemetry is off and there is no parent either.
    #[inline]
    pub fn context(&self) -> SpanContext {
        // Whoever has it may start spans below this one anywhere.
        self.home.share();
        self.place.context
    }

    /// Whether anything recorded here goes anywhere.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// Whether anybody wants to know what becomes of this span.
    #[inline(always)]
    pub(crate) fn is_recorded(&self) -> bool {
        #[cfg(feature = "tracing")]
        if self.mirror.is_some() {
            return true;
        }
        self.recorder.is_some()
    }

    /// Whether this span's trace is exported; metrics and logs are made either way.
    pub fn is_sampled(&self) -> bool {
        self.place.sampled != 0
    }

    /// The W3C `traceparent` of this span, to hand to another process or service; `None` when telemetry is
    /// off and there is no parent either.
    pub fn traceparent(&self) -> Option<String> {
        self.home.share();
        self.has_context().then(|| super::propagate::traceparent(self.place.context, self.is_sampled()))
    }

    /// The environment that makes a child process continue this trace: `TRACEPARENT`, and `TRACESTATE` and
    /// `BAGGAGE` as this process was given them.
    ///
    /// ```
    /// # let telemetry = vigil::testing::recorder();
    /// # let tool = telemetry.tool_span("build", "call-1");
    /// let mut command = std::process::Command::new("make");
    /// command.envs(tool.child_env());
    /// ```
    pub fn child_env(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let carrier = self.recorder.map(|recorder| &recorder.carrier);
        let given = |value: fn(&Carrier) -> &Option<String>| carrier.and_then(|carrier| value(carrier).clone());
        let variables = [
            (name::TRACEPARENT, self.traceparent().filter(|_| carrier.is_none_or(|carrier| carrier.hands_on))),
            (name::TRACESTATE, given(|carrier| &carrier.tracestate)),
            (name::BAGGAGE, given(|carrier| &carrier.baggage)),
        ];
        variables.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Makes this span current on this thread until the guard is dropped: spans started from the telemetry
    /// value or the free functions become its children. For futures use
    /// [`in_span`](crate::InSpanExt::in_span).
    pub fn enter(&self) -> EnterGuard {
        // Whoever asks what is current may start spans below it anywhere.
        self.scope().enter()
    }

    /// This span as something to be inside of, in whatever thread.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            ambient: self.ambient(),
            #[cfg(feature = "tracing")]
            mirror: self.mirror.clone(),
        }
    }

    /// This span for whoever wants to start spans below it, in whatever thread.
    pub(crate) fn ambient(&self) -> Option<Ambient> {
        self.home.share();
        let recorder = self.recorder?;
        Some(Ambient { recorder, context: self.place.context, sampled: self.is_sampled(), remote: false })
    }

    /// Records an attribute of your own. Names should carry a prefix of yours (`acme.tier`); values are
    /// names and numbers. Both are cut after 256 bytes. For prompts, results and other content use
    /// [`record_content`](Self::record_content), which keeps them private by default.
    pub fn set_attribute<'v>(&self, name: &str, value: impl Into<AttributeValue<'v>>) {
        if let Some(recorder) = self.recorder {
            let cut;
            let name = if name.len() > MAX_NAME_VALUE_BYTES {
                cut = crate::truncate::text(name, MAX_NAME_VALUE_BYTES);
                &cut
            } else {
                name
            };
            let value = match value.into() {
                AttributeValue::Str(text) => ValueRef::Str(text),
                AttributeValue::Int(number) => ValueRef::Int(number),
                AttributeValue::Double(number) => ValueRef::Double(number),
                AttributeValue::Bool(truth) => ValueRef::Bool(truth),
            };
            recorder.set_custom(self.place.context.span_id, &self.home, name, value);
        }
    }

    /// Records free text, if content capture is on; `text` is not called otherwise.
    pub fn record_content(&self, content: Content, text: impl FnOnce() -> String) {
        if let Some(recorder) = self.recorder.filter(|recorder| recorder.content) {
            recorder.set(self.place.context.span_id, &self.home, &[(content.key(), ValueRef::Str(&text()))]);
        }
    }

    /// Records what is left to spend, on this span and on the budget gauges. Call it once a tick; a
    /// [`Budget`](crate::Budget) does so by [`record`](crate::Budget::record).
    pub fn record_budget(&self, budget: &BudgetLeft) {
        let mut attributes = [(attr::LIFE_BUDGET_TOKENS_REMAINING, ValueRef::Bool(false)); 4];
        let mut count = 0;
        let mut put = |key, value: Option<ValueRef<'static>>| {
            if let Some(value) = value {
                attributes[count] = (key, value);
                count += 1;
            }
        };
        put(attr::LIFE_BUDGET_TOKENS_REMAINING, budget.tokens_remaining.map(ValueRef::from));
        put(
            attr::LIFE_BUDGET_COST_REMAINING_USD,
            budget.cost_remaining_nano_usd.map(|nano| ValueRef::Double(nano as f64 / 1e9)),
        );
        put(
            attr::LIFE_BUDGET_TIME_REMAINING_MS,
            budget.time_remaining.map(|time| ValueRef::Int(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))),
        );
        put(attr::LIFE_BUDGET_TOOL_CALLS_REMAINING, budget.tool_calls_remaining.map(ValueRef::from));
        self.set_some(&attributes[..count]);
    }

    /// Records that the agent changes its operating mode.
    pub fn record_mode_transition(&self, from: OperatingMode, to: OperatingMode) {
        self.event(
            EventKind::ModeTransition,
            Severity::Info,
            &[(attr::LIFE_MODE_FROM, from.as_str().into()), (attr::LIFE_MODE_TO, to.as_str().into())],
        );
    }

    /// Records the economic mode the agent is in.
    pub fn record_economic_mode(&self, mode: EconomicMode) {
        self.set(mode, |mode| [(attr::AUTONOMIC_ECONOMIC_MODE, mode.as_str().into())]);
    }

    /// Records that a budget is used up.
    pub fn record_budget_exhausted(&self, kind: vigil_core::vocab::BudgetKind) {
        let event = EventKind::BudgetExhausted;
        self.event(event, event.def().severity, &[(attr::VIGIL_BUDGET_KIND, kind.as_str().into())]);
    }

    /// Records the result of an evaluation of this span's work.
    pub fn record_evaluation(&self, evaluation: &Evaluation<'_>) {
        let mut attributes = vec![(attr::GEN_AI_EVALUATION_NAME, ValueRef::Str(evaluation.name))];
        if let Some(score) = evaluation.score {
            attributes.push((attr::GEN_AI_EVALUATION_SCORE_VALUE, score.into()));
            attributes.push((attr::LIFE_EVAL_SCORE, score.into()));
        }
        if let Some(label) = evaluation.label {
            attributes.push((attr::GEN_AI_EVALUATION_SCORE_LABEL, label.into()));
            attributes.push((attr::LIFE_EVAL_LABEL, label.into()));
        }
        if let Some(evaluator) = evaluation.evaluator {
            attributes.push((attr::LIFE_EVAL_EVALUATOR, evaluator.into()));
        }
        let layer = evaluation.layer.map(sanitise);
        if let Some(layer) = layer.as_deref().filter(|layer| !layer.is_empty()) {
            attributes.push((attr::LIFE_EVAL_LAYER, layer.into()));
        }
        if let Some(timing) = evaluation.timing {
            attributes.push((attr::LIFE_EVAL_TIMING, timing.as_str().into()));
        }
        self.event(EventKind::EvaluationResult, Severity::Info, &attributes);
    }

    /// Records a try that failed and is made again. The span goes on: a try that was repeated with success
    /// is not an error of the operation.
    pub fn record_retry(&self, attempt: u32, delay: Duration, reason: &ErrorType) {
        self.event(
            EventKind::Retry,
            Severity::Warn,
            &[
                (attr::VIGIL_RETRY_ATTEMPT, i64::from(attempt).into()),
                (attr::VIGIL_RETRY_DELAY_MS, ValueRef::Int(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))),
                (attr::VIGIL_RETRY_REASON, reason.as_str().into()),
            ],
        );
    }

    /// Records attributes. `attributes` makes them of `values` where they are written; it must capture nothing.
    ///
    /// All the caller's code has of this is the check whether anybody records, and a call: no pointer to the span is
    /// kept anywhere, so that the span of a telemetry value that is off can vanish from the caller's code entirely.
    #[inline(always)]
    pub(crate) fn set<A, const N: usize>(&self, values: A, attributes: impl for<'v> Fn(&'v A) -> [AttrRef<'v>; N]) {
        #[cfg(feature = "tracing")]
        if let Some(mirror) = &self.mirror {
            crate::interop::record(mirror, &attributes(&values));
        }
        if self.recorder.is_some() {
            self.record(values, attributes);
        }
    }

    #[inline(never)]
    fn record<A, const N: usize>(&self, values: A, attributes: impl for<'v> Fn(&'v A) -> [AttrRef<'v>; N]) {
        if let Some(recorder) = self.recorder {
            recorder.set(self.place.context.span_id, &self.home, &attributes(&values));
        }
    }

    /// Records as many attributes as there are.
    #[inline(never)]
    pub(crate) fn set_some(&self, attributes: &[AttrRef<'_>]) {
        #[cfg(feature = "tracing")]
        if let Some(mirror) = &self.mirror {
            crate::interop::record(mirror, attributes);
        }
        if let Some(recorder) = self.recorder
            && !attributes.is_empty()
        {
            recorder.set(self.place.context.span_id, &self.home, attributes);
        }
    }

    /// Records those of the numbers that are known.
    #[inline(always)]
    pub(crate) fn set_numbers<const N: usize>(&self, numbers: [(Key, Option<u64>); N]) {
        #[cfg(feature = "tracing")]
        if let Some(mirror) = &self.mirror {
            for (key, number) in numbers {
                if let Some(number) = number {
                    crate::interop::record(mirror, &[(key, number.into())]);
                }
            }
        }
        let mut known = [(attr::GEN_AI_USAGE_INPUT_TOKENS, 0); N];
        let mut count = 0;
        for (key, number) in numbers {
            if let (Some(number), Some(slot)) = (number, known.get_mut(count)) {
                *slot = (key, i64::try_from(number).unwrap_or(i64::MAX));
                count += 1;
            }
        }
        if let (Some(recorder), Some(known @ [_, ..])) = (self.recorder, known.get(..count)) {
            recorder.set_ints(self.place.context.span_id, &self.home, known);
        }
    }

    pub(crate) fn event(&self, event: EventKind, severity: Severity, attributes: &[AttrRef<'_>]) {
        if let Some(recorder) = self.recorder {
            let span = Some((self.place.context.trace_id, self.place.context.span_id));
            recorder.event(event, span, Some(&self.home), severity, attributes);
        }
    }

    #[inline(always)]
    #[cfg_attr(not(feature = "tracing"), expect(unused_mut, reason = "the mirror is closed in place"))]
    pub(crate) fn finish(mut self) {
        #[cfg(feature = "tracing")]
        self.close_mirror(EndedAs::Ok);
        if self.recorder.is_some() {
            self.record_finish();
        } else {
            std::mem::forget(self);
        }
    }

    /// Apart from other ends: most spans end well, and that record has a fixed size.
    #[inline(never)]
    fn record_finish(mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.end(self.place.context.span_id, &self.home, EndedAs::Ok);
        }
    }

    #[inline(never)]
    fn record_end(&mut self, ended: EndedAs<'_>) {
        if let Some(recorder) = self.recorder.take() {
            recorder.end(self.place.context.span_id, &self.home, ended);
        }
    }

    /// An end nobody asked for: as failed where a panic is unwinding and that is to be told, else as cancelled.
    #[inline(never)]
    fn record_drop(&mut self) -> EndedAs<'static> {
        let panic = self.recorder.and_then(crate::ending::unwinding);
        if let Some(said) = panic.as_ref().and_then(|panic| panic.said.as_deref()) {
            self.set_some(&[(attr::EXCEPTION_MESSAGE, said.into())]);
        }
        let ended = if panic.is_some() { EndedAs::Error(PANIC.as_str()) } else { EndedAs::Cancelled };
        self.record_end(ended);
        ended
    }

    #[inline]
    pub(crate) fn fail(&mut self, error: &ErrorType) {
        if self.recorder.is_some() {
            self.record_end(EndedAs::Error(error.as_str()));
        }
        #[cfg(feature = "tracing")]
        self.close_mirror(EndedAs::Error(error.as_str()));
    }

    #[cfg(feature = "tracing")]
    #[inline]
    fn close_mirror(&mut self, ended: EndedAs<'_>) {
        if let Some(mirror) = self.mirror.take() {
            crate::interop::close(mirror, ended);
        }
    }
}

/// What a span fails with that a panic ends.
static PANIC: ErrorType = ErrorType::PANIC;

/// A span that records nothing, for whoever needs one to point to.
pub(crate) static OFF: Span = Span::unrecorded(Place { context: NO_CONTEXT, sampled: 0 });

/// What a span has for a context when telemetry is off and nothing is above it.
const NO_CONTEXT: SpanContext = SpanContext { trace_id: TraceId([0; 16]), span_id: SpanId([0; 8]) };

impl Starts for Span {
    #[inline(always)]
    fn child(&self) -> Span {
        // As cheap as it gets: off costs a copy.
        Span::unrecorded(self.place)
    }

    #[inline(always)]
    fn begin<A, const N: usize>(
        &self,
        child: &mut Span,
        kind: SpanKind,
        target: &str,
        values: A,
        attributes: impl for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
    ) {
        if self.recorder.is_some() {
            self.start_below(child, kind, target, &values, &attributes);
        }
        #[cfg(feature = "tracing")]
        child.show(self.mirror.as_ref(), kind, target, &attributes(&values));
    }
}

impl Drop for Span {
    #[inline(always)]
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "the mirror is told"))]
    fn drop(&mut self) {
        let ended = if self.recorder.is_some() { self.record_drop() } else { EndedAs::Cancelled };
        #[cfg(feature = "tracing")]
        self.close_mirror(ended);
    }
}

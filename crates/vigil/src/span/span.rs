//! What all handles have in common.

use super::ambient::{Ambient, EnterGuard, Scope};
use super::kinds::Starts;
use crate::clock;
#[cfg(feature = "tracing")]
use crate::clock::Ticks;
use crate::ids;
use crate::record::format::{
    AttrRef, End, EndedAs, FLAG_REMOTE, FLAG_SAMPLED, Set, SetNumbers, Start, StartFields, UNKNOWN, ValueRef,
};
use crate::record::lanes::Lanes;
use crate::record::{Home, Recorder};
use crate::settings::{Carrier, name};
use std::time::Duration;
use vigil_core::contract::{EventKind, Key, MAX_NAME_VALUE_BYTES, SpanKind, attr};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::usage::Usage;
use vigil_core::vocab::{EconomicMode, ErrorType, EvaluationTiming, OperatingMode, Severity, sanitise};

/// A span that has started: the part that is the same for every kind.
///
/// You hold one of the typed handles ([`AgentSpan`](crate::AgentSpan), [`ChatSpan`](crate::ChatSpan), …),
/// which deref to this.
#[derive(Debug)]
pub struct Span {
    /// `None` when telemetry is off and nothing is above the span. That is all that is written or read of it then.
    inner: Option<Inner>,
    #[cfg(feature = "tracing")]
    started: Ticks,
    #[cfg(feature = "tracing")]
    mirror: Option<tracing::Span>,
}

/// What a span that is on, or has something above it, consists of.
///
/// What is called out of line is handed these parts and never the whole: a span that nobody has a pointer to stays in
/// registers, and vanishes from the caller's code where it is off.
#[derive(Debug)]
struct Inner {
    /// Whose span it is; `None` when telemetry is off. See [`Inner::recorder`].
    owner: Option<&'static Recorder>,
    context: SpanContext,
    sampled: bool,
    home: Home,
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

impl Inner {
    /// Of a span that records nothing.
    #[inline(always)]
    const fn unrecorded(context: SpanContext, sampled: bool) -> Self {
        Self { owner: None, context, sampled, home: Home::of(0) }
    }

    /// Where its records go; `None` when telemetry is off or the start did not fit in the buffer. Then its lane is 0,
    /// which the short cuts need not ask: no record goes there.
    #[inline(always)]
    fn recorder(&self) -> Option<&'static Recorder> {
        recorder_of(self.owner, self.home.lane)
    }

    #[inline(always)]
    fn start_below<A: Copy, const N: usize>(
        &self,
        kind: impl Copy + Fn() -> SpanKind,
        target: &str,
        values: A,
        attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
    ) -> Self {
        let (span, lane) = begin_below(self, kind, target, values, attributes);
        Self {
            owner: self.owner,
            context: SpanContext { trace_id: self.context.trace_id, span_id: SpanId(span.to_ne_bytes()) },
            sampled: self.sampled,
            home: Home::of(lane),
        }
    }
}

#[inline(always)]
fn recorder_of(owner: Option<&'static Recorder>, lane: u64) -> Option<&'static Recorder> {
    owner.filter(|_| lane != 0)
}

/// Starts a span below `parent` and answers with its id, as the bytes lie in memory, and its lane; 0 for a span that
/// is not recorded.
#[inline(never)]
fn begin_below<A: Copy, const N: usize>(
    parent: &Inner,
    kind: impl Copy + Fn() -> SpanKind,
    target: &str,
    values: A,
    attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
) -> (u64, u64) {
    if let Some(lane) = lane_below(parent)
        && let Some(span) = ids::random_span_id()
    {
        let fields = StartFields {
            trace: &parent.context.trace_id,
            span,
            parent: parent.context.span_id,
            kind: kind(),
            flags: u8::from(parent.sampled) * FLAG_SAMPLED,
            time: clock::read_usual(),
            target,
        };
        if Lanes::append_to_last(&Start(fields, &attributes(&values))) {
            return (u64::from_ne_bytes(span.0), lane);
        }
    }
    begin_below_slowly(parent, kind, target, values, attributes)
}

/// The lane of a span that is begun on this thread below `parent`, where that is quickly told.
#[inline(always)]
fn lane_below(parent: &Inner) -> Option<u64> {
    let last = Lanes::last_usual();
    if last == parent.home.lane {
        return Some(last);
    }
    let here = parent.recorder()?.usual_lane()?;
    parent.home.share();
    Some(here)
}

#[cold]
#[inline(never)]
fn begin_below_slowly<A: Copy, const N: usize>(
    parent: &Inner,
    kind: impl Copy + Fn() -> SpanKind,
    target: &str,
    values: A,
    attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
) -> (u64, u64) {
    // Without a recorder the span is where its parent is.
    let Some(recorder) = parent.recorder() else { return (u64::from_ne_bytes(parent.context.span_id.0), 0) };
    let (trace, flags) = (&parent.context.trace_id, u8::from(parent.sampled) * FLAG_SAMPLED);
    let (span, lane) = begin(recorder, trace, parent.context.span_id, flags, kind(), target, &attributes(&values));
    parent.home.touched_from(lane);
    (u64::from_ne_bytes(span.0), lane)
}

/// Starts a span.
fn begin(
    recorder: &Recorder,
    trace: &TraceId,
    parent: SpanId,
    flags: u8,
    kind: SpanKind,
    target: &str,
    attributes: &[AttrRef<'_>],
) -> (SpanId, u64) {
    let span = recorder.ids.span_id();
    let time = recorder.clock.ticks();
    (span, recorder.start(StartFields { trace, span, parent, kind, flags, time, target }, attributes))
}

/// Records attributes. Answers with whether this is in another lane than the span's.
#[inline(never)]
fn set<A: Copy, const N: usize>(
    owner: Option<&'static Recorder>,
    span: SpanId,
    lane: u64,
    values: A,
    attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
) -> bool {
    !Lanes::append_to(lane, &Set(span, &attributes(&values))) && set_slowly(owner, span, lane, values, attributes)
}

#[cold]
#[inline(never)]
fn set_slowly<A: Copy, const N: usize>(
    owner: Option<&'static Recorder>,
    span: SpanId,
    lane: u64,
    values: A,
    attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
) -> bool {
    recorder_of(owner, lane)
        .and_then(|recorder| recorder.set(span, &attributes(&values)))
        .is_some_and(|other| other != lane)
}

/// Ends a span that nobody ended: as failed where a panic is unwinding and that is to be told, else as cancelled. Answers
/// with whether it is the former. Not as one that is alone: it is rare, and may wait.
#[cold]
#[inline(never)]
fn end_dropped(recorder: Option<&'static Recorder>, span: SpanId) -> bool {
    let Some(recorder) = recorder else { return false };
    let panic = crate::ending::unwinding(recorder);
    if let Some(said) = panic.as_ref().and_then(|panic| panic.said.as_deref()) {
        recorder.set(span, &[(attr::EXCEPTION_MESSAGE, said.into())]);
    }
    let ended = if panic.is_some() { EndedAs::Error(PANIC.as_str()) } else { EndedAs::Cancelled };
    recorder.end(span, 0, true, ended);
    panic.is_some()
}

/// Records numbers of tokens, in the order of [`TOKENS`]. As [`set`].
#[inline(never)]
fn set_numbers(owner: Option<&'static Recorder>, span: SpanId, lane: u64, numbers: [u64; TOKENS.len()]) -> bool {
    if Lanes::append_to(lane, &SetNumbers(span, TOKENS, numbers)) {
        return false;
    }
    recorder_of(owner, lane)
        .and_then(|recorder| recorder.set_numbers(span, TOKENS, numbers))
        .is_some_and(|other| other != lane)
}

/// What is recorded of the tokens of a call.
const TOKENS: [Key; 7] = [
    attr::GEN_AI_USAGE_INPUT_TOKENS,
    attr::GEN_AI_USAGE_OUTPUT_TOKENS,
    attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
    attr::GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS,
    attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
    attr::VIGIL_USAGE_CACHE_WRITE_1H_INPUT_TOKENS,
    attr::VIGIL_USAGE_WEB_SEARCH_REQUESTS,
];

/// The numbers of [`TOKENS`], [`UNKNOWN`] where nobody said.
#[inline(always)]
fn tokens(usage: &Usage) -> [u64; TOKENS.len()] {
    let nonzero = |number: Option<u64>| number.filter(|number| *number > 0);
    [
        usage.input(),
        usage.output(),
        usage.cache_read_tokens(),
        usage.cache_write_tokens(),
        usage.reasoning_tokens(),
        nonzero(usage.cache_write_1h_tokens()),
        nonzero(usage.web_search_requests()),
    ]
    .map(|number| number.unwrap_or(UNKNOWN))
}

/// Ends a span well: most do, and that record has a fixed size.
#[inline(never)]
fn end_well(owner: Option<&'static Recorder>, span: SpanId, lane: u64, shared: bool) {
    let is_usual = Lanes::last_usual() == lane;
    if !is_usual || !Lanes::append_to_last(&End { span, time: clock::read_usual(), ended: EndedAs::Ok, alone: !shared })
    {
        end_well_slowly(owner, span, lane, shared);
    }
}

#[cold]
#[inline(never)]
fn end_well_slowly(owner: Option<&'static Recorder>, span: SpanId, lane: u64, shared: bool) {
    end(recorder_of(owner, lane), span, lane, shared, EndedAs::Ok);
}

#[cold]
#[inline(never)]
fn end(recorder: Option<&'static Recorder>, span: SpanId, lane: u64, shared: bool, ended: EndedAs<'_>) {
    if let Some(recorder) = recorder {
        recorder.end(span, lane, shared, ended);
    }
}

impl Span {
    #[inline(always)]
    const fn of(inner: Option<Inner>) -> Self {
        Self {
            inner,
            #[cfg(feature = "tracing")]
            started: Ticks(0),
            #[cfg(feature = "tracing")]
            mirror: None,
        }
    }

    /// A span that records nothing below `parent`.
    #[inline]
    pub(crate) fn off(parent: Parent) -> Self {
        let sampled = parent.sampled.unwrap_or(false);
        Self::of(parent.context.map(|context| Inner::unrecorded(context, sampled)))
    }

    /// Starts a span below `parent`, or at the root of a trace.
    #[inline(never)]
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
        let (span, lane) = begin(recorder, &trace, above, flags, kind, target, attributes);
        Self::of(Some(Inner {
            owner: Some(recorder),
            context: SpanContext { trace_id: trace, span_id: span },
            sampled: flags & FLAG_SAMPLED != 0,
            home: Home::of(lane),
        }))
    }

    #[inline(always)]
    fn recorder(&self) -> Option<&'static Recorder> {
        self.inner.as_ref()?.recorder()
    }

    /// Lets the span appear to whoever subscribes to `tracing`, below its parent's mirror where there is one.
    #[cfg(feature = "tracing")]
    pub(crate) fn shown(
        mut self,
        parent: Option<&tracing::Span>,
        kind: SpanKind,
        target: &str,
        attributes: &[AttrRef<'_>],
    ) -> Self {
        if crate::interop::is_anyone_interested() {
            let context = self.inner.as_ref().map(|inner| inner.context);
            let ambient = self.ambient();
            self.started = self.recorder().map(|recorder| recorder.clock.ticks()).unwrap_or_default();
            self.mirror = crate::interop::mirror(parent, ambient, context, kind, target, attributes);
        }
        self
    }

    /// Whether what is recorded here was done before and is only replayed.
    pub(crate) fn is_replay(&self) -> bool {
        self.recorder().is_some_and(|recorder| recorder.replay)
    }

    /// Records the seconds from the start until now.
    pub(crate) fn set_until_now(&self, key: Key) {
        #[cfg(feature = "tracing")]
        if let (Some(mirror), Some(recorder)) = (&self.mirror, self.recorder()) {
            let seconds = recorder.clock.anchor().between(self.started, recorder.clock.ticks()).as_secs_f64();
            crate::interop::record(mirror, &[(key, seconds.into())]);
        }
        self.set_all(|recorder| [(key, ValueRef::Until(recorder.clock.ticks()))]);
    }

    /// Records attributes that are made where somebody records; the general way, for what is not recorded all the time.
    fn set_all<'v, const N: usize>(&self, attributes: impl FnOnce(&Recorder) -> [AttrRef<'v>; N]) {
        if let Some(inner) = &self.inner
            && let Some(recorder) = inner.recorder()
            && let Some(lane) = recorder.set(inner.context.span_id, &attributes(recorder))
        {
            inner.home.touched_from(lane);
        }
    }

    /// Says that others know of this span: whoever does may record about it, and start spans below it, anywhere.
    #[inline(always)]
    fn share(&self) {
        if let Some(inner) = &self.inner {
            inner.home.share();
        }
    }

    /// The ids of this span. All zero when telemetry is off and there is no parent either.
    #[inline]
    pub fn context(&self) -> SpanContext {
        self.share();
        self.inner.as_ref().map_or(NO_CONTEXT, |inner| inner.context)
    }

    /// Whether anything recorded here goes anywhere.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.recorder().is_some()
    }

    /// Whether anybody may want to know what becomes of this span.
    #[inline(always)]
    pub(crate) fn is_recorded(&self) -> bool {
        #[cfg(feature = "tracing")]
        if self.mirror.is_some() {
            return true;
        }
        self.inner.is_some()
    }

    /// Whether this span's trace is exported; metrics and logs are made either way.
    pub fn is_sampled(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.sampled)
    }

    /// The W3C `traceparent` of this span, to hand to another process or service; `None` when telemetry is
    /// off and there is no parent either.
    pub fn traceparent(&self) -> Option<String> {
        self.share();
        let inner = self.inner.as_ref()?;
        Some(super::propagate::traceparent(inner.context, inner.sampled))
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
        let carrier = self.recorder().map(|recorder| &recorder.carrier);
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
    #[inline]
    pub fn enter(&self) -> EnterGuard {
        // Whoever asks what is current may start spans below it anywhere.
        if self.is_recorded() { self.scope().enter() } else { EnterGuard::of_nothing() }
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
        self.share();
        let inner = self.inner.as_ref()?;
        Some(Ambient { recorder: inner.recorder()?, context: inner.context, sampled: inner.sampled, remote: false })
    }

    /// Records an attribute of your own. Names should carry a prefix of yours (`acme.tier`); values are
    /// names and numbers. Both are cut after 256 bytes. For prompts, results and other content use
    /// [`record_content`](Self::record_content), which keeps them private by default.
    pub fn set_attribute<'v>(&self, name: &str, value: impl Into<AttributeValue<'v>>) {
        if let Some(inner) = &self.inner
            && let Some(recorder) = inner.recorder()
        {
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
            if let Some(lane) = recorder.set_custom(inner.context.span_id, name, value) {
                inner.home.touched_from(lane);
            }
        }
    }

    /// Records free text, if content capture is on; `text` is not called otherwise.
    pub fn record_content(&self, content: Content, text: impl FnOnce() -> String) {
        if self.recorder().is_some_and(|recorder| recorder.content) {
            let text = text();
            self.set_all(|_| [(content.key(), ValueRef::Str(&text))]);
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
    #[inline(always)]
    pub(crate) fn set<A: Copy, const N: usize>(
        &self,
        values: A,
        attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
    ) {
        #[cfg(feature = "tracing")]
        if let Some(mirror) = &self.mirror {
            crate::interop::record(mirror, &attributes(&values));
        }
        if let Some(inner) = &self.inner
            && set(inner.owner, inner.context.span_id, inner.home.lane, values, attributes)
        {
            inner.home.share();
        }
    }

    /// Records the tokens of a call, where they are known. They are not worked out where nobody records.
    #[inline(always)]
    pub(crate) fn set_tokens(&self, usage: &Usage) {
        #[cfg(feature = "tracing")]
        if let Some(mirror) = &self.mirror {
            for (key, number) in TOKENS.into_iter().zip(tokens(usage)).filter(|(_, number)| *number != UNKNOWN) {
                crate::interop::record(mirror, &[(key, number.into())]);
            }
        }
        if let Some(inner) = &self.inner
            && set_numbers(inner.owner, inner.context.span_id, inner.home.lane, tokens(usage))
        {
            inner.home.share();
        }
    }

    /// Records as many attributes as there are.
    #[inline(never)]
    pub(crate) fn set_some(&self, attributes: &[AttrRef<'_>]) {
        #[cfg(feature = "tracing")]
        if let Some(mirror) = &self.mirror {
            crate::interop::record(mirror, attributes);
        }
        if let Some(inner) = &self.inner
            && let Some(recorder) = inner.recorder()
            && !attributes.is_empty()
            && let Some(lane) = recorder.set(inner.context.span_id, attributes)
        {
            inner.home.touched_from(lane);
        }
    }

    pub(crate) fn event(&self, event: EventKind, severity: Severity, attributes: &[AttrRef<'_>]) {
        if let Some(inner) = &self.inner
            && let Some(recorder) = inner.recorder()
        {
            let span = Some((inner.context.trace_id, inner.context.span_id));
            recorder.event(event, span, Some(&inner.home), severity, attributes);
        }
    }

    #[inline(always)]
    #[cfg_attr(not(feature = "tracing"), expect(unused_mut, reason = "the mirror is closed in place"))]
    pub(crate) fn finish(mut self) {
        #[cfg(feature = "tracing")]
        self.close_mirror(EndedAs::Ok);
        if let Some(inner) = &self.inner {
            end_well(inner.owner, inner.context.span_id, inner.home.lane, inner.home.is_shared());
        }
        std::mem::forget(self);
    }

    #[inline]
    #[cfg_attr(not(feature = "tracing"), expect(unused_mut, reason = "the mirror is closed in place"))]
    pub(crate) fn fail(mut self, error: &ErrorType) {
        #[cfg(feature = "tracing")]
        self.close_mirror(EndedAs::Error(error.as_str()));
        if let Some(inner) = &self.inner {
            let ended = EndedAs::Error(error.as_str());
            end(inner.recorder(), inner.context.span_id, inner.home.lane, inner.home.is_shared(), ended);
        }
        std::mem::forget(self);
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
pub(crate) static OFF: Span = Span::of(None);

/// What a span has for a context when telemetry is off and nothing is above it.
const NO_CONTEXT: SpanContext = SpanContext { trace_id: TraceId([0; 16]), span_id: SpanId([0; 8]) };

impl Starts for Span {
    #[inline(always)]
    fn start<A: Copy, const N: usize>(
        &self,
        kind: impl Copy + Fn() -> SpanKind,
        target: &str,
        values: A,
        attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
    ) -> Span {
        let child = Span::of(self.inner.as_ref().map(|inner| inner.start_below(kind, target, values, attributes)));
        #[cfg(feature = "tracing")]
        return child.shown(self.mirror.as_ref(), kind(), target, &attributes(&values));
        #[cfg(not(feature = "tracing"))]
        child
    }
}

impl Drop for Span {
    #[inline(always)]
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "the mirror is told"))]
    fn drop(&mut self) {
        // This is in every place where a caller's code may unwind, and must be so little that it is inlined there: a
        // call that were handed the span would keep it in memory.
        let panicked = self.inner.as_ref().is_some_and(|inner| end_dropped(inner.recorder(), inner.context.span_id));
        #[cfg(feature = "tracing")]
        self.close_mirror(if panicked { EndedAs::Error(PANIC.as_str()) } else { EndedAs::Cancelled });
    }
}

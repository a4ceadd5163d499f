//! What a session is made of while it is being put together: runs, turns, lanes, chats and tools.
//!
//! Everything is small and of fixed size apart from a few short names; content never gets here.

use super::tokens::{Tokens, Totals};
use std::collections::VecDeque;
use vigil_core::fact::{Outcome, UnixNanos};
use vigil_core::id::SpanId;
use vigil_core::throttle::Throttle;
use vigil_core::vocab::{Decision, ErrorType, FinishReason, UsageSource};

/// The earlier of two times that may be unknown.
pub(crate) fn earlier(a: Option<UnixNanos>, b: Option<UnixNanos>) -> Option<UnixNanos> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The later of two times that may be unknown.
pub(crate) fn later(a: Option<UnixNanos>, b: Option<UnixNanos>) -> Option<UnixNanos> {
    a.max(b)
}

/// A stretch of time of which the ends may be unknown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) start: Option<UnixNanos>,
    pub(crate) end: Option<UnixNanos>,
}

impl Stretch {
    /// Widens the stretch to hold `time`.
    pub(crate) fn hold(&mut self, time: Option<UnixNanos>) {
        self.start = earlier(self.start, time);
        self.end = later(self.end, time);
    }

    /// Widens the stretch to hold `other`.
    pub(crate) fn hold_all(&mut self, other: Stretch) {
        self.hold(other.start);
        self.hold(other.end);
    }
}

/// Counts that are rolled up on agents and turns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) chats: u64,
    pub(crate) chats_failed: u64,
    pub(crate) tools: u64,
    pub(crate) tools_failed: u64,
    pub(crate) denied: u64,
    pub(crate) retries: u64,
    pub(crate) sub_agents: u64,
}

/// One process of the agent.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The first message of the main loop: what names the run on both sides.
    pub(crate) key: Option<Box<str>>,
    pub(crate) span: Option<SpanId>,
    pub(crate) time: Stretch,
    pub(crate) counts: Counts,
    /// Turns not told yet, in order; the first has number `turns_told + 1`.
    pub(crate) turns: VecDeque<Turn>,
    pub(crate) turns_told: u64,
    pub(crate) results: Results,
    /// Sum of the calls whose tokens are known, by model.
    pub(crate) told: Totals,
    /// Calls whose tokens are not (fully) known.
    pub(crate) calls_unknown: u64,
    /// Totals of the session up to this run, from the transcript.
    pub(crate) base: Option<Totals>,
    /// Totals of the session at the end of this run, from the transcript.
    pub(crate) cost_state: Option<Totals>,
    /// How the main loop stands, for records without a result.
    pub(crate) standing: Standing,
}

/// What the `result` lines of a process say.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// How many there were: the n-th belongs to the n-th turn.
    pub(crate) count: u64,
    /// Why the last one failed, if it did.
    pub(crate) failure: Option<ErrorType>,
    /// The throttling it failed for, as far as the result says.
    pub(crate) throttle: Option<Throttle>,
    /// It failed because a model call did, as far as the result says.
    pub(crate) failed_by_api: bool,
    /// Refused calls they list; older releases say it nowhere else.
    pub(crate) denied: u64,
    /// Sum of what each says it adds.
    pub(crate) since: Option<Totals>,
    /// The last totals, which may continue an earlier process.
    pub(crate) cumulative: Option<Totals>,
    pub(crate) cumulative_usd: Option<f64>,
    /// What the last one's own turn used, where that is all its process did.
    pub(crate) turn_only: Option<Totals>,
}

/// The last thing that happened in the main loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Standing {
    #[default]
    Nothing,
    /// A prompt or a tool result waits for the model.
    Waiting,
    /// The model's answer is complete.
    Answered,
    /// The model asked for tools.
    ToolsAsked,
    /// A model call failed for good.
    Failed(ErrorType),
    /// Somebody interrupted the agent.
    Interrupted,
    /// A limit ended the run.
    Limit(ErrorType),
}

/// From a prompt (or a wake-up) to the end of what follows from it.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) number: u64,
    /// Its first message, which names it.
    pub(crate) key: Option<Box<str>>,
    pub(crate) span: Option<SpanId>,
    pub(crate) time: Stretch,
    pub(crate) counts: Counts,
    /// Opened by a compaction whose command follows in the transcript.
    pub(crate) awaits_command: bool,
    /// The turn is over: another began or its result came.
    pub(crate) closed: bool,
    pub(crate) failure: Option<ErrorType>,
}

/// Which lane a record belongs to; [`MAIN`] is the main loop.
pub(crate) type LaneId = u32;

/// The lane of the main loop.
pub(crate) const MAIN: LaneId = 0;

/// A loop of model calls and tools: the main one or a sub-agent's.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) run: usize,
    pub(crate) tool_use: Option<Box<str>>,
    pub(crate) agent: Option<Box<str>>,
    pub(crate) kind_name: Option<Box<str>>,
    /// Somebody gave it a task (as opposed to calls on the side that merely look like a sub-agent).
    pub(crate) has_task: bool,
    pub(crate) asynchronous: bool,
    /// It said how it ended.
    pub(crate) finished: Option<Outcome>,
    pub(crate) time: Stretch,
    pub(crate) counts: Counts,
    pub(crate) told: Totals,
    pub(crate) calls_unknown: u64,
    /// Chats and tools not told yet.
    pub(crate) open: u64,
    pub(crate) last_failed: Option<ErrorType>,
    pub(crate) stream: Cursor,
    pub(crate) transcript: Cursor,
}

/// How far one source has told a lane.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// When the last thing happened that a model call could follow from.
    pub(crate) last: Option<UnixNanos>,
    /// When the first request since the last message left.
    pub(crate) request: Option<UnixNanos>,
    pub(crate) request_model: Option<Box<str>>,
    pub(crate) retries: Vec<Retry>,
    pub(crate) fallback: Option<Fallback>,
    /// The message whose blocks are coming in.
    pub(crate) chat: Option<u64>,
    /// The partial message that is coming in.
    pub(crate) partial: Option<Partial>,
    /// Calls that broke off before their first block.
    pub(crate) broken: Vec<Broken>,
    /// Requests that left and were neither answered nor refused yet, in order.
    pub(crate) open_requests: Vec<OpenRequest>,
    /// The last message, by its id.
    pub(crate) last_message: Option<Box<str>>,
}

/// A call that broke off before its first block.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    pub(crate) time_to_first_chunk_ms: Option<f64>,
    pub(crate) streamed: bool,
    pub(crate) model: Option<Box<str>>,
    pub(crate) begin: Option<UnixNanos>,
    /// When it was last heard of.
    pub(crate) time: Option<UnixNanos>,
}

/// A request whose answer is awaited.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) id: Box<str>,
    pub(crate) model: Option<Box<str>>,
    pub(crate) time: Option<UnixNanos>,
}

/// A message whose parts are streamed.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) message: Box<str>,
    pub(crate) time_to_first_chunk_ms: Option<f64>,
    pub(crate) begin: Option<UnixNanos>,
    pub(crate) time: Option<UnixNanos>,
    /// A block of it was told, so that there is a chat.
    pub(crate) has_chat: bool,
}

impl OpenRequest {
    /// The call it made, which broke.
    pub(crate) fn broke(self) -> Broken {
        Broken { model: self.model, begin: self.time, time: self.time, ..Broken::default() }
    }
}

/// One attempt of a call that failed and is made again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retry {
    pub(crate) attempt: Option<u64>,
    pub(crate) max_attempts: Option<u64>,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) http_status: Option<u64>,
    pub(crate) reason: ErrorType,
    pub(crate) time: Option<UnixNanos>,
}

/// Retries kept of one call; unattended runs allow 300.
pub(crate) const RETRY_LIMIT: usize = 512;

/// Joins what two sources tell about the retries of one call: the longer list, with times from either.
pub(crate) fn join_retries(known: &mut Vec<Retry>, other: Vec<Retry>) {
    let (mut longer, shorter) =
        if other.len() > known.len() { (other, std::mem::take(known)) } else { (std::mem::take(known), other) };
    for (retry, same) in longer.iter_mut().zip(shorter) {
        if retry.attempt == same.attempt {
            // The transcript's lines carry the time of the failure; the stream's only when it was watched live.
            retry.time = earlier(retry.time, same.time);
            retry.http_status = retry.http_status.or(same.http_status);
        }
    }
    *known = longer;
}

/// Another model was taken.
#[derive(Clone, Debug)]
pub(crate) struct Fallback {
    pub(crate) from: Box<str>,
    pub(crate) to: Box<str>,
    pub(crate) trigger: Box<str>,
    pub(crate) time: Option<UnixNanos>,
}

/// What a compaction did.
#[derive(Clone, Debug)]
pub(crate) struct Compaction {
    pub(crate) trigger: Box<str>,
    pub(crate) pre_tokens: Option<u64>,
    pub(crate) post_tokens: Option<u64>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) time: Option<UnixNanos>,
}

/// One model call.
#[derive(Debug)]
pub(crate) struct Chat {
    /// Order of appearance, so that telling is stable.
    pub(crate) order: u64,
    pub(crate) id: Box<str>,
    pub(crate) lane: LaneId,
    pub(crate) run: usize,
    pub(crate) turn: u64,
    pub(crate) parent_turn: Option<SpanId>,
    pub(crate) model: Option<Box<str>>,
    pub(crate) requested_model: Option<Box<str>>,
    /// The id is made up: the call has no message.
    pub(crate) nameless: bool,
    /// When its request left, as well as that is known.
    pub(crate) begin: Option<UnixNanos>,
    /// When its blocks were complete.
    pub(crate) time: Stretch,
    pub(crate) finish_reason: Option<FinishReason>,
    /// Final tokens.
    pub(crate) tokens: Option<(Tokens, UsageSource)>,
    /// Tokens whose output is a placeholder.
    pub(crate) provisional: Option<Tokens>,
    pub(crate) time_to_first_chunk_ms: Option<f64>,
    pub(crate) streamed: bool,
    pub(crate) failure: Option<ErrorType>,
    pub(crate) http_status: Option<u64>,
    /// The throttling it failed for.
    pub(crate) throttle: Option<Throttle>,
    pub(crate) retries: Vec<Retry>,
    pub(crate) fallback: Option<Fallback>,
    pub(crate) compaction: Option<Compaction>,
    /// No more blocks will come.
    pub(crate) closed: bool,
    /// It broke off in the middle, as far as the stream tells.
    pub(crate) cut: bool,
    /// The transcript knows it.
    pub(crate) in_transcript: bool,
}

/// One tool call.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) order: u64,
    pub(crate) id: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) lane: LaneId,
    pub(crate) run: usize,
    pub(crate) turn: u64,
    pub(crate) parent_turn: Option<SpanId>,
    pub(crate) time: Stretch,
    pub(crate) content: ToolContent,
    pub(crate) decision: Option<Decision>,
    pub(crate) decision_source: Option<Box<str>>,
    pub(crate) end: Option<ToolEnd>,
}

/// Arguments and result of a tool call, as JSON. Empty unless somebody asked for content.
#[derive(Debug, Default)]
pub(crate) struct ToolContent {
    pub(crate) arguments: Option<Box<str>>,
    pub(crate) result: Option<Box<str>>,
    /// Bytes that were left out.
    pub(crate) left_out: u64,
}

/// Bytes of one argument or result that are kept; a longer one is left out whole, so that JSON stays valid.
const CONTENT_LIMIT: usize = 64 * 1024;

/// Bytes of content that all open tools may hold together.
const CONTENT_SUM_LIMIT: usize = 4 * 1024 * 1024;

impl ToolContent {
    /// What is kept of `json`; `held` is what all open tools hold.
    pub(crate) fn keep(&mut self, json: Option<&str>, held: &mut usize) -> Option<Box<str>> {
        let json = json?;
        if json.len() > CONTENT_LIMIT || *held + json.len() > CONTENT_SUM_LIMIT {
            self.left_out += json.len() as u64;
            return None;
        }
        *held += json.len();
        Some(json.into())
    }
}

/// How a tool call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ToolEnd {
    Ok,
    Failed,
    NotFound,
    Denied,
    TimedOut,
    Cancelled,
}

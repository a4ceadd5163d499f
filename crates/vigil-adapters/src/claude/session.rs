//! A session under construction: what the stream and the transcript tell, joined by their common ids.
//!
//! Both sources speak through the same few operations ([`Session::block`], [`Session::tool_result`], …), each
//! with its own cursor in every lane, so that the order in which they are read does not matter much. What
//! is complete is told (see `telling`) and forgotten but for its key.
//!
//! Limits: 8192 chats and 8192 tools wait to be completed (then the oldest are told as they are), 4096
//! sub-agents and 1024 turns wait, 65 536 keys of what was told are remembered. A session file with more
//! than 4096 processes is told up to there.

use super::ids::{Ids, key};
use super::records::{
    Chat, Compaction, Cursor, Fallback, Lane, LaneId, MAIN, Partial, RETRY_LIMIT, Results, Retry, Run, Standing, Stretch, Tool, ToolContent, ToolEnd,
    Turn,
    earlier, join_retries,
};
use super::tokens::Tokens;
use super::wire;
use crate::lenient::Record as _;
use crate::observer::Options;
use std::collections::{HashMap, HashSet, VecDeque};
use vigil_core::fact::{Fact, UnixNanos};
use vigil_core::id::SpanId;
use vigil_core::vocab::{Decision, ErrorType, FinishReason, UsageSource};

/// Chats, and tools, that wait to be completed.
pub(crate) const OPEN_LIMIT: usize = 8192;
/// Chats that may wait before the transcript is asked for.
pub(crate) const ASK_LIMIT: usize = 4096;
/// Sub-agents kept.
const LANE_LIMIT: usize = 4096;
/// Turns that wait to be told.
const TURN_LIMIT: usize = 1024;
/// Processes of one session that are told.
const RUN_LIMIT: usize = 4096;
/// Keys of told chats and tools that are remembered.
const TOLD_LIMIT: usize = 65_536;

/// Which of the two records of a session is speaking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Stream,
    Transcript,
}

/// A bounded set of keys that forgets the oldest.
#[derive(Debug, Default)]
pub(crate) struct Told {
    keys: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Told {
    pub(crate) fn contains(&self, key: u64) -> bool {
        self.keys.contains(&key)
    }

    /// Remembers `key`; false when it was known.
    pub(crate) fn insert(&mut self, key: u64) -> bool {
        if !self.keys.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > TOLD_LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

/// A session under construction.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) ids: Option<Ids>,
    pub(crate) cwd: Option<Box<str>>,
    pub(crate) version: Option<Box<str>>,
    pub(crate) model: Option<Box<str>>,
    pub(crate) permission_mode: Option<Box<str>>,
    /// The stream showed messages: it gives the structure, the transcript fills it in.
    pub(crate) stream_structured: bool,
    /// A `result` line came.
    pub(crate) has_result: bool,
    pub(crate) transcript_seen: bool,
    /// Some of the stream was not seen.
    pub(crate) has_gap: bool,
    pub(crate) process_started: Option<UnixNanos>,
    /// Told while it happens: what starts is told too.
    pub(crate) live: bool,
    /// Somebody should read the transcript now.
    pub(crate) wants_transcript: bool,
    pub(crate) runs: Vec<Run>,
    pub(crate) lanes: HashMap<LaneId, Lane>,
    next_lane: LaneId,
    lane_by_tool: HashMap<u64, LaneId>,
    lane_by_agent: HashMap<u64, LaneId>,
    pub(crate) chats: HashMap<u64, Chat>,
    pub(crate) tools: HashMap<u64, Tool>,
    pub(crate) told: Told,
    pub(crate) results_seen: Told,
    /// What results said before any message was seen.
    pub(crate) lone_results: Results,
    /// When the process ended, as the caller says.
    pub(crate) ended_at: Option<UnixNanos>,
    next_order: u64,
    pub(crate) facts: Vec<Fact>,
    /// Chats and tools of which something became known since the last look.
    pub(crate) touched: Vec<u64>,
    pub(crate) unknown_events: u64,
    /// Bytes of content that open tools hold.
    pub(crate) content_bytes: usize,
    pub(crate) progress: super::transcript::Progress,
}

impl Session {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            ids: None,
            cwd: None,
            version: None,
            model: None,
            permission_mode: None,
            stream_structured: false,
            has_result: false,
            transcript_seen: false,
            has_gap: false,
            process_started: None,
            live: false,
            wants_transcript: false,
            runs: vec![Run::default()],
            lanes: HashMap::from([(MAIN, Lane::default())]),
            next_lane: MAIN + 1,
            lane_by_tool: HashMap::new(),
            lane_by_agent: HashMap::new(),
            chats: HashMap::new(),
            tools: HashMap::new(),
            told: Told::default(),
            results_seen: Told::default(),
            lone_results: Results::default(),
            ended_at: None,
            next_order: 0,
            facts: Vec::new(),
            touched: Vec::new(),
            unknown_events: 0,
            content_bytes: 0,
            progress: super::transcript::Progress::default(),
        }
    }

    /// Takes the session's id from its first line. False for lines of another session.
    pub(crate) fn identify(&mut self, line: &wire::Line<'_>) -> bool {
        let Some(session) = line.session() else { return true };
        match &self.ids {
            Some(ids) => ids.session() == session,
            None => {
                self.ids = Some(Ids::new(session, self.options.parent));
                true
            }
        }
    }

    fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    // === runs and turns ===

    /// The run that is being built: there is always one.
    pub(crate) fn run_index(&self) -> usize {
        self.runs.len() - 1
    }

    pub(crate) fn run(&mut self) -> &mut Run {
        let last = self.run_index();
        &mut self.runs[last]
    }

    /// Starts the next run of a session file that holds several. False when there are too many.
    pub(crate) fn next_run(&mut self) -> bool {
        if self.runs.len() >= RUN_LIMIT {
            return false;
        }
        let base = self.run().cost_state.clone();
        self.close_turn();
        self.runs.push(Run { base, ..Run::default() });
        true
    }

    /// Starts a turn, unless the current one is still empty.
    pub(crate) fn begin_turn(&mut self, time: Option<UnixNanos>) {
        let run = self.run();
        if let Some(turn) = run.turns.back_mut()
            && !turn.closed
            && turn.key.is_none()
        {
            turn.time.hold(time);
            return;
        }
        self.close_turn();
        let run = self.run();
        let number = run.turns_told + run.turns.len() as u64 + 1;
        run.turns.push_back(Turn { number, time: Stretch { start: time, end: time }, ..Turn::default() });
        run.standing = Standing::Waiting;
        if run.turns.len() > TURN_LIMIT {
            let run = self.run_index();
            self.tell_first_turn(run);
        }
    }

    /// Ends the current turn of the main loop, and its last chat with it.
    pub(crate) fn close_turn(&mut self) {
        if let Some(turn) = self.run().turns.back_mut() {
            turn.closed = true;
        }
        for source in [Source::Stream, Source::Transcript] {
            if let Some(chat) = self.cursor(MAIN, source).chat.take() {
                self.close_chat(chat);
            }
        }
    }

    /// The current turn, with its key and that of the run set to `message` where they have none.
    fn turn_for(&mut self, message: &str) -> (u64, Option<SpanId>) {
        if self.ids.is_none() {
            // A record that names no session: its spans still belong together.
            self.ids = Some(Ids::new("unknown", self.options.parent));
        }
        if self.run().turns.back().is_none_or(|turn| turn.closed) {
            self.begin_turn(None);
        }
        let index = self.run_index();
        if self.runs[index].key.is_none() {
            self.runs[index].key = Some(message.into());
            self.runs[index].span = self.ids.as_ref().map(|ids| ids.run(message));
            self.tell_run_started(index);
        }
        let ids = self.ids.clone();
        let Some(turn) = self.runs[index].turns.back_mut() else { return (1, None) };
        let turn_key = turn.key.get_or_insert_with(|| message.into());
        (turn.number, ids.map(|ids| ids.turn(turn_key)))
    }

    // === lanes ===

    /// The lane of a sub-agent, by the tool call that started it or its own id, made when it is new. `None`
    /// when there are too many.
    pub(crate) fn sub_lane(&mut self, tool_use: Option<&str>, agent: Option<&str>) -> Option<LaneId> {
        let by_tool = tool_use.and_then(|id| self.lane_by_tool.get(&key(id)).copied());
        let by_agent = agent.and_then(|id| self.lane_by_agent.get(&key(id)).copied());
        let lane = match (by_tool, by_agent) {
            (Some(known), Some(other)) if known != other => {
                self.merge_lanes(known, other);
                known
            }
            (Some(known), _) | (None, Some(known)) => known,
            (None, None) => {
                if tool_use.is_none() && agent.is_none() {
                    return None;
                }
                if self.lanes.len() >= LANE_LIMIT {
                    self.forget_oldest_lanes();
                }
                if self.lanes.len() >= LANE_LIMIT {
                    self.tell_oldest_chats();
                    self.tell_oldest_tools();
                    self.forget_oldest_lanes();
                }
                if self.lanes.len() >= LANE_LIMIT {
                    return None;
                }
                let lane = self.next_lane;
                self.next_lane += 1;
                self.lanes.insert(lane, Lane { run: self.run_index(), ..Lane::default() });
                lane
            }
        };
        if let Some(tool_use) = tool_use {
            self.lane_by_tool.insert(key(tool_use), lane);
        }
        if let Some(agent) = agent {
            self.lane_by_agent.insert(key(agent), lane);
        }
        let started = tool_use.and_then(|id| self.tools.get(&key(id))).map(|tool| (tool.run, tool.time.start));
        let record = self.lanes.get_mut(&lane)?;
        if record.agent.is_none() {
            record.agent = agent.map(Into::into);
        }
        if let Some(tool_use) = tool_use
            && record.tool_use.is_none()
        {
            record.tool_use = Some(tool_use.into());
            record.has_task = true;
            let placed = record.open > 0;
            if let Some((run, time)) = started {
                record.run = run;
                record.stream.last = record.stream.last.or(time);
                record.transcript.last = record.transcript.last.or(time);
            }
            self.tell_sub_agent_started(lane);
            if placed {
                self.touch_lane(lane);
            }
        }
        Some(lane)
    }

    /// The lane of an agent, if it is known.
    pub(crate) fn lane_of_agent(&self, agent: &str) -> Option<LaneId> {
        self.lane_by_agent.get(&key(agent)).copied()
    }

    /// The lane a tool call started, if it is known.
    pub(crate) fn lane_of_tool(&self, tool_use: &str) -> Option<LaneId> {
        self.lane_by_tool.get(&key(tool_use)).copied()
    }

    /// Says that two lanes are the same sub-agent, told by different ids.
    pub(crate) fn merge_lanes(&mut self, kept: LaneId, other: LaneId) {
        if kept == other || kept == MAIN || other == MAIN {
            return;
        }
        let Some(gone) = self.lanes.remove(&other) else { return };
        for lane in self.lane_by_agent.values_mut().chain(self.lane_by_tool.values_mut()).filter(|lane| **lane == other) {
            *lane = kept;
        }
        for chat in self.chats.values_mut().filter(|chat| chat.lane == other) {
            chat.lane = kept;
        }
        for tool in self.tools.values_mut().filter(|tool| tool.lane == other) {
            tool.lane = kept;
        }
        let Some(lane) = self.lanes.get_mut(&kept) else { return };
        lane.time.hold_all(gone.time);
        lane.open += gone.open;
        lane.has_task |= gone.has_task;
        lane.asynchronous |= gone.asynchronous;
        lane.agent = lane.agent.take().or(gone.agent);
        lane.kind_name = lane.kind_name.take().or(gone.kind_name);
        lane.finished = lane.finished.take().or(gone.finished);
        if gone.transcript.chat.is_some() {
            lane.transcript = gone.transcript;
        }
        self.touch_lane(kept);
    }

    /// It became known whose sub-agent a lane is: what waits in it may be complete.
    fn touch_lane(&mut self, lane: LaneId) {
        let chats = self.chats.iter().filter(|(_, chat)| chat.lane == lane).map(|(key, _)| *key);
        let tools = self.tools.iter().filter(|(_, tool)| tool.lane == lane).map(|(key, _)| *key);
        self.touched.extend(chats.chain(tools));
    }

    /// Too many sub-agents are kept: the oldest of which nothing is open are told and forgotten.
    fn forget_oldest_lanes(&mut self) {
        let mut lanes: Vec<LaneId> =
            self.lanes.iter().filter(|(id, lane)| **id != MAIN && lane.open == 0).map(|(id, _)| *id).collect();
        lanes.sort_unstable();
        for lane in lanes.into_iter().take(LANE_LIMIT / 8) {
            self.tell_sub_agent(lane);
            self.lanes.remove(&lane);
        }
        let lanes = &self.lanes;
        self.lane_by_tool.retain(|_, lane| lanes.contains_key(lane));
        self.lane_by_agent.retain(|_, lane| lanes.contains_key(lane));
    }

    pub(crate) fn cursor(&mut self, lane: LaneId, source: Source) -> &mut Cursor {
        let lane = self.lanes.entry(lane).or_default();
        match source {
            Source::Stream => &mut lane.stream,
            Source::Transcript => &mut lane.transcript,
        }
    }

    /// A model call can follow from what happened now.
    pub(crate) fn advance(&mut self, lane: LaneId, source: Source, time: Option<UnixNanos>) {
        if let Some(time) = time {
            self.cursor(lane, source).last = Some(time);
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.time.hold(Some(time));
            }
        }
    }

    // === chats ===

    /// The chat of a message; makes it when it is new. `None` when it was told already.
    pub(crate) fn chat(&mut self, lane: LaneId, source: Source, message: &str) -> Option<u64> {
        let chat = key(message);
        if self.told.contains(chat) {
            let cursor = self.cursor(lane, source);
            (cursor.request, cursor.request_model, cursor.fallback) = (None, None, None);
            cursor.retries.clear();
            return None;
        }
        let cursor = self.cursor(lane, source);
        let mut first_chunk = None;
        if source == Source::Stream
            && let Some(partial) = cursor.partial.as_mut().filter(|partial| *partial.message == *message)
        {
            partial.has_chat = true;
            first_chunk = Some(partial.time_to_first_chunk_ms);
        }
        if cursor.chat == Some(chat) && self.chats.contains_key(&chat) {
            return Some(chat);
        }
        let cursor = self.cursor(lane, source);
        let previous = cursor.chat.replace(chat);
        let begin = cursor.request.take().or(cursor.last);
        let requested_model = cursor.request_model.take();
        let retries = std::mem::take(&mut cursor.retries);
        let fallback = cursor.fallback.take();
        if let Some(previous) = previous {
            self.close_chat(previous);
        }
        if let Some(known) = self.chats.get_mut(&chat) {
            join_retries(&mut known.retries, retries);
            known.fallback = known.fallback.take().or(fallback);
            known.requested_model = known.requested_model.take().or(requested_model);
            // The transcript knows when the request left, the stream only what it could follow from.
            known.begin = match source {
                Source::Transcript => begin.or(known.begin),
                Source::Stream => known.begin.or(begin),
            };
            let known_lane = known.lane;
            self.merge_lanes(known_lane, lane);
            return Some(chat);
        }
        let record = self.insert_chat(lane, message, begin)?;
        record.requested_model = requested_model;
        record.retries = retries;
        record.fallback = fallback;
        if let Some(first_chunk) = first_chunk {
            record.streamed = true;
            record.time_to_first_chunk_ms = first_chunk;
        }
        if source == Source::Stream {
            self.chats_of_broken(lane);
        }
        Some(chat)
    }

    fn insert_chat(&mut self, lane: LaneId, message: &str, begin: Option<UnixNanos>) -> Option<&mut Chat> {
        if self.chats.len() >= OPEN_LIMIT {
            self.tell_oldest_chats();
        }
        let (turn, parent_turn) = if lane == MAIN { self.turn_for(message) } else { (0, None) };
        let order = self.order();
        let run = if lane == MAIN { self.run_index() } else { self.lanes.get(&lane).map_or(0, |lane| lane.run) };
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.open += 1;
        }
        if self.chats.len() + 1 == ASK_LIMIT {
            self.wants_transcript = true;
        }
        let chat = Chat {
            order,
            id: message.into(),
            lane,
            run,
            turn,
            parent_turn,
            model: None,
            requested_model: None,
            begin,
            time: Stretch::default(),
            finish_reason: None,
            tokens: None,
            provisional: None,
            time_to_first_chunk_ms: None,
            streamed: false,
            failure: None,
            http_status: None,
            retries: Vec::new(),
            fallback: None,
            compaction: None,
            closed: false,
            in_transcript: false,
        };
        self.chats.insert(key(message), chat);
        self.chats.get_mut(&key(message))
    }

    pub(crate) fn close_chat(&mut self, chat: u64) {
        if let Some(record) = self.chats.get_mut(&chat) {
            record.closed = true;
            self.touched.push(chat);
        }
    }

    /// One line of an assistant's message: some blocks of it, often one.
    pub(crate) fn message(&mut self, lane: LaneId, source: Source, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let message = &line.message;
        let Some(id) = message.id.some() else {
            self.unknown_events += 1;
            return;
        };
        if message.model.or_empty() == SYNTHETIC {
            if line.is_api_error_message.is_set() || line.error.word.is_some() {
                self.failed_call(lane, source, line, id, time);
            }
            return;
        }
        let stop_reason = message.stop_reason.some();
        self.touched.push(key(id));
        if let Some(chat) = self.chat(lane, source, id).and_then(|chat| self.chats.get_mut(&chat)) {
            chat.time.hold(time);
            chat.in_transcript |= source == Source::Transcript;
            if let Some(model) = message.model.some() {
                chat.model = Some(model.into());
            }
            if let Some(model) = line.requested_model.some() {
                chat.requested_model = Some(model.into());
            }
            let tokens = Tokens::of_message(&message.usage);
            match (stop_reason, tokens) {
                (Some(stop_reason), Some(tokens)) => {
                    let source = match source {
                        Source::Stream => UsageSource::Stream,
                        Source::Transcript => UsageSource::Transcript,
                    };
                    complete(chat, stop_reason, tokens, source);
                }
                (_, tokens) => chat.provisional = chat.provisional.or(tokens),
            }
        }
        for block in &message.content.blocks.0 {
            if block.kind.or_empty() == "tool_use" {
                self.tool_use(lane, id, block, time);
            }
        }
        if lane == MAIN {
            let run = self.run();
            run.standing = match stop_reason {
                Some("tool_use") => Standing::ToolsAsked,
                Some(_) => Standing::Answered,
                None if message.content.blocks.0.iter().any(|block| block.kind.or_empty() == "tool_use") => {
                    Standing::ToolsAsked
                }
                None => Standing::Answered,
            };
        }
        self.advance(lane, source, time);
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.last_failed = None;
        }
    }

    /// A call that failed for good is told as a message the program made up.
    fn failed_call(&mut self, lane: LaneId, source: Source, line: &wire::Line<'_>, id: &str, time: Option<UnixNanos>) {
        let failure = super::failure::of_message(line);
        let model = self.model.clone();
        if let Some(key) = self.chat(lane, source, id)
            && let Some(chat) = self.chats.get_mut(&key)
        {
            chat.time.hold(time);
            chat.failure = Some(failure.clone());
            chat.http_status = chat.http_status.or(line.api_error_status.count());
            if chat.requested_model.is_none() {
                chat.requested_model = model.filter(|_| lane == MAIN);
            }
            chat.closed = true;
            self.touched.push(key);
            self.cursor(lane, source).chat = None;
        }
        if lane == MAIN && (source == Source::Stream || !self.stream_structured) {
            self.run().standing = Standing::Failed(failure.clone());
            if let Some(turn) = self.run().turns.back_mut() {
                turn.failure = Some(failure.clone());
            }
        }
        self.advance(lane, source, time);
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.last_failed = Some(failure);
        }
    }

    /// A message whose parts are streamed begins. One that began and was never heard of again failed.
    pub(crate) fn partial_started(&mut self, lane: LaneId, message: &str, time_to_first_chunk_ms: Option<f64>, time: Option<UnixNanos>) {
        self.fail_partial(lane);
        let cursor = self.cursor(lane, Source::Stream);
        let begin = cursor.last;
        cursor.partial = Some(Partial { message: message.into(), time_to_first_chunk_ms, begin, time, has_chat: false });
    }

    /// The final numbers of a message whose parts are streamed.
    pub(crate) fn partial_finished(&mut self, lane: LaneId, stop_reason: Option<&str>, tokens: Option<Tokens>) {
        let Some(partial) = self.cursor(lane, Source::Stream).partial.take() else { return };
        self.touched.push(key(&partial.message));
        let Some(chat) = self.chats.get_mut(&key(&partial.message)) else { return };
        let (Some(stop_reason), Some(tokens)) = (stop_reason, tokens) else { return };
        // A delta repeats what the start said of input and cache, or leaves it out.
        let known = chat.provisional.unwrap_or_default();
        let tokens = Tokens {
            input: tokens.input.max(known.input),
            cache_read: tokens.cache_read.max(known.cache_read),
            cache_write: tokens.cache_write.max(known.cache_write),
            cache_write_one_hour: tokens.cache_write_one_hour.max(known.cache_write_one_hour),
            ..tokens
        };
        complete(chat, stop_reason, tokens, UsageSource::Stream);
    }

    /// A message that began and of which the end never came: its call broke in the middle. Its tokens are
    /// unknown; the program's own totals leave them out.
    fn fail_partial(&mut self, lane: LaneId) {
        let cursor = self.cursor(lane, Source::Stream);
        let Some(partial) = cursor.partial.take() else { return };
        if !partial.has_chat {
            // It must not name a turn or run: the transcript does not know it.
            if cursor.broken.len() < RETRY_LIMIT {
                cursor.broken.push(partial);
            }
        } else if let Some(chat) = self.chats.get_mut(&key(&partial.message)) {
            chat.failure = Some(ErrorType::CONNECTION);
            chat.closed = true;
            self.touched.push(key(&partial.message));
        }
    }

    /// Tells the calls that broke before their first block as chats, once their turn has a name.
    pub(crate) fn chats_of_broken(&mut self, lane: LaneId) {
        for partial in std::mem::take(&mut self.cursor(lane, Source::Stream).broken) {
            let chat = key(&partial.message);
            if self.told.contains(chat) || self.chats.contains_key(&chat) {
                continue;
            }
            let time = Stretch { start: partial.time, end: partial.time };
            let Some(chat) = self.insert_chat(lane, &partial.message, partial.begin) else { continue };
            chat.time = time;
            chat.streamed = true;
            chat.time_to_first_chunk_ms = partial.time_to_first_chunk_ms;
            chat.failure = Some(ErrorType::CONNECTION);
            chat.closed = true;
            self.touched.push(key(&partial.message));
        }
    }

    /// What is still coming in when the record ends was cut.
    pub(crate) fn close_lane(&mut self, lane: LaneId) {
        self.fail_partial(lane);
        self.chats_of_broken(lane);
        for source in [Source::Stream, Source::Transcript] {
            if let Some(chat) = self.cursor(lane, source).chat.take() {
                self.close_chat(chat);
            }
        }
    }

    /// A compaction is one model call that neither record shows as a message.
    pub(crate) fn compaction(&mut self, source: Source, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let Some(id) = line.uuid.some() else { return };
        let trigger = line.compact.trigger.some().unwrap_or("auto");
        let duration_ms = line.compact.duration_ms.count();
        let model = self.model.clone();
        let begin = time.map(|time| UnixNanos(time.0.saturating_sub(duration_ms.unwrap_or(0).saturating_mul(1_000_000))));
        let before = self.cursor(MAIN, source).chat;
        let Some(key) = self.chat(MAIN, source, id) else { return };
        // It interrupts no message of the main loop.
        self.cursor(MAIN, source).chat = before.filter(|before| *before != key);
        let Some(chat) = self.chats.get_mut(&key) else { return };
        chat.begin = begin.or(chat.begin);
        chat.time.hold(time);
        chat.requested_model = chat.requested_model.take().or(model);
        chat.closed = true;
        let known = chat.compaction.get_or_insert_with(|| Compaction {
            trigger: trigger.into(),
            pre_tokens: line.compact.pre_tokens.count(),
            post_tokens: line.compact.post_tokens.count(),
            duration_ms,
            time,
        });
        known.time = known.time.or(time);
        self.advance(MAIN, source, time);
        self.run().standing = Standing::Answered;
    }

    pub(crate) fn retry(&mut self, lane: LaneId, source: Source, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let http_status = line.error_status.count().or(line.error.status.count());
        let word = line.error.word.as_deref().unwrap_or_default();
        let retries = &mut self.cursor(lane, source).retries;
        let retry = Retry {
            attempt: line.attempt.count(),
            max_attempts: line.max_retries.count(),
            delay_ms: line.retry_delay_ms.count(),
            http_status,
            reason: super::failure::of_retry(word, http_status),
            time,
        };
        if retries.len() < RETRY_LIMIT && retries.last() != Some(&retry) {
            retries.push(retry);
        }
        if lane == MAIN {
            self.run().standing = Standing::Waiting;
        }
    }

    pub(crate) fn fallback(&mut self, lane: LaneId, source: Source, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let known = |text: &crate::lenient::Str<'_>| -> Box<str> { text.or_empty().into() };
        self.cursor(lane, source).fallback = Some(Fallback {
            from: known(&line.original_model),
            to: known(&line.fallback_model),
            trigger: known(&line.trigger),
            time,
        });
    }

    // === tools ===

    fn tool_use(&mut self, lane: LaneId, message: &str, block: &wire::Block<'_>, time: Option<UnixNanos>) {
        let Some(id) = block.id.some() else { return };
        let tool_key = key(id);
        if self.told.contains(tool_key) {
            return;
        }
        let name = block.name.some().unwrap_or("unknown");
        if let Some(tool) = self.tools.get_mut(&tool_key) {
            tool.time.start = tool.time.start.or(time);
            self.touched.push(tool_key);
        } else {
            if self.tools.len() >= OPEN_LIMIT {
                self.tell_oldest_tools();
            }
            let (turn, parent_turn) = match self.chats.get(&key(message)) {
                Some(chat) => (chat.turn, chat.parent_turn),
                None if lane == MAIN => self.turn_for(message),
                None => (0, None),
            };
            let order = self.order();
            let run = if lane == MAIN { self.run_index() } else { self.lanes.get(&lane).map_or(0, |lane| lane.run) };
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.open += 1;
            }
            let mut content = ToolContent::default();
            if self.options.capture_content {
                content.arguments = content.keep(block.input.json(), &mut self.content_bytes);
            }
            self.tools.insert(
                tool_key,
                Tool {
                    order,
                    id: id.into(),
                    name: name.into(),
                    lane,
                    run,
                    turn,
                    parent_turn,
                    time: Stretch { start: time, end: None },
                    content,
                    decision: None,
                    decision_source: None,
                    end: None,
                },
            );
            self.tell_tool_started(tool_key);
        }
        if matches!(name, "Task" | "Agent")
            && let Some(sub) = self.sub_lane(Some(id), None)
            && let Some(sub) = self.lanes.get_mut(&sub)
        {
            sub.time.hold(time);
            let input: wire::ToolInput<'_> =
                block.input.json().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
            if let Some(kind_name) = input.subagent_type.some() {
                sub.kind_name = Some(kind_name.into());
            }
        }
    }

    pub(crate) fn denied(&mut self, tool_use: &str) {
        if let Some(tool) = self.tools.get_mut(&key(tool_use)) {
            tool.decision = Some(Decision::Reject);
        }
    }

    /// A user's message that holds results of tools. Returns whether it held one.
    pub(crate) fn tool_results(&mut self, lane: LaneId, source: Source, line: &wire::Line<'_>, time: Option<UnixNanos>) -> bool {
        let mut any = false;
        for block in &line.message.content.blocks.0 {
            if block.kind.or_empty() != "tool_result" {
                continue;
            }
            any = true;
            if let Some(id) = block.tool_use_id.some() {
                self.tool_result(id, block, line, time);
            }
        }
        if any {
            self.advance(lane, source, time);
            if lane == MAIN {
                self.run().standing = Standing::Waiting;
            }
        }
        any
    }

    fn tool_result(&mut self, id: &str, block: &wire::Block<'_>, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let meta = line.tool_result_meta.0.iter().find(|meta| meta.id.get() == Some(id));
        let decision = meta.map(|meta| &meta.permission_decision).filter(|decision| decision.is_present());
        let decision = decision.unwrap_or(&line.permission_decision);
        let failed = block.is_error.is_set();
        if let Some(tool) = self.tools.get_mut(&key(id)) {
            if let Some(word) = decision.decision.get().and_then(|word| word.parse().ok()) {
                tool.decision = Some(word);
                tool.decision_source = decision.source.some().map(Into::into);
            }
            tool.time.end = tool.time.end.or(time);
            if self.options.capture_content && tool.end.is_none() {
                tool.content.result = tool.content.keep(block.text.json(), &mut self.content_bytes);
            }
            let stopped = line.tool_use_result.rejected
                || meta.is_some_and(|meta| meta.non_execution_kind.get() == Some("user-rejected"));
            let end = match (failed, tool.decision) {
                (false, _) => ToolEnd::Ok,
                (true, Some(Decision::Reject)) => ToolEnd::Denied,
                (true, None) if stopped => ToolEnd::Cancelled,
                (true, _) if block.text.starts_with("Command timed out") => ToolEnd::TimedOut,
                (true, None) if block.text.starts_with("Claude requested permissions") => ToolEnd::Denied,
                (true, None) if block.text.head_contains("No such tool available") => ToolEnd::NotFound,
                (true, _) => ToolEnd::Failed,
            };
            tool.end = tool.end.or(Some(end));
            self.touched.push(key(id));
        }
        self.sub_agent_result(id, failed, line, time);
    }

    /// The result of a tool call that started a sub-agent tells which one it was and how it went.
    fn sub_agent_result(&mut self, id: &str, failed: bool, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        let result = &line.tool_use_result;
        let lane = match (result.agent_id.some(), self.lane_of_tool(id)) {
            (None, None) => return,
            (Some(agent), _) => self.sub_lane(Some(id), Some(agent)),
            (None, known) => known,
        };
        let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(&lane)) else { return };
        if let Some(kind_name) = result.agent_type.some() {
            lane.kind_name = Some(kind_name.into());
        }
        match result.status.or_empty() {
            "async_launched" => lane.asynchronous = true,
            _ if lane.asynchronous => {}
            _ => {
                lane.time.hold(time);
                let outcome = if failed {
                    vigil_core::fact::Outcome::Error(ErrorType::TOOL_ERROR)
                } else {
                    vigil_core::fact::Outcome::Ok
                };
                lane.finished = lane.finished.take().or(Some(outcome));
            }
        }
    }

    /// A run that began earlier than anything in it was seen.
    pub(crate) fn run_began(&mut self, run: usize, time: Option<UnixNanos>) {
        if let Some(run) = self.runs.get_mut(run) {
            run.time.start = earlier(run.time.start, time);
        }
    }
}

fn complete(chat: &mut Chat, stop_reason: &str, tokens: Tokens, source: UsageSource) {
    chat.finish_reason = Some(FinishReason::from_anthropic(stop_reason));
    // The transcript repeats the final numbers on every line; the stream's are complete on the last one.
    if chat.tokens.is_none_or(|(_, known)| known != UsageSource::Transcript) {
        chat.tokens = Some((tokens, source));
    }
}

/// The model of messages the program makes up itself.
pub(crate) const SYNTHETIC: &str = "<synthetic>";

//! From what a session is made of to the contract's facts.
//!
//! A chat is told when no more blocks will come and its tokens are final (or it failed); a tool when its
//! result came and both its times are known. Turns, sub-agents and the run itself follow at the end, for
//! until then they may still grow. What reaches a limit, or the end, is told with what is known.

use super::ids::key;
use super::records::{Chat, Counts, LaneId, MAIN, Stretch, Tool, ToolEnd, Turn, earlier};
use super::roll_up::{set_counts, set_totals};
use super::session::Session;
use super::tokens::{Totals, model_name};
use std::time::Duration;
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::cost::price;
use vigil_core::fact::{Attributes, EventRecord, Fact, Outcome, SpanRecord, SpanStart, Text, UnixNanos};
use vigil_core::id::{SpanContext, SpanId};
use vigil_core::throttle::{DownstreamOperation, Throttle, Told};
use vigil_core::vocab::{
    AgentKind, ErrorType, FinishReason, McpMethod, Operation, Provider, Severity, ThrottleOutcome, ToolStatus,
    ToolType, UsageSource, sanitise,
};

/// Chats or tools told at once when too many wait; more would be a burst of memory.
const FORCED_AT_ONCE: usize = 256;

/// Attributes a chat or a tool usually has.
const USUAL_ATTRIBUTES: usize = 24;

/// Longest foreign name that is kept, in bytes.
const NAME_LIMIT: usize = 200;

/// A name from outside: cut to [`NAME_LIMIT`] bytes, without control characters.
pub(crate) fn name(text: &str) -> Text {
    if text.len() <= NAME_LIMIT && text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Text::from(text.to_owned());
    }
    let mut name = String::with_capacity(text.len().min(NAME_LIMIT));
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if name.len() + letter.len_utf8() > NAME_LIMIT {
            break;
        }
        name.push(letter);
    }
    name.into()
}

/// A word from outside; nothing where it is a text, which might be anything.
pub(crate) fn word(text: &str) -> Option<Text> {
    Some(sanitise(text)).filter(|word| !word.is_empty()).map(Text::from)
}

/// Start and end of a span of which either may be unknown, in order.
fn ends(start: Option<UnixNanos>, end: Option<UnixNanos>, fallback: UnixNanos) -> (UnixNanos, UnixNanos) {
    let start = start.or(end).unwrap_or(fallback);
    (start, end.unwrap_or(start).max(start))
}

impl Session {
    /// Tells every chat and tool that is complete.
    pub(crate) fn tell_ready(&mut self) {
        if self.defers_telling() {
            return;
        }
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        let mut ready: Vec<(u64, u64)> = Vec::new();
        for key in touched {
            if let Some(chat) = self.chats.get(&key) {
                let settled = chat.tokens.is_some() || chat.failure.is_some();
                if chat.closed
                    && settled
                    && chat.compaction.is_none()
                    && chat.time.end.is_some()
                    && self.lane_is_placed(chat.lane)
                {
                    ready.push((chat.order, key));
                }
            } else if let Some(tool) = self.tools.get(&key)
                && (tool.end.is_some() && tool.time.start.is_some() && tool.time.end.is_some())
                && self.lane_is_placed(tool.lane)
                // A sub-agent whose call failed may have been stopped a moment later.
                && (tool.end == Some(ToolEnd::Ok) || self.lane_of_tool(&tool.id).is_none())
            {
                ready.push((tool.order, key));
            }
        }
        self.tell_in_order(ready);
    }

    /// A result without messages belongs to one of the runs the transcript shows; which one is known at the end.
    fn defers_telling(&self) -> bool {
        self.has_result && !self.stream_structured
    }

    /// Whether it is known whose sub-agent a lane is.
    fn lane_is_placed(&self, lane: LaneId) -> bool {
        lane == MAIN || self.lanes.get(&lane).is_some_and(|lane| lane.tool_use.is_some())
    }

    fn tell_in_order(&mut self, mut keys: Vec<(u64, u64)>) {
        keys.sort_unstable();
        for (_, key) in keys {
            if let Some(chat) = self.chats.remove(&key) {
                self.tell_chat(key, chat);
            } else if let Some(tool) = self.tools.remove(&key) {
                self.tell_tool(key, tool);
            }
        }
    }

    /// Too many chats wait: the oldest are told as they are.
    pub(crate) fn tell_oldest_chats(&mut self) {
        let mut orders: Vec<(u64, u64)> = self.chats.iter().map(|(key, chat)| (chat.order, *key)).collect();
        if orders.len() > FORCED_AT_ONCE {
            orders.select_nth_unstable(FORCED_AT_ONCE);
            orders.truncate(FORCED_AT_ONCE);
        }
        self.tell_in_order(orders);
    }

    /// Too many tools wait: the oldest are told as they are.
    pub(crate) fn tell_oldest_tools(&mut self) {
        let mut orders: Vec<(u64, u64)> = self.tools.iter().map(|(key, tool)| (tool.order, *key)).collect();
        if orders.len() > FORCED_AT_ONCE {
            orders.select_nth_unstable(FORCED_AT_ONCE);
            orders.truncate(FORCED_AT_ONCE);
        }
        self.tell_in_order(orders);
    }

    /// Tells every chat and tool, complete or not.
    pub(crate) fn tell_rest(&mut self) {
        let chats = self.chats.iter().map(|(key, chat)| (chat.order, *key));
        let all = chats.chain(self.tools.iter().map(|(key, tool)| (tool.order, *key))).collect();
        self.tell_in_order(all);
    }

    // === attributes ===

    /// What every span and event of the session carries.
    pub(crate) fn common(&self) -> Attributes {
        let mut attributes = Attributes::with_capacity(USUAL_ATTRIBUTES);
        attributes.set(attr::VIGIL_ORIGINATOR, self.options.originator);
        if let Some(ids) = &self.ids {
            attributes.set(attr::LIFE_SESSION_ID, name(ids.session()));
            attributes.set(attr::GEN_AI_CONVERSATION_ID, name(ids.session()));
        }
        attributes
    }

    /// The name of the agent whose lane this is.
    pub(crate) fn agent_name(&self, lane: LaneId) -> Text {
        let kind_name = self.lanes.get(&lane).and_then(|lane| lane.kind_name.as_deref()).filter(|_| lane != MAIN);
        match kind_name {
            Some(kind_name) => name(kind_name),
            None if lane == MAIN => Text::Borrowed(super::AGENT_NAME),
            None => Text::Borrowed("sub-agent"),
        }
    }

    pub(crate) fn context(&self, span: SpanId) -> Option<SpanContext> {
        self.ids.as_ref().map(|ids| ids.context(span))
    }

    /// The span that work in `lane` belongs to: the turn, the sub-agent, or the run for calls on the side.
    fn parent_of(&self, lane: LaneId, run: usize, turn: Option<SpanId>) -> Option<SpanId> {
        let run_span = self.runs.get(run).and_then(|run| run.span);
        if lane == MAIN {
            return turn.or(run_span);
        }
        self.sub_agent_span(lane).or(run_span)
    }

    /// The span of a sub-agent; none for calls on the side, which nobody gave a task.
    pub(crate) fn sub_agent_span(&self, lane: LaneId) -> Option<SpanId> {
        let (ids, lane) = (self.ids.as_ref()?, self.lanes.get(&lane)?);
        (lane.tool_use.is_some() || lane.has_task)
            .then(|| ids.sub_agent(lane.tool_use.as_deref(), lane.agent.as_deref().unwrap_or_default()))
    }

    pub(crate) fn fallback_time(&self) -> UnixNanos {
        let known = self.process_started.or_else(|| self.runs.iter().find_map(|run| run.time.start));
        known.or(self.ended_at).unwrap_or(UnixNanos(1))
    }

    /// Widens what holds a span to hold its time.
    fn grow(&mut self, run: usize, turn: u64, lane: LaneId, time: Stretch) {
        if let Some(lane) = self.lanes.get_mut(&lane).filter(|_| lane != MAIN) {
            lane.time.hold_all(time);
            lane.open = lane.open.saturating_sub(1);
        }
        if let Some(run) = self.runs.get_mut(run) {
            run.time.hold_all(time);
            if let Some(turn) = run.turns.iter_mut().find(|known| known.number == turn) {
                turn.time.hold_all(time);
            }
        }
    }

    fn count(&mut self, run: usize, turn: u64, lane: LaneId, each: impl Fn(&mut Counts)) {
        if let Some(run) = self.runs.get_mut(run) {
            each(&mut run.counts);
            if let Some(turn) = run.turns.iter_mut().find(|known| known.number == turn) {
                each(&mut turn.counts);
            }
        }
        if let Some(lane) = self.lanes.get_mut(&lane).filter(|_| lane != MAIN) {
            each(&mut lane.counts);
        }
    }

    fn event(
        &mut self,
        kind: EventKind,
        severity: Severity,
        span: SpanContext,
        time: UnixNanos,
        set: impl FnOnce(&mut Attributes),
    ) {
        let mut attributes = self.common();
        set(&mut attributes);
        self.facts.push(Fact::Event(EventRecord { kind, span: Some(span), time, severity, attributes }));
    }

    // === chats ===

    fn tell_chat(&mut self, chat_key: u64, chat: Box<Chat>) {
        self.told.insert(chat_key);
        if chat.lane == MAIN && chat.in_transcript {
            self.progress.last_told_order = self.progress.last_told_order.max(Some(chat.order));
        }
        let Some(ids) = self.ids.clone() else { return };
        let context = ids.context(ids.chat(&chat.id));
        let (start, end) = ends(earlier(chat.begin, chat.time.start), chat.time.end, self.fallback_time());
        let parent = self.parent_of(chat.lane, chat.run, chat.parent_turn);
        let requested = chat.requested_model.as_deref().or(chat.model.as_deref()).map(|model| name(model_name(model)));
        let target = requested.clone().unwrap_or_default();

        let mut attributes = self.common();
        attributes.set(attr::GEN_AI_OPERATION_NAME, Operation::CHAT);
        attributes.set(attr::GEN_AI_PROVIDER_NAME, Provider::ANTHROPIC);
        attributes.set(attr::GEN_AI_AGENT_NAME, self.agent_name(chat.lane));
        attributes.set_some(attr::GEN_AI_REQUEST_MODEL, requested.clone());
        attributes.set_some(attr::GEN_AI_RESPONSE_MODEL, chat.model.as_deref().map(|model| name(model_name(model))));
        if chat.failure.is_none() && chat.compaction.is_none() {
            attributes.set(attr::GEN_AI_RESPONSE_ID, name(&chat.id));
        }
        if let Some(reason) = self.finish_reason(&chat) {
            attributes.set(attr::GEN_AI_RESPONSE_FINISH_REASONS, reason);
        }
        if chat.streamed {
            attributes.set(attr::GEN_AI_REQUEST_STREAM, true);
        }
        attributes.set_some(attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, chat.time_to_first_chunk_ms.map(|ms| ms / 1e3));
        attributes.set_some(attr::HTTP_RESPONSE_STATUS_CODE, chat.http_status);
        if !chat.retries.is_empty() {
            attributes.set(attr::VIGIL_RETRY_COUNT, chat.retries.len() as u64);
        }
        if chat.fallback.is_some() {
            attributes.set(attr::LIFE_RELIABILITY_FALLBACK_TRIGGERED, true);
        }
        self.tell_tokens(&chat, &mut attributes);

        let failed = chat.failure.is_some();
        let retries = chat.retries.len() as u64;
        self.count(chat.run, chat.turn, chat.lane, |counts| {
            counts.chats += 1;
            counts.chats_failed += u64::from(failed);
            counts.retries += retries;
        });
        self.grow(chat.run, chat.turn, chat.lane, Stretch { start: Some(start), end: Some(end) });
        self.tell_events_of_chat(&chat, context, start, end, requested);
        self.facts.push(Fact::Ended(SpanRecord {
            context,
            parent,
            kind: SpanKind::Chat,
            target,
            start,
            end,
            outcome: chat.failure.map_or(Outcome::Ok, Outcome::Error),
            attributes,
            links: Vec::new(),
        }));
    }

    fn finish_reason(&self, chat: &Chat) -> Option<FinishReason> {
        match (&chat.finish_reason, &chat.compaction) {
            (Some(reason), _) => Some(reason.clone()),
            (None, Some(_)) => Some(FinishReason::Stop),
            (None, None) => None,
        }
    }

    /// Writes the tokens and the cost of a chat, and adds them to the sums.
    fn tell_tokens(&mut self, chat: &Chat, attributes: &mut Attributes) {
        let model = chat.model.as_deref().or(chat.requested_model.as_deref()).map(model_name).unwrap_or_default();
        let known = chat.tokens;
        if let Some((tokens, source)) = known {
            let usage = tokens.usage();
            usage.set_on_call(attributes);
            attributes.set(attr::VIGIL_USAGE_SOURCE, source);
            if !model.is_empty() {
                price(Some(&Provider::ANTHROPIC), &name(model), &usage).set_on(attributes);
            }
        } else if let Some(tokens) = chat.provisional.filter(|_| chat.failure.is_none()) {
            tokens.usage().output_unknown().set_on_call(attributes);
            attributes.set(attr::VIGIL_USAGE_SOURCE, UsageSource::Stream);
        }
        let unknown = u64::from(known.is_none() && chat.failure.is_none());
        let tokens = known.map(|(tokens, _)| tokens);
        let add = |told: &mut Totals, calls_unknown: &mut u64| {
            if let Some(tokens) = tokens {
                told.add(model, tokens, 0.0);
            }
            *calls_unknown += unknown;
        };
        if let Some(run) = self.runs.get_mut(chat.run) {
            add(&mut run.told, &mut run.calls_unknown);
        }
        if let Some(lane) = self.lanes.get_mut(&chat.lane).filter(|_| chat.lane != MAIN) {
            add(&mut lane.told, &mut lane.calls_unknown);
        }
    }

    fn tell_events_of_chat(
        &mut self,
        chat: &Chat,
        context: SpanContext,
        start: UnixNanos,
        end: UnixNanos,
        model: Option<Text>,
    ) {
        for retry in &chat.retries {
            let model = model.clone();
            self.event(EventKind::Retry, Severity::Warn, context, retry.time.unwrap_or(start), |attributes| {
                attributes.set_some(attr::VIGIL_RETRY_ATTEMPT, retry.attempt);
                attributes.set_some(attr::VIGIL_RETRY_MAX_ATTEMPTS, retry.max_attempts);
                attributes.set_some(attr::VIGIL_RETRY_DELAY_MS, retry.delay_ms);
                attributes.set_some(attr::HTTP_RESPONSE_STATUS_CODE, retry.http_status);
                attributes.set(attr::VIGIL_RETRY_REASON, &retry.reason);
                attributes.set(attr::GEN_AI_PROVIDER_NAME, Provider::ANTHROPIC);
                attributes.set_some(attr::GEN_AI_REQUEST_MODEL, model);
            });
            if let Some(throttle) = super::throttle::of_retry(&retry.reason, retry.http_status) {
                let wait = retry.delay_ms.map(Duration::from_millis);
                let told = Told { outcome: Some(ThrottleOutcome::Retried), wait, ..Told::default() };
                self.tell_throttle(&throttle, told, Some(chat.lane), context, retry.time.unwrap_or(start));
            }
        }
        if let Some(fallback) = &chat.fallback {
            self.event(
                EventKind::ModelFallback,
                Severity::Warn,
                context,
                fallback.time.unwrap_or(start),
                |attributes| {
                    attributes.set(attr::VIGIL_FALLBACK_FROM_MODEL, name(model_name(&fallback.from)));
                    attributes.set(attr::VIGIL_FALLBACK_TO_MODEL, name(model_name(&fallback.to)));
                    attributes.set_some(attr::VIGIL_FALLBACK_TRIGGER, word(&fallback.trigger));
                },
            );
        }
        if let Some(compaction) = &chat.compaction {
            let span = chat.parent_turn.and_then(|turn| self.context(turn)).unwrap_or(context);
            self.event(EventKind::Compaction, Severity::Info, span, compaction.time.unwrap_or(end), |attributes| {
                attributes.set_some(attr::VIGIL_COMPACTION_TRIGGER, word(&compaction.trigger));
                attributes.set_some(attr::VIGIL_COMPACTION_PRE_TOKENS, compaction.pre_tokens);
                attributes.set_some(attr::VIGIL_COMPACTION_POST_TOKENS, compaction.post_tokens);
                attributes.set_some(attr::VIGIL_COMPACTION_DURATION_MS, compaction.duration_ms);
            });
        }
        if let Some(throttle) = &chat.throttle {
            let told = Told { outcome: Some(throttle.final_outcome()), ..Told::default() };
            self.tell_throttle(throttle, told, Some(chat.lane), context, end);
        }
        if let Some(failure) = &chat.failure {
            self.event(EventKind::ClientException, Severity::Warn, context, end, |attributes| {
                attributes.set(attr::EXCEPTION_TYPE, failure);
                attributes.set(attr::ERROR_TYPE, failure);
                attributes.set(attr::GEN_AI_OPERATION_NAME, Operation::CHAT);
                attributes.set(attr::GEN_AI_PROVIDER_NAME, Provider::ANTHROPIC);
                attributes.set_some(attr::GEN_AI_REQUEST_MODEL, model);
                attributes.set_some(attr::HTTP_RESPONSE_STATUS_CODE, chat.http_status);
                if !chat.retries.is_empty() {
                    attributes.set(attr::VIGIL_RETRY_COUNT, chat.retries.len() as u64);
                }
            });
        }
    }

    /// Tells of a throttling: of a model call in `lane`, or of the run.
    pub(crate) fn tell_throttle(
        &mut self,
        throttle: &Throttle,
        told: Told,
        lane: Option<LaneId>,
        span: SpanContext,
        time: UnixNanos,
    ) {
        let operation = if lane.is_some() { DownstreamOperation::Chat } else { DownstreamOperation::AgentRun };
        if !self.has_told(throttle) {
            self.throttled.push(*throttle);
        }
        self.count_throttle(throttle, told.count.max(1));
        let kind = EventKind::DownstreamRateLimit;
        let agent = self.agent_name(lane.unwrap_or(MAIN));
        self.event(kind, kind.def().severity, span, time, |attributes| {
            attributes.set(attr::GEN_AI_AGENT_NAME, agent);
            for (key, value) in throttle.attributes(Told { operation: Some(operation), ..told }).iter() {
                attributes.set(key, value.clone());
            }
        });
    }

    /// Whether throttling of this kind was told.
    pub(crate) fn has_told(&self, throttle: &Throttle) -> bool {
        let known = |other: &Throttle| (other.category(), other.class) == (throttle.category(), throttle.class);
        self.throttled.iter().any(known)
    }

    // === tools ===

    #[expect(clippy::boxed_local, reason = "moving it out would copy it")]
    fn tell_tool(&mut self, tool_key: u64, tool: Box<Tool>) {
        self.told.insert(tool_key);
        let Some(ids) = self.ids.clone() else { return };
        let end = tool.end.unwrap_or(ToolEnd::Cancelled);
        let run_end = self.runs.get(tool.run).and_then(|run| run.time.end).or(self.ended_at);
        let known_end = tool.time.end.or(run_end.filter(|_| tool.end.is_none()));
        // Releases without times on messages: the sub-agent it started has some.
        let sub_agent = self.lane_of_tool(&tool.id).and_then(|lane| self.lanes.get(&lane));
        let known_start = tool.time.start.or(sub_agent.and_then(|lane| lane.time.start));
        // A call that waits for its sub-agent lasts as long.
        let sub_end = sub_agent.filter(|lane| !lane.asynchronous).and_then(|lane| lane.time.end);
        let (start, finish) = ends(known_start, known_end.max(sub_end), self.fallback_time());
        let (outcome, status) = match end {
            ToolEnd::Ok => (Outcome::Ok, ToolStatus::Ok),
            ToolEnd::Failed => (Outcome::Error(ErrorType::TOOL_ERROR), ToolStatus::Error),
            ToolEnd::NotFound => (Outcome::Error(ErrorType::TOOL_NOT_FOUND), ToolStatus::Error),
            ToolEnd::Denied => (Outcome::Error(ErrorType::PERMISSION_DENIED), ToolStatus::Error),
            ToolEnd::TimedOut => (Outcome::Error(ErrorType::TIMEOUT), ToolStatus::Timeout),
            ToolEnd::Cancelled => (Outcome::Cancelled, ToolStatus::Cancelled),
        };
        let parent = self.parent_of(tool.lane, tool.run, tool.parent_turn);
        let context = ids.context(ids.tool(&tool.id));
        let target = name(&tool.name);
        let mut attributes = self.common();
        attributes.set(attr::GEN_AI_AGENT_NAME, self.agent_name(tool.lane));
        attributes.set(attr::GEN_AI_TOOL_CALL_ID, name(&tool.id));
        attributes.set(attr::LIFE_TOOL_STATUS, status);
        attributes.set(attr::GEN_AI_OPERATION_NAME, Operation::EXECUTE_TOOL);
        attributes.set(attr::GEN_AI_TOOL_NAME, target.clone());
        attributes.set(attr::GEN_AI_TOOL_TYPE, ToolType::Function);
        attributes.set_some(attr::VIGIL_PERMISSION_DECISION, tool.decision);
        attributes.set_some(attr::VIGIL_PERMISSION_SOURCE, tool.decision_source.as_deref().and_then(word));

        let held = [&tool.content.arguments, &tool.content.result].into_iter().flatten().map(|text| text.len()).sum();
        self.content_bytes = self.content_bytes.saturating_sub(held);
        attributes.set_some(attr::GEN_AI_TOOL_CALL_ARGUMENTS, tool.content.arguments.map(String::from));
        attributes.set_some(attr::GEN_AI_TOOL_CALL_RESULT, tool.content.result.map(String::from));
        if tool.content.left_out > 0 {
            attributes.set(attr::VIGIL_CONTENT_TRUNCATED_BYTES, tool.content.left_out);
        }

        self.count(tool.run, tool.turn, tool.lane, |counts| {
            counts.tools += 1;
            counts.tools_failed += u64::from(matches!(outcome, Outcome::Error(_)));
            counts.denied += u64::from(end == ToolEnd::Denied);
        });
        self.grow(tool.run, tool.turn, tool.lane, Stretch { start: Some(start), end: Some(finish) });
        // A call that was refused or never ran sent no request.
        let reached_server = !matches!(end, ToolEnd::Denied | ToolEnd::NotFound) && tool.end.is_some();
        if let Some(mcp_tool) = mcp_tool_name(&tool.name).filter(|_| reached_server) {
            let mut mcp = self.common();
            mcp.set(attr::GEN_AI_AGENT_NAME, self.agent_name(tool.lane));
            mcp.set(attr::GEN_AI_TOOL_CALL_ID, name(&tool.id));
            mcp.set(attr::LIFE_TOOL_STATUS, status);
            mcp.set(attr::MCP_METHOD_NAME, McpMethod::TOOLS_CALL);
            mcp.set(attr::GEN_AI_TOOL_NAME, name(mcp_tool));
            self.facts.push(Fact::Ended(SpanRecord {
                context: ids.context(ids.mcp(&tool.id)),
                parent: Some(context.span_id),
                kind: SpanKind::McpRequest,
                target: name(mcp_tool),
                start,
                end: finish,
                outcome: outcome.clone(),
                attributes: mcp,
                links: Vec::new(),
            }));
        }
        self.facts.push(Fact::Ended(SpanRecord {
            context,
            parent,
            kind: SpanKind::Tool,
            target,
            start,
            end: finish,
            outcome,
            attributes,
            links: Vec::new(),
        }));
    }

    // === what starts ===

    pub(crate) fn tell_tool_started(&mut self, tool: u64) {
        let (Some(tool), Some(ids)) = (self.tools.get(&tool).filter(|_| self.live), &self.ids) else { return };
        let Some(start) = tool.time.start else { return };
        let started = SpanStart {
            context: ids.context(ids.tool(&tool.id)),
            parent: self.parent_of(tool.lane, tool.run, tool.parent_turn),
            kind: SpanKind::Tool,
            target: name(&tool.name),
            start,
        };
        self.facts.push(Fact::Started(started));
    }

    pub(crate) fn tell_sub_agent_started(&mut self, lane: LaneId) {
        let (Some(record), Some(ids)) = (self.lanes.get(&lane).filter(|_| self.live), &self.ids) else { return };
        let (Some(span), Some(start)) = (self.sub_agent_span(lane), record.stream.last.or(record.time.start)) else {
            return;
        };
        let started = SpanStart {
            context: ids.context(span),
            parent: record.tool_use.as_deref().map(|tool_use| ids.tool(tool_use)),
            kind: SpanKind::Agent,
            target: self.agent_name(lane),
            start,
        };
        self.facts.push(Fact::Started(started));
    }

    pub(crate) fn tell_run_started(&mut self, run: usize) {
        let Some(record) = self.runs.get(run).filter(|_| self.live) else { return };
        let Some(context) = record.span.and_then(|span| self.context(span)) else { return };
        let started = SpanStart {
            context,
            parent: self.options.parent.map(|parent| parent.span_id),
            kind: SpanKind::Agent,
            target: self.agent_name(MAIN),
            start: self.process_started.or(record.time.start).unwrap_or_else(|| self.fallback_time()),
        };
        self.facts.push(Fact::Started(started));
    }

    // === turns and sub-agents ===

    /// Tells the oldest turn of a run.
    pub(crate) fn tell_first_turn(&mut self, run: usize) {
        let Some(record) = self.runs.get_mut(run) else { return };
        let Some(turn) = record.turns.pop_front() else { return };
        record.turns_told += 1;
        let parent = record.span;
        self.tell_turn(turn, parent);
    }

    fn tell_turn(&mut self, turn: Turn, parent: Option<SpanId>) {
        // A turn nothing happened in has no name that both records know.
        let Some(context) = turn.span.and_then(|span| self.context(span)) else { return };
        let (start, end) = ends(turn.time.start, turn.time.end, self.fallback_time());
        let mut attributes = self.common();
        attributes.set(attr::GEN_AI_AGENT_NAME, self.agent_name(MAIN));
        attributes.set(attr::VIGIL_TURN_NUMBER, turn.number);
        set_counts(&mut attributes, &turn.counts);
        self.facts.push(Fact::Ended(SpanRecord {
            context,
            parent,
            kind: SpanKind::Turn,
            target: turn.number.to_string().into(),
            start,
            end,
            outcome: turn.failure.map_or(Outcome::Ok, Outcome::Error),
            attributes,
            links: Vec::new(),
        }));
    }

    /// Tells every sub-agent that was not told yet.
    pub(crate) fn tell_sub_agents(&mut self) {
        let mut lanes: Vec<LaneId> = self.lanes.keys().copied().filter(|lane| *lane != MAIN).collect();
        lanes.sort_unstable();
        for lane in lanes {
            self.tell_sub_agent(lane);
        }
    }

    pub(crate) fn tell_sub_agent(&mut self, lane_id: LaneId) {
        let (Some(ids), Some(span)) = (self.ids.clone(), self.sub_agent_span(lane_id)) else { return };
        let target = self.agent_name(lane_id);
        let mut attributes = self.common();
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return };
        // A tool call that asked for a sub-agent and got none: refused, or cut before it began.
        let began = lane.agent.is_some() || lane.counts.chats + lane.counts.tools > 0;
        // One that was forgotten, and heard of again, was told before.
        if !began || !self.told.insert(u64::from_be_bytes(span.0)) {
            return;
        }
        let run = lane.run;
        let time = lane.time;
        attributes.set(attr::GEN_AI_OPERATION_NAME, Operation::INVOKE_AGENT);
        attributes.set(attr::GEN_AI_AGENT_NAME, target.clone());
        attributes.set_some(attr::GEN_AI_AGENT_ID, lane.agent.as_deref().map(name));
        attributes.set(attr::VIGIL_AGENT_KIND, AgentKind::Sub);
        attributes.set(attr::VIGIL_AGENT_ASYNC, lane.asynchronous);
        set_counts(&mut attributes, &lane.counts);
        if lane.calls_unknown == 0 && lane.counts.chats > 0 {
            set_totals(&mut attributes, &lane.told, None);
        }
        let outcome = match (lane.finished.take(), lane.last_failed.take()) {
            (Some(Outcome::Error(error)), Some(failure)) if error == ErrorType::OTHER => Outcome::Error(failure),
            (Some(outcome), _) => outcome,
            (None, Some(failure)) => Outcome::Error(failure),
            (None, None) => Outcome::Ok,
        };
        let parent = match lane.tool_use.as_deref() {
            Some(tool_use) => Some(ids.tool(tool_use)),
            None => self.runs.get(run).and_then(|run| run.span),
        };
        let (start, end) = ends(time.start, time.end, self.fallback_time());
        if let Some(run) = self.runs.get_mut(run) {
            run.counts.sub_agents += 1;
            run.time.hold(Some(start));
            run.time.hold(Some(end));
        }
        self.facts.push(Fact::Ended(SpanRecord {
            context: ids.context(span),
            parent,
            kind: SpanKind::Agent,
            target,
            start,
            end,
            outcome,
            attributes,
            links: Vec::new(),
        }));
    }

    /// Whether a chat with this key was seen in this session.
    pub(crate) fn knows_chat(&self, chat: u64) -> bool {
        self.chats.contains_key(&chat) || self.told.contains(chat)
    }

    /// Whether a tool call with this id was seen in this session.
    pub(crate) fn knows_tool(&self, tool_use: &str) -> bool {
        let tool = key(tool_use);
        self.tools.contains_key(&tool) || self.told.contains(tool)
    }
}

/// The tool's own name in `mcp__server__tool`.
fn mcp_tool_name(tool: &str) -> Option<&str> {
    let (server, tool) = tool.strip_prefix("mcp__")?.split_once("__")?;
    (!server.is_empty() && !tool.is_empty()).then_some(tool)
}

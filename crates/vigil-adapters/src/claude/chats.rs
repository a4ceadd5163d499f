//! Model calls: messages, calls that failed or broke, compactions, retries.

use super::ids::key;
use super::records::{
    Broken, Chat, Compaction, Fallback, LaneId, MAIN, OpenRequest, Partial, RETRY_LIMIT, Retry, Standing, Stretch,
    earlier, join_retries,
};
use super::session::{ASK_LIMIT, OPEN_LIMIT, SYNTHETIC, Session, Source};
use super::tokens::Tokens;
use super::wire;
use vigil_core::fact::UnixNanos;
use vigil_core::id::SpanId;
use vigil_core::throttle::ThrottleClass;
use vigil_core::vocab::{ErrorType, FinishReason, UsageSource};

/// Where in a session a model call is.
#[derive(Clone, Copy)]
struct Place {
    run: usize,
    turn: u64,
    span: Option<SpanId>,
}

impl Session {
    /// Whether no call waits for its final tokens.
    pub(crate) fn is_settled(&self) -> bool {
        let settled = self
            .chats
            .values()
            .all(|chat| chat.tokens.is_some() || chat.failure.is_some() || chat.compaction.is_some() || chat.nameless);
        settled && self.cursor_is_empty()
    }

    /// Whether no attempt of a call waits for its message.
    fn cursor_is_empty(&self) -> bool {
        self.lanes.get(&MAIN).is_none_or(|lane| lane.transcript.retries.is_empty())
    }

    /// The chat of a message; makes it when it is new. `None` when it was told already.
    pub(crate) fn chat(&mut self, lane: LaneId, source: Source, message: &str) -> Option<u64> {
        let chat = key(message);
        if source == Source::Stream {
            // The call whose parts were coming in broke, and was made again without them.
            let partial = self.cursor(lane, source).partial.as_ref();
            if partial.is_some_and(|partial| *partial.message != *message) {
                self.fail_partial(lane);
            }
        }
        let cursor = self.cursor(lane, source);
        if cursor.last_message.as_deref() != Some(message) {
            cursor.last_message = Some(message.into());
        }
        if self.told.contains(chat) {
            self.chats_of_broken(lane, source, message);
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
            self.chats_of_broken(known_lane, source, message);
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
        self.chats_of_broken(lane, source, message);
        Some(chat)
    }

    fn insert_chat(&mut self, lane: LaneId, message: &str, begin: Option<UnixNanos>) -> Option<&mut Chat> {
        let place = match lane {
            MAIN => {
                let (turn, span) = self.turn_for(message);
                Place { run: self.run_index(), turn, span }
            }
            _ => Place { run: self.lanes.get(&lane).map_or(0, |lane| lane.run), turn: 0, span: None },
        };
        self.insert_chat_at(place, lane, message, begin)
    }

    fn insert_chat_at(
        &mut self,
        place: Place,
        lane: LaneId,
        message: &str,
        begin: Option<UnixNanos>,
    ) -> Option<&mut Chat> {
        if self.chats.len() >= OPEN_LIMIT {
            self.tell_oldest_chats();
        }
        let order = self.order();
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
            run: place.run,
            turn: place.turn,
            parent_turn: place.span,
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
            throttle: None,
            retries: Vec::new(),
            fallback: None,
            compaction: None,
            closed: false,
            cut: false,
            nameless: false,
            in_transcript: false,
        };
        self.chats.insert(key(message), Box::new(chat));
        self.chats.get_mut(&key(message)).map(|chat| &mut **chat)
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
        if source == Source::Transcript {
            self.answered(lane, line.request_ref.some());
        }
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
        let throttle = super::throttle::of_message(line, time);
        let failure = throttle.as_ref().map_or_else(|| super::failure::of_message(line), super::throttle::error_type);
        if throttle.is_some_and(|throttle| throttle.class == ThrottleClass::Quota) {
            // The limit that was told of is the one this call failed for.
            self.reached = None;
        }
        self.cursor(lane, source).open_requests.clear();
        let model = self.model.clone();
        if let Some(key) = self.chat(lane, source, id)
            && let Some(chat) = self.chats.get_mut(&key)
        {
            chat.time.hold(time);
            chat.failure = Some(failure.clone());
            chat.throttle = throttle;
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
    pub(crate) fn partial_started(
        &mut self,
        lane: LaneId,
        message: &str,
        time_to_first_chunk_ms: Option<f64>,
        time: Option<UnixNanos>,
    ) {
        let open = self.cursor(lane, Source::Stream).partial.as_ref();
        if open.is_some_and(|partial| *partial.message == *message) || self.knows_chat(key(message)) {
            return;
        }
        self.fail_partial(lane);
        let cursor = self.cursor(lane, Source::Stream);
        let begin = cursor.last;
        cursor.partial =
            Some(Partial { message: message.into(), time_to_first_chunk_ms, begin, time, has_chat: false });
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
                cursor.broken.push(Broken {
                    time_to_first_chunk_ms: partial.time_to_first_chunk_ms,
                    streamed: true,
                    model: None,
                    begin: partial.begin,
                    time: partial.time,
                });
            }
        } else if let Some(chat) = self.chats.get_mut(&key(&partial.message)) {
            // The transcript may hold its end yet.
            chat.cut = true;
            chat.closed = true;
            self.touched.push(key(&partial.message));
        }
    }

    /// Calls that broke before their first block are chats too, named after the message that followed: their own
    /// is in no transcript.
    fn chats_of_broken(&mut self, lane: LaneId, source: Source, next_message: &str) {
        for (number, broken) in std::mem::take(&mut self.cursor(lane, source).broken).into_iter().enumerate() {
            let place = match self.chats.get(&key(next_message)) {
                Some(next) => Some(Place { run: next.run, turn: next.turn, span: next.parent_turn }),
                None if lane == MAIN => self.place_at(broken.time),
                None => None,
            };
            let Some(place) = place else { continue };
            let name = format!("broken {number} before {next_message}");
            self.broken_chat(place, lane, &name, broken);
        }
    }

    /// The turn of the current run in which something happened.
    fn place_at(&self, time: Option<UnixNanos>) -> Option<Place> {
        let run = self.run_index();
        let turn = self.turn_at(time)?;
        Some(Place { run, turn: turn.number, span: turn.span })
    }

    fn broken_chat(&mut self, place: Place, lane: LaneId, name: &str, broken: Broken) {
        let chat = key(name);
        if self.told.contains(chat) {
            return;
        }
        if !self.chats.contains_key(&chat) {
            let requested_model = broken.model.or_else(|| self.model.clone()).filter(|_| lane == MAIN);
            let Some(record) = self.insert_chat_at(place, lane, name, broken.begin) else { return };
            record.requested_model = requested_model;
            (record.nameless, record.cut, record.closed) = (true, true, true);
        }
        let Some(record) = self.chats.get_mut(&chat) else { return };
        record.begin = earlier(record.begin, broken.begin);
        record.time.hold(broken.time);
        record.streamed |= broken.streamed;
        record.time_to_first_chunk_ms = record.time_to_first_chunk_ms.or(broken.time_to_first_chunk_ms);
        self.touched.push(chat);
    }

    /// A request to the model left.
    pub(crate) fn requested(&mut self, lane: LaneId, line: &wire::Line<'_>, time: Option<UnixNanos>) {
        // Sub-agents' files do not say which requests were refused.
        let Some(id) = line.request_id.some().filter(|_| lane == MAIN) else { return };
        let requests = &mut self.cursor(lane, Source::Transcript).open_requests;
        if requests.len() < RETRY_LIMIT && requests.iter().all(|open| *open.id != *id) {
            requests.push(OpenRequest { id: id.into(), model: line.params.model.some().map(Into::into), time });
        }
    }

    /// A message answers `request`. Those that left before it and were not refused broke in the middle, unless
    /// another model was taken instead.
    fn answered(&mut self, lane: LaneId, request: Option<&str>) {
        let cursor = self.cursor(lane, Source::Transcript);
        let requests = std::mem::take(&mut cursor.open_requests);
        let answered = requests.iter().position(|open| Some(&*open.id) == request);
        if let (Some(answered), None) = (answered, &cursor.fallback) {
            let broke = requests.into_iter().take(answered);
            cursor.broken = broke.map(OpenRequest::broke).collect();
        }
    }

    /// The call that was under way when its process ended, if nothing of its answer was written.
    pub(crate) fn unanswered_request(&mut self) {
        let seen = self.cursor(MAIN, Source::Stream).last_message.clone();
        let cursor = self.cursor(MAIN, Source::Transcript);
        let open = std::mem::take(&mut cursor.open_requests).pop();
        // Where the stream has gone further, the transcript was not read to its end.
        let caught_up = seen.is_none() || cursor.last_message == seen;
        let of_transcript = open.filter(|_| caught_up).map(|open| {
            let mut broken = open.broke();
            broken.time = cursor.last.max(broken.time);
            (broken, cursor.last_message.clone())
        });
        let cursor = self.cursor(MAIN, Source::Stream);
        let partial = cursor.partial.take_if(|partial| !partial.has_chat);
        let of_stream = partial.map(|partial| {
            let time_to_first_chunk_ms = partial.time_to_first_chunk_ms;
            let (begin, time) = (partial.begin, partial.time);
            let broken = Broken { time_to_first_chunk_ms, streamed: true, model: None, begin, time };
            (broken, cursor.last_message.clone())
        });
        for (broken, last_message) in [of_stream, of_transcript].into_iter().flatten() {
            let waited = matches!(self.run().standing, Standing::Waiting | Standing::Interrupted);
            // A run is never named after a call that only one of the records knows.
            let Some(last_message) = last_message.filter(|_| waited && self.run().key.is_some()) else { return };
            // It is of the turn that was cut, even when its result closed that already.
            let Some(turn) = self.run().turns.back_mut() else { return };
            turn.closed = false;
            let name = format!("cut after {last_message}");
            let (turn, span) = self.turn_for(&name);
            let place = Place { run: self.run_index(), turn, span };
            self.broken_chat(place, MAIN, &name, broken);
            if let Some(chat) = self.chats.get_mut(&key(&name)) {
                chat.failure = Some(ErrorType::CANCELLED);
            }
            self.close_turn();
        }
    }

    /// What is still coming in when the record ends was cut.
    pub(crate) fn close_lane(&mut self, lane: LaneId) {
        if let Some(partial) = self.cursor(lane, Source::Stream).partial.as_ref().filter(|partial| partial.has_chat) {
            let chat = key(&partial.message);
            if let Some(chat) = self.chats.get_mut(&chat) {
                chat.cut = true;
            }
        }
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
        let begin =
            time.map(|time| UnixNanos(time.0.saturating_sub(duration_ms.unwrap_or(0).saturating_mul(1_000_000))));
        let cursor = self.cursor(MAIN, source);
        cursor.open_requests.clear();
        let (before, last_message) = (cursor.chat, cursor.last_message.clone());
        let Some(key) = self.chat(MAIN, source, id) else { return };
        // It interrupts no message of the main loop.
        let cursor = self.cursor(MAIN, source);
        cursor.chat = before.filter(|before| *before != key);
        cursor.last_message = last_message;
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
        let cursor = self.cursor(lane, source);
        cursor.open_requests.pop();
        let retries = &mut cursor.retries;
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
}

fn complete(chat: &mut Chat, stop_reason: &str, tokens: Tokens, source: UsageSource) {
    chat.finish_reason = Some(FinishReason::from_anthropic(stop_reason));
    // The transcript repeats the final numbers on every line; the stream's are complete on the last one.
    if chat.tokens.is_none_or(|(_, known)| known != UsageSource::Transcript) {
        chat.tokens = Some((tokens, source));
    }
}

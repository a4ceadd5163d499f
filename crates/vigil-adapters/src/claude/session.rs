//! A session under construction: what the stream and the transcript tell, joined by their common ids.
//!
//! Both sources speak through the same few operations (see `lanes`, `chats` and `tools`), each
//! with its own cursor in every lane, so that the order in which they are read does not matter much. What
//! is complete is told (see `telling`) and forgotten but for its key.
//!
//! Limits: 4096 chats and 4096 tools wait to be completed (then the oldest are told as they are), 1024
//! sub-agents and 1024 turns wait, 65 536 keys of what was told are remembered. A session file with more
//! than 4096 processes is told up to there.

use super::ids::{Ids, KeyMap, KeySet, NumberMap};
use super::records::{Chat, Lane, LaneId, MAIN, Results, Run, Standing, Stretch, Tool, Turn, earlier};
use super::throttle::Reached;
use super::wire;
use crate::observer::Options;
use std::collections::VecDeque;
use vigil_core::fact::{Fact, UnixNanos};
use vigil_core::id::SpanId;
use vigil_core::throttle::{Service, Throttle, ThrottleClass};

/// The model of messages the program makes up itself.
pub(crate) const SYNTHETIC: &str = "<synthetic>";

/// Chats, and tools, that wait to be completed.
pub(crate) const OPEN_LIMIT: usize = 4096;
/// Chats that may wait before the transcript is asked for.
pub(crate) const ASK_LIMIT: usize = 2048;
/// Sub-agents kept.
pub(crate) const LANE_LIMIT: usize = 1024;
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
    keys: KeySet,
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
    pub(crate) lanes: NumberMap<Box<Lane>>,
    pub(crate) next_lane: LaneId,
    pub(crate) lane_by_tool: KeyMap<LaneId>,
    pub(crate) lane_by_agent: KeyMap<LaneId>,
    pub(crate) chats: KeyMap<Box<Chat>>,
    pub(crate) tools: KeyMap<Box<Tool>>,
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
    /// Kinds of throttling that records told, one of each.
    pub(crate) throttled: Vec<Throttle>,
    /// How often each service throttled, and how.
    pub(crate) throttle_counts: Vec<(Service, ThrottleClass, u64)>,
    /// A limit of the plan that was reached, and no call that failed for it yet.
    pub(crate) reached: Option<Reached>,
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
            lanes: NumberMap::from_iter([(MAIN, Box::default())]),
            next_lane: MAIN + 1,
            lane_by_tool: KeyMap::default(),
            lane_by_agent: KeyMap::default(),
            chats: KeyMap::default(),
            tools: KeyMap::default(),
            told: Told::default(),
            results_seen: Told::default(),
            lone_results: Results::default(),
            ended_at: None,
            next_order: 0,
            facts: Vec::new(),
            touched: Vec::new(),
            unknown_events: 0,
            throttled: Vec::new(),
            throttle_counts: Vec::new(),
            reached: None,
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

    /// Counts throttling that is told.
    pub(crate) fn count_throttle(&mut self, throttle: &Throttle, times: u64) {
        let same = |(service, class, _): &&mut (Service, ThrottleClass, u64)| {
            (*service, *class) == (throttle.service, throttle.class)
        };
        match self.throttle_counts.iter_mut().find(same) {
            Some((.., known)) => *known = known.saturating_add(times),
            None => self.throttle_counts.push((throttle.service, throttle.class, times)),
        }
    }

    pub(crate) fn order(&mut self) -> u64 {
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
    pub(crate) fn turn_for(&mut self, message: &str) -> (u64, Option<SpanId>) {
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
        let Some(turn) = self.runs[index].turns.back_mut() else { return (1, None) };
        if turn.key.is_none() {
            turn.key = Some(message.into());
            turn.span = self.ids.as_ref().map(|ids| ids.turn(message));
        }
        (turn.number, turn.span)
    }

    /// The turn of the current run in which something happened: the first that ended later.
    pub(crate) fn turn_at(&self, time: Option<UnixNanos>) -> Option<&Turn> {
        let turns = &self.runs.last()?.turns;
        turns.iter().find(|turn| time.is_some() && turn.time.end >= time).or(turns.back())
    }

    /// A run that began earlier than anything in it was seen.
    pub(crate) fn run_began(&mut self, run: usize, time: Option<UnixNanos>) {
        if let Some(run) = self.runs.get_mut(run) {
            run.time.start = earlier(run.time.start, time);
        }
    }
}

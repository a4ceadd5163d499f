//! One observed run: the entry of this crate.
//!
//! Limits: lines of up to 8 MiB are read, longer ones are counted and skipped. The output of a program that is
//! not understood costs a counter after its first 64 lines or 256 KiB.

use crate::claude::{self, Session, wire};
use crate::detect::{Format, HEAD_LINES, of_line};
use crate::lines::{LINE_LIMIT, LIVE_LINE_LIMIT, LineSplitter};
use crate::outcome::{self, ProcessEnd, Said};
use crate::summary::Summary;
use crate::throttle::{Found, Throttles};
use serde::de::{DeserializeSeed, Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use vigil_core::contract::{SpanKind, attr};
use vigil_core::fact::{Attributes, Fact, SpanRecord, Text, UnixNanos};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::usage::Usage;
use vigil_core::vocab::{AgentKind, ErrorType, Operation, Originator};

/// Bytes that are looked at before a program counts as not understood.
const HEAD_BYTES: u64 = 256 * 1024;

/// Throttling that may wait for the run's own span.
const THROTTLED_LIMIT: usize = 256;

/// Transcript files that may end in the middle of a line at the same time.
const FILE_LIMIT: usize = 4096;

/// Lines between two looks for what is complete.
const LINES_BETWEEN_TELLING: u64 = 512;

/// How to observe a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who says it. Defaults to [`Originator::Cli`].
    pub originator: Originator,
    /// Joins this trace, below this span, instead of the session's own trace.
    pub parent: Option<SpanContext>,
    /// The program that runs, by its file name.
    pub program: Option<String>,
    /// The identity of the run's span where the record has none of its own: a program that is not understood.
    pub agent_context: Option<SpanContext>,
    /// Whether arguments and results of tools are told. Defaults to no: they are not even read.
    pub capture_content: bool,
    /// The program is an agent whose records tell of its throttling: what its text says of it is told at the end, and
    /// only what they did not tell. Defaults to no.
    pub records_expected: bool,
    /// The offset of the local zone from UTC in seconds, for times without a zone. Defaults to 0.
    pub utc_offset_seconds: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            originator: Originator::Cli,
            parent: None,
            program: None,
            agent_context: None,
            capture_content: false,
            records_expected: false,
            utc_offset_seconds: 0,
        }
    }
}

/// Which file of a session's transcripts it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TranscriptFile<'a> {
    /// The session's own file.
    Main,
    /// The file of a sub-agent.
    SubAgent {
        /// Its id, from the file's name.
        agent_id: &'a str,
        /// What `agent-<id>.meta.json` beside it holds, where there is one.
        meta: Option<&'a [u8]>,
    },
}

/// A wish to see the transcript of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TranscriptRequest {
    /// The agent's id of the session.
    pub session_id: String,
    /// Where the agent ran, as it says.
    pub cwd: Option<String>,
}

/// How a run ended. What is not known is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunEnd {
    /// When the process ended. For a record that names no times, any time it was surely made by.
    pub at: Option<UnixNanos>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When the process started, where [`Observer::process_started`] was not called.
    pub started_at: Option<UnixNanos>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    /// Not enough was seen.
    Detecting,
    Claude,
    /// An agent that is not understood and writes lines of JSON: its errors are.
    Json,
    /// A program that is not understood.
    Unknown,
}

/// One run of an agent (one process), live or recorded.
///
/// Recorded runs: feed the stream first (if there is one), then the session's file, then those of its
/// sub-agents; a transcript alone tells every process the session file holds. Call [`drain`](Self::drain) now
/// and then, and [`finish`](Self::finish) once.
#[derive(Debug)]
pub struct Observer {
    reading: Reading,
    splitter: LineSplitter,
    files: HashMap<u64, SubAgentFile>,
    main_file: LineSplitter,
    session: Session,
    backlog: Backlog,
    counters: Counters,
    throttles: Throttles,
    /// Throttling that waits for the run's own span.
    throttled: Vec<Found>,
    bytes: u64,
    /// Lines among the first that are JSON objects with a type.
    json_lines: u64,
    lines_since_telling: u64,
}

#[derive(Debug)]
struct SubAgentFile {
    agent_id: Box<str>,
    splitter: LineSplitter,
    /// A sub-agent of another process of the session.
    foreign: bool,
}

/// Lines of the session file that are ahead of the stream: kept until it has caught up.
#[derive(Debug, Default)]
struct Backlog {
    lines: Vec<u8>,
    /// The message the stream has not shown yet.
    waits_for: Option<u64>,
}

/// Bytes of lines that are kept until the stream has caught up; beyond that they are read as they are.
const BACKLOG_LIMIT: usize = 4 * 1024 * 1024;

/// What is counted while a record is read.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    format: Format,
    lines: u64,
    bad_lines: u64,
    /// Those among them that came with the stream.
    bad_lines_of_stream: u64,
    oversize_lines: u64,
}

impl Counters {
    /// An empty summary with these counts.
    pub(crate) fn summary(&self, options: &Options) -> Summary {
        Summary {
            program: options.program.clone(),
            agent: None,
            version: None,
            session_id: None,
            models: Vec::new(),
            outcome: vigil_core::fact::Outcome::Ok,
            reason: None,
            duration: None,
            turns: 0,
            chats: 0,
            chats_failed: 0,
            tools: 0,
            tools_failed: 0,
            denied: 0,
            retries: 0,
            sub_agents: 0,
            throttled: Vec::new(),
            usage: Usage::unknown(),
            by_model: Vec::new(),
            cost_nano_usd: None,
            unpriced_models: Vec::new(),
            reported_cost_usd: None,
            lines: self.lines,
            unknown_events: 0,
            bad_lines: self.bad_lines,
            oversize_lines: self.oversize_lines,
            truncated: false,
            notes: Vec::new(),
            agent_context: options.agent_context.unwrap_or_else(|| unnamed_context(options, "")),
        }
    }

    /// Writes how the run was observed to its span.
    pub(crate) fn set_on(&self, attributes: &mut Attributes, options: &Options, unknown_events: u64) {
        attributes.set_some(attr::VIGIL_AGENT_PROGRAM, options.program.as_deref().map(claude::name));
        if self.format != Format::Unknown {
            attributes.set(attr::VIGIL_STREAM_FORMAT, self.format.as_str());
        }
        for (key, count) in [
            (attr::VIGIL_STREAM_LINES, self.lines),
            (attr::VIGIL_STREAM_UNKNOWN_EVENTS, unknown_events),
            (attr::VIGIL_STREAM_BAD_LINES, self.bad_lines + self.oversize_lines),
        ] {
            if count > 0 {
                attributes.set(key, count);
            }
        }
    }
}

impl Observer {
    /// An observer that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            throttles: Throttles::new(options.program.clone(), options.utc_offset_seconds),
            throttled: Vec::new(),
            json_lines: 0,
            reading: Reading::Detecting,
            splitter: LineSplitter::new(LIVE_LINE_LIMIT),
            files: HashMap::new(),
            main_file: LineSplitter::new(LINE_LIMIT),
            session: Session::new(options),
            backlog: Backlog::default(),
            counters: Counters {
                format: Format::Unknown,
                lines: 0,
                bad_lines: 0,
                bad_lines_of_stream: 0,
                oversize_lines: 0,
            },
            bytes: 0,
            lines_since_telling: 0,
        }
    }

    /// The process was started just now. From here on what begins is told as [`Fact::Started`] too.
    pub fn process_started(&mut self, at: UnixNanos) {
        self.session.process_started = Some(at);
        self.session.live = true;
    }

    /// Bytes of the process's output, cut anywhere, that arrived at `at`.
    pub fn stdout(&mut self, bytes: &[u8], at: UnixNanos) {
        self.bytes += bytes.len() as u64;
        if self.reading != Reading::Claude {
            self.throttles.stdout(bytes);
        }
        if self.reading == Reading::Unknown {
            return;
        }
        let at = (at.0 != 0).then_some(at);
        // Taken out while its lines are read; an empty one costs nothing.
        let mut splitter = std::mem::replace(&mut self.splitter, LineSplitter::new(LIVE_LINE_LIMIT));
        splitter.push(bytes, |line| self.line(line, at));
        self.splitter = splitter;
        self.counters.oversize_lines = self.splitter.oversize();
        if self.reading == Reading::Detecting && self.bytes > HEAD_BYTES {
            self.give_up();
        }
    }

    /// Bytes of the process's stderr, cut anywhere, that arrived at `at`. Throttling is told from them and nothing
    /// else.
    pub fn stderr(&mut self, bytes: &[u8], at: UnixNanos) {
        self.throttles.stderr(bytes, at);
    }

    /// Bytes of stderr are missing here.
    pub fn stderr_gap(&mut self) {
        self.throttles.gap();
    }

    /// It is `now`, and everything that came before was given. Call it now and then while nothing comes.
    pub fn quiet(&mut self, now: UnixNanos) {
        self.throttles.quiet(now);
    }

    /// Bytes of the output are missing here: what is half there is forgotten, reading goes on at the next line, and
    /// the transcript may tell what was not seen.
    pub fn gap(&mut self) {
        if self.reading != Reading::Unknown {
            self.splitter.gap();
            self.session.has_gap = true;
            self.session.wants_transcript = true;
        }
    }

    /// Whether the output is that of a program that is not understood: of it only the end is worth being passed on.
    pub fn output_is_unknown(&self) -> bool {
        self.reading == Reading::Unknown
    }

    /// The agent's own id of the session, once the record has told it.
    pub fn session_id(&self) -> Option<&str> {
        self.session.ids.as_ref().map(|ids| ids.session())
    }

    /// One line of a recorded stream. `at` is when it was written, if that is known from elsewhere.
    pub fn stream_line(&mut self, line: &[u8], at: Option<UnixNanos>) {
        if line.len() > LINE_LIMIT {
            self.counters.oversize_lines += 1;
            return;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        self.line(line.strip_suffix(b"\r").unwrap_or(line), at);
    }

    /// A transcript file, or a further part of one that was given before.
    pub fn transcript(&mut self, file: TranscriptFile<'_>, bytes: &[u8]) {
        if self.counters.format == Format::Unknown {
            self.counters.format = Format::ClaudeTranscript;
        }
        self.reading = Reading::Claude;
        self.session.transcript_seen = true;
        match file {
            TranscriptFile::Main => {
                self.read_backlog();
                let mut splitter = std::mem::replace(&mut self.main_file, LineSplitter::new(LINE_LIMIT));
                splitter.push(bytes, |line| self.main_line(line));
                self.main_file = splitter;
            }
            TranscriptFile::SubAgent { agent_id, meta } => self.sub_agent_file(agent_id, meta, bytes),
        }
        self.session.tell_ready();
        if self.session.is_settled() {
            self.session.wants_transcript = false;
        }
    }

    /// A transcript that would settle what is open: a result came, or many calls wait for their output tokens.
    /// Read what is new in it and call [`transcript`](Self::transcript); it is asked for until nothing is open.
    /// Where there is no file, do nothing.
    pub fn wants_transcript(&self) -> Option<TranscriptRequest> {
        let ids = self.session.ids.as_ref().filter(|_| self.session.wants_transcript)?;
        Some(TranscriptRequest {
            session_id: ids.session().to_owned(),
            cwd: self.session.cwd.as_deref().map(str::to_owned),
        })
    }

    /// Everything that became final since the last call.
    pub fn drain(&mut self) -> Vec<Fact> {
        if self.backlog.waits_for.is_some_and(|message| self.session.knows_chat(message)) {
            self.read_backlog();
        }
        self.session.tell_ready();
        self.tell_throttles();
        std::mem::take(&mut self.session.facts)
    }

    /// Tells of the throttling that the text shows, once it is known whose span it happened in.
    fn tell_throttles(&mut self) {
        self.throttled.extend(self.throttles.take());
        // A first line of another format shows that this is no agent whose ids come from its session.
        let is_plain = match self.reading {
            Reading::Unknown | Reading::Json => true,
            Reading::Detecting => self.counters.lines > 0,
            Reading::Claude => false,
        };
        let context = self.session.options.agent_context;
        if let Some(context) = context.filter(|_| is_plain && !self.session.options.records_expected) {
            self.tell_found(context);
        }
        // More than an hour of three kinds that nobody asked for.
        self.throttled.truncate(THROTTLED_LIMIT);
    }

    fn tell_found(&mut self, run: SpanContext) {
        let fallback = self.session.fallback_time();
        for mut found in std::mem::take(&mut self.throttled) {
            if found.time == UnixNanos::default() {
                found.time = fallback;
            }
            self.session.count_throttle(&found.throttle, found.told.count.max(1));
            let mut event = found.event(run);
            event.attributes.set(attr::VIGIL_ORIGINATOR, self.session.options.originator);
            let program = self.session.options.program.as_deref().map(claude::name);
            event.attributes.set_some(attr::GEN_AI_AGENT_NAME, program);
            self.session.facts.push(Fact::Event(event));
        }
    }

    /// Ends the observation: what is open is told with what is known.
    pub fn finish(mut self, end: RunEnd) -> (Vec<Fact>, Summary) {
        let at = None;
        let mut splitter = std::mem::replace(&mut self.splitter, LineSplitter::new(LIVE_LINE_LIMIT));
        splitter.finish(|line| self.line(line, at));
        let mut main_file = std::mem::replace(&mut self.main_file, LineSplitter::new(LINE_LIMIT));
        main_file.finish(|line| self.main_line(line));
        self.read_backlog();
        if self.backlog.waits_for.is_some() {
            // The stream never showed it: it was cut, or not all of it was seen.
            self.session.has_gap = true;
            self.read_backlog();
        }
        for (_, mut file) in std::mem::take(&mut self.files) {
            file.splitter.finish(|line| self.sub_line(&file.agent_id, line, file.foreign));
        }
        self.session.process_started = self.session.process_started.or(end.started_at);
        self.session.ended_at = end.at;
        let process_end = ProcessEnd { exit_code: end.exit_code, signal: end.signal };
        if !self.session.stream_structured && !self.session.has_result {
            // What was not a stream has no unreadable lines.
            self.counters.bad_lines -= self.counters.bad_lines_of_stream;
        }
        let mut summary = if self.reading == Reading::Claude {
            let summary = self.session.end(process_end, &self.counters);
            for throttle in std::mem::take(&mut self.session.throttled) {
                self.throttles.told_by_records(&throttle);
            }
            let failed = summary.outcome != vigil_core::fact::Outcome::Ok;
            let ended = self.session.ended_at.unwrap_or(self.session.fallback_time());
            self.throttled.extend(self.throttles.end(failed, None, ended));
            self.throttled.retain(|found| !self.throttles.is_told_by_records(&found.throttle));
            self.tell_found(summary.agent_context);
            summary
        } else {
            self.plain_run(process_end)
        };
        summary.throttled = std::mem::take(&mut self.session.throttle_counts);
        (std::mem::take(&mut self.session.facts), summary)
    }

    // === lines ===

    fn line(&mut self, line: &[u8], at: Option<UnixNanos>) {
        let bad_before = self.counters.bad_lines;
        match line.trim_ascii_start().first() {
            _ if self.reading == Reading::Unknown => return,
            None => return,
            Some(b'{') if self.reading == Reading::Claude && is_content_delta(line) => {}
            Some(b'{') if self.reading == Reading::Json => self.throttles.json_line(line, at.unwrap_or_default()),
            Some(b'{') => {
                self.parse(line, |this, line| this.stream_event(line, at));
                if self.reading == Reading::Detecting {
                    self.throttles.json_line(line, at.unwrap_or_default());
                }
            }
            Some(b'[') if self.reading == Reading::Json => {}
            Some(b'[') => self.list(line, at),
            Some(_) => self.bad_line(),
        }
        self.counters.bad_lines_of_stream += self.counters.bad_lines - bad_before;
        self.counters.lines += 1;
        if self.reading == Reading::Detecting && self.counters.lines >= HEAD_LINES as u64 {
            self.give_up();
        }
        self.tell_now_and_then();
    }

    fn tell_now_and_then(&mut self) {
        self.lines_since_telling += 1;
        if self.lines_since_telling >= LINES_BETWEEN_TELLING {
            self.lines_since_telling = 0;
            self.session.tell_ready();
        }
    }

    fn bad_line(&mut self) {
        self.counters.bad_lines += 1;
    }

    /// The output is not of any format that is understood.
    fn give_up(&mut self) {
        let is_json = self.json_lines > 0 && self.json_lines * 2 >= self.counters.lines;
        self.reading = if is_json { Reading::Json } else { Reading::Unknown };
        (self.counters.bad_lines, self.counters.bad_lines_of_stream) = (0, 0);
        self.splitter = LineSplitter::new(LIVE_LINE_LIMIT);
    }

    /// Reads a line and passes it on. Bytes that are not UTF-8 are replaced where they are in the way.
    fn parse(&mut self, line: &[u8], then: impl FnOnce(&mut Self, &wire::Line<'_>)) {
        let text = std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
        match serde_json::from_str::<wire::Line<'_>>(&text) {
            Ok(parsed) => then(self, &parsed),
            Err(_) => self.bad_line(),
        }
    }

    fn stream_event(&mut self, line: &wire::Line<'_>, at: Option<UnixNanos>) {
        if self.reading == Reading::Detecting {
            match of_line(line) {
                format @ (Format::ClaudeStream | Format::ClaudeJson) => {
                    self.reading = Reading::Claude;
                    self.counters.format = format;
                }
                _ => {
                    self.json_lines += u64::from(line.kind.some().is_some());
                    self.session.unknown_events += 1;
                    return;
                }
            }
        }
        claude::stream::line(&mut self.session, line, at);
    }

    /// A list of all events on one line.
    fn list(&mut self, line: &[u8], at: Option<UnixNanos>) {
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let started = self.reading == Reading::Detecting;
        let complete = deserializer.deserialize_seq(EventList { observer: self, at });
        if complete.is_err() || deserializer.end().is_err() {
            self.bad_line();
        }
        if started && self.reading == Reading::Claude {
            self.counters.format = Format::ClaudeJson;
        }
    }

    fn main_line(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let full = self.backlog.lines.len() + line.len() > BACKLOG_LIMIT;
        if self.backlog.waits_for.is_none() {
            let mut ahead = None;
            self.parse(line, |this, line| {
                ahead = claude::transcript::ahead_of_stream(&this.session, line).filter(|_| !full);
                if ahead.is_none() {
                    claude::transcript::main_line(&mut this.session, line);
                }
            });
            self.backlog.waits_for = ahead;
            self.tell_now_and_then();
        }
        if self.backlog.waits_for.is_some() {
            self.backlog.lines.extend_from_slice(line);
            self.backlog.lines.push(b'\n');
            if full {
                self.session.has_gap = true;
                self.read_backlog();
            }
        }
    }

    /// Reads again what was ahead of the stream.
    fn read_backlog(&mut self) {
        let backlog = std::mem::take(&mut self.backlog);
        for line in backlog.lines.split(|byte| *byte == b'\n') {
            self.main_line(line);
        }
    }

    fn sub_agent_file(&mut self, agent_id: &str, meta: Option<&[u8]>, bytes: &[u8]) {
        let file_key = claude::key(agent_id);
        if !self.files.contains_key(&file_key) && self.files.len() >= FILE_LIMIT {
            return;
        }
        let foreign = !claude::transcript::meet_sub_agent(&mut self.session, agent_id, meta);
        let mut file = self.files.remove(&file_key).unwrap_or_else(|| SubAgentFile {
            agent_id: agent_id.into(),
            splitter: LineSplitter::new(LINE_LIMIT),
            foreign,
        });
        file.foreign = foreign;
        file.splitter.push(bytes, |line| self.sub_line(agent_id, line, foreign));
        self.files.insert(file_key, file);
    }

    fn sub_line(&mut self, agent_id: &str, line: &[u8], foreign: bool) {
        if !foreign && !line.trim_ascii().is_empty() {
            self.parse(line, |this, line| claude::transcript::sub_line(&mut this.session, agent_id, line));
            self.tell_now_and_then();
        }
    }

    // === programs that are not understood ===

    /// Of a program that is not understood only the run itself is told.
    fn plain_run(&mut self, end: ProcessEnd) -> Summary {
        let options = self.session.options.clone();
        let mut summary = self.counters.summary(&options);
        let (started, ended) = (self.session.process_started, self.session.ended_at);
        let fallback = self.session.fallback_time();
        let start = started.or(ended).unwrap_or(fallback);
        let finish = ended.unwrap_or(start).max(start);
        let program = options.program.as_deref().map_or(Text::Borrowed("program"), claude::name);
        let (mut outcome, mut reason) = outcome::of(&Said::Mute, end);
        let failed = outcome != vigil_core::fact::Outcome::Ok;
        let blocked = failed.then(|| self.throttles.outcome(end, finish)).flatten();
        if let Some(blocked) = blocked.as_ref().filter(|_| end.signal.is_none()) {
            let error = ErrorType::from(blocked.blocked);
            if error != ErrorType::EXIT_STATUS {
                reason = Some(error.as_str().to_owned());
            }
            outcome = vigil_core::fact::Outcome::Error(error);
        }
        let start_text = start.0.to_string();
        let context = options.agent_context.unwrap_or_else(|| unnamed_context(&options, &start_text));
        let mut attributes = Attributes::new();
        attributes.set(attr::VIGIL_ORIGINATOR, options.originator);
        attributes.set(attr::GEN_AI_OPERATION_NAME, Operation::INVOKE_AGENT);
        attributes.set(attr::GEN_AI_AGENT_NAME, program.clone());
        attributes.set(attr::VIGIL_AGENT_KIND, AgentKind::Main);
        self.throttled.extend(self.throttles.end(failed, blocked.as_ref(), finish));
        self.tell_found(context);
        self.counters.bad_lines = 0;
        self.counters.set_on(&mut attributes, &options, 0);
        claude::set_process_end(&mut attributes, end);
        summary.outcome = outcome.clone();
        summary.reason = reason;
        summary.bad_lines = 0;
        summary.duration = started.map(|started| started.until(finish));
        summary.agent_context = context;
        self.session.facts.push(Fact::Ended(SpanRecord {
            context,
            parent: options.parent.map(|parent| parent.span_id),
            kind: SpanKind::Agent,
            target: program,
            start,
            end: finish,
            outcome,
            attributes,
            links: Vec::new(),
        }));
        summary
    }
}

/// The identity of a run that nobody named, from what is known of it.
fn unnamed_context(options: &Options, start: &str) -> SpanContext {
    let parts = ["process", options.program.as_deref().unwrap_or_default(), start];
    SpanContext {
        trace_id: options.parent.map_or_else(|| TraceId::derived(&parts), |parent| parent.trace_id),
        span_id: SpanId::derived(&parts),
    }
}

/// Whether a line is a piece of content as the program writes it today. Such lines make up nearly all of a stream
/// with partial messages and tell nothing, so that they need not be read; in any other order of fields they are
/// read and tell nothing either.
fn is_content_delta(line: &[u8]) -> bool {
    line.starts_with(b"{\"type\":\"stream_event\",\"event\":{\"type\":\"content_block_delta\"") && line.ends_with(b"}")
}

/// Passes the elements of a list on, one at a time.
struct EventList<'o> {
    observer: &'o mut Observer,
    at: Option<UnixNanos>,
}

impl<'de> Visitor<'de> for EventList<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(event) = seq.next_element_seed(RawSeed)? {
            let at = self.at;
            self.observer.parse(event.get().as_bytes(), |this, line| this.stream_event(line, at));
        }
        Ok(())
    }
}

struct RawSeed;

impl<'de> DeserializeSeed<'de> for RawSeed {
    type Value = &'de RawValue;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

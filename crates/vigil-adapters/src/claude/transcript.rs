//! The transcript: the session file and the files of its sub-agents under `~/.claude/projects`.
//!
//! It repeats final numbers on every line of a message and carries real times. A session file can hold
//! several processes (resume) and copied history (fork). Beside a structured stream it only fills in what
//! that stream's process showed; alone it gives the structure itself, one run per process.

use super::ids::key;
use super::records::{LaneId, MAIN, Standing, earlier};
use super::session::{Session, Source};
use super::tokens::Totals;
use super::wire::{self, PromptKind};
use vigil_core::fact::UnixNanos;
use vigil_core::vocab::ErrorType;

/// How far the session file has been read.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The lines being read are of the process the stream shows.
    in_run: bool,
    /// That process was met.
    seen_run: bool,
    /// Messages of other processes were met.
    foreign: bool,
    /// The totals of a process were written: the next prompt is another process's.
    after_cost_state: bool,
    /// The last prompt was written: the process may have ended.
    after_last_prompt: bool,
    /// The line of the last prompt.
    prompt_line: Option<u64>,
    /// When the prompt of the next message was queued and read.
    prompt: Option<UnixNanos>,
    /// The first thing the file was written for. What is older was copied from another session.
    first_own: Option<UnixNanos>,
    pub(crate) copied: u64,
    /// The release writes requests and totals, so that processes can be told apart by them.
    pub(crate) modern: bool,
    /// Order of the last message of the main loop that was told after the transcript showed it.
    pub(crate) last_told_order: Option<u64>,
    /// A budget was set.
    pub(crate) has_budget: bool,
}

impl Progress {
    /// Whether the lines read last are of the process the stream shows.
    pub(crate) fn in_run(&self) -> bool {
        self.in_run
    }
}

/// The message of a line that is ahead of the stream: the process being watched wrote it, and its stream has not
/// shown it yet. Such a line, and what follows it, is to be read again later.
pub(crate) fn ahead_of_stream(session: &Session, line: &wire::Line<'_>) -> Option<u64> {
    let open = session.live && !builds(session) && !session.has_gap;
    let remark = line.message.model.or_empty() == super::session::SYNTHETIC && !line.is_api_error_message.is_set();
    if !open || line.kind.get() != Some("assistant") || remark {
        return None;
    }
    let message = key(line.message.id.some()?);
    let unseen = !session.knows_chat(message);
    let ours = matches!((line.time(), session.process_started), (Some(time), Some(started)) if time >= started);
    (unseen && ours).then_some(message)
}

/// One line of the session file.
pub(crate) fn main_line(session: &mut Session, line: &wire::Line<'_>) {
    if !session.identify(line) {
        return;
    }
    let time = line.time();
    if session.version.is_none() {
        session.version = line.version.some().map(Into::into);
    }
    if session.cwd.is_none() {
        session.cwd = line.cwd.some().map(Into::into);
    }
    if session.progress.first_own.is_none() && line.kind.get() == Some("queue-operation") {
        session.progress.first_own = time;
    }
    if matches!(line.kind.or_empty(), "user" | "assistant" | "system") && is_copied(session, line, time) {
        session.progress.copied += 1;
        return;
    }
    if is_before_process(session, time) {
        return;
    }
    match line.kind.or_empty() {
        "queue-operation" if line.operation.get() == Some("enqueue") => boundary(session, time),
        "user" => user(session, line, time),
        "assistant" => assistant(session, line, time),
        "system" => system(session, line, time),
        "api-request" => {
            session.progress.modern = true;
            request(session, MAIN, line, time);
        }
        "cost-state" => cost_state(session, line),
        "last-prompt" => session.progress.after_last_prompt = true,
        "attachment" => match line.attachment.kind.or_empty() {
            "max_turns_reached" if builds(session) || session.progress.in_run => {
                session.run().standing = Standing::Limit(ErrorType::MAX_TURNS);
            }
            "budget_usd" => session.progress.has_budget = true,
            _ => {}
        },
        kind => other(session, kind),
    }
}

/// Whether a line is history of another session that a fork copied: it says so, is older than what the file
/// was written for, or comes before it (a process with a prompt on its command line queues that first).
fn is_copied(session: &Session, line: &wire::Line<'_>, time: Option<UnixNanos>) -> bool {
    match (time, session.progress.first_own) {
        _ if line.forked_from.0.is_some() => true,
        (Some(time), Some(own)) => time < own,
        (_, None) => builds(session) && line.entrypoint.get() == Some("sdk-cli"),
        (None, Some(_)) => false,
    }
}

/// Whether a line is of a process before the one that is watched, when nothing but the transcript shows it.
fn is_before_process(session: &Session, time: Option<UnixNanos>) -> bool {
    let started = session.process_started.filter(|_| session.live && builds(session));
    matches!((time, started), (Some(time), Some(started)) if time < started)
}

/// A sub-agent's file is opened. False when it is a sub-agent of another process of the session.
pub(crate) fn meet_sub_agent(session: &mut Session, agent_id: &str, meta: Option<&[u8]>) -> bool {
    let meta: wire::Meta<'_> = meta.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    let tool_use = meta.tool_use_id.some();
    let known = session.lane_of_agent(agent_id).is_some() || tool_use.is_some_and(|id| session.knows_tool(id));
    if tool_use.is_some() && !known && !builds(session) {
        return false;
    }
    let Some(lane) = session.sub_lane(tool_use, Some(agent_id)) else { return false };
    if let (Some(kind_name), Some(lane)) = (meta.agent_type.some(), session.lanes.get_mut(&lane)) {
        lane.kind_name = Some(kind_name.into());
    }
    true
}

/// One line of a sub-agent's file.
pub(crate) fn sub_line(session: &mut Session, agent_id: &str, line: &wire::Line<'_>) {
    if !session.identify(line) {
        return;
    }
    // Asked for again with every line: a message may have shown that two lanes are one.
    let Some(lane) = session.lane_of_agent(agent_id) else { return };
    let time = line.time();
    match line.kind.or_empty() {
        "user" => {
            if !session.tool_results(lane, Source::Transcript, line, time) {
                session.advance(lane, Source::Transcript, time);
                if let Some(lane) = session.lanes.get_mut(&lane) {
                    lane.has_task = true;
                }
            }
        }
        "assistant" => session.message(lane, Source::Transcript, line, time),
        "system" if line.subtype.get() == Some("api_error") => session.retry(lane, Source::Transcript, line, time),
        "api-request" => request(session, lane, line, time),
        "system" | "attachment" => {}
        kind => other(session, kind),
    }
}

/// Whether the transcript gives the structure.
fn builds(session: &Session) -> bool {
    !session.stream_structured
}

fn other(session: &mut Session, kind: &str) {
    let known = matches!(
        kind,
        "queue-operation"
            | "atis-latch"
            | "api-request-shape"
            | "api-request-blob"
            | "tools-used"
            | "mode"
            | "permission-mode"
            | "file-history-snapshot"
            | "summary"
            | "progress"
            | "custom-title"
            | "agent-name"
            | "tag"
    );
    if !known {
        session.unknown_events += 1;
    }
}

/// Where another process may begin: something is queued or prompted after the totals were written.
fn boundary(session: &mut Session, time: Option<UnixNanos>) {
    if session.progress.after_cost_state {
        session.progress.after_cost_state = false;
        if builds(session) || session.progress.in_run {
            session.unanswered_request();
        }
        if builds(session) {
            session.next_run();
        } else {
            session.progress.in_run = false;
        }
        session.progress.prompt = None;
    }
    session.progress.prompt = earlier(session.progress.prompt, time);
}

fn user(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    if line.is_compact_summary.is_set() {
        return;
    }
    let ours = builds(session) || session.progress.in_run;
    let blocks = &line.message.content.blocks.0;
    if blocks.iter().any(|block| block.kind.get() == Some("tool_result")) {
        if ours {
            session.tool_results(MAIN, Source::Transcript, line, time);
        }
        return;
    }
    let kind = line.message.content.text.or_else(|| {
        let interrupted = blocks.first().is_some_and(|block| block.text.starts_with(wire::INTERRUPTED));
        Some(if interrupted { PromptKind::Interrupted } else { PromptKind::Prompt })
    });
    match kind {
        _ if line.is_meta.is_set() => {}
        Some(PromptKind::CommandOutput) => answered_by_program(session),
        None => {}
        Some(PromptKind::Interrupted) if ours => session.run().standing = Standing::Interrupted,
        Some(PromptKind::Interrupted) => {}
        Some(PromptKind::Prompt | PromptKind::Command) => prompt(session, line, time),
    }
    if ours {
        session.advance(MAIN, Source::Transcript, time);
    } else {
        session.cursor(MAIN, Source::Transcript).last = time;
    }
}

/// A command that the program carries out itself is done.
fn answered_by_program(session: &mut Session) {
    if builds(session) && session.run().standing == Standing::Waiting {
        session.run().standing = Standing::Answered;
    }
}

fn prompt(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    let line_key = line.uuid.some().map(key);
    if line_key.is_some() && session.progress.prompt_line == line_key {
        return;
    }
    session.progress.prompt_line = line_key;
    boundary(session, time);
    if was_killed(session, time) {
        session.progress.after_cost_state = true;
        let prompt = session.progress.prompt;
        boundary(session, prompt);
    }
    if !builds(session) {
        return;
    }
    let run = session.run();
    let fresh = run.turns.is_empty() && run.turns_told == 0;
    if let Some(turn) = run.turns.back_mut()
        && turn.awaits_command
    {
        turn.awaits_command = false;
        turn.time.hold(time);
        return;
    }
    if !session.progress.modern && !fresh && line.entrypoint.get() == Some("sdk-cli") && ended_before(session, line) {
        session.next_run();
    }
    session.progress.after_last_prompt = false;
    let start = session.progress.prompt.take();
    session.begin_turn(start.or(time));
    let run = session.run_index();
    session.run_began(run, start.or(time));
}

/// Whether the process before a prompt was killed, so that it wrote no totals: the prompt was given after all that
/// is known of it, and it had not answered yet.
fn was_killed(session: &mut Session, time: Option<UnixNanos>) -> bool {
    let given = session.progress.prompt.or(time);
    let (last, run) = (session.cursor(MAIN, Source::Transcript).last, session.run());
    let unanswered = matches!(run.standing, Standing::Waiting | Standing::ToolsAsked) && run.key.is_some();
    unanswered && given > last && (builds(session) || session.progress.in_run)
}

/// Whether the process before a prompt had ended, in releases that write no totals. From 2.1 they write the last
/// prompt when they end, unless they are killed; before, every prompt counts as another process's.
fn ended_before(session: &mut Session, line: &wire::Line<'_>) -> bool {
    let goes_on = session.run().standing == Standing::Answered && !line.version.or_empty().starts_with("2.0.");
    session.progress.after_last_prompt || !goes_on
}

fn assistant(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    if builds(session) {
        session.message(MAIN, Source::Transcript, line, time);
        return;
    }
    let Some(id) = line.message.id.some() else { return };
    let message = key(id);
    let known = session.chats.get(&message).map(|chat| chat.turn);
    if let Some(turn) = known {
        meet_run(session, turn);
    } else if session.told.contains(message) {
        let turn = session.turn_at(time).map_or(0, |turn| turn.number);
        meet_run(session, turn);
    } else if !session.progress.in_run
        || (session.has_result && !session.has_gap)
        || line.message.model.or_empty() == super::session::SYNTHETIC
    {
        // Another process's: the stream of this one shows every message of its main loop.
        forget_pending(session);
        return;
    } else if let Some(prompt) = session.progress.prompt.take() {
        session.close_turn();
        session.begin_turn(Some(prompt));
    }
    session.message(MAIN, Source::Transcript, line, time);
}

/// A message of the observed process was met: what was pending belongs to it.
fn meet_run(session: &mut Session, turn: u64) {
    let first = !session.progress.seen_run;
    session.progress.in_run = true;
    session.progress.seen_run = true;
    let prompt = session.progress.prompt.take();
    let run = session.run_index();
    if first {
        session.run_began(run, prompt);
    }
    if let Some(turn) = session.runs[run].turns.iter_mut().find(|known| known.number == turn) {
        turn.time.hold(prompt);
    }
}

/// A process that showed no message is that of the last prompt, where no other process's messages are there.
pub(crate) fn place_silent_run(session: &mut Session) {
    let silent = session.stream_structured && !session.progress.seen_run && session.run().key.is_none();
    if silent && !session.progress.foreign {
        let (prompt, last) = (session.progress.prompt, session.cursor(MAIN, Source::Transcript).last);
        let time = &mut session.run().time;
        time.hold(prompt);
        time.hold(last.filter(|last| prompt.is_some_and(|prompt| *last >= prompt)));
    }
}

fn forget_pending(session: &mut Session) {
    session.progress.prompt = None;
    session.progress.foreign = true;
    let cursor = session.cursor(MAIN, Source::Transcript);
    (cursor.request, cursor.request_model, cursor.fallback) = (None, None, None);
    cursor.retries.clear();
    cursor.open_requests.clear();
    cursor.broken.clear();
}

fn request(session: &mut Session, lane: LaneId, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    session.requested(lane, line, time);
    let cursor = session.cursor(lane, Source::Transcript);
    cursor.request = cursor.request.or(time);
    if let Some(model) = line.params.model.some() {
        cursor.request_model = Some(model.into());
    }
}

fn system(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    match line.subtype.or_empty() {
        "api_error" => session.retry(MAIN, Source::Transcript, line, time),
        "model_fallback" => session.fallback(MAIN, Source::Transcript, line, time),
        "compact_boundary" => {
            let Some(id) = line.uuid.some() else { return };
            if builds(session) {
                if line.compact.trigger.get() == Some("manual") {
                    if !session.progress.modern && session.progress.after_last_prompt && session.run().key.is_some() {
                        session.next_run();
                    }
                    session.progress.after_last_prompt = false;
                    let start = session.progress.prompt.take();
                    session.close_turn();
                    session.begin_turn(start.or(time));
                    if let Some(turn) = session.run().turns.back_mut() {
                        turn.awaits_command = true;
                    }
                    let run = session.run_index();
                    session.run_began(run, start.or(time));
                }
                session.compaction(Source::Transcript, line, time);
            } else if let Some(turn) = session.chats.get(&key(id)).map(|chat| chat.turn) {
                meet_run(session, turn);
                session.compaction(Source::Transcript, line, time);
            } else {
                forget_pending(session);
            }
        }
        "stop_hook_summary" | "turn_duration" | "informational" | "model_refusal_no_fallback" => {}
        "local_command" => answered_by_program(session),
        _ => session.unknown_events += 1,
    }
}

fn cost_state(session: &mut Session, line: &wire::Line<'_>) {
    session.progress.modern = true;
    let totals = line.model_usage.0.as_ref().map(|entries| Totals::of(entries));
    let run = session.run();
    let nothing_yet = run.turns.is_empty() && run.turns_told == 0;
    if session.live && builds(session) && nothing_yet {
        session.run().base = totals;
        return;
    }
    session.progress.after_cost_state = true;
    let Some(totals) = totals else { return };
    if builds(session) || session.progress.in_run {
        session.run().cost_state = Some(totals);
    } else if !session.progress.seen_run {
        session.run().base = Some(totals);
    }
}

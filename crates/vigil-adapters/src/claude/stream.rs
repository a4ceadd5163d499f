//! The stream: what `--output-format stream-json` and the `json` forms print.
//!
//! It gives the structure (turns, messages, tools, sub-agents, retries, results) while it happens. What it
//! leaves open (the output tokens of 2.1 messages, times of older releases) the transcript settles.

use super::ids::key;
use super::records::{MAIN, Standing};
use super::session::{Session, Source};
use super::throttle::{self, Reached};
use super::tokens::{Tokens, Totals};
use super::{failure, wire};
use vigil_core::fact::{Outcome, UnixNanos};
use vigil_core::vocab::ErrorType;

/// One line of the stream. `at` is when it arrived, if it was watched or timed.
pub(crate) fn line(session: &mut Session, line: &wire::Line<'_>, at: Option<UnixNanos>) {
    if !session.identify(line) {
        session.unknown_events += 1;
        return;
    }
    let time = line.time().or(at);
    if session.live {
        session.run_began(0, time);
    }
    // Anything but a lone result: this stream shows messages, or will.
    session.stream_structured |= line.kind.get() != Some("result");
    match line.kind.or_empty() {
        "system" => system(session, line, time),
        "assistant" => assistant(session, line, time),
        "user" => user(session, line, time),
        "stream_event" => partial(session, line, time),
        "result" => result(session, line, time),
        "rate_limit_event" => {
            let throttle = throttle::of_event(line, time);
            session.reached = throttle.map(|throttle| Reached { throttle, time });
        }
        "tool_progress" | "auth_status" | "keep_alive" | "control_request" | "control_response" => {}
        _ => session.unknown_events += 1,
    }
}

/// The lane a line belongs to; `None` when there are too many sub-agents.
fn lane_of(session: &mut Session, line: &wire::Line<'_>) -> Option<u32> {
    let (tool_use, agent) = (line.parent_tool_use_id.some(), line.agent_id.some());
    if tool_use.is_none() && agent.is_none() {
        return Some(MAIN);
    }
    let lane = session.sub_lane(tool_use, agent)?;
    if let (Some(kind_name), Some(record)) = (line.subagent_type.some(), session.lanes.get_mut(&lane)) {
        record.kind_name = Some(kind_name.into());
    }
    Some(lane)
}

fn assistant(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    if let Some(lane) = lane_of(session, line) {
        session.message(lane, Source::Stream, line, time);
    }
}

fn user(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    let Some(lane) = lane_of(session, line) else { return };
    if !session.tool_results(lane, Source::Stream, line, time) {
        let blocks = &line.message.content.blocks.0;
        if lane == MAIN && blocks.first().is_some_and(|block| block.text.starts_with(wire::INTERRUPTED)) {
            session.run().standing = Standing::Interrupted;
        }
        session.advance(lane, Source::Stream, time);
    }
}

fn system(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    match line.subtype.or_empty() {
        "init" => init(session, line, time),
        "api_retry" => {
            if let Some(lane) = lane_of(session, line) {
                session.retry(lane, Source::Stream, line, time);
            }
        }
        "permission_denied" => {
            if let Some(id) = line.tool_use_id.some() {
                session.denied(id);
            }
        }
        "task_started" | "task_progress" | "task_updated" | "task_notification" => task(session, line),
        "model_fallback" => {
            if let Some(lane) = lane_of(session, line) {
                session.fallback(lane, Source::Stream, line, time);
            }
        }
        "compact_boundary" => session.compaction(Source::Stream, line, time),
        "background_tasks_changed"
        | "status"
        | "hook_started"
        | "hook_progress"
        | "hook_response"
        | "thinking_tokens"
        | "informational"
        | "model_refusal_no_fallback"
        | "local_command"
        | "api_error"
        | "stop_hook_summary"
        | "turn_duration"
        | "notification" => {}
        _ => session.unknown_events += 1,
    }
}

/// The head of a turn; the first one also introduces the process.
fn init(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    for (field, slot) in [
        (&line.cwd, &mut session.cwd),
        (&line.version, &mut session.version),
        (&line.model, &mut session.model),
        (&line.permission_mode, &mut session.permission_mode),
    ] {
        if let Some(text) = field.some() {
            *slot = Some(text.into());
        }
    }
    session.begin_turn(time);
    session.advance(MAIN, Source::Stream, time);
}

/// Sub-agents and background commands; only the former have lanes.
fn task(session: &mut Session, line: &wire::Line<'_>) {
    let task_id = line.task_id.some();
    let lane = match (line.task_type.get(), line.tool_use_id.some()) {
        (Some("local_agent"), Some(tool_use)) => session.sub_lane(Some(tool_use), task_id),
        _ => task_id.and_then(|id| session.lane_of_agent(id)),
    };
    let Some(lane) = lane.and_then(|lane| session.lanes.get_mut(&lane)) else { return };
    if let Some(kind_name) = line.subagent_type.some() {
        lane.kind_name = Some(kind_name.into());
    }
    if line.is_backgrounded.is_set() {
        lane.asynchronous = true;
    }
    lane.time.hold(line.patch.end_time_ms.count().and_then(crate::time::from_millis));
    let status = line.status.some().or_else(|| line.patch.status.some()).unwrap_or_default();
    let outcome = match status {
        "completed" => Outcome::Ok,
        "failed" => Outcome::Error(ErrorType::OTHER),
        "killed" | "stopped" | "cancelled" => Outcome::Cancelled,
        _ => return,
    };
    lane.finished = lane.finished.take().or(Some(outcome));
}

/// A raw event of the API: time to the first chunk, and the final numbers.
fn partial(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    let event = &line.event;
    match event.kind.or_empty() {
        "message_start" => {
            let Some(id) = event.message.id.some() else { return };
            let Some(lane) = lane_of(session, line) else { return };
            let time_to_first_chunk_ms = line.ttft_ms.float();
            session.partial_started(lane, id, time_to_first_chunk_ms, time);
        }
        "message_delta" => {
            let Some(lane) = lane_of(session, line) else { return };
            session.partial_finished(lane, event.delta.stop_reason.some(), Tokens::of_message(&event.usage));
        }
        "content_block_start" | "content_block_delta" | "content_block_stop" | "message_stop" | "ping" | "error" => {}
        _ => session.unknown_events += 1,
    }
}

/// What a process without sub-agents used, from the turn's own usage: where the totals name one model and hold
/// more, they continue an earlier process.
fn turn_only(line: &wire::Line<'_>, entries: &[(std::borrow::Cow<'_, str>, wire::ModelUsage<'_>)]) -> Option<Totals> {
    let ([(model, _)], Some(0)) = (entries, line.subagent_stats.spawned.count()) else { return None };
    let mut totals = Totals::default();
    totals.add(model, Tokens::of_message(&line.usage)?, 0.0);
    Totals::of(entries).since(&totals).map(|_| totals)
}

/// The end of a turn. There may be several, late, and with totals that continue an earlier process.
fn result(session: &mut Session, line: &wire::Line<'_>, time: Option<UnixNanos>) {
    if let Some(uuid) = line.uuid.some()
        && !session.results_seen.insert(key(uuid))
    {
        return;
    }
    session.has_result = true;
    session.wants_transcript = true;
    session.close_turn();
    let call = match &session.run().standing {
        Standing::Failed(error) => Some(error.clone()),
        _ => None,
    };
    // Releases up to 2.0 end at a limit without calling it an error.
    let failed = line.is_error.is_set() || line.subtype.or_empty().starts_with("error_");
    let throttle = failed.then(|| throttle::of_result(line, time)).flatten();
    let failure = failed.then(|| match throttle {
        Some(throttle) if call.is_none() => throttle::error_type(&throttle),
        _ => failure::of_result(line, call),
    });
    // A result without messages may belong to any process the session file shows.
    let run = session.run_index();
    let results = if session.stream_structured { &mut session.runs[run].results } else { &mut session.lone_results };
    results.count += 1;
    results.denied += line.permission_denials.0.len() as u64;
    if let Some(entries) = &line.model_usage_since.0 {
        results.since.get_or_insert_default().add_all(&Totals::of(entries));
    }
    if let Some(entries) = &line.model_usage.0 {
        results.cumulative = Some(Totals::of(entries));
        results.cumulative_usd = line.total_cost_usd.float();
        results.turn_only = turn_only(line, entries);
    }
    results.failure = failure.clone();
    results.throttle = throttle;
    results.failed_by_api = line.terminal_reason.get() == Some("api_error");
    // The n-th result is that of the n-th turn, even when it is held back until a later turn has ended.
    let number = results.count;
    let run = session.run();
    if let Some(turn) = run.turns.iter_mut().find(|turn| turn.number == number) {
        turn.failure = failure;
    }
    run.time.end = super::records::later(run.time.end, time);
}

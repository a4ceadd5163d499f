//! The end of a record: what is still open is told, sums are drawn, the run gets its outcome.

use super::ids::Ids;
use super::records::{Chat, LaneId, MAIN, Retry, Run, Standing, Stretch, join_retries};
use super::roll_up::{Bill, set_counts, set_totals};
use super::session::{Session, Source};
use super::telling::{name, word};
use super::tokens::{Tokens, Totals, model_name};
use crate::observer::Counters;
use crate::outcome::{self, ProcessEnd, Said};
use crate::summary::{Note, Summary};
use vigil_core::contract::{SpanKind, attr};
use vigil_core::fact::{Attributes, Fact, Outcome, SpanRecord};
use vigil_core::throttle::Told;
use vigil_core::usage::Usage;
use vigil_core::vocab::{AgentKind, ErrorType, Operation, Provider, ThrottleOutcome, UsageSource, sanitise};

impl Session {
    /// Tells everything that is left and sums up.
    pub(crate) fn end(&mut self, end: ProcessEnd, counters: &Counters) -> Summary {
        let lanes: Vec<LaneId> = self.lanes.keys().copied().collect();
        for lane in lanes {
            self.close_lane(lane);
        }
        self.unanswered_call();
        if !self.stream_structured || self.progress.in_run() || !self.transcript_seen {
            self.unanswered_request();
        }
        super::transcript::place_silent_run(self);
        let only = self.run_of_result();
        self.place_side_lanes(only);
        self.find_cut_calls();
        self.settle_unwritten();
        self.fail_cut_calls();
        self.tell_rest();
        self.tell_sub_agents();
        let mut summary = Summary { ..counters.summary(&self.options) };
        let runs = match only {
            Some(run) => run..run + 1,
            None => 0..self.runs.len(),
        };
        let last = runs.end - 1;
        let mut all = Totals::default();
        let mut totals_known = true;
        for run in runs {
            match self.tell_run(run, if run == last { end } else { ProcessEnd::default() }, counters, &mut summary) {
                Some(totals) => all.add_all(&totals),
                None => totals_known = false,
            }
        }
        self.sum_up(&mut summary, &all, totals_known);
        summary
    }

    /// Attempts that failed and were never followed by an answer are a call that failed.
    fn unanswered_call(&mut self) {
        let mut retries: Vec<Retry> = std::mem::take(&mut self.cursor(MAIN, Source::Stream).retries);
        if !self.stream_structured || !retries.is_empty() {
            join_retries(&mut retries, std::mem::take(&mut self.cursor(MAIN, Source::Transcript).retries));
        }
        let Some(last) = retries.last().cloned() else { return };
        let run = self.run();
        let message = format!("unanswered {}", run.turns_told + run.turns.len() as u64);
        let begin = [Source::Transcript, Source::Stream].into_iter().find_map(|source| {
            let cursor = self.cursor(MAIN, source);
            cursor.request.or(cursor.last)
        });
        let model = self.model.clone();
        let (first, last_time) = (retries.first().and_then(|retry| retry.time), last.time);
        if let Some(key) = self.chat(MAIN, Source::Stream, &message)
            && let Some(chat) = self.chats.get_mut(&key)
        {
            chat.begin = begin.or(first);
            chat.time = Stretch { start: first.or(begin), end: last_time.or(begin) };
            chat.requested_model = model;
            chat.http_status = last.http_status;
            chat.failure = Some(last.reason);
            chat.retries = retries;
            chat.closed = true;
        }
    }

    /// A message that the transcript holds without its end, or dropped while it holds later ones, was cut in the
    /// middle.
    fn find_cut_calls(&mut self) {
        if !self.progress.modern {
            return;
        }
        let main = |chat: &Chat| chat.lane == MAIN && chat.in_transcript;
        let last = self.chats.values().filter(|chat| main(chat)).map(|chat| chat.order).max();
        let last = last.max(self.progress.last_told_order);
        for chat in self.chats.values_mut() {
            let settled = chat.tokens.is_some() || chat.failure.is_some() || chat.compaction.is_some();
            let dropped = chat.lane == MAIN && !chat.in_transcript && last.is_some_and(|last| chat.order < last);
            chat.cut |= !settled && (chat.in_transcript || dropped);
        }
    }

    /// Calls that were cut failed: because the run was stopped, or else because the connection broke and they were
    /// made again.
    fn fail_cut_calls(&mut self) {
        for chat in self.chats.values_mut().filter(|chat| chat.cut && chat.failure.is_none()) {
            let run = self.runs.get(chat.run);
            let stopped = run.is_some_and(|run| {
                run.standing == Standing::Interrupted || run.results.failure == Some(ErrorType::CANCELLED)
            });
            // Whatever the totals held for it, it has no end of its own.
            if chat.finish_reason.is_none() {
                chat.failure = Some(if stopped { ErrorType::CANCELLED } else { ErrorType::CONNECTION });
            }
        }
    }

    /// A result without messages (`--output-format json`) belongs to one process of the session file: that
    /// with the same totals, or else the last. The others are another run's.
    fn run_of_result(&mut self) -> Option<usize> {
        if self.lone_results.count == 0 {
            return None;
        }
        let results = std::mem::take(&mut self.lone_results);
        if self.stream_structured {
            let run = self.run();
            if run.results.count == 0 {
                run.results = results;
            }
            return None;
        }
        let same = |run: usize| {
            let counted = match &self.runs[run].cost_state {
                Some(state) => state,
                None if self.progress.modern => return false,
                // Releases that write no totals do not continue them either.
                None => &self.sum_of_calls(run),
            };
            results
                .cumulative
                .as_ref()
                .is_some_and(|said| counted.0.len() == said.0.len() && counted.sum() == said.sum())
        };
        let index = (0..self.runs.len()).find(|run| same(*run)).unwrap_or(self.runs.len() - 1);
        let run = &mut self.runs[index];
        run.results = results;
        if let (Some(failure), Standing::Failed(call)) = (&mut run.results.failure, &run.standing)
            && run.results.failed_by_api
        {
            *failure = call.clone();
        }
        self.chats.retain(|_, chat| chat.run == index);
        self.tools.retain(|_, tool| tool.run == index);
        self.lanes.retain(|id, lane| *id == MAIN || lane.run == index);
        Some(index)
    }

    /// The tokens of the calls of a run that wait to be told.
    fn sum_of_calls(&self, run: usize) -> Totals {
        let mut sum = Totals::default();
        for chat in self.chats.values().filter(|chat| chat.run == run) {
            if let Some((tokens, _)) = chat.tokens {
                sum.add(chat_model(chat), tokens, 0.0);
            }
        }
        sum
    }

    /// Files that look like a sub-agent's and were started by no tool call hold calls on the side. They belong to
    /// the run in whose time they happened.
    fn place_side_lanes(&mut self, only: Option<usize>) {
        let first = only.unwrap_or(0);
        let windows: Vec<Stretch> = self.runs.iter().map(run_window).collect();
        let side: Vec<LaneId> =
            self.lanes.iter().filter(|(id, lane)| **id != MAIN && lane.tool_use.is_none()).map(|(id, _)| *id).collect();
        for lane_id in side {
            let Some(lane) = self.lanes.get_mut(&lane_id) else { continue };
            let began = lane.time.start;
            let run = windows.iter().rposition(|window| match (window.start, began) {
                (Some(start), Some(began)) => began >= start,
                _ => false,
            });
            let run = run.or((windows.len() == 1 && !self.stream_structured).then_some(0));
            match run.filter(|run| only.is_none_or(|only| only == *run) && *run >= first) {
                Some(run) => {
                    lane.run = run;
                    for chat in self.chats.values_mut().filter(|chat| chat.lane == lane_id) {
                        chat.run = run;
                    }
                    for tool in self.tools.values_mut().filter(|tool| tool.lane == lane_id) {
                        tool.run = run;
                    }
                }
                None => {
                    self.lanes.remove(&lane_id);
                    self.chats.retain(|_, chat| chat.lane != lane_id);
                    self.tools.retain(|_, tool| tool.lane != lane_id);
                }
            }
        }
    }

    /// The one call of a run whose tokens no record holds used what the totals hold and no other call accounts for:
    /// a compaction, or else a call that was cut.
    fn settle_unwritten(&mut self) {
        for run in 0..self.runs.len() {
            let of_run = || self.chats.iter().filter(move |(_, chat)| chat.run == run && chat.tokens.is_none());
            let compactions: Vec<u64> =
                of_run().filter(|(_, chat)| chat.compaction.is_some()).map(|(key, _)| *key).collect();
            let cut = || of_run().filter(|(_, chat)| chat.cut).map(|(key, _)| *key);
            let unwritten = if compactions.is_empty() { cut().collect() } else { compactions };
            let [one] = unwritten[..] else { continue };
            let mut accounted = self.runs[run].told.clone();
            let mut unknown = self.runs[run].calls_unknown;
            for (_, chat) in self.chats.iter().filter(|(key, chat)| chat.run == run && **key != one) {
                match chat.tokens {
                    Some((tokens, _)) => accounted.add(chat_model(chat), tokens, 0.0),
                    None => unknown += u64::from(chat.failure.is_none() && !chat.cut),
                }
            }
            let Some((totals, _)) = self.totals_of(run).filter(|_| unknown == 0) else { continue };
            let Some(rest) = totals.since(&accounted) else { continue };
            let mut models = rest.0.iter();
            if let (Some((model, total)), None) = (models.next(), models.next())
                && let Some(chat) = self.chats.get_mut(&one)
                && chat.provisional.is_none_or(|known| total.tokens.covers(&known))
            {
                chat.model = Some(model.as_str().into());
                chat.tokens = Some((total.tokens, UsageSource::Total));
            }
        }
    }

    /// The tokens of a run by model, from the best source there is.
    fn totals_of(&self, index: usize) -> Option<(Totals, UsageSource)> {
        let run = self.runs.get(index)?;
        if let Some(since) = &run.results.since {
            return Some((since.clone(), UsageSource::Total));
        }
        let continued = |totals: &Totals| match &run.base {
            Some(base) => totals.since(base).unwrap_or_else(|| totals.clone()),
            None => totals.clone(),
        };
        if let Some(turn_only) = self.turn_only(run) {
            return Some((turn_only.clone(), UsageSource::Total));
        }
        if let Some(cumulative) = &run.results.cumulative {
            return Some((continued(cumulative), UsageSource::Total));
        }
        // Totals of a forked session may hold those of the session it was copied from.
        let base_known = run.base.is_some() || (index == 0 && self.progress.copied == 0);
        if let Some(state) = run.cost_state.as_ref().filter(|_| base_known) {
            return Some((continued(state), UsageSource::Total));
        }
        None
    }

    /// What a process used whose totals continue an earlier process that nothing else tells of.
    fn turn_only<'r>(&self, run: &'r Run) -> Option<&'r Totals> {
        let results = &run.results;
        let turn_only = results.turn_only.as_ref().filter(|_| results.count == 1 && results.since.is_none())?;
        let continues = results.cumulative.as_ref().is_some_and(|totals| totals.sum() != turn_only.sum());
        (continues && run.base.is_none() && !self.transcript_seen).then_some(turn_only)
    }

    /// Tells a run and its turns. Returns its totals where they are known.
    fn tell_run(
        &mut self,
        index: usize,
        end: ProcessEnd,
        counters: &Counters,
        summary: &mut Summary,
    ) -> Option<Totals> {
        let ids = self.ids.get_or_insert_with(|| Ids::new("unknown", self.options.parent)).clone();
        let (outcome, reason) = outcome::of(&self.said(index), end);
        let outcome = super::failure::of_run(outcome);
        let reason = match (&outcome, reason) {
            (Outcome::Error(error), Some(_)) if end.signal.is_none() && super::failure::is_of_provider(error) => {
                Some(error.as_str().to_owned())
            }
            (_, reason) => reason,
        };
        let empty_before = self.runs[..index].iter().filter(|run| run.key.is_none()).count();
        let (single, last) = (self.runs.len() == 1, index + 1 == self.runs.len());
        let fallback = self.fallback_time();
        let (started, ended) = (self.process_started, self.ended_at);
        let run = &mut self.runs[index];
        let span = *run.span.get_or_insert_with(|| ids.run(&format!("without messages {empty_before}")));
        let mut time = run.time;
        for turn in &run.turns {
            time.hold_all(turn.time);
        }
        if last {
            time.hold(ended);
        }
        if single {
            time.hold(started);
        }
        // A turn that has no result when the process fails failed with it.
        if let (Outcome::Error(error), Some(turn)) = (&outcome, run.turns.back_mut())
            && turn.failure.is_none()
            && turn.number > run.results.count
        {
            turn.failure = Some(error.clone());
        }
        let turns = run.turns_told + run.turns.iter().filter(|turn| turn.key.is_some()).count() as u64;
        while !self.runs[index].turns.is_empty() {
            self.tell_first_turn(index);
        }
        let (start, finish) = (time.start.unwrap_or(fallback), time.end.or(time.start).unwrap_or(fallback));
        if time.start.is_none() {
            summary.notes.push(Note::NoTimes);
        }

        let mut attributes = self.run_attributes(end, counters);
        let run = &self.runs[index];
        let mut counts = run.counts;
        counts.denied = counts.denied.max(run.results.denied);
        set_counts(&mut attributes, &counts);
        attributes.set(attr::VIGIL_TURN_COUNT, turns);
        let known = self.totals_of(index).or_else(|| {
            let source = if self.transcript_seen { UsageSource::Transcript } else { UsageSource::Stream };
            (run.calls_unknown == 0 && counts.chats > counts.chats_failed).then(|| (run.told.clone(), source))
        });
        if let Some((totals, source)) = &known {
            set_totals(&mut attributes, totals, Some(*source));
            let unattributed = self.compare(run, totals, summary).usage();
            for (key, tokens) in [
                (attr::VIGIL_USAGE_UNATTRIBUTED_INPUT_TOKENS, unattributed.input()),
                (attr::VIGIL_USAGE_UNATTRIBUTED_OUTPUT_TOKENS, unattributed.output()),
            ] {
                attributes.set_some(key, tokens.filter(|tokens| *tokens > 0));
            }
        } else if run.calls_unknown > 0 {
            summary.notes.push(Note::OutputUnknown { calls: run.calls_unknown });
        }
        let reported = match self.turn_only(run) {
            Some(_) => None,
            None => reported_usd(run, self.progress.copied > 0 && index == 0),
        };
        attributes.set_some(attr::VIGIL_COST_REPORTED_USD, reported);

        add_to(summary, &counts, turns, reported);
        summary.truncated |= matches!(self.said(index), Said::Nothing);
        summary.outcome = outcome.clone();
        summary.reason = reason;
        summary.agent_context = ids.context(span);
        if let Some(throttle) = self.runs[index].results.throttle.take().filter(|throttle| !self.has_told(throttle)) {
            let told = Told { outcome: Some(throttle.final_outcome()), ..Told::default() };
            self.tell_throttle(&throttle, told, None, ids.context(span), finish);
        }
        if let Some(reached) = self.reached.take_if(|_| last) {
            let waited = if matches!(outcome, Outcome::Error(_)) {
                reached.throttle.final_outcome()
            } else {
                ThrottleOutcome::Waited
            };
            let told = Told { outcome: Some(waited), ..Told::default() };
            self.tell_throttle(&reached.throttle, told, None, ids.context(span), reached.time.unwrap_or(finish));
        }
        summary.duration =
            (time.start.is_some()).then(|| start.until(finish)).map(|this| this + summary.duration.unwrap_or_default());
        self.facts.push(Fact::Ended(SpanRecord {
            context: ids.context(span),
            parent: self.options.parent.map(|parent| parent.span_id),
            kind: SpanKind::Agent,
            target: self.agent_name(MAIN),
            start,
            end: finish.max(start),
            outcome,
            attributes,
            links: Vec::new(),
        }));
        known.map(|(totals, _)| totals)
    }

    fn run_attributes(&self, end: ProcessEnd, counters: &Counters) -> Attributes {
        let mut attributes = self.common();
        attributes.set(attr::GEN_AI_OPERATION_NAME, Operation::INVOKE_AGENT);
        attributes.set(attr::GEN_AI_AGENT_NAME, self.agent_name(MAIN));
        attributes.set(attr::GEN_AI_PROVIDER_NAME, Provider::ANTHROPIC);
        attributes.set_some(attr::GEN_AI_REQUEST_MODEL, self.model.as_deref().map(|model| name(model_name(model))));
        attributes.set(attr::VIGIL_AGENT_KIND, AgentKind::Main);
        attributes.set_some(attr::VIGIL_AGENT_VERSION, self.version.as_deref().map(name));
        attributes.set_some(attr::VIGIL_PERMISSION_MODE, self.permission_mode.as_deref().and_then(word));
        counters.set_on(&mut attributes, &self.options, self.unknown_events);
        set_process_end(&mut attributes, end);
        attributes
    }

    /// What the agent itself says of a run's end.
    fn said(&self, index: usize) -> Said {
        let Some(run) = self.runs.get(index) else { return Said::Nothing };
        if run.results.count > 0 {
            return run.results.failure.clone().map_or(Said::Success, Said::Failure);
        }
        let failure = match &run.standing {
            Standing::Failed(error) | Standing::Limit(error) => error.clone(),
            Standing::Interrupted => ErrorType::CANCELLED,
            Standing::ToolsAsked if self.progress.has_budget && run.cost_state.is_some() => ErrorType::BUDGET_EXHAUSTED,
            Standing::Answered | Standing::Nothing if !self.stream_structured => return Said::Success,
            _ => return Said::Nothing,
        };
        // A stream that ends without a result was cut, unless something else tells how the run ended.
        let cut = self.stream_structured && !self.transcript_seen && run.standing != Standing::Interrupted;
        if cut { Said::Nothing } else { Said::Failure(failure) }
    }

    /// Notes where recorded calls and the agent's totals differ. Returns what no recorded call accounts for.
    fn compare(&self, run: &Run, totals: &Totals, summary: &mut Summary) -> Tokens {
        let mut unattributed = Tokens::default();
        if run.calls_unknown > 0 || !self.transcript_seen {
            return unattributed;
        }
        for (model, total) in &totals.0 {
            let told = run.told.get(model);
            let rest = total.tokens.minus(told);
            unattributed = unattributed.plus(rest);
            if !total.tokens.covers(&told) {
                summary.notes.push(Note::BeyondTotal { model: model.clone() });
            } else if rest.input + rest.output + rest.cache_read + rest.cache_write > 0 {
                summary.notes.push(Note::Unattributed { model: model.clone(), usage: rest.usage() });
            }
        }
        for model in run.told.0.keys().filter(|model| !totals.0.contains_key(*model)) {
            summary.notes.push(Note::BeyondTotal { model: model.clone() });
        }
        unattributed
    }

    fn sum_up(&self, summary: &mut Summary, totals: &Totals, totals_known: bool) {
        summary.agent = Some(super::AGENT_NAME.to_owned());
        summary.version = self.version.as_deref().map(str::to_owned);
        summary.session_id = self.ids.as_ref().map(|ids| ids.session().to_owned());
        summary.unknown_events = self.unknown_events;
        if self.has_gap {
            summary.notes.push(Note::Gap);
        }
        if self.progress.copied > 0 {
            summary.notes.push(Note::CopiedHistory { lines: self.progress.copied });
        }
        let bill = Bill::of(totals);
        summary.models = totals.0.keys().cloned().collect();
        for model in self.runs.iter().flat_map(|run| run.told.0.keys()) {
            if !summary.models.contains(model) {
                summary.models.push(model.clone());
            }
        }
        if totals_known && !totals.0.is_empty() {
            summary.usage = totals.sum().usage();
            summary.cost_nano_usd = bill.nano_usd;
        } else {
            summary.usage = Usage::unknown();
        }
        summary.unpriced_models = bill.unpriced;
        summary.by_model =
            bill.by_model.into_iter().map(|(model, tokens, cost)| (model, tokens.usage(), cost)).collect();
    }
}

fn chat_model(chat: &Chat) -> &str {
    chat.model.as_deref().or(chat.requested_model.as_deref()).unwrap_or_default()
}

/// When a run was under way, as far as its turns and what was told of it say.
fn run_window(run: &Run) -> Stretch {
    let mut window = run.time;
    for turn in &run.turns {
        window.hold_all(turn.time);
    }
    window
}

/// What the agent says this run cost: never what earlier processes of the session cost.
fn reported_usd(run: &Run, base_unknown: bool) -> Option<f64> {
    let sum = |totals: &Totals| totals.0.values().map(|total| total.reported_usd).sum::<f64>();
    if let Some(since) = &run.results.since {
        return Some(sum(since));
    }
    let continues = |totals: &Totals| run.base.as_ref().filter(|base| totals.since(base).is_some()).map(sum);
    match (&run.results.cumulative, run.results.cumulative_usd, &run.cost_state) {
        (Some(totals), Some(cost), _) => Some((cost - continues(totals).unwrap_or(0.0)).max(0.0)),
        (None, None, Some(state)) if !base_unknown => Some((sum(state) - continues(state).unwrap_or(0.0)).max(0.0)),
        _ => None,
    }
}

/// Writes how a process ended.
pub(crate) fn set_process_end(attributes: &mut Attributes, end: ProcessEnd) {
    attributes.set_some(attr::PROCESS_EXIT_CODE, end.exit_code);
    attributes.set_some(attr::VIGIL_PROCESS_SIGNAL, end.signal.map(|signal| sanitise(&outcome::signal_name(signal))));
}

fn add_to(summary: &mut Summary, counts: &super::records::Counts, turns: u64, reported: Option<f64>) {
    summary.turns += turns;
    summary.chats += counts.chats;
    summary.chats_failed += counts.chats_failed;
    summary.tools += counts.tools;
    summary.tools_failed += counts.tools_failed;
    summary.denied += counts.denied;
    summary.retries += counts.retries;
    summary.sub_agents += counts.sub_agents;
    if let Some(reported) = reported {
        summary.reported_cost_usd = Some(summary.reported_cost_usd.unwrap_or(0.0) + reported);
    }
}

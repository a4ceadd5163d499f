//! A small agent, observed: the guide to using the SDK.
//!
//! Read it from the top. [`run`] is one run of the agent; below it come the turn with its phases, the model call
//! with its retries, the tools, and a sub-agent. Whatever starts with `record_` or ends in `_span` is all there is
//! to say about observing it. Three habits carry it:
//!
//! - A handle is a span. Work below it gets the handle and starts its own spans from it, so parents are right by
//!   construction, in threads and futures too.
//! - A span ends by `finish`, `fail` or [`settle`](AgentSpan::settle), which ends it by a `Result` and hands that
//!   on: `phase.settle(result, AgentError::kind)?`. What is dropped on the way out was cancelled.
//! - Prompts, answers, arguments and results go through `record_content`, which does not even look at them unless
//!   somebody opened the gate (`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY`).
//!
//! What is never said twice: durations, sums of tokens and money, failures of tools, metrics. They are derived.
//!
//! And one habit keeps it alive: each turn it reads its own [`Vitals`](vigil::Vitals) and acts on them. It waits when
//! services throttle it, turns to a cheaper model when money runs low, and stops when everything it asks for is
//! refused. What it may spend is a [`Budget`] that admits every model and tool call; what it may do is a policy, to which
//! a gateway holds its [`Tools`] and its models.
//!
//! What it decides, it says to its [`Events`] too: telemetry tells how the work went, a journal what happened. Where they
//! are replayed it waits for nobody; everything else is the same code.
//!
//! The agent takes its telemetry as a parameter, so the test beside it runs the very same code on
//! [`vigil::testing`]. It has at most [`MAX_TURNS`] turns.

use super::content;
use super::economy;
use super::events::{self, EventError, Events};
use super::model::{Message, Model, ModelError, Reply, Request, ToolCall, ToolDefinition, ToolResult};
use super::tools::{self, Outcome, Tools};
use serde_json::json;
use std::fmt;
use std::time::Duration;
use vigil::gateway::Gateway;
use vigil::{
    AgentSpan, Budget, BudgetRefusal, Content, Decision, EconomicMode, ErrorType, Evaluation, OperatingMode, Phase,
    PhaseSpan, Span, StateVector, Telemetry, ToolSpan, ToolStatus, TurnSpan, Usage,
};

/// The most turns of the agent.
const MAX_TURNS: u64 = 8;
/// The most model calls of a sub-agent.
const MAX_HELPER_CALLS: usize = 4;
/// How often one model call is tried again.
const MAX_RETRIES: u32 = 3;
/// The first pause before a retry, doubled each time, where the server does not name one; and the longest of all.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long it waits for what was recorded to show.
const FRESH: Duration = Duration::from_millis(200);
/// The most tokens of one answer.
const MAX_TOKENS: u64 = 4096;

const ROLE: &str = "You audit logs. Use the tools; answer in one short sentence when you are done.";
const HELPER_ROLE: &str = "You help an auditor. Read what you are told to and answer with the number alone.";
const DELEGATE: ToolDefinition = ToolDefinition {
    name: "delegate",
    description: "Has a helper, who can list and read files, do a task.",
    arguments: &["task"],
};
const TOOLS: &[ToolDefinition] =
    &[tools::LIST_FILES, tools::READ_FILE, tools::WRITE_FILE, tools::RUN_COMMAND, DELEGATE];
const HELPER_TOOLS: &[ToolDefinition] = &[tools::LIST_FILES, tools::READ_FILE];

/// What the agent is to do, with what.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// Groups the runs of one conversation.
    pub(crate) session: &'a str,
    pub(crate) task: &'a str,
    pub(crate) model: &'a Model,
    /// The cheaper one it turns to when money runs low.
    pub(crate) saving: &'a Model,
    /// The cheaper model that sub-agents ask.
    pub(crate) helper: &'a Model,
    /// What all of it may take.
    pub(crate) budget: &'a Budget,
    /// What it may do, as the user named it.
    pub(crate) policy: &'a str,
    /// What it lives through.
    pub(crate) events: &'a Events,
    /// Whether the models only play a part.
    pub(crate) scripted: bool,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    /// Whether the last command the agent ran was content; `None` when it ran none.
    pub(crate) passed: Option<bool>,
}

/// One run of the agent. It removes the folder of its tools at the end, however that comes.
pub(crate) fn run(telemetry: &Telemetry, job: &Job<'_>, tools: &Tools) -> Result<Report, AgentError> {
    let agent = telemetry.agent_span(job.session, "auditor");
    // Attributes of your own carry a prefix of your own.
    agent.set_attribute("demo.scripted", job.scripted);
    telemetry.watch_budget(job.budget);
    let models = [job.model, job.saving, job.helper];
    let begun =
        job.events.append(&agent, events::RUN_STARTED, &events::beginning(job.task, models, job.policy, job.scripted));
    let result = begun.map_err(AgentError::Event).and_then(|()| Auditor::new(telemetry, job, tools).work(&agent));
    let ended = match &result {
        Ok(report) => json!({ "passed": report.passed }),
        Err(error) => json!({ "error": error.kind().as_str() }),
    };
    let ended = job.events.append(&agent, events::RUN_ENDED, &ended).map_err(AgentError::Event);
    let result = result.and_then(|report| ended.map(|()| report));
    clean_up(&agent, tools);
    agent.settle(result, AgentError::kind)
}

fn clean_up(agent: &AgentSpan, tools: &Tools) {
    let mut cleanup = agent.cleanup_span("scratch_folder");
    match tools.clean_up() {
        Ok(files) => {
            cleanup.record_count(files);
            cleanup.finish();
        }
        Err(error) => cleanup.fail_with(ErrorType::OTHER, || error.to_string()),
    }
}

struct Auditor<'a> {
    telemetry: &'a Telemetry,
    job: &'a Job<'a>,
    tools: &'a Tools,
    conversation: Vec<Message>,
    economy: EconomicMode,
    mode: OperatingMode,
    /// How the last command went.
    check: Option<ToolStatus>,
}

impl<'a> Auditor<'a> {
    fn new(telemetry: &'a Telemetry, job: &'a Job<'a>, tools: &'a Tools) -> Self {
        Self {
            telemetry,
            job,
            tools,
            conversation: vec![Message::User(job.task.to_owned())],
            economy: EconomicMode::Sovereign,
            mode: OperatingMode::Explore,
            check: None,
        }
    }

    fn work(&mut self, agent: &AgentSpan) -> Result<Report, AgentError> {
        for number in 1..=MAX_TURNS {
            let turn = agent.turn_span(number);
            let result = self.turn(&turn);
            if let Some(report) = turn.settle(result, AgentError::kind)? {
                return Ok(report);
            }
        }
        Err(AgentError::TooManyTurns)
    }

    /// One turn: perceive, deliberate, gate, execute, reflect. The report, when the model has nothing more to do.
    fn turn(&mut self, turn: &TurnSpan) -> Result<Option<Report>, AgentError> {
        let perceive = turn.phase_span(Phase::Perceive);
        let pause = self.feel(&perceive)?;
        let files = match self.tools.list_files(&perceive) {
            Err(Outcome { end: Some(why), text, .. }) => return Err(AgentError::ended(why, text)),
            files => files.unwrap_or_default(),
        };
        let system = format!("{ROLE}\nThe folder holds: {}", files.join(", "));
        perceive.finish();

        let deliberate = turn.phase_span(Phase::Deliberate);
        if !pause.is_zero() {
            deliberate.set_attribute("demo.slowed_ms", pause.as_secs_f64() * 1e3);
            wait(self.tools.gateway(), pause);
        }
        let request = Request {
            system: &system,
            messages: &self.conversation,
            tools: TOOLS,
            max_tokens: MAX_TOKENS,
            stream: true,
        };
        let model = if self.economy == EconomicMode::Sovereign { self.job.model } else { self.job.saving };
        let to_save = model.name() != self.job.model.name();
        let reply = ask_within(&deliberate, self.tools.gateway(), self.job.budget, model, &request, to_save);
        let reply = deliberate.settle(reply, AgentError::kind)?;
        self.conversation.push(Message::Assistant { text: reply.text.clone(), calls: reply.calls.clone() });

        let decisions = self.gate(turn, &reply.calls)?;
        if !reply.calls.is_empty() {
            let execute = turn.phase_span(Phase::Execute);
            if reply.calls.iter().any(|call| self.tools.decide(call).is_some()) {
                self.change_mode(&execute, OperatingMode::Execute)?;
            }
            let calls = reply.calls.iter().zip(decisions);
            let results: Result<Vec<_>, AgentError> =
                calls.map(|(call, decision)| self.execute(&execute, call, decision)).collect();
            let (results, refused): (Vec<_>, Vec<_>) = results?.into_iter().unzip();
            self.conversation.push(Message::Results(results));
            // Whoever is refused everything does not try again.
            let going_on = if refused.iter().all(|refused| *refused) { Err(AgentError::Refused) } else { Ok(()) };
            execute.settle(going_on, AgentError::kind)?;
        }

        let done = reply.calls.is_empty();
        let reflect = turn.phase_span(Phase::Reflect);
        self.reflect(&reflect, &reply.calls, done)?;
        reflect.finish();
        Ok(done.then(|| Report { passed: self.check.map(|status| status == ToolStatus::Ok) }))
    }

    /// Looks at how it is: records it, and answers how long to wait before asking a model.
    fn feel(&mut self, perceive: &PhaseSpan) -> Result<Duration, AgentError> {
        // What was recorded a moment ago shows once it is assembled.
        self.telemetry.wait_assembled(FRESH);
        let vitals = self.telemetry.vitals();
        // Each tick says what is left: on the span, and on gauges.
        self.job.budget.record(perceive);
        let economy = economy::mode(&self.job.budget.left(), &self.job.budget.limits());
        if economy != self.economy {
            perceive.record_economic_mode_transition(self.economy, economy);
            let (from, to) = (self.economy.as_str(), economy.as_str());
            self.say(perceive, events::ECONOMY_CHANGED, json!({ "from": from, "to": to }))?;
            self.economy = economy;
        }
        perceive.record_economic_mode(economy);
        perceive.record_health(&economy::health(&vitals, economy));
        perceive.record_state(&StateVector { error_streak: Some(vitals.error_streak()), ..StateVector::default() });
        Ok(economy::pause(&vitals))
    }

    /// The result, and whether it was refused.
    fn execute(
        &mut self,
        execute: &PhaseSpan,
        call: &ToolCall,
        decision: Decision,
    ) -> Result<(ToolResult, bool), AgentError> {
        // A name comes from the model, and a model may make one up: only known ones become a span's name.
        let name = TOOLS.iter().find(|tool| tool.name == call.name).map_or("unknown", |tool| tool.name);
        let tool = execute.tool_span(name, &call.id);
        if decision != Decision::Accept {
            return end_tool(tool, call, Some(Outcome::refused("this is not allowed", ErrorType::DENIED)));
        }
        let budget = self.job.budget;
        let outcome = within(budget, &tool, |tool| match call.name.as_str() {
            name if name == DELEGATE.name => Some(self.delegate(tool, call)),
            _ => self.tools.run(tool, call),
        });
        if let Some(outcome) = outcome.as_ref().filter(|_| call.name == tools::RUN_COMMAND.name) {
            self.check = Some(outcome.status);
        }
        end_tool(tool, call, outcome)
    }

    /// A sub-agent is an agent span below the tool that started it. What it spends counts for its parent.
    fn delegate(&mut self, tool: &ToolSpan, call: &ToolCall) -> Outcome {
        let task = call.arguments["task"].as_str().unwrap_or_default();
        let helper = tool.agent_span(self.job.session, "helper");
        let result = self.help(&helper, task);
        match helper.settle(result, AgentError::kind) {
            Ok(answer) => Outcome::ok(answer),
            Err(error @ AgentError::Refused) => Outcome::refused(error.to_string(), error.kind()),
            Err(AgentError::Event(error)) => Outcome { end: Some(error.kind), ..Outcome::failed(error.message) },
            Err(error) => Outcome::failed(error.to_string()),
        }
    }

    fn help(&mut self, helper: &AgentSpan, task: &str) -> Result<String, AgentError> {
        let budget = economy::helper(self.job.budget);
        let mut messages = vec![Message::User(task.to_owned())];
        for _ in 0..MAX_HELPER_CALLS {
            let request = Request {
                system: HELPER_ROLE,
                messages: &messages,
                tools: HELPER_TOOLS,
                max_tokens: MAX_TOKENS,
                stream: false,
            };
            let reply = ask_within(helper, self.tools.gateway(), &budget, self.job.helper, &request, false)?;
            if reply.calls.is_empty() {
                return Ok(reply.text);
            }
            let results = reply.calls.iter().map(|call| {
                let known = HELPER_TOOLS.iter().find(|tool| tool.name == call.name);
                let tool = helper.tool_span(known.map_or("unknown", |tool| tool.name), &call.id);
                let run = |tool: &ToolSpan| known.and_then(|_| self.tools.run(tool, call));
                let outcome = within(&budget, &tool, run);
                end_tool(tool, call, outcome)
            });
            let (results, refused): (Vec<_>, Vec<_>) = results.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            if refused.into_iter().all(|refused| refused) {
                return Err(AgentError::Refused);
            }
            messages.push(Message::Assistant { text: reply.text, calls: reply.calls });
            messages.push(Message::Results(results));
        }
        Err(AgentError::TooManyTurns)
    }

    /// Looks at how the turn went: the mode changes by what was done, and the work is judged when it is done.
    fn reflect(&mut self, reflect: &PhaseSpan, calls: &[ToolCall], done: bool) -> Result<(), AgentError> {
        if calls.iter().any(|call| call.name == tools::RUN_COMMAND.name) {
            let went_well = self.check == Some(ToolStatus::Ok);
            self.change_mode(reflect, if went_well { OperatingMode::Verify } else { OperatingMode::Recover })?;
        }
        if done {
            let passed = self.check == Some(ToolStatus::Ok);
            reflect.record_evaluation(&Evaluation {
                name: "task_success",
                score: Some(f64::from(u8::from(passed))),
                label: Some(if passed { "pass" } else { "fail" }),
                evaluator: Some("check.sh"),
                ..Evaluation::default()
            });
            self.say(reflect, events::WORK_JUDGED, json!({ "passed": passed }))?;
        }
        Ok(())
    }

    /// Calls that have an effect wait for leave. Here a policy answers at once; with a person it is the same span, and
    /// as long as the person takes. The gateway asks again, with what would really be touched.
    fn gate(&self, turn: &TurnSpan, calls: &[ToolCall]) -> Result<Vec<Decision>, AgentError> {
        let decisions: Vec<Option<Decision>> = calls.iter().map(|call| self.tools.decide(call)).collect();
        if decisions.iter().any(Option::is_some) {
            let gate = turn.phase_span(Phase::Gate);
            for (call, decision) in calls.iter().zip(&decisions) {
                if let Some(decision) = decision {
                    let mut approval = gate.approval_span(&call.name);
                    approval.record_decision(*decision);
                    let decided = json!({ "tool": call.name, "decision": decision.as_str() });
                    self.say(&approval, events::APPROVAL_DECIDED, decided)?;
                    approval.finish();
                }
            }
            gate.finish();
        }
        Ok(decisions.into_iter().map(|decision| decision.unwrap_or(Decision::Accept)).collect())
    }

    /// A change of mode is an event of the span it happened in, and of the agent's own.
    fn change_mode(&mut self, span: &Span, mode: OperatingMode) -> Result<(), AgentError> {
        if mode != self.mode {
            span.record_mode_transition(self.mode, mode);
            let (from, to) = (self.mode.as_str(), mode.as_str());
            self.say(span, events::MODE_CHANGED, json!({ "from": from, "to": to }))?;
            self.mode = mode;
        }
        Ok(())
    }

    /// Dual write: the event goes into the journal with the ids of the span, and the span is told where it is there.
    fn say(&self, span: &Span, kind: &str, payload: serde_json::Value) -> Result<(), AgentError> {
        self.job.events.append(span, kind, &payload).map_err(AgentError::Event)
    }
}

/// One tool call, admitted before it is made.
fn within(budget: &Budget, tool: &ToolSpan, run: impl FnOnce(&ToolSpan) -> Option<Outcome>) -> Option<Outcome> {
    match budget.admit_tool(tool) {
        Ok(admission) => {
            let outcome = run(tool);
            admission.settle(tool);
            outcome
        }
        Err(refusal) => Some(Outcome::refused(refusal.to_string(), refusal.error_type())),
    }
}

/// One model call, admitted before and settled with the true figures after.
fn ask_within(
    parent: &Span,
    gateway: &Gateway,
    budget: &Budget,
    model: &Model,
    request: &Request<'_>,
    to_save: bool,
) -> Result<Reply, AgentError> {
    let admission =
        budget.admit_chat(parent, &model.provider(), model.name(), &Usage::unknown()).map_err(AgentError::Budget)?;
    match ask(parent, gateway, model, request, to_save) {
        Ok(reply) => {
            admission.settle_by(parent, &reply.model, &reply.usage);
            Ok(reply)
        }
        Err(error) => {
            admission.refund(parent);
            Err(AgentError::of_model(error))
        }
    }
}

/// One model call, retries included: a retry that succeeded is an event, not a failure.
fn ask(
    parent: &Span,
    gateway: &Gateway,
    model: &Model,
    request: &Request<'_>,
    to_save: bool,
) -> Result<Reply, ModelError> {
    let mut chat = parent.chat_span(model.provider(), model.name());
    if to_save {
        chat.record_chosen_by("budget");
    }
    if let Some((host, port)) = model.server() {
        chat.record_server(&host, port);
    }
    chat.record_max_tokens(request.max_tokens);
    chat.record_content(Content::SystemInstructions, || content::system(request.system));
    chat.record_content(Content::InputMessages, || content::messages(request.messages));

    let mut attempt = 0;
    let answer = loop {
        match model.ask(gateway, &chat, request) {
            Err(error) if error.is_retryable() && attempt < MAX_RETRIES => {
                let pause = error.retry_after.unwrap_or(RETRY_PAUSE * 2_u32.pow(attempt)).min(RETRY_PAUSE_MAX);
                attempt += 1;
                chat.record_retry(attempt, pause, &error.kind);
                wait(gateway, pause);
            }
            answer => break answer,
        }
    };

    match &answer {
        Ok(reply) => {
            chat.record_response(&reply.id, &reply.model);
            chat.record_token_usage(reply.usage);
            chat.record_finish_reason(reply.finish.clone());
            if let Some(time) = reply.time_to_first_chunk {
                chat.record_time_to_first_chunk(time);
            }
            chat.record_content(Content::OutputMessages, || content::answer(reply));
            chat.finish();
        }
        Err(error) => chat.fail_with(error.kind.clone(), || error.message.clone()),
    }
    answer
}

/// Waits, where there is something to wait for.
fn wait(gateway: &Gateway, pause: Duration) {
    if !gateway.is_replay() {
        std::thread::sleep(pause);
    }
}

/// Ends a tool's span by what the tool gave, and makes of it what the model is told, and whether it was refused.
fn end_tool(mut tool: ToolSpan, call: &ToolCall, outcome: Option<Outcome>) -> Result<(ToolResult, bool), AgentError> {
    tool.record_content(Content::ToolArguments, || call.arguments.to_string());
    let Some(outcome) = outcome else {
        tool.fail(ErrorType::TOOL_NOT_FOUND);
        let text = "there is no such tool".to_owned();
        return Ok((ToolResult { call_id: call.id.clone(), text, failed: true }, false));
    };
    if let Some(why) = outcome.end {
        tool.fail(why.clone());
        return Err(AgentError::ended(why, outcome.text));
    }
    if let Some(why) = outcome.refusal {
        tool.fail(why);
        return Ok((ToolResult { call_id: call.id.clone(), text: outcome.text, failed: true }, true));
    }
    tool.record_content(Content::ToolResult, || content::text(&outcome.text));
    tool.record_tool_status(outcome.status);
    if let Some(code) = outcome.exit_code {
        tool.record_exit_code(code);
    }
    tool.finish();
    let failed = outcome.status != ToolStatus::Ok;
    Ok((ToolResult { call_id: call.id.clone(), text: outcome.text, failed }, false))
}

/// Why the agent gave up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AgentError {
    /// The model gave no answer.
    Model(ModelError),
    /// What it does cannot be recorded, or is not what was recorded.
    Event(EventError),
    /// A budget does not admit what comes next.
    Budget(BudgetRefusal),
    /// Everything it asked for was refused.
    Refused,
    /// It went on for too long.
    TooManyTurns,
}

impl AgentError {
    fn ended(kind: ErrorType, message: String) -> Self {
        Self::Event(EventError { kind, message })
    }

    fn of_model(error: ModelError) -> Self {
        match error {
            ModelError { kind, message, ends_run: true, .. } => Self::ended(kind, message),
            error => Self::Model(error),
        }
    }

    /// The word that becomes `error.type`: of few kinds and without a secret.
    fn kind(&self) -> ErrorType {
        match self {
            Self::Model(error) => error.kind.clone(),
            Self::Event(error) => error.kind.clone(),
            Self::Budget(refusal) => refusal.error_type(),
            Self::Refused => ErrorType::DENIED,
            Self::TooManyTurns => ErrorType::MAX_TURNS,
        }
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::Event(error) => f.write_str(&error.message),
            Self::Budget(refusal) => write!(f, "its budget says no: {refusal}"),
            Self::Refused => f.write_str("everything it asked for was refused"),
            Self::TooManyTurns => write!(f, "it was not done after {MAX_TURNS} turns"),
        }
    }
}

impl std::error::Error for AgentError {}

#[cfg(test)]
mod tests;

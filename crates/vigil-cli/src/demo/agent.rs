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
//! The agent takes its telemetry as a parameter, so the test beside it runs the very same code on
//! [`vigil::testing`]. It has at most [`MAX_TURNS`] turns and what is in its [`Purse`].

use super::content;
use super::model::{Message, Model, ModelError, Reply, Request, ToolCall, ToolDefinition, ToolResult};
use super::purse::Purse;
use super::tools::{self, Outcome, Tools};
use std::fmt;
use std::time::Duration;
use vigil::{
    AgentSpan, BudgetKind, Content, Decision, ErrorType, Evaluation, OperatingMode, Phase, PhaseSpan, Span, Telemetry,
    ToolSpan, ToolStatus, TurnSpan,
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
    /// The cheaper model that sub-agents ask.
    pub(crate) helper: &'a Model,
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
    let result = Auditor::new(job, tools).work(&agent);
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
    job: &'a Job<'a>,
    tools: &'a Tools,
    conversation: Vec<Message>,
    purse: Purse,
    mode: OperatingMode,
    /// How the last command went.
    check: Option<ToolStatus>,
}

impl<'a> Auditor<'a> {
    fn new(job: &'a Job<'a>, tools: &'a Tools) -> Self {
        Self {
            job,
            tools,
            conversation: vec![Message::User(job.task.to_owned())],
            purse: Purse::default(),
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
        // Each tick says what is left: on the span, and on gauges.
        let perceive = turn.phase_span(Phase::Perceive);
        perceive.record_budget(&self.purse.left());
        perceive.record_economic_mode(self.purse.economic_mode());
        let system = format!("{ROLE}\nThe folder holds: {}", self.tools.list_files().join(", "));
        perceive.finish();
        if let Some(kind) = self.purse.exhausted() {
            turn.record_budget_exhausted(kind);
            return Err(AgentError::BudgetExhausted(kind));
        }

        let deliberate = turn.phase_span(Phase::Deliberate);
        let request = Request {
            system: &system,
            messages: &self.conversation,
            tools: TOOLS,
            max_tokens: MAX_TOKENS,
            stream: true,
        };
        let reply = ask(&deliberate, self.job.model, &request).map_err(AgentError::Model);
        let reply = deliberate.settle(reply, AgentError::kind)?;
        self.purse.pay_for(self.job.model, &reply);
        self.conversation.push(Message::Assistant { text: reply.text.clone(), calls: reply.calls.clone() });

        let decisions = gate(turn, &reply.calls);
        if !reply.calls.is_empty() {
            let execute = turn.phase_span(Phase::Execute);
            if reply.calls.iter().any(|call| Tools::decide(call).is_some()) {
                self.change_mode(&execute, OperatingMode::Execute);
            }
            let calls = reply.calls.iter().zip(decisions);
            let results = calls.map(|(call, decision)| self.execute(&execute, call, decision)).collect();
            self.conversation.push(Message::Results(results));
            execute.finish();
        }

        let done = reply.calls.is_empty();
        let reflect = turn.phase_span(Phase::Reflect);
        self.reflect(&reflect, &reply.calls, done);
        reflect.finish();
        Ok(done.then(|| Report { passed: self.check.map(|status| status == ToolStatus::Ok) }))
    }

    fn execute(&mut self, execute: &PhaseSpan, call: &ToolCall, decision: Decision) -> ToolResult {
        self.purse.pay_for_tool_call();
        // A name comes from the model, and a model may make one up: only known ones become a span's name.
        let name = TOOLS.iter().find(|tool| tool.name == call.name).map_or("unknown", |tool| tool.name);
        let tool = execute.tool_span(name, &call.id);
        if decision != Decision::Accept {
            tool.fail(ErrorType::DENIED);
            return ToolResult { call_id: call.id.clone(), text: "this is not allowed".to_owned(), failed: true };
        }
        let outcome = match call.name.as_str() {
            name if name == DELEGATE.name => Some(self.delegate(&tool, call)),
            _ => self.tools.run(&tool, call),
        };
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
            Err(error) => Outcome::failed(error.to_string()),
        }
    }

    fn help(&mut self, helper: &AgentSpan, task: &str) -> Result<String, AgentError> {
        let mut messages = vec![Message::User(task.to_owned())];
        for _ in 0..MAX_HELPER_CALLS {
            let request = Request {
                system: HELPER_ROLE,
                messages: &messages,
                tools: HELPER_TOOLS,
                max_tokens: MAX_TOKENS,
                stream: false,
            };
            let reply = ask(helper, self.job.helper, &request).map_err(AgentError::Model)?;
            self.purse.pay_for(self.job.helper, &reply);
            if reply.calls.is_empty() {
                return Ok(reply.text);
            }
            let results = reply.calls.iter().map(|call| {
                let known = HELPER_TOOLS.iter().find(|tool| tool.name == call.name);
                let tool = helper.tool_span(known.map_or("unknown", |tool| tool.name), &call.id);
                let outcome = known.and_then(|_| self.tools.run(&tool, call));
                end_tool(tool, call, outcome)
            });
            let results = Message::Results(results.collect());
            messages.push(Message::Assistant { text: reply.text, calls: reply.calls });
            messages.push(results);
        }
        Err(AgentError::TooManyTurns)
    }

    /// Looks at how the turn went: the mode changes by what was done, and the work is judged when it is done.
    fn reflect(&mut self, reflect: &PhaseSpan, calls: &[ToolCall], done: bool) {
        if calls.iter().any(|call| call.name == tools::RUN_COMMAND.name) {
            let went_well = self.check == Some(ToolStatus::Ok);
            self.change_mode(reflect, if went_well { OperatingMode::Verify } else { OperatingMode::Recover });
        }
        if done {
            let passed = self.check == Some(ToolStatus::Ok);
            reflect.record_evaluation(&Evaluation {
                name: "task_success",
                score: Some(f64::from(u8::from(passed))),
                label: Some(if passed { "pass" } else { "fail" }),
                evaluator: Some("check.sh"),
            });
        }
    }

    /// A change of mode is an event of the span it happened in.
    fn change_mode(&mut self, span: &Span, mode: OperatingMode) {
        if mode != self.mode {
            span.record_mode_transition(self.mode, mode);
            self.mode = mode;
        }
    }
}

/// Calls that have an effect wait for leave. Here a policy answers at once; with a person it is the same span, and
/// as long as the person takes.
fn gate(turn: &TurnSpan, calls: &[ToolCall]) -> Vec<Decision> {
    let decisions: Vec<Option<Decision>> = calls.iter().map(Tools::decide).collect();
    if decisions.iter().any(Option::is_some) {
        let gate = turn.phase_span(Phase::Gate);
        for (call, decision) in calls.iter().zip(&decisions) {
            if let Some(decision) = decision {
                let mut approval = gate.approval_span(&call.name);
                approval.record_decision(*decision);
                approval.finish();
            }
        }
        gate.finish();
    }
    decisions.into_iter().map(|decision| decision.unwrap_or(Decision::Accept)).collect()
}

/// One model call, retries included: a retry that succeeded is an event, not a failure.
fn ask(parent: &Span, model: &Model, request: &Request<'_>) -> Result<Reply, ModelError> {
    let mut chat = parent.chat_span(model.provider(), model.name());
    if let Some((host, port)) = model.server() {
        chat.record_server(&host, port);
    }
    chat.record_max_tokens(request.max_tokens);
    chat.record_content(Content::SystemInstructions, || content::system(request.system));
    chat.record_content(Content::InputMessages, || content::messages(request.messages));

    let mut attempt = 0;
    let answer = loop {
        match model.ask(request) {
            Err(error) if error.is_retryable() && attempt < MAX_RETRIES => {
                let pause = error.retry_after.unwrap_or(RETRY_PAUSE * 2_u32.pow(attempt)).min(RETRY_PAUSE_MAX);
                attempt += 1;
                chat.record_retry(attempt, pause, &error.kind);
                std::thread::sleep(pause);
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

/// Ends a tool's span by what the tool gave, and makes of it what the model is told.
fn end_tool(mut tool: ToolSpan, call: &ToolCall, outcome: Option<Outcome>) -> ToolResult {
    tool.record_content(Content::ToolArguments, || call.arguments.to_string());
    let Some(outcome) = outcome else {
        tool.fail(ErrorType::TOOL_NOT_FOUND);
        return ToolResult { call_id: call.id.clone(), text: "there is no such tool".to_owned(), failed: true };
    };
    tool.record_content(Content::ToolResult, || content::text(&outcome.text));
    tool.record_tool_status(outcome.status);
    if let Some(code) = outcome.exit_code {
        tool.record_exit_code(code);
    }
    tool.finish();
    ToolResult { call_id: call.id.clone(), text: outcome.text, failed: outcome.status != ToolStatus::Ok }
}

/// Why the agent gave up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AgentError {
    /// The model gave no answer.
    Model(ModelError),
    /// A budget is used up.
    BudgetExhausted(BudgetKind),
    /// It went on for too long.
    TooManyTurns,
}

impl AgentError {
    /// The word that becomes `error.type`: of few kinds and without a secret.
    fn kind(&self) -> ErrorType {
        match self {
            Self::Model(error) => error.kind.clone(),
            Self::BudgetExhausted(_) => ErrorType::BUDGET_EXHAUSTED,
            Self::TooManyTurns => ErrorType::MAX_TURNS,
        }
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::BudgetExhausted(kind) => write!(f, "its budget is used up: {}", kind.as_str()),
            Self::TooManyTurns => write!(f, "it was not done after {MAX_TURNS} turns"),
        }
    }
}

impl std::error::Error for AgentError {}

#[cfg(test)]
mod tests;

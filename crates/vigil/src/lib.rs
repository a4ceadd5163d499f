//! Vigil: a flight recorder for AI agents, native to OpenTelemetry.
//!
//! An agent says once what it does, through typed handles; out of that come OpenTelemetry traces, metrics
//! and events, delivered over OTLP, and the structured log a person reads when there is no backend.
//!
//! ```no_run
//! use std::time::Duration;
//! use vigil::{FinishReason, Phase, Provider, Usage};
//!
//! let telemetry = vigil::from_env("researcher").start(); // cannot fail: degrades and says so once
//! let agent = telemetry.agent_span("session-42", "researcher");
//! let phase = agent.phase_span(Phase::Deliberate);
//! let mut chat = phase.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
//! // … the request; async code runs it as `client.send(request).in_span(&chat).await` …
//! chat.record_token_usage(Usage::anthropic(890, 2103).cache(0, 512));
//! chat.record_finish_reason(FinishReason::ToolCall);
//! chat.finish(); // or fail(error_type); a plain drop means cancelled
//! phase.finish();
//! agent.finish();
//! let receipt = telemetry.shutdown(Duration::from_secs(5)); // one deadline for every signal
//! eprintln!("{receipt}");
//! ```
//!
//! # The promise
//!
//! - Recording appends a small record to a buffer of the calling thread: no IO, no formatting, no waiting.
//!   When a buffer is full (128 MiB a thread by default) records are dropped and counted.
//! - Everything else happens on Vigil's own threads, with a runtime of their own: it is the same with
//!   tokio, without, on one worker, inside a task.
//! - Nothing leaves the process unless you set an endpoint. Free text (prompts, answers, arguments, results)
//!   is not recorded unless you ask for it.
//! - Never a panic, never a line on stdout, never a retry in your time. Nothing is global unless you
//!   [`install`](Telemetry::install) it.
//! - Every record is delivered or counted as lost with its reason: [`Telemetry::shutdown`] hands you the
//!   [`Receipt`].
//!
//! What an agent may do and spend passes the [`gateway`] and a [`Budget`]; what it can know about itself are its
//! [`Vitals`].
//!
//! Feature `tracing`: Vigil's spans in your own subscriber, and your `tracing` spans and events in Vigil's
//! traces (module `interop`). Features `reqwest` and `tower`: an HTTP client whose responses are watched for
//! throttling (module [`throttle`]).
//!
//! The agent's own events, to be proven and replayed: [`journal`].
//!
//! Variables that set it up: [`VARIABLES`]. Tests: [`testing`]. Names on the wire: [`contract`].
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests read clocks, start threads and tasks as they need")
)]

mod assemble;
pub mod budget;
mod clock;
pub mod deliver;
pub mod encode;
mod ending;
pub mod gateway;
mod host;
mod ids;
#[cfg(feature = "tracing")]
pub mod interop;
pub mod journal;
mod log;
mod receipt;
mod record;
mod settings;
mod shell;
mod span;
mod telemetry;
pub mod testing;
pub mod throttle;
mod time;
mod truncate;
pub mod vitals;

pub use assemble::recover::recover_spool;
pub use budget::{Admission, Budget, BudgetRefusal, ChatAdmission};
pub use deliver::Protocol;
pub use host::{CurrentSpan, Host, HostContext, HostEvent, HostKind, HostSpan, HostStart};
pub use receipt::Receipt;
pub use settings::{LogFormat, VARIABLES, Variable};
pub use span::{
    AgentSpan, ApprovalSpan, AttributeValue, BudgetLeft, CapabilitySpan, ChatSpan, CleanupSpan, Content,
    EmbeddingsSpan, EnterGuard, Evaluation, HealthReport, InSpan, InSpanExt, McpSpan, PhaseSpan, RemoteParent, Span,
    SpanStream, StateVector, ToolSpan, TurnSpan, WorkflowSpan, current, parse_traceparent,
};
pub use telemetry::global::{agent_span, capability_span, chat_span, phase_span, tool_span};
pub use telemetry::{
    Builder, Plan, RemoteTelemetry, ReplayTelemetry, SHUTDOWN_DEADLINE_DEFAULT, Telemetry, exit, from_env, installed,
};

pub use vitals::{ServicePressure, SlowCall, Vitals};

pub use vigil_core::budget::{Amounts, Ask, Limits, Unpriced};
pub use vigil_core::contract;
pub use vigil_core::cost::{Cost, price};
pub use vigil_core::id::{SpanContext, SpanId, TraceId};
pub use vigil_core::usage::Usage;
pub use vigil_core::vocab::{
    BudgetKind, CapabilityError, CircuitState, Decision, EconomicMode, ErrorType, EvaluationTiming, FinishReason,
    Health, McpMethod, OperatingMode, Operation, Originator, Phase, Provider, RiskLevel, Severity, ToolStatus,
    ToolType,
};

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// And that in the guide to the gateway.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/gateway.md")]
struct GatewayGuide;

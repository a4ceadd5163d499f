//! The typed handles, one a kind of span an agent records.

use super::Span;
use super::span::{Content, Parent};
use super::stream::SpanStream;
use crate::record::Recorder;
use crate::record::format::{AttrRef, ValueRef};
use futures_core::Stream;
use std::time::Duration;
use vigil_core::contract::{SpanKind, attr};
use vigil_core::usage::Usage;
use vigil_core::vocab::{
    CapabilityError, Decision, ErrorType, FinishReason, McpMethod, Operation, Phase, Provider, ToolStatus, ToolType,
};

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "dropping the handle at once ends the span as cancelled; finish or fail it"]
        pub struct $name(Span);

        impl std::ops::Deref for $name {
            type Target = Span;
            fn deref(&self) -> &Span {
                &self.0
            }
        }

        impl $name {
            /// Ends the span: the work did what it was meant to.
            #[inline(always)]
            pub fn finish(self) {
                self.0.finish();
            }

            /// Ends the span as failed. `error` becomes `error.type`: a constant, or a provider's own code
            /// through [`ErrorType::from_code`].
            #[inline]
            pub fn fail(self, error: impl Into<ErrorType>) {
                self.0.fail(&error.into());
            }

            /// Ends the span as failed and says why in words, if content capture is on; `message` is not
            /// called otherwise.
            #[inline]
            pub fn fail_with(self, error: impl Into<ErrorType>, message: impl FnOnce() -> String) {
                self.0.record_content(Content::ErrorMessage, message);
                self.fail(error);
            }

            /// Ends the span by `result` and hands it back. The error becomes `error.type` by `classify`.
            #[inline]
            pub fn settle<T, E>(self, result: Result<T, E>, classify: impl FnOnce(&E) -> ErrorType) -> Result<T, E> {
                match &result {
                    Ok(_) => self.finish(),
                    Err(error) => self.fail(classify(error)),
                }
                result
            }
        }
    };
}

handle! {
    /// Several agents at one job: `invoke_workflow {name}`.
    WorkflowSpan
}
handle! {
    /// One run of an agent: `invoke_agent {name}`.
    AgentSpan
}
handle! {
    /// One round of an agent: `turn {n}`.
    TurnSpan
}
handle! {
    /// One phase of the loop: `phase {phase}`.
    PhaseSpan
}
handle! {
    /// One model call, retries included: `chat {model}`.
    ChatSpan
}
handle! {
    /// One embeddings call: `embeddings {model}`.
    EmbeddingsSpan
}
handle! {
    /// One tool call: `execute_tool {tool}`.
    ToolSpan
}
handle! {
    /// One request to an MCP server: `{method} {target}`.
    McpSpan
}
handle! {
    /// One side effect through the gateway: `capability {name}`.
    CapabilitySpan
}
handle! {
    /// Waiting for a decision about a tool: `approval {tool}`.
    ApprovalSpan
}
handle! {
    /// Cleaning up after work: `cleanup {what}`.
    CleanupSpan
}

/// Who starts a span: a handle, or the telemetry value. One list of constructors serves both.
pub(crate) trait Starts {
    /// Starts a span. `attributes` makes them of `values` where they are written, and must capture nothing; nor must
    /// `kind`, so that both are constants there. What [`SpanKind::def`] says of the kind, the operation above all, need
    /// not be among them.
    fn start<A: Copy, const N: usize>(
        &self,
        kind: impl Copy + Fn() -> SpanKind,
        target: &str,
        values: A,
        attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
    ) -> Span;
}

/// A recorder and the parent that holds when there is no handle.
pub(crate) struct Root {
    pub(crate) recorder: Option<&'static Recorder>,
    pub(crate) parent: Parent,
}

impl Starts for Root {
    fn start<A: Copy, const N: usize>(
        &self,
        kind: impl Copy + Fn() -> SpanKind,
        target: &str,
        values: A,
        attributes: impl Copy + for<'v> Fn(&'v A) -> [AttrRef<'v>; N],
    ) -> Span {
        let span = match self.recorder {
            Some(recorder) => Span::start(recorder, self.parent, kind(), target, &attributes(&values)),
            None => Span::off(self.parent),
        };
        #[cfg(feature = "tracing")]
        return span.shown(None, kind(), target, &attributes(&values));
        #[cfg(not(feature = "tracing"))]
        span
    }
}

/// Stands for the target as the value of an attribute.
const TARGET: ValueRef<'static> = ValueRef::Target;

#[inline(always)]
pub(crate) fn workflow(from: &impl Starts, name: &str) -> WorkflowSpan {
    WorkflowSpan(from.start(|| SpanKind::Workflow, name, (), |()| [(attr::GEN_AI_WORKFLOW_NAME, TARGET)]))
}

#[inline(always)]
pub(crate) fn agent(from: &impl Starts, session: &str, name: &str) -> AgentSpan {
    AgentSpan(from.start(
        || SpanKind::Agent,
        name,
        session,
        |session| {
            [
                (attr::GEN_AI_AGENT_NAME, TARGET),
                (attr::LIFE_SESSION_ID, (*session).into()),
                (attr::GEN_AI_CONVERSATION_ID, (*session).into()),
            ]
        },
    ))
}

#[inline(always)]
pub(crate) fn turn(from: &impl Starts, number: u64) -> TurnSpan {
    let mut digits = itoa::Buffer::new();
    TurnSpan(from.start(
        || SpanKind::Turn,
        digits.format(number),
        number,
        |number| [(attr::VIGIL_TURN_NUMBER, (*number).into())],
    ))
}

#[inline(always)]
pub(crate) fn phase(from: &impl Starts, phase: Phase) -> PhaseSpan {
    PhaseSpan(from.start(|| SpanKind::Phase, phase.as_str(), (), |()| [(attr::LIFE_LOOP_PHASE, TARGET)]))
}

/// What calls of a model have at their start.
#[inline(always)]
fn model_call<'v>(provider: &'v &str) -> [AttrRef<'v>; 2] {
    [(attr::GEN_AI_REQUEST_MODEL, TARGET), (attr::GEN_AI_PROVIDER_NAME, (*provider).into())]
}

#[inline(always)]
pub(crate) fn chat(from: &impl Starts, provider: &Provider, model: &str) -> ChatSpan {
    ChatSpan(from.start(|| SpanKind::Chat, model, provider.as_str(), model_call))
}

#[inline(always)]
pub(crate) fn embeddings(from: &impl Starts, provider: &Provider, model: &str) -> EmbeddingsSpan {
    EmbeddingsSpan(from.start(|| SpanKind::Embeddings, model, provider.as_str(), model_call))
}

#[inline(always)]
pub(crate) fn tool(from: &impl Starts, name: &str, call_id: &str) -> ToolSpan {
    ToolSpan(from.start(
        || SpanKind::Tool,
        name,
        call_id,
        |call_id| {
            [
                (attr::GEN_AI_TOOL_NAME, TARGET),
                (attr::GEN_AI_TOOL_CALL_ID, (*call_id).into()),
                (attr::GEN_AI_TOOL_TYPE, ToolType::Function.as_str().into()),
            ]
        },
    ))
}

pub(crate) fn mcp(from: &impl Starts, method: &McpMethod, target: &str) -> McpSpan {
    let kind = || SpanKind::McpRequest;
    let name = method.as_str();
    McpSpan(match method {
        m if *m == McpMethod::TOOLS_CALL => {
            let operation = Operation::EXECUTE_TOOL;
            from.start(kind, target, (name, operation.as_str()), |(name, operation)| {
                [
                    (attr::MCP_METHOD_NAME, (*name).into()),
                    (attr::GEN_AI_TOOL_NAME, TARGET),
                    (attr::GEN_AI_OPERATION_NAME, (*operation).into()),
                ]
            })
        }
        m if *m == McpMethod::PROMPTS_GET => from.start(kind, target, name, |name| {
            [(attr::MCP_METHOD_NAME, (*name).into()), (attr::GEN_AI_PROMPT_NAME, TARGET)]
        }),
        // A resource's URI has no place in a span's name: there are too many of them.
        _ => from.start(kind, "", name, |name| [(attr::MCP_METHOD_NAME, (*name).into())]),
    })
}

#[inline(always)]
pub(crate) fn capability(from: &impl Starts, name: &str) -> CapabilitySpan {
    CapabilitySpan(from.start(|| SpanKind::Capability, name, (), |()| [(attr::CAP_NAME, TARGET)]))
}

#[inline(always)]
pub(crate) fn approval(from: &impl Starts, tool: &str) -> ApprovalSpan {
    ApprovalSpan(from.start(|| SpanKind::Approval, tool, (), |()| [(attr::GEN_AI_TOOL_NAME, TARGET)]))
}

#[inline(always)]
pub(crate) fn cleanup(from: &impl Starts, what: &str) -> CleanupSpan {
    CleanupSpan(from.start(|| SpanKind::Cleanup, what, (), |()| [(attr::VIGIL_CLEANUP_WHAT, TARGET)]))
}

/// Writes the public constructors onto a type that [`Starts`] spans.
macro_rules! constructors {
    ($type:ty, $self:ident => $from:expr, $where:literal) => {
        impl $type {
            #[doc = concat!("Starts a workflow", $where, ". `name` must be low-cardinality: it names the workflow, not the run.")]
            #[inline]
            pub fn workflow_span(&$self, name: &str) -> $crate::WorkflowSpan {
                $crate::span::kinds::workflow($from, name)
            }

            #[doc = concat!("Starts a run of the agent `name`", $where, ". `session` groups the runs of one conversation.")]
            #[inline]
            pub fn agent_span(&$self, session: &str, name: &str) -> $crate::AgentSpan {
                $crate::span::kinds::agent($from, session, name)
            }

            #[doc = concat!("Starts the turn `number` (from 1)", $where, ".")]
            #[inline]
            pub fn turn_span(&$self, number: u64) -> $crate::TurnSpan {
                $crate::span::kinds::turn($from, number)
            }

            #[doc = concat!("Starts a phase of the loop", $where, ".")]
            #[inline]
            pub fn phase_span(&$self, phase: $crate::Phase) -> $crate::PhaseSpan {
                $crate::span::kinds::phase($from, phase)
            }

            #[doc = concat!("Starts a model call", $where, ". Retries of the call belong inside.")]
            #[inline]
            pub fn chat_span(&$self, provider: impl Into<$crate::Provider>, model: &str) -> $crate::ChatSpan {
                $crate::span::kinds::chat($from, &provider.into(), model)
            }

            #[doc = concat!("Starts an embeddings call", $where, ".")]
            #[inline]
            pub fn embeddings_span(&$self, provider: impl Into<$crate::Provider>, model: &str) -> $crate::EmbeddingsSpan {
                $crate::span::kinds::embeddings($from, &provider.into(), model)
            }

            #[doc = concat!("Starts a call of the tool `name`", $where, ". `call_id` is the model's id of the call. `name` becomes part of metrics: give it the name of a tool you have, not any word a model makes up.")]
            #[inline]
            pub fn tool_span(&$self, name: &str, call_id: &str) -> $crate::ToolSpan {
                $crate::span::kinds::tool($from, name, call_id)
            }

            #[doc = concat!("Starts a request to an MCP server", $where, ". `target` is the tool or prompt, empty for other methods.")]
            #[inline]
            pub fn mcp_span(&$self, method: impl Into<$crate::McpMethod>, target: &str) -> $crate::McpSpan {
                $crate::span::kinds::mcp($from, &method.into(), target)
            }

            #[doc = concat!("Starts a capability call", $where, ".")]
            #[inline]
            pub fn capability_span(&$self, name: &str) -> $crate::CapabilitySpan {
                $crate::span::kinds::capability($from, name)
            }

            #[doc = concat!("Starts waiting for a decision about `tool`", $where, ".")]
            #[inline]
            pub fn approval_span(&$self, tool: &str) -> $crate::ApprovalSpan {
                $crate::span::kinds::approval($from, tool)
            }

            #[doc = concat!("Starts a cleanup of `what` (`attachments`, `worktrees`, …)", $where, ".")]
            #[inline]
            pub fn cleanup_span(&$self, what: &str) -> $crate::CleanupSpan {
                $crate::span::kinds::cleanup($from, what)
            }
        }
    };
}
pub(crate) use constructors;

constructors!(Span, self => self, " below this span");

impl ChatSpan {
    /// Records the tokens of the call. Call it again as better figures come (streams report cumulative
    /// ones): the last wins. What is unknown stays absent; it is never written as 0.
    #[inline]
    pub fn record_token_usage(&mut self, usage: Usage) {
        self.set_tokens(&usage);
    }

    /// Records why the model stopped.
    #[inline]
    pub fn record_finish_reason(&mut self, reason: FinishReason) {
        self.set(reason.as_str(), |reason| [(attr::GEN_AI_RESPONSE_FINISH_REASONS, ValueRef::Only(reason))]);
    }

    /// Records the response's id and the answering model; an empty text stands for what the server did not say.
    #[inline]
    pub fn record_response(&mut self, id: &str, model: &str) {
        match (id, model) {
            // Nothing of the texts is looked at.
            _ if !self.is_recorded() => {}
            ("", "") => {}
            ("", model) => self.set(model, |model| [(attr::GEN_AI_RESPONSE_MODEL, (*model).into())]),
            (id, "") => self.set(id, |id| [(attr::GEN_AI_RESPONSE_ID, (*id).into())]),
            (id, model) => {
                self.set((id, model), |(id, model)| {
                    [(attr::GEN_AI_RESPONSE_ID, (*id).into()), (attr::GEN_AI_RESPONSE_MODEL, (*model).into())]
                });
            }
        }
    }

    /// Records the HTTP status of the answer.
    #[inline]
    pub fn record_http_status(&mut self, status: u16) {
        self.set(status, |status| [(attr::HTTP_RESPONSE_STATUS_CODE, i64::from(*status).into())]);
    }

    /// Records that the first chunk of a streamed answer is here, for clients that are not a
    /// [`stream`](Self::stream). The time counts from the start of the span.
    #[inline]
    pub fn record_first_chunk(&mut self) {
        self.set(true, |streamed| [(attr::GEN_AI_REQUEST_STREAM, (*streamed).into())]);
        self.set_until_now(attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK);
    }

    /// Records the limit of output tokens asked for.
    #[inline]
    pub fn record_max_tokens(&mut self, tokens: u64) {
        self.set(tokens, |tokens| [(attr::GEN_AI_REQUEST_MAX_TOKENS, (*tokens).into())]);
    }

    /// Records the temperature asked for.
    #[inline]
    pub fn record_temperature(&mut self, temperature: f64) {
        self.set(temperature, |temperature| [(attr::GEN_AI_REQUEST_TEMPERATURE, (*temperature).into())]);
    }

    /// Records where the request went.
    #[inline]
    pub fn record_server(&mut self, address: &str, port: u16) {
        self.set((address, port), |(address, port)| {
            [(attr::SERVER_ADDRESS, (*address).into()), (attr::SERVER_PORT, i64::from(*port).into())]
        });
    }

    /// Records the time from the request to the first chunk of the answer, and that it was streamed.
    #[inline]
    pub fn record_time_to_first_chunk(&mut self, time: Duration) {
        self.set(time, |time| {
            [
                (attr::GEN_AI_REQUEST_STREAM, true.into()),
                (attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, time.as_secs_f64().into()),
            ]
        });
    }

    /// Wraps the answer's stream: the span records the time to the first chunk and ends with the stream,
    /// however that ends. `inspect` sees every item and records what it finds (usage, finish reason); when
    /// it answers with an error the span fails with it, and an `Err` item fails it in any case.
    ///
    /// Time to the first chunk counts from the start of the span.
    pub fn stream<S, T, E>(
        self,
        stream: S,
        inspect: impl FnMut(&mut ChatSpan, &Result<T, E>) -> Option<ErrorType> + Send + 'static,
    ) -> SpanStream<S, T, E>
    where
        S: Stream<Item = Result<T, E>>,
    {
        SpanStream::new(stream, self, Box::new(inspect))
    }
}

impl EmbeddingsSpan {
    /// Records the tokens of the call.
    #[inline]
    pub fn record_token_usage(&mut self, usage: Usage) {
        self.set_tokens(&usage);
    }

    /// Records how many dimensions the vectors have.
    #[inline]
    pub fn record_dimensions(&mut self, dimensions: u64) {
        self.set(dimensions, |dimensions| [(attr::GEN_AI_EMBEDDINGS_DIMENSION_COUNT, (*dimensions).into())]);
    }
}

impl ToolSpan {
    /// Records how the tool call went. `finish()` without it means ok; a status of error or timeout makes
    /// the span an error even when it is finished.
    #[inline]
    pub fn record_tool_status(&mut self, status: ToolStatus) {
        self.set(status, |status| [(attr::LIFE_TOOL_STATUS, status.as_str().into())]);
    }

    /// Records what sort of tool it is; without it a function.
    #[inline]
    pub fn record_tool_type(&mut self, kind: ToolType) {
        self.set(kind, |kind| [(attr::GEN_AI_TOOL_TYPE, kind.as_str().into())]);
    }

    /// Records the exit status of the process the tool ran.
    #[inline]
    pub fn record_exit_code(&mut self, code: i32) {
        self.set(code, |code| [(attr::PROCESS_EXIT_CODE, i64::from(*code).into())]);
    }
}

impl McpSpan {
    /// Records the session and the protocol version of the connection.
    #[inline]
    pub fn record_session(&mut self, session: &str, protocol_version: &str) {
        self.set((session, protocol_version), |(session, version)| {
            [(attr::MCP_SESSION_ID, (*session).into()), (attr::MCP_PROTOCOL_VERSION, (*version).into())]
        });
    }

    /// Records the JSON-RPC request's id.
    #[inline]
    pub fn record_request_id(&mut self, id: &str) {
        self.set(id, |id| [(attr::JSONRPC_REQUEST_ID, (*id).into())]);
    }
}

impl CapabilitySpan {
    /// Records the bytes that went into the call and came out of it: for a file written, what was written went in;
    /// for a file read, its contents came out.
    #[inline]
    pub fn record_bytes(&mut self, bytes_in: u64, bytes_out: u64) {
        self.set((bytes_in, bytes_out), |(bytes_in, bytes_out)| {
            [(attr::BYTES_IN, (*bytes_in).into()), (attr::BYTES_OUT, (*bytes_out).into())]
        });
    }

    /// Records what is left of the capability's budget after this call. 0 without an error is the last
    /// allowed call, 0 with `budget_exceeded` a refused one.
    #[inline]
    pub fn record_budget_remaining(&mut self, remaining: u64) {
        self.set(remaining, |remaining| [(attr::CAP_BUDGET_REMAINING, (*remaining).into())]);
    }

    /// Ends the span as failed, with `error.kind`.
    pub fn fail_capability(self, error: CapabilityError) {
        self.set(error, |error| [(attr::ERROR_KIND, error.as_str().into())]);
        self.fail(ErrorType::from_code(error.as_str()));
    }
}

impl ApprovalSpan {
    /// Records which tool call it is about: the model's id of the call.
    #[inline]
    pub fn record_call_id(&mut self, call_id: &str) {
        self.set(call_id, |call_id| [(attr::GEN_AI_TOOL_CALL_ID, (*call_id).into())]);
    }

    /// Records what was decided.
    #[inline]
    pub fn record_decision(&mut self, decision: Decision) {
        self.set(decision, |decision| [(attr::VIGIL_APPROVAL_DECISION, decision.as_str().into())]);
    }
}

impl CleanupSpan {
    /// Records how many things were removed.
    #[inline]
    pub fn record_count(&mut self, count: u64) {
        self.set(count, |count| [(attr::VIGIL_CLEANUP_COUNT, (*count).into())]);
    }
}

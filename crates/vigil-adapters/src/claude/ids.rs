//! Trace and span ids of a session, derived from the record's own ids alone.
//!
//! The stream and the transcript both know the session, message, tool and agent ids, so whichever tells a
//! span gives it the same id. A process and a turn have no id of their own that both sides write down: they are
//! named after the first message of their main loop (or the compaction, where there is no message).

use vigil_core::id::{SpanContext, SpanId, TraceId};

const TOOL: &str = "claude";

/// The ids of one session.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    session: Box<str>,
    trace_id: TraceId,
}

impl Ids {
    /// Ids in the session's own trace, or in that of `parent`.
    pub(crate) fn new(session: &str, parent: Option<SpanContext>) -> Self {
        let trace_id = parent.map_or_else(|| TraceId::derived(&[TOOL, session]), |parent| parent.trace_id);
        Self { session: session.into(), trace_id }
    }

    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    fn span(&self, what: &str, key: &str) -> SpanId {
        SpanId::derived(&[TOOL, &self.session, what, key])
    }

    pub(crate) fn context(&self, span_id: SpanId) -> SpanContext {
        SpanContext { trace_id: self.trace_id, span_id }
    }

    /// The run of one process, by its first message.
    pub(crate) fn run(&self, first_message: &str) -> SpanId {
        self.span("run", first_message)
    }

    /// A turn, by its first message.
    pub(crate) fn turn(&self, first_message: &str) -> SpanId {
        self.span("turn", first_message)
    }

    /// A model call, by its message.
    pub(crate) fn chat(&self, message: &str) -> SpanId {
        self.span("chat", message)
    }

    /// A tool call.
    pub(crate) fn tool(&self, tool_use: &str) -> SpanId {
        self.span("tool", tool_use)
    }

    /// The MCP request a tool call makes.
    pub(crate) fn mcp(&self, tool_use: &str) -> SpanId {
        self.span("mcp", tool_use)
    }

    /// A sub-agent, by the tool call that started it, or by its own id where that is unknown.
    pub(crate) fn sub_agent(&self, tool_use: Option<&str>, agent: &str) -> SpanId {
        match tool_use {
            Some(tool_use) => self.span("agent", tool_use),
            None => self.span("unlinked-agent", agent),
        }
    }
}

/// The key of `text` in the bounded maps and sets of what is open or told.
pub(crate) fn key(text: &str) -> u64 {
    u64::from_be_bytes(SpanId::derived(&[text]).0)
}

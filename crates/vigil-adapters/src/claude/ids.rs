//! Trace and span ids of a session, derived from the record's own ids alone.
//!
//! The stream and the transcript both know the session, message, tool and agent ids, so whichever tells a
//! span gives it the same id. A process and a turn have no id of their own that both sides write down: they are
//! named after the first message of their main loop (or the compaction, where there is no message).

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use vigil_core::id::{SpanContext, SpanId, TraceId};

const TOOL: &str = "claude";

/// The ids of one session.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    session: Arc<str>,
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

/// The key of `text` in the bounded maps and sets of what is open or told: a hash of it, never seen outside.
pub(crate) fn key(text: &str) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word).wrapping_mul(u128::from(MULTIPLIER));
        (product as u64) ^ ((product >> 64) as u64).wrapping_add(MULTIPLIER)
    };
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(text.len() as u64 ^ MULTIPLIER, |hash, word| step(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    step(step(hash, u64::from_le_bytes(last)), MULTIPLIER)
}

/// Maps and sets by [`key`], which is a hash already.
pub(crate) type KeyMap<V> = HashMap<u64, V, BuildHasherDefault<KeyHasher>>;
/// See [`KeyMap`].
pub(crate) type KeySet = HashSet<u64, BuildHasherDefault<KeyHasher>>;

/// Maps by small numbers given in order.
pub(crate) type NumberMap<V> = HashMap<u32, V, BuildHasherDefault<KeyHasher>>;

/// Takes a key as its own hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write_u32(&mut self, number: u32) {
        // Spread over all bits: the map looks at the highest and the lowest.
        self.0 = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

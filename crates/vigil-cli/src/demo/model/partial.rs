//! An answer while its chunks arrive.

use super::{ModelError, Reply, ToolCall};
use serde_json::Value;
use vigil::{FinishReason, Usage};

/// The most tool calls one answer may hold.
const CALLS: usize = 32;

/// What has arrived so far.
#[derive(Debug, Default)]
pub(super) struct Partial {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) text: String,
    pub(super) finish: Option<FinishReason>,
    pub(super) usage: Option<Usage>,
    /// By the index the server gives: identifier, name, and the arguments' JSON text.
    calls: Vec<(String, String, String)>,
    /// The index of the server's first call: Anthropic counts texts too.
    first_index: Option<u64>,
}

impl Partial {
    /// Appends to the call at `index`; what comes in one piece comes with the first chunk of a call.
    pub(super) fn call(&mut self, index: u64, id: &str, name: &str, arguments: &str) -> Result<(), ModelError> {
        let first = *self.first_index.get_or_insert(index);
        let position = index.checked_sub(first).and_then(|position| usize::try_from(position).ok());
        let position = position.filter(|position| *position < CALLS);
        let position = position.ok_or_else(|| ModelError::bad_answer("too many tool calls, or out of order"))?;
        if self.calls.len() <= position {
            self.calls.resize_with(position + 1, Default::default);
        }
        if let Some(call) = self.calls.get_mut(position) {
            call.0.push_str(id);
            call.1.push_str(name);
            call.2.push_str(arguments);
        }
        Ok(())
    }

    /// The whole answer.
    pub(super) fn finish(self) -> Result<Reply, ModelError> {
        // An index that was left out (a text between two calls) leaves a call without a name.
        let calls = self.calls.into_iter().filter(|(_, name, _)| !name.is_empty());
        Ok(Reply {
            id: self.id,
            model: self.model,
            text: self.text,
            calls: calls.map(|(id, name, arguments)| ToolCall { id, name, arguments: json_text(&arguments) }).collect(),
            finish: self.finish.ok_or_else(|| ModelError::bad_answer("it does not say why it ended"))?,
            usage: self.usage.unwrap_or(Usage::unknown()),
            time_to_first_chunk: None,
        })
    }
}

/// Arguments as a model wrote them: no text at all means no arguments.
pub(super) fn json_text(text: &str) -> Value {
    if text.trim().is_empty() {
        Value::Object(Default::default())
    } else {
        serde_json::from_str(text).unwrap_or_default()
    }
}

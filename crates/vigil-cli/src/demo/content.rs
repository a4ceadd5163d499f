//! The conversation in the form of the GenAI conventions' JSON schemas: messages made of parts.
//!
//! Only called when somebody opened the gate for content.

use super::model::{Message, Reply, ToolCall};
use serde_json::{Value, json};

pub(super) fn system(text: &str) -> String {
    json!([text_part(text)]).to_string()
}

pub(super) fn messages(messages: &[Message]) -> String {
    messages.iter().map(message).collect::<Value>().to_string()
}

pub(super) fn answer(reply: &Reply) -> String {
    let mut message = assistant(&reply.text, &reply.calls);
    message["finish_reason"] = reply.finish.as_str().into();
    json!([message]).to_string()
}

pub(super) fn text(text: &str) -> String {
    json!(text).to_string()
}

fn message(message: &Message) -> Value {
    match message {
        Message::User(text) => json!({ "role": "user", "parts": [text_part(text)] }),
        Message::Assistant { text, calls } => assistant(text, calls),
        Message::Results(results) => {
            let parts = results
                .iter()
                .map(|result| json!({ "type": "tool_call_response", "id": result.call_id, "response": result.text }));
            json!({ "role": "tool", "parts": parts.collect::<Value>() })
        }
    }
}

fn assistant(text: &str, calls: &[ToolCall]) -> Value {
    let text = (!text.is_empty()).then(|| text_part(text));
    let calls = calls
        .iter()
        .map(|call| json!({ "type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments }));
    json!({ "role": "assistant", "parts": text.into_iter().chain(calls).collect::<Value>() })
}

fn text_part(text: &str) -> Value {
    json!({ "type": "text", "content": text })
}

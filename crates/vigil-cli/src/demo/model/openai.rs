//! OpenAI Chat Completions: bodies, answers and chunks.

use super::partial::json_text;
use super::{Message, ModelError, Partial, Reply, Request, ToolCall};
use serde_json::{Value, json};
use vigil::{ErrorType, FinishReason, Usage};

pub(super) fn body(model: &str, request: &Request<'_>) -> Value {
    let tools = request.tools.iter().map(|tool| {
        let function = json!({ "name": tool.name, "description": tool.description, "parameters": tool.schema() });
        json!({ "type": "function", "function": function })
    });
    let mut messages = vec![json!({ "role": "system", "content": request.system })];
    request.messages.iter().for_each(|message| push(message, &mut messages));
    let mut body = json!({
        "model": model,
        "max_completion_tokens": request.max_tokens,
        "messages": messages,
        "tools": tools.collect::<Vec<_>>(),
        "stream": request.stream,
    });
    if request.stream {
        // Without it a streamed answer does not tell its tokens.
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

fn push(message: &Message, messages: &mut Vec<Value>) {
    match message {
        Message::User(text) => messages.push(json!({ "role": "user", "content": text })),
        Message::Assistant { text, calls } => {
            let mut message = json!({ "role": "assistant", "content": text });
            if !calls.is_empty() {
                let calls = calls.iter().map(|call| {
                    let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
                    json!({ "id": call.id, "type": "function", "function": function })
                });
                message["tool_calls"] = calls.collect();
            }
            messages.push(message);
        }
        Message::Results(results) => messages.extend(
            results
                .iter()
                .map(|result| json!({ "role": "tool", "tool_call_id": result.call_id, "content": result.text })),
        ),
    }
}

pub(super) fn reply(answer: &Value) -> Result<Reply, ModelError> {
    let choice = &answer["choices"][0];
    if !choice["message"].is_object() {
        return Err(ModelError::bad_answer("it has no message"));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let calls = choice["message"]["tool_calls"].as_array().into_iter().flatten();
    Ok(Reply {
        id: text(&answer["id"]),
        model: text(&answer["model"]),
        text: text(&choice["message"]["content"]),
        calls: calls
            .map(|call| ToolCall {
                id: text(&call["id"]),
                name: text(&call["function"]["name"]),
                arguments: json_text(call["function"]["arguments"].as_str().unwrap_or_default()),
            })
            .collect(),
        finish: FinishReason::from_openai(choice["finish_reason"].as_str().unwrap_or_default()),
        usage: usage(&answer["usage"]).unwrap_or(Usage::unknown()),
        time_to_first_chunk: None,
    })
}

/// Takes in one chunk of a stream. The stream's own end is the line `[DONE]`, so this is never the last.
pub(super) fn chunk(partial: &mut Partial, chunk: &Value) -> Result<bool, ModelError> {
    if chunk["error"].is_object() {
        return Err(ModelError::new(ErrorType::SERVER_ERROR, "the server failed in the middle of its answer"));
    }
    for (name, slot) in [("id", &mut partial.id), ("model", &mut partial.model)] {
        if let Some(text) = chunk[name].as_str().filter(|_| slot.is_empty()) {
            slot.push_str(text);
        }
    }
    let choice = &chunk["choices"][0];
    partial.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
    for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let function = &call["function"];
        let index = call["index"].as_u64().unwrap_or_default();
        partial.call(index, &text(&call["id"]), &text(&function["name"]), &text(&function["arguments"]))?;
    }
    if let Some(reason) = choice["finish_reason"].as_str() {
        partial.finish = Some(FinishReason::from_openai(reason));
    }
    partial.usage = usage(&chunk["usage"]).or(partial.usage);
    Ok(false)
}

/// Its input includes what the cache gave.
fn usage(usage: &Value) -> Option<Usage> {
    let mut known = Usage::openai(usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?);
    if let Some(cached) = usage["prompt_tokens_details"]["cached_tokens"].as_u64() {
        known = known.cached(cached);
    }
    if let Some(reasoning) = usage["completion_tokens_details"]["reasoning_tokens"].as_u64() {
        known = known.reasoning(reasoning);
    }
    Some(known)
}

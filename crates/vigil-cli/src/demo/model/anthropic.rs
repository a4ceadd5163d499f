//! Anthropic Messages: bodies, answers and chunks.

use super::{Message, ModelError, Partial, Reply, Request, ToolCall};
use serde_json::{Value, json};
use vigil::{ErrorType, FinishReason, Usage};

pub(super) fn body(model: &str, request: &Request<'_>) -> Value {
    let tools = request
        .tools
        .iter()
        .map(|tool| json!({ "name": tool.name, "description": tool.description, "input_schema": tool.schema() }));
    json!({
        "model": model,
        "max_tokens": request.max_tokens,
        "system": request.system,
        "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "stream": request.stream,
    })
}

fn message(message: &Message) -> Value {
    match message {
        Message::User(text) => json!({ "role": "user", "content": text }),
        Message::Assistant { text, calls } => {
            let text = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
            let calls = calls.iter().map(|call| {
                // An input must be an object, also where the model's own was not.
                let input = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
                json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input })
            });
            json!({ "role": "assistant", "content": text.into_iter().chain(calls).collect::<Vec<_>>() })
        }
        Message::Results(results) => {
            let results = results.iter().map(|result| {
                json!({
                    "type": "tool_result",
                    "tool_use_id": result.call_id,
                    "content": result.text,
                    "is_error": result.failed,
                })
            });
            json!({ "role": "user", "content": results.collect::<Vec<_>>() })
        }
    }
}

pub(super) fn reply(answer: &Value) -> Result<Reply, ModelError> {
    let blocks = answer["content"].as_array().ok_or_else(|| ModelError::bad_answer("it has no content"))?;
    let of_type = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Reply {
        id: text(&answer["id"]),
        model: text(&answer["model"]),
        text: of_type("text").map(|block| text(&block["text"])).collect(),
        calls: of_type("tool_use")
            .map(|block| ToolCall {
                id: text(&block["id"]),
                name: text(&block["name"]),
                arguments: block["input"].clone(),
            })
            .collect(),
        finish: FinishReason::from_anthropic(answer["stop_reason"].as_str().unwrap_or_default()),
        usage: usage(&answer["usage"]).unwrap_or(Usage::unknown()),
        time_to_first_chunk: None,
    })
}

/// Takes in one event of a stream; `true` when it was the last.
pub(super) fn chunk(partial: &mut Partial, event: &Value) -> Result<bool, ModelError> {
    let index = event["index"].as_u64().unwrap_or_default();
    match event["type"].as_str().unwrap_or_default() {
        "message_start" => {
            let message = &event["message"];
            partial.id = message["id"].as_str().unwrap_or_default().to_owned();
            partial.model = message["model"].as_str().unwrap_or_default().to_owned();
            // The output it names is a placeholder.
            partial.usage = usage(&message["usage"]).map(Usage::output_unknown);
        }
        "content_block_start" if event["content_block"]["type"] == "tool_use" => {
            let block = &event["content_block"];
            let (id, name) = (block["id"].as_str().unwrap_or_default(), block["name"].as_str().unwrap_or_default());
            partial.call(index, id, name, "")?;
        }
        "content_block_delta" => match event["delta"]["type"].as_str() {
            Some("text_delta") => partial.text.push_str(event["delta"]["text"].as_str().unwrap_or_default()),
            Some("input_json_delta") => {
                partial.call(index, "", "", event["delta"]["partial_json"].as_str().unwrap_or_default())?;
            }
            _ => {}
        },
        "message_delta" => {
            if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                partial.finish = Some(FinishReason::from_anthropic(reason));
            }
            // Cumulative and complete.
            partial.usage = usage(&event["usage"]).or(partial.usage);
        }
        "message_stop" => return Ok(true),
        "error" => {
            let kind = match event["error"]["type"].as_str() {
                Some("overloaded_error") => ErrorType::OVERLOADED,
                Some("rate_limit_error") => ErrorType::RATE_LIMIT,
                _ => ErrorType::SERVER_ERROR,
            };
            return Err(ModelError::new(kind, "the server failed in the middle of its answer"));
        }
        _ => {}
    }
    Ok(false)
}

/// Its input excludes what the cache gave and took.
fn usage(usage: &Value) -> Option<Usage> {
    let tokens = |name: &str| usage[name].as_u64();
    let (read, write) = (tokens("cache_read_input_tokens"), tokens("cache_creation_input_tokens"));
    let usage = Usage::anthropic(tokens("input_tokens")?, tokens("output_tokens")?);
    Some(usage.cache(read.unwrap_or(0), write.unwrap_or(0)))
}

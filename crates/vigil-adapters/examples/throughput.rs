//! Measures how fast a stream is read: `cargo run --release -p vigil-adapters --example throughput`.
//!
//! Three synthesized streams of some 256 MB each: whole messages with tool calls of several KB, partial messages
//! (many short lines), and short messages of which every line is read. Prints MB/s of one core, best of three; the
//! budget is 200 MB/s for each.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures time and prints the result")]

use std::time::Instant;
use vigil_adapters::{Observer, Options, RunEnd};
use vigil_core::fact::UnixNanos;

const SESSION: &str = "9819e2bd-b463-4e0b-9abe-865061982ce3";
const BYTES: usize = 256 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;

fn main() {
    for name in ["whole messages", "partial messages", "short messages"] {
        let stream = match name {
            "whole messages" => whole_messages(),
            "partial messages" => partial_messages(),
            _ => short_messages(),
        };
        let mut best = f64::INFINITY;
        let mut told = 0;
        for _ in 0..3 {
            let start = Instant::now();
            told = read(&stream);
            best = best.min(start.elapsed().as_secs_f64());
        }
        let lines = stream.iter().filter(|byte| **byte == b'\n').count();
        let speed = stream.len() as f64 / 1e6 / best;
        println!("{name}: {speed:.0} MB/s ({} MB, {lines} lines, {told} facts)", stream.len() / 1_000_000);
    }
}

fn read(stream: &[u8]) -> usize {
    let mut observer = Observer::new(Options::default());
    let mut told = 0;
    for chunk in stream.chunks(CHUNK) {
        observer.stdout(chunk, UnixNanos(1));
        told += observer.drain().len();
    }
    told + observer.finish(RunEnd::default()).0.len()
}

fn init() -> String {
    format!(
        "{{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"{SESSION}\",\"model\":\"claude-opus-5-5\",\"claude_code_version\":\"2.1.329\"}}\n"
    )
}

fn whole_messages() -> Vec<u8> {
    let mut stream = init();
    let text = "fn greet(name: &str) -> String { format!(\\\"hello {name}\\\") }\\n".repeat(60);
    for number in 0.. {
        if stream.len() > BYTES {
            break;
        }
        let millis = number % 1000;
        stream.push_str(&format!(
            "{{\"type\":\"assistant\",\"message\":{{\"id\":\"msg_{number}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-opus-5-5\",\"content\":[{{\"type\":\"tool_use\",\"id\":\"toolu_{number}\",\"name\":\"Write\",\"input\":{{\"file_path\":\"/x\",\"content\":\"{text}\"}}}}],\"stop_reason\":null,\"usage\":{{\"input_tokens\":4,\"cache_creation_input_tokens\":13214,\"cache_read_input_tokens\":0,\"output_tokens\":3}}}},\"parent_tool_use_id\":null,\"session_id\":\"{SESSION}\",\"uuid\":\"u{number}\",\"timestamp\":\"2026-11-21T01:10:13.{millis:03}Z\"}}\n\
             {{\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":[{{\"tool_use_id\":\"toolu_{number}\",\"type\":\"tool_result\",\"content\":\"{text}\"}}]}},\"parent_tool_use_id\":null,\"session_id\":\"{SESSION}\",\"uuid\":\"v{number}\",\"timestamp\":\"2026-11-21T01:10:13.{millis:03}Z\",\"tool_use_result\":{{\"stdout\":\"{text}\",\"stderr\":\"\"}}}}\n"
        ));
    }
    stream.into_bytes()
}

fn short_messages() -> Vec<u8> {
    let mut stream = init();
    for number in 0.. {
        if stream.len() > BYTES {
            break;
        }
        let millis = number % 1000;
        stream.push_str(&format!(
            "{{\"type\":\"assistant\",\"message\":{{\"id\":\"msg_01ftdxYasng1F8N{number:08}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-opus-5-5\",\"content\":[{{\"type\":\"tool_use\",\"id\":\"toolu_01UiPTfznQ{number:08}\",\"name\":\"Bash\",\"input\":{{\"command\":\"ls -la\",\"description\":\"List files\"}}}}],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{\"input_tokens\":4,\"cache_creation_input_tokens\":13214,\"cache_read_input_tokens\":0,\"output_tokens\":3,\"output_tokens_details\":{{\"thinking_tokens\":0}},\"server_tool_use\":{{\"web_search_requests\":0,\"web_fetch_requests\":0}},\"service_tier\":\"standard\",\"cache_creation\":{{\"ephemeral_1h_input_tokens\":0,\"ephemeral_5m_input_tokens\":13214}}}}}},\"parent_tool_use_id\":null,\"session_id\":\"{SESSION}\",\"uuid\":\"230b50a2-21b4-4a14-9b65-{number:012}\",\"timestamp\":\"2026-11-21T01:10:13.{millis:03}Z\",\"request_id\":\"req_011CVui2TP5BHirvhn4b1eC9\"}}\n\
             {{\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":[{{\"tool_use_id\":\"toolu_01UiPTfznQ{number:08}\",\"type\":\"tool_result\",\"content\":\"README.md src tests\",\"is_error\":false}}]}},\"parent_tool_use_id\":null,\"session_id\":\"{SESSION}\",\"uuid\":\"330b50a2-21b4-4a14-9b65-{number:012}\",\"timestamp\":\"2026-11-21T01:10:13.{millis:03}Z\",\"tool_use_result\":{{\"stdout\":\"README.md src tests\",\"stderr\":\"\",\"interrupted\":false,\"isImage\":false}}}}\n"
        ));
    }
    stream.into_bytes()
}

fn partial_messages() -> Vec<u8> {
    let mut stream = init();
    for number in 0.. {
        if stream.len() > BYTES {
            break;
        }
        let message = number / 500;
        if number % 500 == 0 {
            stream.push_str(&format!(
                "{{\"type\":\"stream_event\",\"event\":{{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_{message}\",\"model\":\"claude-opus-5-5\"}}}},\"session_id\":\"{SESSION}\",\"parent_tool_use_id\":null,\"uuid\":\"s{number}\",\"ttft_ms\":71}}\n"
            ));
        }
        stream.push_str(&format!(
            "{{\"type\":\"stream_event\",\"event\":{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"The project is a tiny gr\"}}}},\"session_id\":\"{SESSION}\",\"parent_tool_use_id\":null,\"uuid\":\"230b50a2-21b4-4a14-9b65-{number:012}\",\"api_message_id\":\"msg_{message}\"}}\n"
        ));
    }
    stream.into_bytes()
}

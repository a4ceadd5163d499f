//! How fast texts are classified, in MB/s on one core:
//! `cargo run --release -p vigil-core --example classify_throughput`
//!
//! Innocent text is what an agent's terminal shows all day; hostile text is made to be slow.

#![expect(clippy::print_stdout, reason = "an example that measures prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "an example that measures reads the clock")]

use std::time::{Duration, Instant};
use vigil_core::throttle::{Channel, Observation, classify};

/// How large each text is: 8 MiB.
const TEXT_BYTES: usize = 8 << 20;
/// How long each is measured.
const MEASURE_FOR: Duration = Duration::from_millis(1500);

fn repeated(part: &str) -> Vec<u8> {
    part.bytes().cycle().take(TEXT_BYTES).collect()
}

fn log() -> Vec<u8> {
    let lines = (0..).map(|n: u64| {
        let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("2026-11-21T08:{:02}:{:02}.{:03}Z INFO worker{{id={id:016x}}} request finished method=POST path=/v1/items/{n} bytes={}\n", n / 60 % 60, n % 60, n % 1000, id % 99_999)
    });
    let mut text = Vec::with_capacity(TEXT_BYTES + 200);
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        if text.len() >= TEXT_BYTES {
            break;
        }
    }
    text
}

fn binary() -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(TEXT_BYTES).collect()
}

fn main() {
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("innocent: log lines", log()),
        (
            "innocent: source code",
            repeated(
                "    let limits = Limits::new(config.requests, config.tokens); // one for each kind\n    limits.apply(&mut request)?;\n",
            ),
        ),
        (
            "innocent: one line of JSON",
            repeated("{\"id\":\"msg_01\",\"type\":\"message\",\"usage\":{\"input_tokens\":429,\"output_tokens\":17}},"),
        ),
        ("innocent: binary", binary()),
        ("hostile: rate rate rate", repeated("rate ")),
        ("hostile: limit limit limit", repeated("limit ")),
        ("hostile: {{{{", repeated("{")),
        ("hostile: {\"a\":[", repeated("{\"a\":[")),
        ("hostile: escapes", repeated("\u{1b}[31;1")),
        ("hostile: unfinished links", repeated("\u{1b}]8;;")),
        ("hostile: backslashes", repeated("\\")),
        ("hostile: you've hit your", repeated("You've hit your ")),
        ("hostile: 429 429", repeated("status 429 ")),
        ("hostile: the whole sentence, talked about", repeated("- Fixed rate limit exceeded\n")),
        ("hostile: the whole sentence, said", repeated("Error: rate limit exceeded. Try again in 5 days\n")),
        ("hostile: said on one line", repeated("Error: rate limit exceeded. ")),
        ("hostile: quotes", repeated("\"rate limit exceeded\" ")),
        ("hostile: codes", repeated("\"type\":\"rate_limit_error\",")),
    ];
    for (name, text) in &texts {
        for channel in [Channel::CliText, Channel::Http] {
            let observation = Observation { channel, text, ..Observation::default() };
            let start = Instant::now();
            let mut runs = 0_u32;
            let mut verdict = None;
            while start.elapsed() < MEASURE_FOR || runs == 0 {
                verdict = classify(&observation);
                runs += 1;
            }
            let megabytes = f64::from(runs) * text.len() as f64 / 1e6;
            let rule = verdict.map_or("none", |throttle| throttle.rule.as_str());
            println!("{:8.0} MB/s  {name} ({channel:?}): {rule}", megabytes / start.elapsed().as_secs_f64());
        }
    }
}

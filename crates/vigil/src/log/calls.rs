//! One line a model call, for programs that read files: `VIGIL_JSONL_PATH`.
//!
//! A JSON object in six parts, of which each field is there only where it is known: `identity`, `model`, `economics`,
//! `reliability`, `governance`, `cache`. Every model call has its line, whether its trace is sampled or not; replayed
//! ones have none. No prompts, answers or messages, whatever the capture setting.
//!
//! Lines are appended with one write each round of the assembler, so that several processes may share a file. The file
//! is made readable for its owner alone, and grows until somebody rotates it. What cannot be written is told once
//! and left out.

use crate::time::rfc3339;
use serde_json::{Map, Value as Json, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use vigil_core::contract::{Key, SpanKind, attr};
use vigil_core::fact::{AnyValue, SpanData};

/// Beyond this much, lines are written before the round ends: 64 KiB.
const WAITING_BYTES: usize = 64 << 10;

pub(crate) struct CallLines {
    file: File,
    waiting: Vec<u8>,
    /// Told of the first line that cannot be written.
    notice: Box<dyn Fn(&str) + Send>,
    failed: bool,
}

impl std::fmt::Debug for CallLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallLines").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl CallLines {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path, notice: Box<dyn Fn(&str) + Send>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: options.open(path)?, waiting: Vec::new(), notice, failed: false })
    }

    /// Takes a finished span; those that are no model calls are none of its business.
    pub(crate) fn span(&mut self, span: &SpanData<'_>) {
        let is_call = matches!(span.kind, SpanKind::Chat | SpanKind::Embeddings);
        if !is_call || span.attributes.get(attr::VIGIL_REPLAY).is_some() {
            return;
        }
        self.waiting.extend_from_slice(line(span).to_string().as_bytes());
        self.waiting.push(b'\n');
        if self.waiting.len() >= WAITING_BYTES {
            self.flush();
        }
    }

    pub(crate) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let written = self.file.write_all(&self.waiting);
        self.waiting.clear();
        if let Err(error) = written
            && !std::mem::replace(&mut self.failed, true)
        {
            (self.notice)(&format!("model calls are not written to the file: {}", error.kind()));
        }
    }
}

/// Fields of a span by the names they have in a line.
type Fields<'a> = &'a [(&'a str, Key)];

const MODEL: Fields<'_> = &[
    ("provider", attr::GEN_AI_PROVIDER_NAME),
    ("operation", attr::GEN_AI_OPERATION_NAME),
    ("requested", attr::GEN_AI_REQUEST_MODEL),
    ("answered", attr::GEN_AI_RESPONSE_MODEL),
    ("chosen_by", attr::VIGIL_CALL_CHOSEN_BY),
    ("max_tokens", attr::GEN_AI_REQUEST_MAX_TOKENS),
    ("temperature", attr::GEN_AI_REQUEST_TEMPERATURE),
];
const IDENTITY: Fields<'_> = &[
    ("session_id", attr::LIFE_SESSION_ID),
    ("conversation_id", attr::GEN_AI_CONVERSATION_ID),
    ("agent", attr::GEN_AI_AGENT_NAME),
    ("run_id", attr::LIFE_RUN_ID),
    ("branch_id", attr::LIFE_BRANCH_ID),
    ("response_id", attr::GEN_AI_RESPONSE_ID),
    ("originator", attr::VIGIL_ORIGINATOR),
];
const ECONOMICS: Fields<'_> = &[
    ("input_tokens", attr::GEN_AI_USAGE_INPUT_TOKENS),
    ("output_tokens", attr::GEN_AI_USAGE_OUTPUT_TOKENS),
    ("reasoning_tokens", attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS),
    ("cost_nano_usd", attr::VIGIL_COST_NANO_USD),
    ("price_table", attr::VIGIL_COST_TABLE),
    ("unpriced_models", attr::VIGIL_COST_UNPRICED_MODELS),
];
const RELIABILITY: Fields<'_> = &[
    ("outcome", attr::VIGIL_OUTCOME),
    ("error_type", attr::ERROR_TYPE),
    ("finish_reasons", attr::GEN_AI_RESPONSE_FINISH_REASONS),
    ("http_status", attr::HTTP_RESPONSE_STATUS_CODE),
    ("time_to_first_chunk_s", attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK),
    ("retry_count", attr::LIFE_RELIABILITY_RETRY_COUNT),
    ("fallback_triggered", attr::LIFE_RELIABILITY_FALLBACK_TRIGGERED),
    ("circuit_state", attr::LIFE_RELIABILITY_CIRCUIT_STATE),
];
const GOVERNANCE: Fields<'_> = &[("policy", attr::VIGIL_CALL_POLICY)];
const CACHE: Fields<'_> = &[
    ("hit", attr::VIGIL_CALL_CACHE_HIT),
    ("read_tokens", attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS),
    ("write_tokens", attr::GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS),
];

fn line(span: &SpanData<'_>) -> Json {
    let part = |fields: Fields<'_>| {
        let known =
            fields.iter().filter_map(|(name, key)| Some(((*name).to_owned(), json(span.attributes.get(*key)?))));
        known.collect::<Map<String, Json>>()
    };
    let mut identity = part(IDENTITY);
    identity.insert("trace_id".to_owned(), span.context.trace_id.to_string().into());
    identity.insert("span_id".to_owned(), span.context.span_id.to_string().into());
    let mut reliability = part(RELIABILITY);
    reliability.insert("duration_ms".to_owned(), (span.duration().as_secs_f64() * 1e3).into());
    json!({
        "time": String::from_utf8_lossy(&rfc3339(span.end)),
        "identity": identity,
        "model": part(MODEL),
        "economics": part(ECONOMICS),
        "reliability": reliability,
        "governance": part(GOVERNANCE),
        "cache": part(CACHE),
    })
}

fn json(value: &AnyValue<'_>) -> Json {
    match value {
        AnyValue::Str(text) => text.as_ref().into(),
        AnyValue::Int(number) => (*number).into(),
        AnyValue::Double(number) => (*number).into(),
        AnyValue::Bool(truth) => (*truth).into(),
        AnyValue::StrList(texts) => texts.iter().map(|text| Json::from(text.as_ref())).collect(),
        AnyValue::IntList(numbers) => numbers.clone().into(),
        // Kinds of values to come have their place on the span.
        _ => Json::Null,
    }
}

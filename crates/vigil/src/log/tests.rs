use super::*;
use std::sync::{Arc, Mutex};
use vigil_core::contract::{SpanKind, attr};
use vigil_core::fact::{Attributes, Outcome, UnixNanos};
use vigil_core::fact::{EventRecord, SpanRecord};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::ErrorType;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn chat() -> SpanRecord {
    let mut attributes = Attributes::new();
    attributes.set(attr::GEN_AI_USAGE_INPUT_TOKENS, 13_218_i64);
    attributes.set(attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, 13_214_i64);
    attributes.set(attr::GEN_AI_USAGE_OUTPUT_TOKENS, 111_i64);
    attributes.set(attr::VIGIL_COST_NANO_USD, 5_300_000_i64);
    attributes.set(attr::VIGIL_ORIGINATOR, "sdk");
    attributes.set(attr::VIGIL_OUTCOME, "error");
    attributes.set_custom("acme.quote", "a \"b\" \n c");
    SpanRecord {
        context: SpanContext { trace_id: TraceId([1; 16]), span_id: SpanId([2; 8]) },
        parent: Some(SpanId([3; 8])),
        kind: SpanKind::Chat,
        target: "claude-opus-5-5".into(),
        start: UnixNanos(1_795_223_709_084_000_000),
        end: UnixNanos(1_795_223_710_324_000_000),
        outcome: Outcome::Error(ErrorType::TIMEOUT),
        attributes,
        links: Vec::new(),
    }
}

fn lines(format: LogFormat, color: bool, write: impl FnOnce(&mut Log)) -> String {
    let shared = Shared::default();
    let mut log = Log::new(format, color, Box::new(shared.clone())).unwrap();
    write(&mut log);
    log.write();
    String::from_utf8(shared.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn a_line_for_people_has_depth_duration_tokens_cost_and_error() {
    let text = lines(LogFormat::Pretty, false, |log| log.span(&chat(), 1));
    assert_eq!(
        text,
        "01:15:10.324 ✗   chat claude-opus-5-5                    1.2s  timeout  in 13,218 (13,214 cached)  out 111  $0.0053\n"
    );
}

#[test]
fn colour_is_the_only_difference_colour_makes() {
    let (plain, inked) = (
        lines(LogFormat::Pretty, false, |log| log.span(&chat(), 0)),
        lines(LogFormat::Pretty, true, |log| log.span(&chat(), 0)),
    );
    assert!(!plain.contains('\x1b') && inked.contains('\x1b'));
    let mut stripped = String::new();
    let mut rest = inked.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}

#[test]
fn a_line_for_machines_is_one_json_object_with_duration_originator_and_ids() {
    let text = lines(LogFormat::Json, false, |log| log.span(&chat(), 3));
    assert_eq!(text.matches('\n').count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["duration_ms"], 1240.0);
    assert_eq!(line["originator"], "sdk");
    assert_eq!(line["trace_id"], "01010101010101010101010101010101");
    assert_eq!(line["span_id"], "0202020202020202");
    assert_eq!(line["parent_span_id"], "0303030303030303");
    assert_eq!(line["error_type"], "timeout");
    assert_eq!(line["attributes"]["gen_ai.usage.input_tokens"], 13_218);
    assert_eq!(line["attributes"]["acme.quote"], "a \"b\" \n c");
    assert_eq!(line["time"], "2026-11-21T01:15:10.324000000Z");
}

#[test]
fn throttling_is_a_line_that_says_who_how_and_what_became_of_it() {
    let mut attributes = Attributes::new();
    attributes.set(attr::DOWNSTREAM_PROVIDER, "anthropic");
    attributes.set(attr::DOWNSTREAM_CLASSIFICATION, "rate_limit");
    attributes.set(attr::VIGIL_THROTTLE_OUTCOME, "retried");
    attributes.set(attr::VIGIL_THROTTLE_WAIT_MS, 2500_i64);
    attributes.set(attr::VIGIL_THROTTLE_COUNT, 3_i64);
    let event = EventRecord {
        kind: vigil_core::contract::EventKind::DownstreamRateLimit,
        span: None,
        time: UnixNanos(1_795_223_709_084_000_000),
        severity: vigil_core::vocab::Severity::Error,
        attributes,
    };
    let text = lines(LogFormat::Pretty, false, |log| log.event(&event));
    assert_eq!(text, "01:15:09.084 • throttled by anthropic: rate_limit, retried after 2500 ms, 3 times\n");
}

#[test]
fn lines_are_written_whole_and_not_one_by_one() {
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);
    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in [LogFormat::Json, LogFormat::Pretty] {
        let writes = Writes::default();
        let mut log = Log::new(format, false, Box::new(writes.clone())).unwrap();
        let mut long = chat();
        long.attributes.set_custom("long", "x".repeat(5000));
        (0..100).for_each(|_| log.span(&chat(), 1));
        log.span(&long, 1);
        log.span(&chat(), 1);
        log.write();
        log.write();
        let writes = writes.0.lock().unwrap();
        let lines = |write: &Vec<u8>| write.split_inclusive(|byte| *byte == b'\n').count();
        assert_eq!(writes.iter().map(lines).sum::<usize>(), 102);
        assert!(writes.len() < 20, "{}", writes.len());
        for write in writes.iter() {
            assert!(write.ends_with(b"\n") && (write.len() <= WRITE_BYTES || lines(write) == 1));
        }
    }
}

use super::*;
use crate::contract::attr::*;
use crate::contract::{EventKind, SpanKind};
use crate::fact::{SpanStart, UnixNanos};
use crate::vocab::{ErrorType, Severity};

fn context() -> SpanContext {
    SpanContext { trace_id: TraceId([1; 16]), span_id: SpanId([2; 8]) }
}

fn chat() -> SpanRecord {
    let mut attributes = Attributes::new();
    attributes.set(VIGIL_ORIGINATOR, "sdk");
    attributes.set(GEN_AI_OPERATION_NAME, "chat");
    attributes.set(GEN_AI_PROVIDER_NAME, "anthropic");
    attributes.set(GEN_AI_USAGE_INPUT_TOKENS, 10);
    SpanRecord {
        context: context(),
        parent: Some(SpanId([3; 8])),
        kind: SpanKind::Chat,
        target: "claude-opus-5-5".into(),
        start: UnixNanos(1),
        end: UnixNanos(2),
        outcome: Outcome::Ok,
        attributes,
        links: Vec::new(),
    }
}

fn problems(span: SpanRecord) -> Vec<Problem> {
    verify(&Fact::Ended(span), false).into_iter().map(|violation| violation.problem).collect()
}

fn with(change: impl FnOnce(&mut SpanRecord)) -> Vec<Problem> {
    let mut span = chat();
    change(&mut span);
    problems(span)
}

#[test]
fn a_good_span_has_nothing_wrong() {
    assert_eq!(problems(chat()), []);
    assert_eq!(with(|span| span.end = span.start), []);
    assert_eq!(with(|span| span.outcome = Outcome::Error(ErrorType::RATE_LIMIT)), []);
    assert_eq!(with(|span| span.outcome = Outcome::Cancelled), []);
}

#[test]
fn missing_and_misplaced_attributes_are_found() {
    let missing =
        with(|span| span.attributes.retain_mut(|key, _| key != GEN_AI_PROVIDER_NAME && key != VIGIL_ORIGINATOR));
    assert_eq!(missing, [Problem::Missing(GEN_AI_PROVIDER_NAME), Problem::Missing(VIGIL_ORIGINATOR)]);
    assert_eq!(with(|span| span.attributes.set(CAP_NAME, "fs.read")), [Problem::NotAllowed(CAP_NAME)]);
}

#[test]
fn wrong_types_and_values_are_found() {
    assert_eq!(
        with(|span| span.attributes.set(GEN_AI_USAGE_INPUT_TOKENS, "10")),
        [Problem::WrongType(GEN_AI_USAGE_INPUT_TOKENS, ValueType::Int)]
    );
    assert_eq!(
        with(|span| span.attributes.set(GEN_AI_USAGE_OUTPUT_TOKENS, -1)),
        [Problem::Negative(GEN_AI_USAGE_OUTPUT_TOKENS)]
    );
    assert_eq!(
        with(|span| span.attributes.set(VIGIL_ORIGINATOR, "somebody")),
        [Problem::UnknownWord(VIGIL_ORIGINATOR, "somebody".to_owned())]
    );
    assert_eq!(
        with(|span| span.attributes.set(GEN_AI_REQUEST_MODEL, "line\nbreak")),
        [Problem::NotAName(GEN_AI_REQUEST_MODEL)]
    );
    assert_eq!(
        with(|span| span.attributes.set(GEN_AI_REQUEST_MODEL, "x".repeat(MAX_NAME_VALUE_BYTES + 1))),
        [Problem::NotAName(GEN_AI_REQUEST_MODEL)]
    );
    assert_eq!(
        with(|span| span
            .attributes
            .set(GEN_AI_RESPONSE_FINISH_REASONS, Value::StrList(vec!["because I said so".into()]))),
        [Problem::NotAWord(GEN_AI_RESPONSE_FINISH_REASONS)]
    );
}

#[test]
fn free_text_passes_an_open_gate_only() {
    let mut span = chat();
    span.attributes.set(GEN_AI_INPUT_MESSAGES, "[]");
    let fact = Fact::Ended(span);
    assert_eq!(verify(&fact, true), []);
    let closed = verify(&fact, false);
    assert_eq!(closed[0].problem, Problem::ContentNotAllowed(GEN_AI_INPUT_MESSAGES));
    assert_eq!(
        closed[0].to_string(),
        "span `chat claude-opus-5-5` (0202020202020202): `gen_ai.input.messages` is free text and the content gate is \
         closed; record it through the gate"
    );
}

#[test]
fn outcome_and_its_attributes_must_agree() {
    assert_eq!(with(|span| span.attributes.set(ERROR_TYPE, "timeout")), [Problem::ErrorTypeDisagrees]);
    let same = with(|span| {
        span.outcome = Outcome::Error(ErrorType::TIMEOUT);
        span.attributes.set(ERROR_TYPE, ErrorType::TIMEOUT);
        span.attributes.set(VIGIL_OUTCOME, OutcomeWord::Error);
    });
    assert_eq!(same, []);
    let other = with(|span| {
        span.outcome = Outcome::Cancelled;
        span.attributes.set(VIGIL_OUTCOME, OutcomeWord::Ok);
    });
    assert_eq!(other, [Problem::OutcomeDisagrees]);
}

#[test]
fn times_and_ids_are_checked() {
    assert_eq!(with(|span| span.end = UnixNanos(0)), [Problem::EndsBeforeStart]);
    assert_eq!(with(|span| span.start = UnixNanos(0)), [Problem::NoTime]);
    assert_eq!(with(|span| span.context.span_id = SpanId::default()), [Problem::ZeroId]);
    assert_eq!(with(|span| span.parent = Some(span.context.span_id)), [Problem::OwnParent]);
    let started = Fact::Started(SpanStart {
        context: context(),
        parent: None,
        kind: SpanKind::Tool,
        target: "Bash".into(),
        start: UnixNanos(0),
    });
    assert_eq!(verify(&started, false)[0].problem, Problem::NoTime);
}

#[test]
fn token_sums_are_checked() {
    assert_eq!(
        with(|span| {
            span.attributes.set(GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, 6);
            span.attributes.set(GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS, 5);
        }),
        [Problem::PartsExceedTotal(GEN_AI_USAGE_INPUT_TOKENS)]
    );
    let mut span = chat();
    span.kind = SpanKind::Agent;
    span.attributes = Attributes::new();
    span.attributes.set(VIGIL_ORIGINATOR, "cli");
    span.attributes.set(GEN_AI_OPERATION_NAME, "invoke_agent");
    span.attributes.set(VIGIL_USAGE_MODELS, Value::StrList(vec!["a".into(), "b".into()]));
    span.attributes.set(VIGIL_USAGE_MODELS_INPUT_TOKENS, vec![1]);
    assert_eq!(problems(span), [Problem::ListLengthDiffers(VIGIL_USAGE_MODELS_INPUT_TOKENS)]);
}

#[test]
fn events_are_checked_too() {
    let mut event = EventRecord {
        kind: EventKind::ModeTransition,
        span: Some(context()),
        time: UnixNanos(5),
        severity: Severity::Info,
        attributes: Attributes::new(),
    };
    event.attributes.set(VIGIL_ORIGINATOR, "sdk");
    event.attributes.set(LIFE_MODE_FROM, "explore");
    event.attributes.set(LIFE_MODE_TO, "execute");
    assert_eq!(verify(&Fact::Event(event.clone()), false), []);
    event.attributes.set(LIFE_MODE_TO, "away");
    event.attributes.set(EXCEPTION_MESSAGE, "secret");
    let found = verify(&Fact::Event(event), false);
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 3, "{text:?}");
    assert!(text.iter().all(|line| line.starts_with("event `vigil.mode.transition`: ")));
    assert!(!text.concat().contains("secret"));
}

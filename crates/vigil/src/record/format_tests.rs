use super::*;
use crate::record::lanes::bytes_of;
use vigil_core::contract::attr;

fn sample() -> Vec<u8> {
    let span = SpanId([2; 8]);
    let start = StartFields {
        trace: &TraceId([1; 16]),
        span,
        parent: SpanId([3; 8]),
        kind: SpanKind::Chat,
        flags: FLAG_SAMPLED,
        time: Ticks(11),
        target: "modèle",
    };
    let event = Event {
        event: EventKind::ModeTransition,
        span: None,
        severity: Severity::Info,
        time: Ticks(12),
        attributes: &[(attr::LIFE_MODE_TO, ValueRef::Str("verify"))],
    };
    let tokens =
        [attr::GEN_AI_USAGE_OUTPUT_TOKENS, attr::GEN_AI_USAGE_INPUT_TOKENS, attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS];
    let end = End { span, time: Ticks(13), ended: EndedAs::Error("timeout"), alone: true };
    let model = [(attr::GEN_AI_REQUEST_MODEL, ValueRef::Target), (attr::GEN_AI_REQUEST_STREAM, true.into())];
    let reasons = [(attr::GEN_AI_RESPONSE_FINISH_REASONS, ValueRef::StrList(&["stop", "length"]))];
    bytes_of(&Start(start, &model))
        .chain(bytes_of(&Set(span, &reasons)))
        .chain(bytes_of(&Set(span, &[(attr::GEN_AI_RESPONSE_ID, ValueRef::Only("one"))])))
        .chain(bytes_of(&SetNumbers(span, tokens, [UNKNOWN, 7, UNKNOWN])))
        .chain(bytes_of(&SetCustom(span, "app.tier", ValueRef::Double(0.5))))
        .chain(bytes_of(&event))
        .chain(bytes_of(&end))
        .collect()
}

#[test]
fn records_come_back_as_they_were_written() {
    let bytes = sample();
    let mut rest = &bytes[..];
    let mut attributes = AttributeSet::new();
    let mut tags = Vec::new();
    while !rest.is_empty() {
        let (record, len) = read(rest).expect("a record");
        match record {
            Record::Start { span, parent, kind, target, time, attributes: attrs, .. } => {
                assert_eq!(
                    (span, parent, kind, target, time),
                    (SpanId([2; 8]), Some(SpanId([3; 8])), SpanKind::Chat, "modèle", Ticks(11))
                );
                attrs.apply("modèle", &mut attributes);
                tags.push("start");
            }
            Record::Set { attributes: attrs, .. } => {
                attrs.apply("modèle", &mut attributes);
                tags.push("set");
            }
            Record::Event { span, severity, .. } => {
                assert_eq!((span, severity), (None, Severity::Info));
                tags.push("event");
            }
            Record::End { ended, alone, attributes: attrs, .. } => {
                assert_eq!((ended, alone), (EndedAs::Error("timeout"), true));
                attrs.apply("modèle", &mut attributes);
                tags.push("end");
            }
        }
        rest = &rest[len..];
    }
    assert_eq!(tags, ["start", "set", "set", "set", "set", "event", "end"]);
    assert_eq!(attributes.str(attr::GEN_AI_REQUEST_MODEL), Some("modèle"));
    assert_eq!(
        attributes.get(attr::GEN_AI_RESPONSE_FINISH_REASONS),
        Some(&AnyValue::StrList(vec!["stop".into(), "length".into()]))
    );
    assert_eq!(attributes.custom().collect::<Vec<_>>(), [("app.tier", &AnyValue::Double(0.5))]);
    assert_eq!(attributes.int(attr::GEN_AI_USAGE_INPUT_TOKENS), Some(7));
    assert_eq!(attributes.int(attr::GEN_AI_USAGE_OUTPUT_TOKENS), None);
    assert_eq!(attributes.int(attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS), None);
    assert_eq!(attributes.get(attr::GEN_AI_RESPONSE_ID), Some(&AnyValue::StrList(vec!["one".into()])));
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let good = sample();
    for cut in 0..good.len() {
        let _ = read(&good[..cut]);
    }
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 20) as u8;
        }
        let mut rest = &bytes[..];
        while let Some((record, len)) = read(rest) {
            let (Record::Start { attributes, .. }
            | Record::Set { attributes, .. }
            | Record::Event { attributes, .. }
            | Record::End { attributes, .. }) = record;
            attributes.apply("", &mut AttributeSet::new());
            if len == 0 || len > rest.len() {
                break;
            }
            rest = &rest[len..];
        }
    }
}

#[test]
fn a_later_record_of_a_span_is_read_as_any_other() {
    let span = SpanId([2; 8]);
    let error = End { span, time: Ticks(14), ended: EndedAs::Cancelled, alone: false };
    let well = End { span, time: Ticks(15), ended: EndedAs::Ok, alone: true };
    let good: Vec<u8> = sample().into_iter().chain(bytes_of(&error)).chain(bytes_of(&well)).collect();
    let (mut state, mut later) = (1_u64, 0);
    for round in 0..20_000 {
        let mut bytes = good.clone();
        if round > 0 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 20) as u8;
        }
        let mut rest = &bytes[..];
        while let Some((record, len)) = read(rest) {
            let expected = match record {
                Record::Set { span: of, attributes } if of == span => Some((None, attributes, len)),
                Record::End { span: of, time, ended, alone: true, attributes } if of == span => {
                    Some((Some((time, ended)), attributes, len))
                }
                _ => None,
            };
            let found = read_later(rest, span).map(|(record, len)| match record {
                Later::Set(attributes) => (None, attributes, len),
                Later::Ended { time, ended, attributes } => (Some((time, ended)), attributes, len),
            });
            assert_eq!(found, expected);
            later += u32::from(found.is_some());
            rest = &rest[len..];
        }
    }
    assert!(later > 50_000, "{later}");
}

#[test]
fn a_number_beyond_the_largest_is_read_as_that() {
    let (span, key) = (SpanId([2; 8]), attr::GEN_AI_USAGE_INPUT_TOKENS);
    let most = i64::MAX as u64;
    for (written, expected) in [(0, 0), (7, 7), (most, i64::MAX), (most + 1, i64::MAX), (u64::MAX - 1, i64::MAX)] {
        let one = bytes_of(&Set(span, &[(key, written.into())])).collect::<Vec<_>>();
        let among = bytes_of(&SetNumbers(span, [key], [written])).collect::<Vec<_>>();
        for bytes in [one, among] {
            let Some((Record::Set { attributes, .. }, _)) = read(&bytes) else { panic!("no record") };
            let mut set = AttributeSet::new();
            attributes.apply("", &mut set);
            assert_eq!(set.int(key), Some(expected));
        }
    }
}

#[test]
fn texts_of_every_length_come_back_whole() {
    let span = SpanId([2; 8]);
    let text: String = ('a'..='z').cycle().take(200).collect();
    for len in 0..text.len() {
        let written = &text[..len];
        let bytes: Vec<u8> = bytes_of(&Set(span, &[(attr::GEN_AI_RESPONSE_ID, written.into())])).collect();
        let Some((Record::Set { attributes, .. }, _)) = read(&bytes) else { panic!("no record") };
        let mut set = AttributeSet::new();
        attributes.apply("", &mut set);
        assert_eq!(set.str(attr::GEN_AI_RESPONSE_ID), Some(written));
    }
}

use super::*;
use vigil_core::contract::attr;

fn sample() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer(&mut bytes);
    writer.start(
        StartFields {
            trace: TraceId([1; 16]),
            span: SpanId([2; 8]),
            parent: Some(SpanId([3; 8])),
            kind: SpanKind::Chat,
            flags: FLAG_SAMPLED,
            time: UnixNanos(11),
            target: "modèle",
        },
        &[(attr::GEN_AI_REQUEST_MODEL, "modèle".into()), (attr::GEN_AI_REQUEST_STREAM, true.into())],
    );
    writer.set(SpanId([2; 8]), &[(attr::GEN_AI_RESPONSE_FINISH_REASONS, ValueRef::StrList(&["stop", "length"]))]);
    writer.set_custom(SpanId([2; 8]), "app.tier", ValueRef::Double(0.5));
    writer.event(EventKind::ModeTransition, None, Severity::Info, UnixNanos(12), &[(attr::LIFE_MODE_TO, "verify".into())]);
    writer.end(SpanId([2; 8]), UnixNanos(13), EndedAs::Error("timeout"), &[(attr::GEN_AI_USAGE_INPUT_TOKENS, 7_i64.into())]);
    bytes
}

#[test]
fn records_come_back_as_they_were_written() {
    let bytes = sample();
    let mut rest = &bytes[..];
    let mut attributes = Attributes::new();
    let mut tags = Vec::new();
    while !rest.is_empty() {
        let (record, len) = read(rest).expect("a record");
        match record {
            Record::Start { span, parent, kind, target, time, attributes: attrs, .. } => {
                assert_eq!((span, parent, kind, target, time), (SpanId([2; 8]), Some(SpanId([3; 8])), SpanKind::Chat, "modèle", UnixNanos(11)));
                attrs.apply(&mut attributes);
                tags.push("start");
            }
            Record::Set { attributes: attrs, .. } => {
                attrs.apply(&mut attributes);
                tags.push("set");
            }
            Record::Event { span, severity, .. } => {
                assert_eq!((span, severity), (None, Severity::Info));
                tags.push("event");
            }
            Record::End { ended, attributes: attrs, .. } => {
                assert_eq!(ended, EndedAs::Error("timeout"));
                attrs.apply(&mut attributes);
                tags.push("end");
            }
        }
        rest = &rest[len..];
    }
    assert_eq!(tags, ["start", "set", "set", "event", "end"]);
    assert_eq!(attributes.str(attr::GEN_AI_REQUEST_MODEL), Some("modèle"));
    assert_eq!(attributes.get(attr::GEN_AI_RESPONSE_FINISH_REASONS), Some(&Value::StrList(vec!["stop".into(), "length".into()])));
    assert_eq!(attributes.custom().collect::<Vec<_>>(), [("app.tier", &Value::Double(0.5))]);
    assert_eq!(attributes.int(attr::GEN_AI_USAGE_INPUT_TOKENS), Some(7));
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
            attributes.apply(&mut Attributes::new());
            if len == 0 || len > rest.len() {
                break;
            }
            rest = &rest[len..];
        }
    }
}

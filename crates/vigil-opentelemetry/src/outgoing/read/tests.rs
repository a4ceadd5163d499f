use super::*;
use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};
use vigil::encode::Signal;

/// What Vigil writes of a chat with a list, and of an event.
fn batches() -> (Vec<u8>, Vec<u8>) {
    let kept = MemoryDestination::new();
    let telemetry = vigil::from_env("test").environment([]);
    let telemetry = telemetry.destination(DestinationConfig::new("memory", Target::Memory(kept.clone()))).start();
    let agent = telemetry.agent_span("session", "agent");
    let mut chat = agent.chat_span(vigil::Provider::ANTHROPIC, "model");
    chat.record_finish_reason(vigil::FinishReason::Stop);
    chat.set_attribute("acme.share", -0.25);
    chat.set_attribute("acme.below", -1_i64);
    chat.set_attribute("acme.true", true);
    chat.fail(vigil::ErrorType::TIMEOUT);
    agent.finish();
    assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
    let body = |signal| kept.of(signal)[0].body().to_vec();
    (body(Signal::Traces), body(Signal::Logs))
}

#[test]
fn bytes_that_are_cut_or_wrong_are_refused_and_never_more_than_that() {
    let (traces, logs) = batches();
    assert_eq!(spans(&traces).unwrap().len(), 2);
    let mut refused = 0;
    for bytes in [&traces, &logs] {
        let mut read = |bytes: &[u8]| {
            refused += usize::from(spans(bytes).is_err()) + usize::from(events(bytes).is_err());
            refused += usize::from(origin(bytes).is_err());
        };
        (0..bytes.len()).for_each(|end| read(&bytes[..end]));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                read(&wrong);
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn a_list_in_a_list_does_not_exhaust_the_stack() {
    let mut value = vec![0x0a, 1, b'x'];
    for _ in 0..100_000 {
        let mut around = vec![0x0a];
        varint_of(value.len(), &mut around);
        around.extend_from_slice(&value);
        let mut list = vec![0x2a];
        varint_of(around.len(), &mut list);
        list.extend_from_slice(&around);
        value = list;
        if value.len() > 20_000 {
            break;
        }
    }
    assert!(any(&value).is_ok());
}

fn varint_of(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[test]
fn numbers_of_every_size_and_sign_are_what_others_read() {
    let (traces, logs) = batches();
    let theirs = TracesData::decode(&*traces).unwrap();
    let theirs = theirs.resource_spans.iter().flat_map(|resource| &resource.scope_spans[0].spans);
    for (ours, theirs) in spans(&traces).unwrap().iter().zip(theirs) {
        assert_eq!(ours.name, theirs.name);
        assert_eq!(ours.attributes.len(), theirs.attributes.len());
    }
    let chat = spans(&traces).unwrap().into_iter().find(|span| span.name == "chat model").unwrap();
    let value = |name: &str| chat.attributes.iter().find(|one| one.key.as_str() == name).map(|one| one.value.clone());
    assert_eq!(value("acme.share"), Some(Value::F64(-0.25)));
    assert_eq!(value("acme.below"), Some(Value::I64(-1)));
    assert_eq!(value("acme.true"), Some(Value::Bool(true)));
    assert_eq!(value("gen_ai.response.finish_reasons"), Some(Value::Array(Array::String(vec!["stop".into()]))));
    assert_eq!(chat.status, Status::error(""));
    let theirs = LogsData::decode(&*logs).unwrap();
    let theirs = theirs.resource_logs.iter().flat_map(|resource| &resource.scope_logs[0].log_records);
    for (ours, theirs) in events(&logs).unwrap().iter().zip(theirs) {
        assert_eq!(ours.name, theirs.event_name);
        assert_eq!(ours.severity, theirs.severity_number as u64);
        assert_eq!(ours.attributes.len(), theirs.attributes.len());
        assert_eq!(ours.span.map(|(trace, ..)| trace.to_bytes().to_vec()).unwrap_or_default(), theirs.trace_id);
    }
}

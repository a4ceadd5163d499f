//! The chain: what binds records, and what is left out of it.

use super::*;
use crate::journal::{Chain, Comparison, Durability, Finding, Hash, Journal, KindError, diff};

#[test]
fn the_hash_of_known_events_is_what_other_tools_compute() {
    // Python: hashlib.sha256(previous + struct.pack("<QB", sequence, len(kind)) + kind + payload).hexdigest()
    let mut chain = Chain::new();
    let first = chain.append("message.received", b"find me a paper").unwrap();
    let second = chain.append("plan.made", b"{\"steps\":3}").unwrap();
    assert_eq!(first.hash.to_string(), "a10a5d383f20d388c728ae330b50df3c07a54da4cf9db938b8b7db4fa357b9b9");
    assert_eq!(second.hash.to_string(), "ed876327819a564f91063bc2ac83461d8eeaf545d05631972f50d4b7c3297ead");
    assert_eq!((second.sequence, chain.head()), (2, second));
    assert_eq!(Hash::from_hex(&second.hash.to_string()), Some(second.hash));
    assert_eq!(Hash::from_hex("é"), None);
}

#[test]
fn b8_nothing_operational_is_in_the_chain() {
    let scratch = Scratch::new();
    let disabled = [("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())];
    let (on, off) = (crate::testing::recorder(), crate::from_env("test").environment(disabled).start());
    let heads =
        [("on", &*on, Durability::Group), ("off", &off, Durability::None)].map(|(name, telemetry, durability)| {
            // Another file, stream, time, durability and trace: the same events.
            let journal = Journal::options(name).durability(durability).open(scratch.join(name)).unwrap();
            let agent = telemetry.agent_span(name, "researcher");
            journal.append(&agent, "message.received", b"hello").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(2));
            let tool = agent.tool_span("search", "call-1");
            journal.append(&tool, "tool.done", b"42").unwrap();
            journal.flush().unwrap()
        });
    assert_eq!(heads[0], heads[1]);
    let (one, other) = (fs::read(scratch.join("on")).unwrap(), fs::read(scratch.join("off")).unwrap());
    assert_ne!(one, other, "times and ids are in the envelopes, outside of what is hashed");
    assert_eq!(diff(&mut reader(&one), &mut reader(&other)).unwrap(), Comparison::Same(heads[0]));
}

#[test]
fn l5_an_envelope_carries_the_ids_of_the_span_and_the_span_the_place_in_the_journal() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let telemetry = crate::testing::recorder();
    let journal = Journal::options("session-42").open(&path).unwrap();
    let agent = telemetry.agent_span("session-42", "researcher");
    let phase = agent.phase_span(crate::Phase::Commit);
    let context = phase.context();
    journal.append_in(None, "agent.started", b"").unwrap();
    journal.append(&phase, "message.sent", b"hi").unwrap();
    phase.finish();
    agent.finish();
    journal.flush().unwrap();

    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.next_record().unwrap().unwrap().context, None);
    assert_eq!(reader.next_record().unwrap().unwrap().context, Some(context));
    let recorded = telemetry.recorded();
    let attributes = &recorded.span("phase commit").unwrap().attributes;
    assert_eq!(attributes.str(crate::contract::attr::LAGO_STREAM_ID), Some("session-42"));
    assert_eq!(attributes.int(crate::contract::attr::LIFE_EVENT_SEQ), Some(2));
    assert_eq!(attributes.str(crate::contract::attr::LIFE_EVENT_KIND), Some("message.sent"));
    recorded.verify_contract().unwrap();
}

#[test]
fn a_kind_is_a_short_visible_word() {
    let mut chain = Chain::new();
    for bad in ["", "two words", "tab\t", "é", "a@b", &"k".repeat(65)] {
        assert_eq!(chain.append(bad, b""), Err(KindError), "{bad:?}");
    }
    assert_eq!(chain.head(), Head::default(), "nothing was appended");
    assert!(chain.append(&"k".repeat(64), b"").is_ok());
}

#[test]
fn a_kind_and_a_payload_cannot_be_shifted_into_one_another() {
    let heads =
        [("ab", "c"), ("a", "bc")].map(|(kind, payload)| Chain::new().append(kind, payload.as_bytes()).unwrap());
    assert_ne!(heads[0].hash, heads[1].hash);
}

/// The journal with the record at `offset` written anew by `change`, its checksums made to fit.
fn forged(bytes: &[u8], record: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let offsets = offsets(bytes);
    let (start, end) = (offsets[record], offsets[record + 1]);
    let mut body = bytes[start + frame::FRAME_HEADER_BYTES..end].to_vec();
    change(&mut body);
    let mut forged = bytes[..start].to_vec();
    forged.extend(frame::encode_frame_header(body.len() as u32, crc32c::crc32c(&body), start as u64));
    forged.extend(&body);
    forged.extend(&bytes[end..]);
    forged
}

#[test]
fn a_payload_that_was_altered_with_care_is_found_by_its_hash() {
    let bytes = five();
    let altered = forged(&bytes, 2, |body| *body.last_mut().unwrap() ^= 1);
    let verification = verified(&altered);
    let offset = offsets(&bytes)[2] as u64;
    assert_eq!(verification.findings, [Finding::Altered { offset, sequence: 3 }]);
    assert_eq!(verification.records, 5);
}

#[test]
fn a_record_that_was_altered_with_its_hash_is_found_by_the_next() {
    let bytes = five();
    let altered = forged(&bytes, 2, |body| {
        *body.last_mut().unwrap() ^= 1;
        let hash = Hash::of(&body[64..]);
        body[32..64].copy_from_slice(&hash.0);
    });
    let verification = verified(&altered);
    let offset = offsets(&bytes)[3] as u64;
    assert_eq!(verification.findings, [Finding::Unchained { offset, sequence: 4 }]);
}

#[test]
fn a_time_that_was_altered_is_not_part_of_the_chain() {
    let verification = verified(&forged(&five(), 2, |body| body[0] ^= 1));
    assert!(verification.is_intact());
}

#[test]
fn a_record_that_was_taken_out_or_comes_twice_is_found() {
    let bytes = five();
    let mut without = frame::encode_file_header("stream");
    let mut head = append_to(&mut without, Head::default(), &[("a", b"one"), ("b", b"two")]);
    head.sequence += 1;
    append_to(&mut without, head, &[("d", b"")]);
    assert!(matches!(verified(&without).findings[..], [Finding::OutOfSequence { expected: 3, found: 4, .. }]));

    let mut twice = bytes.clone();
    let at = twice.len();
    append_to(&mut twice, Head { sequence: 4, ..Head::default() }, &[("e", b"")]);
    let offset = at as u64;
    assert_eq!(verified(&twice).findings, [Finding::OutOfSequence { offset, expected: 6, found: 5 }]);
}

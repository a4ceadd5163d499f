//! Record and replay.

use super::*;
use crate::CapabilityError;
use crate::journal::{Call, Journal, Outcome, Replay, ReplayError};

fn call<'a>(capability: &'a str, outcome: Outcome<'a>) -> Call<'a> {
    Call { number: 0, capability, digest: [7; 32], outcome }
}

const DENIED: Outcome<'_> = Outcome::Failed { kind: CapabilityError::Denied, error_type: "capability_denied" };

/// An agent's run with its world: asks, notes the answer, is refused.
fn recorded(path: &Path) -> Head {
    let journal = Journal::options("recorded").open(path).unwrap();
    journal.append_in(None, "message.received", b"what is it?").unwrap();
    journal.append_call(None, &call("net.fetch", Outcome::Answered(b"42"))).unwrap();
    journal.append_in(None, "answer.given", b"42").unwrap();
    journal.append_call(None, &call("fs.write", DENIED)).unwrap();
    journal.flush().unwrap()
}

#[test]
fn calls_survive_their_payload() {
    let failed = |kind| Outcome::Failed { kind, error_type: "timeout" };
    let unnamed = Outcome::Failed { kind: CapabilityError::BudgetExceeded, error_type: "" };
    let outcomes =
        [Outcome::Answered(b""), Outcome::Answered(&[0, 1, 255]), failed(CapabilityError::RuntimeError), unnamed];
    for outcome in outcomes {
        let call = Call { number: 1 << 40, ..call("fs.read", outcome) };
        assert_eq!(Call::from_payload(&call.to_payload().unwrap()), Some(call));
    }
    let name = "n".repeat(256);
    assert_eq!(call(&name, DENIED).to_payload(), None);
    assert!(call(&name[1..], DENIED).to_payload().is_some());
    let payload = call("fs.read", unnamed).to_payload().unwrap();
    for length in 0..payload.len() {
        assert_eq!(Call::from_payload(&payload[..length]), None, "{length} bytes");
    }
}

#[test]
fn b8_a_replay_ends_with_the_hash_of_the_run_it_replays() {
    let scratch = Scratch::new();
    let path = scratch.join("run.journal");
    let head = recorded(&path);
    let before = fs::read(&path).unwrap();

    let mut replay = Replay::open(&path).unwrap();
    replay.append("message.received", b"what is it?").unwrap();
    let fetched = replay.next_call().unwrap().unwrap();
    assert_eq!((fetched.capability, fetched.digest, fetched.outcome), ("net.fetch", [7; 32], Outcome::Answered(b"42")));
    replay.append("answer.given", b"42").unwrap();
    assert_eq!(replay.next_call().unwrap().unwrap().outcome, DENIED);
    assert_eq!(replay.finish(), Ok(head));
    assert_eq!(fs::read(&path).unwrap(), before, "a replay writes nothing");
}

#[test]
fn a_run_that_is_recorded_again_elsewhere_has_the_same_hash() {
    let scratch = Scratch::new();
    assert_eq!(recorded(&scratch.join("here")), recorded(&scratch.join("there")));
}

#[test]
fn a_replay_that_takes_another_course_is_told_where_and_does_not_find_back() {
    let scratch = Scratch::new();
    let path = scratch.join("run.journal");
    recorded(&path);

    let mut replay = Replay::open(&path).unwrap();
    replay.append("message.received", b"what is it?").unwrap();
    let parted = replay.append("answer.given", b"42").unwrap_err();
    let expected = "the replay parts from the record at 2: capability.call was recorded, answer.given comes";
    assert_eq!(parted.to_string(), expected);
    assert_eq!(replay.next_call(), Err(parted.clone()));
    assert_eq!(replay.finish(), Err(parted));

    let mut replay = Replay::open(&path).unwrap();
    let parted = replay.append("message.received", b"what was it?").unwrap_err();
    assert_eq!(parted.to_string(), "the replay parts from the record at 1: the payload of message.received is another");
    assert_eq!(replay.head(), Head::default());
}

#[test]
fn a_replay_that_is_longer_or_shorter_than_its_record_is_told() {
    let scratch = Scratch::new();
    let path = scratch.join("run.journal");
    let journal = Journal::options("recorded").open(&path).unwrap();
    journal.append_in(None, "one", b"").unwrap();
    drop(journal);

    let mut replay = Replay::open(&path).unwrap();
    let unfinished = ReplayError::Unfinished { sequence: 1, recorded: "one".to_owned() };
    assert_eq!(replay.finish(), Err(unfinished.clone()));
    assert_eq!(replay.append("one", b""), Err(unfinished), "it is over");

    let mut replay = Replay::open(&path).unwrap();
    replay.append("one", b"").unwrap();
    let ended = ReplayError::Ended { sequence: 2, replayed: "two".to_owned() };
    assert_eq!(replay.append("two", b""), Err(ended.clone()));
    assert_eq!(replay.finish(), Err(ended.clone()));
    assert_eq!(ended.to_string(), "the replay parts from the record at 2: the record has ended, two comes");

    let mut replay = Replay::open(&path).unwrap();
    replay.append("one", b"").unwrap();
    assert_eq!(replay.next_call(), Ok(None), "no call is left");
    assert!(
        matches!(replay.finish(), Err(ReplayError::Ended { sequence: 2, .. })),
        "and the agent was about to make one"
    );
}

#[test]
fn a_record_that_is_damaged_or_altered_is_not_replayed() {
    let mut bytes = five();
    let starts = offsets(&bytes);
    bytes[starts[1] + 20] ^= 1;
    let mut replay = Replay::new(reader(&bytes));
    replay.append("a", b"one").unwrap();
    assert!(matches!(replay.append("b", b"two"), Err(ReplayError::Damaged(damage)) if damage.after == 1));

    let mut missing = frame::encode_file_header("stream");
    append_to(&mut missing, Head { sequence: 1, ..Head::default() }, &[("b", b"two")]);
    assert_eq!(Replay::new(reader(&missing)).append("b", b"two"), Err(ReplayError::Altered(2)));
}

//! A gateway that records into a journal and replays from it: seeds L5 and B8, on files.
#![allow(clippy::unwrap_used, reason = "tests fail")]

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use vigil::contract::attr;
use vigil::gateway::{CallLog, CallOutcome, CallRecord, Gateway, GatewayError, Policy};
use vigil::journal::{CAPABILITY_BYTES_MAX, CAPABILITY_CALL, Head, Item, Journal, Reader, Replay, ReplayError, verify};
use vigil::{ErrorType, Telemetry, testing};

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vigil-gateway-journal-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn policy() -> Policy {
    Policy::deny_all().allow("db.query", 2).allow("llm.call", 0)
}

fn off() -> Telemetry {
    vigil::from_env("t").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start()
}

/// Calls of every outcome: answered, failed, used up, denied.
fn calls(gateway: &Gateway, telemetry: &Telemetry, world: &Cell<u64>) -> Vec<String> {
    let agent = telemetry.agent_span("s", "a");
    let touch = |question: &str| {
        world.set(world.get() + 1);
        if question == "fail" { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(world.get()) }
    };
    let asked = [("db.query", "a"), ("llm.call", "fail"), ("db.query", "b"), ("db.query", "c"), ("fs.write", "d")];
    let state = asked.map(|(capability, question)| {
        let result = gateway.call(&agent, capability, question, touch);
        format!("{:?}", result.map_err(|error| (error.kind(), error.error_type())))
    });
    agent.finish();
    state.into()
}

fn recorded(path: &Path, telemetry: &Telemetry) -> (Vec<String>, Head) {
    let journal = Arc::new(Journal::options("run").open(path).unwrap());
    journal.append_in(None, "run.started", b"").unwrap();
    let gateway = Gateway::builder(policy()).record(journal.clone()).build();
    let state = calls(&gateway, telemetry, &Cell::new(40));
    journal.append_in(None, "run.ended", b"").unwrap();
    (state, journal.flush().unwrap())
}

#[test]
fn b8_a_run_replayed_from_its_journal_has_its_state_and_its_hash_and_touches_nothing() {
    let folder = Folder::new("replay");
    let path = folder.join("run.journal");
    let (state, head) = recorded(&path, &testing::recorder());
    assert_eq!(head.sequence, 7);

    let replay = Arc::new(Mutex::new(Replay::open(&path).unwrap()));
    replay.lock().unwrap().append("run.started", b"").unwrap();
    let gateway = Gateway::builder(policy()).replay(replay.clone()).build();
    let world = Cell::new(1_000);
    assert_eq!(calls(&gateway, &off(), &world), state);
    assert_eq!(world.get(), 1_000);
    replay.lock().unwrap().append("run.ended", b"").unwrap();
    assert_eq!(replay.lock().unwrap().finish(), Ok(head));
}

#[test]
fn b8_the_hash_of_recorded_calls_is_the_same_with_telemetry_on_and_off() {
    let folder = Folder::new("off");
    let with = recorded(&folder.join("on.journal"), &testing::recorder());
    let without = recorded(&folder.join("off.journal"), &off());
    assert_eq!(with, without);
    assert_eq!(verify(&mut Reader::open(folder.join("off.journal")).unwrap()).unwrap().head, with.1);
}

#[test]
fn l5_the_envelope_of_a_call_carries_the_ids_of_its_span_however_it_ended() {
    let folder = Folder::new("ids");
    let path = folder.join("run.journal");
    let telemetry = testing::recorder();
    recorded(&path, &telemetry);
    let spans = telemetry.recorded().spans;
    let mut reader = Reader::open(&path).unwrap();
    let mut ids = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        let Item::Record(_, envelope) = item else { panic!("{item:?}") };
        if envelope.kind == CAPABILITY_CALL {
            ids.push(envelope.context.unwrap());
        }
    }
    let capabilities = spans.iter().filter(|span| span.attributes.str(attr::CAP_NAME).is_some());
    let expected: Vec<_> = capabilities.map(|span| span.context).collect();
    assert_eq!(ids.len(), 5);
    assert_eq!(ids, expected);
}

#[test]
fn a_call_that_was_given_up_is_in_the_journal_with_its_ids_too() {
    let folder = Folder::new("cancelled");
    let path = folder.join("run.journal");
    let telemetry = testing::recorder();
    let journal = Arc::new(Journal::options("run").open(&path).unwrap());
    let gateway = Gateway::builder(policy()).record(journal.clone()).build();
    let agent = telemetry.agent_span("s", "a");
    let given_up = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(gateway.call(&agent, "db.query", "a", |_| -> io::Result<u64> { panic!("in the handler") }));
    }));
    assert!(given_up.is_err());
    agent.finish();
    journal.flush().unwrap();
    let span = telemetry.recorded().span("capability db.query").unwrap().context;
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.next_record().unwrap().unwrap().context, Some(span));

    let gateway = Gateway::builder(policy()).replay(Arc::new(Mutex::new(Replay::open(&path).unwrap()))).build();
    let error = gateway.call(&agent_of(&off()), "db.query", "a", |_| Ok::<u64, io::Error>(1)).unwrap_err();
    assert_eq!(error.error_type(), ErrorType::PANIC);
}

fn agent_of(telemetry: &Telemetry) -> vigil::AgentSpan {
    telemetry.agent_span("s", "a")
}

#[test]
fn b9_no_byte_of_an_argument_is_in_the_journal() {
    const CANARY: &str = "c4n4ry-5ecret";
    let folder = Folder::new("canary");
    let path = folder.join("run.journal");
    let journal = Arc::new(Journal::options("run").open(&path).unwrap());
    let gateway = Gateway::builder(policy()).record(journal.clone()).build();
    let telemetry = testing::recorder();
    let agent = agent_of(&telemetry);
    for capability in ["llm.call", "db.query", "db.query", "db.query", "fs.write"] {
        let fails = capability == "llm.call";
        let asked = |secret: &str| if fails { Err(secret.to_owned()) } else { Ok(secret.len() as u64) };
        drop(gateway.call(&agent, capability, CANARY, asked));
    }
    agent.finish();
    assert_eq!(journal.flush().unwrap().sequence, 5);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
}

#[test]
fn a_call_where_the_record_has_an_event_of_the_agents_says_so_and_neither_finds_back() {
    let folder = Folder::new("parted");
    let path = folder.join("run.journal");
    recorded(&path, &off());
    let replay = Arc::new(Mutex::new(Replay::open(&path).unwrap()));
    let gateway = Gateway::builder(policy()).replay(replay.clone()).build();
    let agent = agent_of(&off());
    let ask = || gateway.call(&agent, "db.query", "a", |_| Ok::<u64, io::Error>(1)).unwrap_err();
    let error = ask();
    assert_eq!(
        error.to_string(),
        "call 0 cannot be read from the record: the replay parts from the record at 1: run.started was recorded, \
         capability.call comes"
    );
    assert_eq!(ask().to_string(), error.to_string());
    let stopped = replay.lock().unwrap().append("run.started", b"").unwrap_err();
    assert!(matches!(stopped, ReplayError::Parted { sequence: 1, .. }), "{stopped:?}");
    assert_eq!(replay.lock().unwrap().finish(), Err(stopped));
}

#[test]
fn where_a_request_differs_the_number_of_the_call_and_both_digests_are_told() {
    let folder = Folder::new("differs");
    let path = folder.join("run.journal");
    let journal = Arc::new(Journal::options("run").open(&path).unwrap());
    let agent = agent_of(&off());
    let gateway = Gateway::builder(policy()).record(journal.clone()).build();
    gateway.call(&agent, "llm.call", "question", |_| Ok::<_, io::Error>(1)).unwrap();
    journal.flush().unwrap();

    let gateway = Gateway::builder(policy()).replay(Arc::new(Mutex::new(Replay::open(&path).unwrap()))).build();
    let error = gateway.call(&agent, "llm.call", "another", |_| Ok::<_, io::Error>(1)).unwrap_err().to_string();
    assert!(error.starts_with("the runs part at call 0: recorded was llm.call "), "{error}");
    for question in ["question", "another"] {
        let digest: String = vigil::gateway::digest_of(question).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(error.contains(&digest), "{error}");
    }
}

#[test]
fn what_a_journal_does_not_take_is_an_error_and_no_call_is_made_after_it() {
    let folder = Folder::new("refused");
    let journal = Arc::new(Journal::options("run").open(folder.join("run.journal")).unwrap());
    let capability = "n".repeat(CAPABILITY_BYTES_MAX + 1);
    let call = CallRecord { number: 0, capability, digest: [0; 32], outcome: CallOutcome::Answered(Vec::new()) };
    assert_eq!(journal.clone().append(&call).unwrap_err().kind(), io::ErrorKind::Other);
    assert_eq!(journal.head(), Head::default());

    let gateway = Gateway::builder(Policy::allow_all()).record(journal).build();
    let agent = agent_of(&off());
    let world = Cell::new(0);
    let touch = |capability: &str| {
        gateway.call(&agent, capability, "x", |_| {
            world.set(world.get() + 1);
            Ok::<_, io::Error>(world.get())
        })
    };
    // What was done is done, and what it gave is handed on; the next call is not made.
    assert_eq!(touch(&call.capability).unwrap(), 1);
    assert!(matches!(touch("db.query"), Err(GatewayError::Unrecorded)));
    assert_eq!(world.get(), 1);
}

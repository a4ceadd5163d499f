//! `vigil journal` as a user or a CI job meets it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, measure time and start threads")]

mod common;

use common::{DEADLINE, Scratch, finish, text, vigil};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::mpsc::channel;
use std::thread;
use vigil::journal::{Call, Durability, Journal, Outcome};
use vigil::{CapabilityError, SpanContext, SpanId, TraceId};

/// `vigil journal` with these arguments.
fn journal(scratch: &Scratch, arguments: &[&str], files: &[&Path]) -> Output {
    let mut command = vigil(scratch.path());
    command.arg("journal").args(arguments).args(files);
    finish(command)
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    text(&output.stdout)
}

fn stderr(output: &Output) -> String {
    text(&output.stderr)
}

/// A journal of these events.
fn write(scratch: &Scratch, name: &str, events: &[(&str, &[u8])]) -> PathBuf {
    let path = scratch.join(name);
    let journal = Journal::options("session-42").durability(Durability::None).open(&path).unwrap();
    let context = SpanContext { trace_id: TraceId([0xab; 16]), span_id: SpanId([0xcd; 8]) };
    for (kind, payload) in events {
        journal.append_in(Some(context), kind, payload).unwrap();
    }
    path
}

const EVENTS: [(&str, &[u8]); 3] =
    [("message.received", b"find me a paper"), ("plan.made", b"{\"steps\":3}"), ("note.taken", b"\xff\x00")];

/// The hash of `EVENTS`, as `verify --json` says it.
fn hash_of(scratch: &Scratch, path: &Path) -> String {
    let told: Value = serde_json::from_str(&stdout(&journal(scratch, &["verify", "--json"], &[path]))).unwrap();
    told["hash"].as_str().unwrap().to_owned()
}

#[test]
fn an_intact_journal_is_said_to_be_and_ends_with_status_0() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &EVENTS);
    let hash = hash_of(&scratch, &path);
    let output = journal(&scratch, &["verify"], &[&path]);
    let expected = format!("{}: intact; 3 records, the last is 3 with hash {hash}\n", path.display());
    assert_eq!((stdout(&output), stderr(&output), status(&output)), (expected, String::new(), 0));
    let output = journal(&scratch, &["verify", "--quiet", "--hash", &hash], &[&path]);
    assert_eq!((stdout(&output), status(&output)), (String::new(), 0));
}

#[test]
fn a_damaged_journal_ends_with_status_1_and_names_what_is_missing() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &EVENTS);
    let mut bytes = fs::read(&path).unwrap();
    bytes[128 + 40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let output = journal(&scratch, &["verify"], &[&path]);
    let said = stdout(&output);
    assert_eq!(status(&output), 1, "{said}");
    assert!(said.contains("not intact; 2 records"), "{said}");
    assert!(said.contains("damaged: 152 bytes at offset 128 after record 0; record 1 is missing"), "{said}");

    let told: Value = serde_json::from_str(&stdout(&journal(&scratch, &["verify", "--json"], &[&path]))).unwrap();
    let finding = json!([{ "kind": "damaged", "offset": 128, "bytes": 152, "after": 0, "next": 2 }]);
    assert_eq!((&told["intact"], &told["findings"], &told["stream"]), (&json!(false), &finding, &json!("session-42")));

    let shown = journal(&scratch, &["show"], &[&path]);
    assert_eq!((status(&shown), stdout(&shown).lines().count()), (0, 2));
    assert!(stderr(&shown).contains("damaged: 152 bytes at offset 128 after record 0"), "{}", stderr(&shown));
}

#[test]
fn a_torn_end_ends_with_status_3_until_the_journal_is_opened_again() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &EVENTS);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let output = journal(&scratch, &["verify"], &[&path]);
    assert_eq!(status(&output), 3);
    assert!(stdout(&output).contains("intact, with a torn end; 2 records"), "{}", stdout(&output));
    drop(Journal::options("session-42").open(&path).unwrap());
    assert_eq!(status(&journal(&scratch, &["verify"], &[&path])), 0);
}

#[test]
fn records_taken_from_the_end_are_found_by_who_kept_the_hash() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &EVENTS);
    let hash = hash_of(&scratch, &path);
    let shorter = write(&scratch, "shorter.journal", &EVENTS[..2]);
    assert_eq!(status(&journal(&scratch, &["verify"], &[&shorter])), 0);
    let output = journal(&scratch, &["verify", "--hash", &hash], &[&shorter]);
    assert_eq!(status(&output), 1);
    assert!(stdout(&output).contains(&format!("it should end with hash {hash}")), "{}", stdout(&output));
}

#[test]
fn of_several_journals_each_is_told_and_the_worst_status_counts() {
    let scratch = Scratch::new();
    let (good, missing) = (write(&scratch, "good", &EVENTS), scratch.join("missing"));
    let other = scratch.join("notes.txt");
    fs::write(&other, "notes").unwrap();
    let output = journal(&scratch, &["verify"], &[&missing, &other, &good]);
    assert_eq!(status(&output), 2);
    assert!(stdout(&output).contains("good: intact"));
    assert!(stderr(&output).contains("notes.txt: it is not a journal of Vigil"), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 2);
    assert_eq!(status(&journal(&scratch, &["verify", "--hash", "abc"], &[&good])), 2);
}

#[test]
fn records_are_shown_with_their_payloads_and_cannot_steer_the_terminal() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &[("a", b"one"), ("b", b"\x1b[31mred\n"), ("a", b"\xff\x00")]);
    let shown = stdout(&journal(&scratch, &["show"], &[&path]));
    let said: Vec<_> = shown.lines().map(|line| line.splitn(4, "  ").last().unwrap().trim()).collect();
    assert_eq!(said.len(), 3, "{shown}");
    assert!(said[0].ends_with("one") && said[1].ends_with("\u{fffd}[31mred\u{fffd}") && said[2].ends_with("2 bytes"));

    let some = journal(&scratch, &["show", "--kind", "a", "--from", "2"], &[&path]);
    assert_eq!(stdout(&some).lines().count(), 1);
}

#[test]
fn as_json_a_record_is_whole() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &EVENTS);
    let outcome = Outcome::Failed { kind: CapabilityError::Denied, error_type: "capability_denied" };
    let call = Call { number: 0, capability: "net.fetch", digest: [0x11; 32], outcome };
    Journal::options("session-42").open(&path).unwrap().append_call(None, &call).unwrap();
    let shown = stdout(&journal(&scratch, &["show", "--json"], &[&path]));
    let records: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records[1]["payload"], "{\"steps\":3}");
    assert_eq!(records[1]["trace_id"], "ab".repeat(16));
    assert_eq!(records[1]["previous"], records[0]["hash"]);
    assert_eq!((&records[2]["payload_hex"], &records[2]["sequence"]), (&json!("ff00"), &json!(3)));
    assert!(records[0]["time"].as_str().unwrap().ends_with('Z'));
    let told = json!({
        "number": 0,
        "capability": "net.fetch",
        "digest": "11".repeat(32),
        "error_kind": "denied",
        "error_type": "capability_denied",
    });
    assert_eq!((&records[3]["call"], &records[3]["trace_id"]), (&told, &Value::Null));
}

#[test]
fn two_journals_are_the_same_whatever_their_times_or_part_at_a_record() {
    let scratch = Scratch::new();
    let one = write(&scratch, "one", &EVENTS);
    let same = write(&scratch, "same", &EVENTS);
    assert_ne!(fs::read(&one).unwrap(), fs::read(&same).unwrap());
    let output = journal(&scratch, &["diff"], &[&one, &same]);
    assert_eq!(status(&output), 0);
    assert!(stdout(&output).contains("the same events: 3 records"), "{}", stdout(&output));

    let other = write(&scratch, "other", &[EVENTS[0], ("plan.made", b"{\"steps\":4}"), EVENTS[2]]);
    let output = journal(&scratch, &["diff"], &[&one, &other]);
    assert_eq!(status(&output), 1);
    let said = stdout(&output);
    assert!(said.contains("part at record 2\n") && said.contains("the payloads differ from byte 9 on"), "{said}");
    assert!(said.contains("one: plan.made, 11 bytes: {\"steps\":3}"), "{said}");

    let shorter = write(&scratch, "shorter", &EVENTS[..2]);
    let output = journal(&scratch, &["diff", "--json"], &[&one, &shorter]);
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(status(&output), 1);
    assert_eq!(
        (&told["sequence"], &told["right"], &told["left"]["kind"]),
        (&json!(3), &Value::Null, &json!("note.taken"))
    );
    assert_eq!(status(&journal(&scratch, &["diff"], &[&one, &scratch.join("missing")])), 2);
}

#[test]
fn the_tail_of_a_journal_is_its_last_records() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &[("event", &b"x"[..]); 30]);
    let first = |arguments: &[&str]| {
        let output = stdout(&journal(&scratch, arguments, &[&path]));
        (output.lines().count(), output.split_whitespace().next().map(str::to_owned))
    };
    assert_eq!(first(&["tail"]), (10, Some("21".to_owned())));
    assert_eq!(first(&["tail", "-n", "3"]), (3, Some("28".to_owned())));
    assert_eq!(first(&["tail", "-n", "100"]), (30, Some("1".to_owned())));
    assert_eq!(first(&["tail", "-n", "0"]), (0, None));
}

#[test]
fn a_followed_journal_shows_records_as_they_come() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &[("event", b"old")]);
    let mut command = vigil(scratch.path());
    let mut child = command.args(["journal", "tail", "--follow"]).arg(&path).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = channel();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    assert!(receiver.recv_timeout(DEADLINE).unwrap().ends_with("old"));
    let journal = Journal::options("session-42").open(&path).unwrap();
    for payload in ["new", "newer"] {
        journal.append_in(None, "event", payload.as_bytes()).unwrap();
        assert!(receiver.recv_timeout(DEADLINE).unwrap().ends_with(payload));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_reader_that_goes_away_ends_the_output_quietly() {
    let scratch = Scratch::new();
    let path = write(&scratch, "agent.journal", &[("event", &[b'x'; 100][..]); 5000]);
    let mut command = vigil(scratch.path());
    let mut child = command.args(["journal", "show"]).arg(&path).spawn().unwrap();
    drop(child.stdout.take());
    let output = common::collect(child);
    assert_eq!((status(&output), stderr(&output)), (0, String::new()));
}

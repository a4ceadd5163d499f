//! `vigil demo --record` and `--replay`: seeds B8 and L5 on a real agent, as a user meets them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, and start threads")]
#![allow(clippy::print_stderr, reason = "what cannot be shown on this system is said")]

mod common;

use common::{Scratch, attribute, finish, spans, text, vigil};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use vigil::journal::{CAPABILITY_CALL, Item, Journal, Reader};

/// Runs the demo in `folder` with temporary files of its own there and no environment but `variables`.
fn demo(folder: &Scratch, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = vigil(folder.path());
    command.arg("demo").args(arguments).current_dir(folder.path());
    finish({
        command.env("TMPDIR", temporary).envs(variables.iter().copied());
        command
    })
}

/// Replays where there is nothing: no network where the system lets us have none, no program to run, no folder for
/// temporary files.
fn replay_in_a_void(folder: &Scratch, journal: &Path, arguments: &[&str]) -> Output {
    let program = vigil(folder.path());
    let no_network = Command::new("unshare").args(["-rn", "true"]).stderr(Stdio::null()).status();
    let mut command = if no_network.is_ok_and(|status| status.success()) {
        let mut command = Command::new("unshare");
        command.args(["-rn", "--"]).arg(program.get_program());
        command
    } else {
        eprintln!("this system has no namespaces: replayed with the network there");
        Command::new(program.get_program())
    };
    // Where signals are ignored the program is handed to one that has them as usual.
    command.args(program.get_args());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.arg("demo").arg("--replay").arg(journal).args(arguments).current_dir(folder.path());
    command.env("HOME", folder.path()).env("TMPDIR", folder.join("no/such/folder"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command)
}

/// What `--json` told, of a run that ended with `status`.
fn told(output: &Output, status: i32) -> Value {
    assert_eq!(output.status.code(), Some(status), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The hash the demo printed.
fn hash(shown: &str) -> String {
    let line = shown.lines().find_map(|line| line.trim().strip_prefix("hash"));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn b8_a_run_replayed_in_another_folder_without_the_world_ends_with_the_same_hash() {
    let (here, there) = (Scratch::new(), Scratch::new());
    let recorded = demo(&here, &["--record", "run.journal"], &[]);
    assert_eq!(recorded.status.code(), Some(0), "{}", text(&recorded.stderr));
    let shown = text(&recorded.stdout);
    let (journal, expected) = (here.join("run.journal"), hash(&shown));
    assert!(shown.contains("31 events, recorded") && expected.len() == 64, "{shown}");
    let before = fs::read(&journal).unwrap();

    let replayed = replay_in_a_void(&there, &journal, &[]);
    let shown = text(&replayed.stdout);
    assert_eq!(replayed.status.code(), Some(0), "{shown}{}", text(&replayed.stderr));
    assert_eq!(hash(&shown), expected);
    for part in ["It is a replay", "done: the report passed its check", "31 events, as recorded"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert_eq!(fs::read(&journal).unwrap(), before, "a replay writes nothing");
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0, "nor anything elsewhere");

    let mut verify = vigil(here.path());
    verify.args(["journal", "verify", "--hash", &expected]).arg(&journal);
    assert_eq!(finish(verify).status.code(), Some(0));
}

#[test]
fn b8_a_run_recorded_again_elsewhere_and_without_telemetry_has_the_same_hash() {
    let (here, there) = (Scratch::new(), Scratch::new());
    let first = told(&demo(&here, &["--record", "run.journal", "--json"], &[]), 0);
    let off = [("OTEL_SDK_DISABLED", "true")];
    let second = told(&demo(&there, &["--record", "other.journal", "--json"], &off), 0);
    assert_eq!((&first["journal"]["events"], &second["spans"]), (&json!(31), &json!([])));
    assert_eq!(first["journal"], second["journal"]);
    let mut diff = vigil(here.path());
    diff.args(["journal", "diff"]).arg(here.join("run.journal")).arg(there.join("other.journal"));
    assert_eq!(finish(diff).status.code(), Some(0));
}

#[test]
fn l5_every_event_of_the_run_carries_the_ids_of_the_span_it_happened_in() {
    let folder = Scratch::new();
    let told = told(&demo(&folder, &["--record", "run.journal", "--json"], &[]), 0);
    let name_of = |id: &str| {
        let spans = told["spans"].as_array().unwrap();
        spans.iter().find(|span| span["span_id"] == id).unwrap()["name"].as_str().unwrap().to_owned()
    };
    let mut reader = Reader::open(folder.join("run.journal")).unwrap();
    let mut places = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        let Item::Record(_, envelope) = item else { panic!("{item:?}") };
        let context = envelope.context.unwrap();
        assert_eq!(told["trace_id"], context.trace_id.to_string());
        let name = name_of(&context.span_id.to_string());
        let is_call = envelope.kind == CAPABILITY_CALL;
        assert_eq!(name.starts_with("capability "), is_call, "{} in {name}", envelope.kind);
        if !is_call {
            places.push(format!("{} in {name}", envelope.kind));
        }
    }
    let expected = [
        "run.started in invoke_agent auditor",
        "approval.decided in approval write_file",
        "approval.decided in approval run_command",
        "mode.changed in phase execute",
        "mode.changed in phase reflect",
        "approval.decided in approval write_file",
        "approval.decided in approval run_command",
        "mode.changed in phase execute",
        "mode.changed in phase reflect",
        "economy.changed in phase perceive",
        "work.judged in phase reflect",
        "run.ended in invoke_agent auditor",
    ];
    assert_eq!(places, expected);
    // And back: the span says where in the journal it is spoken of.
    let agent = &told["spans"][0]["attributes"];
    assert_eq!((&agent["life.event_seq"], &agent["life.event_kind"]), (&json!(31), &json!("run.ended")));
    assert_eq!(agent["lago.stream_id"], agent["gen_ai.conversation.id"]);
}

#[test]
fn b8_telemetry_of_a_replay_is_off_and_on_request_marked_and_counts_nothing_again() {
    let folder = Scratch::new();
    told(&demo(&folder, &["--record", "run.journal", "--json"], &[]), 0);
    let journal = folder.join("run.journal");
    let quiet = folder.join("quiet");
    let arguments = ["--json", "--otlp-dir", quiet.to_str().unwrap()];
    let shown = told(&demo(&folder, &[&["--replay", "run.journal"][..], &arguments].concat(), &[]), 0);
    assert_eq!((&shown["spans"], &shown["replay"]), (&json!([]), &json!(true)));
    assert!(!quiet.join("traces.jsonl").exists());

    let marked = folder.join("marked");
    let arguments = ["--telemetry", "--json", "--otlp-dir", marked.to_str().unwrap()];
    let shown = told(&replay_in_a_void(&folder, &journal, &arguments), 0);
    assert_eq!(shown["spans"].as_array().unwrap().len(), 62);
    let spans = spans(&marked);
    assert_eq!(spans.len(), 62);
    for span in &spans {
        assert_eq!(attribute(span, "vigil.replay").as_deref(), Some("true"), "{}", span["name"]);
        assert_eq!(attribute(span, "vigil.cost.nano_usd"), None, "{}", span["name"]);
    }
    let metrics = fs::read_to_string(marked.join("metrics.jsonl")).unwrap_or_default();
    for metric in ["gen_ai.", "life."] {
        assert!(!metrics.contains(metric), "{metric} is in {metrics}");
    }
}

#[test]
fn a_run_that_failed_fails_again_by_the_same_events() {
    let folder = Scratch::new();
    let recorded = told(&demo(&folder, &["--policy", "deny-all", "--record", "run.journal", "--json"], &[]), 1);
    let replayed = told(&replay_in_a_void(&folder, &folder.join("run.journal"), &["--json"]), 1);
    assert_eq!(recorded["journal"]["events"], 4);
    assert_eq!(recorded["journal"], replayed["journal"]);
    assert_eq!(replayed["error"], "llm.call is denied: it was when the work was recorded");
}

/// Writes the events of `from` to `to`, with one text in the event of one sequence replaced by another.
fn rewritten(from: &Path, to: &Path, at: u64, [old, new]: [&str; 2]) {
    let mut reader = Reader::open(from).unwrap();
    let journal = Journal::options("rewritten").open(to).unwrap();
    while let Some(envelope) = reader.next_record().unwrap() {
        let mut payload = envelope.payload.to_vec();
        if envelope.sequence == at {
            assert!(text(&payload).contains(old));
            payload = text(&payload).replace(old, new).into_bytes();
        }
        journal.append_in(None, envelope.kind, &payload).unwrap();
    }
    journal.flush().unwrap();
}

#[test]
fn a_replay_that_parts_from_its_record_says_where_and_fails() {
    let folder = Scratch::new();
    told(&demo(&folder, &["--record", "run.journal", "--json"], &[]), 0);
    let parted = |at: u64, change: [&str; 2]| {
        let path = folder.join(&format!("{at}-{}.journal", change[1]));
        rewritten(&folder.join("run.journal"), &path, at, change);
        let told = told(&replay_in_a_void(&folder, &path, &["--json"]), 1);
        assert_eq!(told["journal"], Value::Null, "no hash is told of a run that is another");
        told["error"].as_str().unwrap().to_owned()
    };
    // Another task: the first model call asks something else.
    let error = parted(1, ["report.md", "summary.md"]);
    assert!(error.starts_with("the runs part at call 1: recorded was llm.call "), "{error}");
    assert!(error.contains(", asked is llm.call "), "{error}");
    // Another policy: the agent decides otherwise.
    let error = parted(1, ["process.run", "time.now"]);
    assert_eq!(error, "the replay parts from the record at 13: the payload of approval.decided is another");
    // Another end.
    let error = parted(31, ["true", "false"]);
    assert_eq!(error, "the replay parts from the record at 31: the payload of run.ended is another");
}

#[test]
fn a_journal_that_is_there_is_not_recorded_into_and_one_of_something_else_is_not_replayed() {
    let folder = Scratch::new();
    fs::write(folder.join("there"), "something").unwrap();
    let output = demo(&folder, &["--record", "there"], &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    assert_eq!(text(&output.stderr), "vigil: a run cannot be recorded into there: there is something already\n");
    assert_eq!(fs::read_to_string(folder.join("there")).unwrap(), "something");

    let other = Journal::options("other").open(folder.join("other.journal")).unwrap();
    other.append_in(None, "message.received", b"{}").unwrap();
    other.flush().unwrap();
    let why = "it does not begin as a run of the demo does";
    for (name, why) in [("there", "it is not a journal"), ("other.journal", why), ("missing", "No such file")] {
        let output = demo(&folder, &["--replay", name], &[]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{name}");
        let said = text(&output.stderr);
        assert!(said.starts_with(&format!("vigil: {name} cannot be replayed: {why}")), "{said}");
    }
    for wrong in [
        &["--replay", "other.journal", "--record", "new"][..],
        &["--replay", "other.journal", "--policy", "allow-all"],
        &["--replay", "other.journal", "--live"],
        &["--telemetry"],
    ] {
        assert_eq!(demo(&folder, wrong, &[]).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
}

/// A model that says that there is nothing to do, once.
fn real_model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        reader.take(length.unwrap()).read_to_end(&mut Vec::new()).unwrap();
        let answer = "\
data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_7\",\"model\":\"m-1\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}

data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":9,\"output_tokens\":4}}

data: {\"type\":\"message_stop\"}

";
        write!(connection, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())
            .unwrap();
    });
    url
}

#[test]
fn a_run_of_a_real_model_is_replayed_without_it_and_its_key_is_not_in_the_journal() {
    let folder = Scratch::new();
    let variables = [("ANTHROPIC_API_KEY", "the-secret-key"), ("ANTHROPIC_BASE_URL", &real_model())];
    let arguments = ["--live", "--model", "m-1", "--record", "run.journal", "--json"];
    // It never checks its work, and that is what is said.
    let recorded = told(&demo(&folder, &arguments, &variables), 1);
    let replayed = told(&replay_in_a_void(&folder, &folder.join("run.journal"), &["--json"]), 1);
    assert_eq!((&replayed["models"][0], &replayed["scripted"]), (&json!("m-1"), &json!(false)));
    assert_eq!((&replayed["passed"], &replayed["error"]), (&Value::Null, &Value::Null));
    assert_eq!(recorded["journal"], replayed["journal"]);
    assert_eq!(recorded["journal"]["events"], 5);
    let bytes = fs::read(folder.join("run.journal")).unwrap();
    assert!(!bytes.windows(14).any(|window| window == b"the-secret-key"));
}

//! What `vigil run` promises the command and whoever started it: bytes, status, signals and streams as if it were
//! not there.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, measure time and start threads")]

mod common;

use common::{Scratch, attribute, collect, finish, run_sh, spans, text, vigil, wait, wait_for};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn every_byte_passes_as_it_was() {
    let scratch = Scratch::new();
    // No line structure, all byte values, no newline at the end.
    let bytes: Vec<u8> = (0..5_000_003_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect();
    fs::write(scratch.join("bytes"), &bytes).unwrap();
    let mut command = vigil(scratch.path());
    command.args(["run", "--quiet", "--", "cat"]).arg(scratch.join("bytes"));
    let output = finish(command);
    assert!(output.status.success());
    assert!(output.stdout == bytes, "{} bytes came", output.stdout.len());
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn bytes_arrive_when_they_are_written_and_not_when_a_line_is_full() {
    let scratch = Scratch::new();
    let mut command = run_sh(scratch.path(), &["-q"], "printf 'no newline'; read answer; printf ' got %s' \"$answer\"");
    command.stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 10];
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"no newline");
    child.stdin.take().unwrap().write_all(b"it\n").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, " got it");
    assert!(wait(&mut child, Instant::now()).success());
}

#[test]
fn stdout_and_stderr_in_one_file_keep_their_order() {
    let scratch = Scratch::new();
    let script = "for n in 1 2 3 4 5 6 7 8 9; do printf o$n; printf e$n >&2; done";
    let file = fs::File::create(scratch.join("both")).unwrap();
    let mut command = run_sh(scratch.path(), &["--quiet"], script);
    command.stdout(file.try_clone().unwrap()).stderr(file);
    assert!(finish(command).status.success());
    assert_eq!(fs::read_to_string(scratch.join("both")).unwrap(), "o1e1o2e2o3e3o4e4o5e5o6e6o7e7o8e8o9e9");
}

#[test]
fn output_can_be_appended_to_a_file() {
    let scratch = Scratch::new();
    fs::write(scratch.join("log"), "before\n").unwrap();
    let log = fs::OpenOptions::new().append(true).open(scratch.join("log")).unwrap();
    let mut command = run_sh(scratch.path(), &["--quiet"], "head -c 3000000 /dev/zero; echo after");
    command.stdout(log);
    assert!(finish(command).status.success());
    let bytes = fs::read(scratch.join("log")).unwrap();
    assert_eq!(bytes.len(), 7 + 3_000_000 + 6);
    assert!(bytes.starts_with(b"before\n") && bytes.ends_with(b"after\n"));
}

#[test]
fn the_exit_status_is_the_commands_own() {
    let scratch = Scratch::new();
    for (script, status) in
        [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        let output = finish(run_sh(scratch.path(), &["--quiet"], script));
        assert_eq!(output.status.code(), Some(status), "{script}");
        assert_eq!(text(&output.stderr), "", "{script}");
    }
}

#[test]
fn a_command_that_cannot_be_started_is_named_with_the_reason() {
    let scratch = Scratch::new();
    let not_executable = scratch.join("data.txt");
    fs::write(&not_executable, "hello").unwrap();
    let no_interpreter = scratch.script("broken", "#!/no/such/interpreter\n");
    for (program, status, word) in [
        ("no-such-program".to_owned(), 127, "not found"),
        (scratch.join("absent").display().to_string(), 127, "no such file"),
        (no_interpreter.display().to_string(), 127, "interpreter"),
        (not_executable.display().to_string(), 126, "permission denied"),
        (scratch.path().display().to_string(), 126, "directory"),
    ] {
        let mut command = vigil(scratch.path());
        command.args(["run", "--quiet", "--", &program]);
        let output = finish(command);
        assert_eq!(output.status.code(), Some(status), "{program}");
        let said = text(&output.stderr);
        assert!(said.contains(&program) && said.contains(word), "{said}");
    }
}

#[test]
fn a_script_without_a_first_line_is_the_shells() {
    let scratch = Scratch::new();
    let mut command = vigil(scratch.path());
    command.args(["run", "-q", "--"]).arg(scratch.script("plain", "echo \"ran with $1\"\n")).arg("this");
    assert_eq!(text(&finish(command).stdout), "ran with this\n");
}

#[test]
fn stdin_is_the_commands_own() {
    let scratch = Scratch::new();
    let mut command = vigil(scratch.path());
    command.args(["run", "-q", "--", "wc", "-c"]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&[b'x'; 100_000]).unwrap();
    assert_eq!(text(&collect(child).stdout).trim(), "100000");
}

#[test]
fn signals_to_our_pid_reach_the_command_once_and_we_outlive_them() {
    let scratch = Scratch::new();
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("USR1", 10), ("QUIT", 3)] {
        let ready = scratch.join(name);
        let script = format!(
            "count=0; trap 'count=$((count+1))' {name}; echo ready > {}; while [ $count = 0 ]; do sleep 0.02; done; \
             sleep 0.1; echo \"{name} $count\"; exit 7",
            ready.display()
        );
        let child = run_sh(scratch.path(), &["--quiet"], &script).spawn().unwrap();
        wait_for(&ready);
        signal(child.id(), number);
        let output = collect(child);
        assert_eq!(text(&output.stdout), format!("{name} 1\n"));
        assert_eq!(output.status.code(), Some(7), "{name}");
    }
}

#[test]
fn a_command_that_dies_of_a_signal_gives_128_and_its_number() {
    let scratch = Scratch::new();
    for (number, status) in [(2, 130), (15, 143)] {
        let ready = scratch.join(&format!("ready{number}"));
        let script = format!("echo ready > {}; exec sleep 60", ready.display());
        let child = run_sh(scratch.path(), &[], &script).spawn().unwrap();
        wait_for(&ready);
        std::thread::sleep(Duration::from_millis(50));
        signal(child.id(), number);
        let output = collect(child);
        assert_eq!(output.status.code(), Some(status));
        assert!(text(&output.stderr).contains("killed by SIG"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_signal_that_was_ignored_stays_ignored_as_under_nohup() {
    let scratch = Scratch::new();
    let ready = scratch.join("ready");
    let run = format!(
        "trap '' HUP; exec {} run -q -- sh -c 'echo ready > {}; sleep 0.3; echo survived'",
        env!("CARGO_BIN_EXE_vigil"),
        ready.display()
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &run]).env("HOME", scratch.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_for(&ready);
    signal(child.id(), 1);
    let output = collect(child);
    assert_eq!(text(&output.stdout), "survived\n");
}

#[test]
fn a_child_that_closes_its_stdout_runs_on() {
    let scratch = Scratch::new();
    let script = format!("echo said; exec >&-; sleep 0.2; echo done > {}; exit 4", scratch.join("done").display());
    let output = finish(run_sh(scratch.path(), &["-q"], &script));
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("said\n", Some(4)));
    assert!(scratch.join("done").exists());
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_hold_us_and_loses_nothing() {
    let scratch = Scratch::new();
    let script = "(sleep 3; echo late) & echo early; exit 5";
    let mut child = run_sh(scratch.path(), &[], script).spawn().unwrap();
    let began = Instant::now();
    let mut stdout = child.stdout.take().unwrap();
    let status = wait(&mut child, began);
    assert_eq!(status.code(), Some(5));
    assert!(began.elapsed() < Duration::from_millis(2500), "we went on after {:?}", began.elapsed());
    let mut all = String::new();
    stdout.read_to_string(&mut all).unwrap();
    assert_eq!(all, "early\nlate\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_writer_as_it_would_without_us() {
    let scratch = Scratch::new();
    let mut child = run_sh(scratch.path(), &["-q"], "exec yes").spawn().unwrap();
    let mut first = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    let status = wait(&mut child, Instant::now());
    assert_eq!(status.code(), Some(128 + 13), "yes is ended by SIGPIPE; ours was {:?}", status.signal());
}

#[test]
fn a_full_disk_is_told_and_does_not_hang() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let scratch = Scratch::new();
    let mut command = run_sh(scratch.path(), &[], "exec yes");
    command.stdout(full);
    let output = finish(command);
    assert_eq!(output.status.code(), Some(141));
    assert!(text(&output.stderr).contains("could not be written"), "{}", text(&output.stderr));
}

#[test]
fn every_command_gets_a_span_with_its_name_outcome_and_the_context_it_was_given() {
    let scratch = Scratch::new();
    let folder = scratch.join("otlp");
    let options = ["--quiet", "--otlp-dir", folder.to_str().unwrap()];
    let output = finish(run_sh(scratch.path(), &options, "printf %s \"$TRACEPARENT\"; exit 3"));
    let spans = spans(&folder);
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let span = &spans[0];
    assert_eq!(span["name"], "invoke_agent sh");
    assert_eq!(attribute(span, "process.exit.code").as_deref(), Some("3"));
    assert_eq!(attribute(span, "error.type").as_deref(), Some("exit_status"));
    assert_eq!(attribute(span, "vigil.originator").as_deref(), Some("cli"));
    let (trace, own) = (span["traceId"].as_str().unwrap(), span["spanId"].as_str().unwrap());
    assert_eq!(text(&output.stdout), format!("00-{trace}-{own}-01"));
}

#[test]
fn an_inherited_trace_is_joined() {
    let scratch = Scratch::new();
    let folder = scratch.join("otlp");
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let mut command =
        run_sh(scratch.path(), &["-q", "--otlp-dir", folder.to_str().unwrap()], "printf %s \"$TRACEPARENT\"");
    command.env("TRACEPARENT", format!("00-{trace}-{parent}-01"));
    let output = finish(command);
    let spans = spans(&folder);
    assert_eq!((spans[0]["traceId"].as_str(), spans[0]["parentSpanId"].as_str()), (Some(trace), Some(parent)));
    assert_eq!(text(&output.stdout), format!("00-{trace}-{}-01", spans[0]["spanId"].as_str().unwrap()));
}

#[test]
fn nothing_else_is_changed_in_the_environment() {
    let scratch = Scratch::new();
    let mut command = vigil(scratch.path());
    command.args(["run", "-q", "--", "env"]).env("OTEL_SERVICE_NAME", "mine").env("MINE", "1");
    let seen = text(&finish(command).stdout);
    let names: Vec<_> = seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let mut names: Vec<_> = names.into_iter().filter(|name| *name != "TRACEPARENT").collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "MINE", "OTEL_SERVICE_NAME", "PATH"]);
}

#[test]
fn without_a_destination_the_summary_says_how_to_get_one_and_quiet_says_nothing() {
    let scratch = Scratch::new();
    let said = text(&finish(run_sh(scratch.path(), &[], "exit 0")).stderr);
    assert!(said.starts_with("vigil: sh finished after ") && said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{said}");
    assert!(!said.contains('\u{1b}'), "no colours in a pipe: {said:?}");
    assert_eq!(text(&finish(run_sh(scratch.path(), &["--quiet"], "exit 0")).stderr), "");

    // Wrong settings and a dead collector are told of, and quiet holds for them too.
    let wrong = |options: &[&str]| {
        let mut command = run_sh(scratch.path(), options, "exit 0");
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").env("OTEL_TRACES_SAMPLER", "xray");
        text(&finish(command).stderr)
    };
    assert!(wrong(&["--deliver-within", "0.2"]).contains("OTEL_TRACES_SAMPLER"));
    assert_eq!(wrong(&["--deliver-within", "0.2", "--quiet"]), "");
}

#[test]
fn an_endpoint_that_does_not_answer_delays_no_longer_than_was_allowed() {
    for (spool, told) in [("true", "spooled for "), ("false", "not delivered")] {
        let scratch = Scratch::new();
        let mut command = run_sh(scratch.path(), &["--deliver-within", "0.3"], "exit 0");
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").env("VIGIL_SPOOL", spool);
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-secret");
        let began = Instant::now();
        let output = finish(command);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let said = text(&output.stderr);
        assert!(said.contains(told) && said.contains("http://127.0.0.1:9"), "{said}");
        assert!(!said.contains("canary-secret"), "{said}");
        assert!(output.status.success());
    }
}

#[test]
fn the_summary_for_programs_is_one_json_object_on_stderr() {
    let scratch = Scratch::new();
    let output = finish(run_sh(scratch.path(), &["--json"], "echo out; exit 3"));
    assert_eq!(text(&output.stdout), "out\n");
    let summary: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((summary["outcome"].as_str(), summary["exit_code"].as_i64()), (Some("error"), Some(3)));
    assert_eq!(summary["delivery"]["destinations"], serde_json::json!([]));
}

#[test]
fn wrong_usage_is_status_2_and_names_the_option() {
    let scratch = Scratch::new();
    for arguments in
        [&["run", "--quite", "--", "true"][..], &["run"], &["nonsense"], &["run", "--stdout", "sideways", "x"]]
    {
        let mut command = vigil(scratch.path());
        command.args(arguments);
        let output = finish(command);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn completions_and_the_version_are_printed() {
    let scratch = Scratch::new();
    for (arguments, word) in [(&["completions", "bash"][..], "_vigil"), (&["--version"], env!("CARGO_PKG_VERSION"))] {
        let mut command = vigil(scratch.path());
        command.args(arguments);
        assert!(text(&finish(command).stdout).contains(word));
    }
}

fn signal(pid: u32, number: i32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let signal = rustix::process::Signal::from_named_raw(number).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

//! Files and commands behind the gateway, on a real file system: nothing outside the policy is touched, whatever a path
//! looks like.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, and measure time")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vigil::contract::attr;
use vigil::gateway::{
    Answer, Clause, CommandOutput, CommandRequest, Gateway, GatewayError, Policy, ReadFile, RunCommand, WriteFile,
    WriteRequest,
};
use vigil::testing;

/// A folder with `inside/` for the agent and a secret beside it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("vigil-gateway-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("inside/deep")).unwrap();
        fs::write(folder.join("secret"), "the secret").unwrap();
        fs::write(folder.join("inside/note.md"), "a note").unwrap();
        Self(folder)
    }

    fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn gateway(&self, policy: &str) -> Gateway {
        Gateway::builder(Policy::parse(policy).unwrap()).folder(self.join("inside")).build()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const FILES: &str = r#"{
    "rules": { "fs.read": { "allow": true }, "fs.write": { "allow": true } },
    "fs_policy": { "read": ["**"], "write": ["*.md", "deep/**"], "max_read_bytes": 1000, "max_write_bytes": 100 }
}"#;

fn read(gateway: &Gateway, path: &Path) -> Result<Vec<u8>, String> {
    let telemetry = testing::recorder();
    let span = telemetry.turn_span(1);
    gateway.run(&span, &ReadFile, path).map_err(why)
}

fn write(gateway: &Gateway, path: &str, contents: &str) -> Result<(), String> {
    let telemetry = testing::recorder();
    let span = telemetry.turn_span(1);
    gateway.run(&span, &WriteFile, WriteRequest::new(path, contents)).map_err(why)
}

fn why(error: GatewayError) -> String {
    match error {
        GatewayError::Denied(denied) => format!("denied {:?}", denied.clause),
        GatewayError::Runtime(error) => format!("failed {}", error.error_type),
        other => other.to_string(),
    }
}

#[test]
fn files_are_read_and_written_where_the_policy_says() {
    let place = Place::new();
    let gateway = place.gateway(FILES);
    assert_eq!(read(&gateway, Path::new("note.md")).unwrap(), b"a note");
    assert_eq!(read(&gateway, &place.join("inside/./deep/../note.md")).unwrap(), b"a note");
    assert_eq!(write(&gateway, "new.md", "longer text"), Ok(()));
    assert_eq!(write(&gateway, "new.md", "short"), Ok(()));
    assert_eq!(fs::read_to_string(place.join("inside/new.md")).unwrap(), "short");
    assert_eq!(write(&gateway, "deep/any.txt", "x"), Ok(()));
    assert_eq!(write(&gateway, "other.txt", "x"), Err("denied Write".to_owned()));
    assert!(!place.join("inside/other.txt").exists());
    let mode = fs::metadata(place.join("inside/new.md")).unwrap().permissions().mode();
    assert_eq!(mode & 0o133, 0, "{mode:o}");
}

#[test]
fn a_path_that_leads_out_is_refused_after_it_was_resolved() {
    let place = Place::new();
    let gateway = place.gateway(FILES);
    symlink(place.join("secret"), place.join("inside/link")).unwrap();
    symlink(&place.0, place.join("inside/up")).unwrap();
    symlink("/", place.join("inside/root")).unwrap();
    symlink(place.join("nowhere"), place.join("inside/deep/dangling")).unwrap();
    for path in [
        "../secret",
        "deep/../../secret",
        "/etc/hostname",
        "link",
        "up/secret",
        "root/etc/hostname",
        "./deep/.././../secret",
        "root",
        "/",
        "..",
        // What does not exist outside looks like what does.
        "../no-such-file",
        "up/no-such-file",
        "/no/such/file",
    ] {
        assert_eq!(read(&gateway, Path::new(path)), Err("denied Read".to_owned()), "{path}");
        let written = write(&gateway, path, "x");
        assert!(written == Err("denied Write".to_owned()), "{path}: {written:?}");
    }
    assert_eq!(fs::read_to_string(place.join("secret")).unwrap(), "the secret");
    assert!(!place.join("no-such-file").exists());
    // A link to nothing, where writing is allowed: nothing is made at its end.
    assert!(write(&gateway, "deep/dangling", "x").is_err());
    assert!(!place.join("nowhere").exists());
    // A link that stays inside is as good as the file.
    symlink("note.md", place.join("inside/alias.md")).unwrap();
    assert_eq!(read(&gateway, Path::new("alias.md")).unwrap(), b"a note");
    assert_eq!(write(&gateway, "alias.md", "changed"), Ok(()));
    assert_eq!(fs::read_to_string(place.join("inside/note.md")).unwrap(), "changed");
}

#[test]
fn what_does_not_exist_or_cannot_be_read_is_told_of_allowed_places_only() {
    let place = Place::new();
    let gateway = place.gateway(FILES);
    assert_eq!(read(&gateway, Path::new("deep/no-such-file")), Err("failed not_found".to_owned()));
    assert_eq!(read(&gateway, Path::new("no/such/folder")), Err("failed not_found".to_owned()));
    assert_eq!(read(&gateway, Path::new("note.md/x")), Err("failed runtime_error".to_owned()));
    assert_eq!(write(&gateway, "deep/no/such/folder", "x"), Err("failed not_found".to_owned()));
}

#[test]
fn only_regular_files_of_allowed_sizes_are_touched_and_nothing_waits() {
    let place = Place::new();
    let gateway = place.gateway(FILES);
    let pipe = place.join("inside/deep/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(read(&gateway, &pipe), Err("denied RegularFiles".to_owned()));
    // Nobody reads it: opening for writing fails at once instead of waiting.
    assert!(write(&gateway, "deep/pipe", "x").is_err());
    assert_eq!(read(&gateway, Path::new("deep")), Err("denied RegularFiles".to_owned()));
    assert!(write(&gateway, "deep", "x").is_err());
    fs::write(place.join("inside/long"), "x".repeat(1001)).unwrap();
    assert_eq!(read(&gateway, Path::new("long")), Err("denied ReadBytes".to_owned()));
    assert_eq!(write(&gateway, "note.md", &"x".repeat(101)), Err("denied WriteBytes".to_owned()));
    assert_eq!(fs::read_to_string(place.join("inside/note.md")).unwrap(), "a note");
    let anything = Gateway::new(Policy::allow_all());
    assert_eq!(read(&anything, Path::new("/dev/zero")), Err("denied RegularFiles".to_owned()));
}

#[test]
fn a_folder_that_is_swapped_for_a_link_while_files_are_read_leads_nowhere() {
    let place = Place::new();
    let gateway = place.gateway(FILES);
    fs::create_dir(place.join("outside")).unwrap();
    fs::write(place.join("outside/file"), "the secret").unwrap();
    fs::write(place.join("inside/deep/file"), "fine").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(place.join("inside/deep"), place.join("inside/aside")).unwrap();
                symlink(place.join("outside"), place.join("inside/deep")).unwrap();
                fs::remove_file(place.join("inside/deep")).unwrap();
                fs::rename(place.join("inside/aside"), place.join("inside/deep")).unwrap();
            }
        });
        let mut fine = 0;
        for _ in 0..3_000 {
            match read(&gateway, Path::new("deep/file")) {
                Ok(bytes) => {
                    assert_eq!(bytes, b"fine");
                    fine += 1;
                }
                Err(error) => assert!(!error.is_empty()),
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(fine > 0);
    });
}

#[test]
fn a_refused_file_is_a_denied_span_with_sizes_and_without_its_name() {
    let place = Place::new();
    let policy = r#"{ "rules": { "fs.read": { "budget": 5 } }, "fs_policy": { "read": ["*.md"] } }"#;
    let gateway = place.gateway(policy);
    let telemetry = testing::recorder_with_content();
    let turn = telemetry.turn_span(1);
    gateway.run(&turn, &ReadFile, Path::new("note.md")).unwrap();
    gateway.run(&turn, &ReadFile, Path::new("../secret")).unwrap_err();
    let recorded = telemetry.recorded();
    let denied = recorded.spans.iter().find(|span| span.attributes.get(attr::ERROR_KIND).is_some()).unwrap();
    assert_eq!(denied.attributes.str(attr::ERROR_KIND), Some("denied"));
    assert_eq!(denied.attributes.int(attr::BYTES_IN), Some(9));
    // Nothing was touched, so nothing was used up.
    assert_eq!(denied.attributes.int(attr::CAP_BUDGET_REMAINING), Some(4));
    assert!(!format!("{:?}", recorded.spans).contains("secret"));
    let fine = recorded.spans.iter().find(|span| span.attributes.get(attr::ERROR_KIND).is_none()).unwrap();
    assert_eq!((fine.attributes.int(attr::BYTES_IN), fine.attributes.int(attr::BYTES_OUT)), (Some(7), Some(6)));
}

fn commands(place: &Place, commands: &str) -> Gateway {
    place.gateway(&format!(
        r#"{{ "rules": {{ "process.run": {{ "allow": true }} }},
             "process_policy": {{ "commands": [{commands}], "folders": ["**"], "timeout_ms": 20000, "max_output_bytes": 1000 }} }}"#
    ))
}

fn run(gateway: &Gateway, request: CommandRequest) -> Result<CommandOutput, String> {
    let telemetry = testing::recorder();
    let span = telemetry.turn_span(1);
    gateway.run(&span, &RunCommand, request).map_err(why)
}

#[test]
fn a_command_is_run_without_a_shell_and_tells_how_it_ended() {
    let place = Place::new();
    let gateway = commands(&place, r#""echo *", "cat", "sh script.sh", "./script.sh""#);
    let output = run(&gateway, CommandRequest::new("echo", ["$HOME", "; id", "*"])).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "$HOME ; id *\n");
    assert_eq!((output.exit_code, output.truncated), (Some(0), false));
    let output = run(&gateway, CommandRequest::new("cat", [""; 0]).input("given")).unwrap();
    assert_eq!(output.stdout, b"given");
    fs::write(place.join("inside/script.sh"), "#!/bin/sh\necho out; echo err >&2; pwd; exit 3").unwrap();
    fs::set_permissions(place.join("inside/script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    for request in [CommandRequest::new("sh", ["script.sh"]), CommandRequest::new("./script.sh", [""; 0])] {
        let output = run(&gateway, request).unwrap();
        assert_eq!(output.exit_code, Some(3));
        assert_eq!(output.stderr, b"err\n");
        let folder = place.join("inside").canonicalize().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("out\n{}\n", folder.display()));
    }
}

#[test]
fn a_command_the_policy_does_not_name_is_not_run_under_any_name() {
    let place = Place::new();
    let gateway = commands(&place, r#""cat note.md", "sh script.sh""#);
    // A program of the agent's own, called like an allowed one.
    fs::write(place.join("inside/cat"), "#!/bin/sh\ntouch pwned").unwrap();
    fs::set_permissions(place.join("inside/cat"), fs::Permissions::from_mode(0o755)).unwrap();
    for request in [
        CommandRequest::new("id", [""; 0]),
        CommandRequest::new("cat", ["/etc/hostname"]),
        CommandRequest::new("cat", ["note.md", "/etc/hostname"]),
        CommandRequest::new("./cat", ["note.md"]),
        CommandRequest::new("sh", ["-c", "touch pwned"]),
        CommandRequest::new("sh", [""; 0]),
        CommandRequest::new("no-such-program", [""; 0]),
        CommandRequest::new("", [""; 0]),
    ] {
        let words = format!("{request:?}");
        assert_eq!(run(&gateway, request), Err("denied Commands".to_owned()), "{words}");
    }
    let outside = CommandRequest::new("cat", ["note.md"]).folder("..");
    assert_eq!(run(&gateway, outside), Err("denied Folders".to_owned()));
    assert!(!place.join("inside/pwned").exists());
    assert_eq!(run(&gateway, CommandRequest::new("cat", ["note.md"])).unwrap().stdout, b"a note");
    // The same program by its path is the same program.
    let cat = ["/usr/bin/cat", "/bin/cat"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    assert!(run(&gateway, CommandRequest::new(cat, ["note.md"])).is_ok());
}

#[test]
fn two_names_of_one_program_are_two_programs() {
    let place = Place::new();
    // As busybox does: what it is depends on how it is called.
    fs::write(place.join("inside/many"), "#!/bin/sh\nbasename \"$0\"").unwrap();
    fs::set_permissions(place.join("inside/many"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("many", place.join("inside/harmless")).unwrap();
    symlink("many", place.join("inside/harmful")).unwrap();
    let gateway = commands(&place, r#""./harmless""#);
    assert_eq!(run(&gateway, CommandRequest::new("./harmless", [""; 0])).unwrap().stdout, b"harmless\n");
    assert_eq!(run(&gateway, CommandRequest::new("./harmful", [""; 0])), Err("denied Commands".to_owned()));
}

#[test]
fn a_command_sees_the_variables_it_is_given_and_continues_the_trace() {
    let place = Place::new();
    let gateway = commands(&place, r#""env""#);
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let output = gateway.run(&turn, &RunCommand, CommandRequest::new("env", [""; 0])).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let recorded = telemetry.recorded();
    let call = recorded.spans.iter().find(|span| span.attributes.get(attr::CAP_NAME).is_some()).unwrap();
    let context = format!("TRACEPARENT=00-{}-{}-01", call.context.trace_id, call.context.span_id);
    assert!(text.contains(&context), "{text}");
    for line in text.lines() {
        assert!(line.starts_with("PATH=") || line.starts_with("TRACEPARENT=") || line.starts_with("PWD="), "{line}");
    }
}

#[test]
fn what_a_command_writes_is_bounded_and_read_to_its_end() {
    let place = Place::new();
    let gateway = commands(&place, r#""sh script.sh""#);
    let script = "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; exit 4";
    fs::write(place.join("inside/script.sh"), script).unwrap();
    let output = run(&gateway, CommandRequest::new("sh", ["script.sh"])).unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len(), output.truncated), (1000, 1000, true));
    assert_eq!(output.exit_code, Some(4));
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_all_it_started() {
    let place = Place::new();
    let policy = r#"{ "rules": { "process.run": {} }, "process_policy": { "timeout_ms": 300 } }"#;
    let gateway = place.gateway(policy);
    let alive = place.join("inside/alive");
    for script in ["sleep 60 & sleep 60", "sleep 60 &", "(sleep 2; touch alive) & sleep 60", "trap '' TERM; sleep 60"] {
        fs::write(place.join("inside/script.sh"), script).unwrap();
        let started = Instant::now();
        assert_eq!(
            run(&gateway, CommandRequest::new("sh", ["script.sh"])),
            Err("failed timeout".to_owned()),
            "{script}"
        );
        assert!(started.elapsed() < Duration::from_secs(10), "{script}");
    }
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!alive.exists());
}

#[test]
fn the_output_of_a_command_comes_back_from_its_record() {
    let output =
        CommandOutput { exit_code: Some(-3), stdout: b"out".to_vec(), stderr: b"err".to_vec(), truncated: true };
    let record = output.to_record();
    assert_eq!(CommandOutput::from_record(&record), Some(output));
    let none = CommandOutput::default();
    assert_eq!(CommandOutput::from_record(&none.to_record()), Some(none));
    for cut in 0..14 {
        assert_eq!(CommandOutput::from_record(&record[..cut]), None);
    }
}

#[test]
fn a_clause_that_refuses_is_in_the_error() {
    let place = Place::new();
    let gateway = place.gateway(FILES);
    let telemetry = testing::recorder();
    let span = telemetry.turn_span(1);
    let error = gateway.run(&span, &ReadFile, Path::new("../secret")).unwrap_err();
    let GatewayError::Denied(denied) = &error else { panic!("{error:?}") };
    assert_eq!((denied.capability.as_str(), denied.clause), ("fs.read", Clause::Read));
    assert_eq!(error.to_string(), "fs.read is denied: the file matches nothing in fs_policy.read");
}

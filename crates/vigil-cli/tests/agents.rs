//! `vigil run` and `vigil import` of a recorded Claude Code: a script stands in for the program, prints what the real
//! one printed, and leaves the transcript where the real one does.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, measure time and start threads")]

mod common;

use common::{Scratch, attribute, finish, identities, recording, spans, text, vigil};
use std::fs;
use std::path::{Path, PathBuf};

/// A recording, as the home folder of whoever ran it: `home/.claude/projects/…` and a `claude` that prints it.
struct Stage {
    scratch: Scratch,
    recording: PathBuf,
}

impl Stage {
    /// `ending` is what the script does after it printed everything, such as `exit 1`.
    fn new(scenario: &str, ending: &str) -> Self {
        let stage = Self { scratch: Scratch::new(), recording: recording(scenario) };
        let session = stage.session();
        let project = stage.projects().join("-home-user-demo");
        let script = format!(
            "#!/bin/sh\nmkdir -p '{project}'\ncp '{transcript}' '{project}/{session}.jsonl'\n{extra}\
             cat '{recording}/stdout.jsonl'\n{ending}\n",
            project = project.display(),
            transcript = stage.recording.join("transcript.jsonl").display(),
            extra = stage.copy_extra(),
            recording = stage.recording.display(),
        );
        stage.scratch.script("claude", &script);
        stage
    }

    fn copy_extra(&self) -> String {
        let extra = self.recording.join("transcript_extra");
        if !extra.is_dir() {
            return String::new();
        }
        format!("cp -r '{}/.' '{}'\n", extra.display(), self.projects().display())
    }

    fn projects(&self) -> PathBuf {
        self.scratch.join(".claude/projects")
    }

    fn session(&self) -> String {
        let stream = fs::read(self.recording.join("stdout.jsonl")).unwrap();
        vigil_adapters::session_key(&stream).unwrap()
    }

    fn run(&self, options: &[&str], arguments: &[&str]) -> std::process::Output {
        let mut command = vigil(self.scratch.path());
        command.arg("run").args(options).arg("--").arg(self.scratch.join("claude")).args(arguments);
        finish(command)
    }

    fn import(&self, folder: &Path, paths: &[&Path]) -> std::process::Output {
        let mut command = vigil(self.scratch.path());
        command.arg("import").arg("--otlp-dir").arg(folder).args(paths);
        finish(command)
    }
}

const STREAM: &[&str] = &["-p", "hello", "--output-format", "stream-json", "--verbose"];

#[test]
fn a_live_run_gives_the_whole_tree_and_a_summary() {
    let stage = Stage::new("subagent", "exit 0");
    let folder = stage.scratch.join("otlp");
    let output = stage.run(&["--otlp-dir", folder.to_str().unwrap()], STREAM);
    assert_eq!(output.stdout, fs::read(stage.recording.join("stdout.jsonl")).unwrap());
    let spans = spans(&folder);
    let named = |prefix: &str| spans.iter().filter(|span| span["name"].as_str().unwrap().starts_with(prefix)).count();
    assert_eq!((named("invoke_agent"), named("turn"), named("chat"), named("execute_tool")), (2, 2, 5, 2));
    let tokens: u64 =
        spans.iter().filter_map(|span| attribute(span, "gen_ai.usage.output_tokens")?.parse::<u64>().ok()).sum();
    assert_eq!(tokens, 148, "the transcript settles what the stream leaves open");
    let ids: Vec<_> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    let roots: Vec<_> =
        spans.iter().filter(|span| !ids.contains(&span["parentSpanId"].as_str().unwrap_or(""))).collect();
    assert_eq!(roots.len(), 1, "one tree: {roots:#?}");
    assert_eq!(attribute(roots[0], "vigil.agent.program").as_deref(), Some("claude"));
    let said = text(&output.stderr);
    for word in ["claude finished", "5 chats", "2 tool calls", "1 sub-agent", "148 out", "delivered to"] {
        assert!(said.contains(word), "{word} in {said}");
    }
}

#[test]
fn a_run_observed_live_and_imported_gives_the_same_spans() {
    for scenario in ["subagent", "two_tools", "mcp_tools", "text_only", "partial_messages"] {
        let stage = Stage::new(scenario, "exit 0");
        let (live, disk, stream, transcripts) =
            (stage.scratch.join("1"), stage.scratch.join("2"), stage.scratch.join("3"), stage.scratch.join("4"));
        stage.run(&["-q", "--otlp-dir", live.to_str().unwrap()], STREAM);
        stage.import(&disk, &[&stage.recording]);
        stage.import(&stream, &[&stage.recording.join("stdout.jsonl")]);
        stage.import(&transcripts, &[&stage.projects()]);
        let live = identities(&spans(&live));
        assert!(live.len() > 2, "{scenario}");
        for (what, other) in [("both", disk), ("stream", stream), ("transcripts", transcripts)] {
            assert_eq!(identities(&spans(&other)), live, "{scenario} from {what}");
        }
    }
}

#[test]
fn plain_text_output_is_observed_from_what_is_left_on_disk() {
    let stage = Stage::new("two_tools", "exit 0");
    // The program prints text; only its transcript tells what it did.
    let cwd = stage.scratch.join("work");
    fs::create_dir_all(&cwd).unwrap();
    let folder_name: String =
        cwd.to_str().unwrap().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let project = stage.projects().join(folder_name);
    let session = stage.session();
    // What was there before the command began would be another run's, so the recording is moved to the present.
    stage.scratch.script(
        "claude",
        &format!(
            "#!/bin/sh\nmkdir -p '{project}'\nnow=$(date -u -d '+1 second' +%Y-%m-%dT%H:%M:%S)\n\
             sed \"s/2026-11-21T..:..:../$now/g\" '{recording}/transcript.jsonl' > '{project}/{session}.jsonl'\n\
             sleep 1.5\necho 'All done.'\n",
            project = project.display(),
            recording = stage.recording.display()
        ),
    );
    let folder = stage.scratch.join("otlp");
    let mut command = vigil(stage.scratch.path());
    command.current_dir(&cwd);
    command.args(["run", "--otlp-dir"]).arg(&folder).arg("--").arg(stage.scratch.join("claude")).args(["-p", "hello"]);
    let output = finish(command);
    assert_eq!(text(&output.stdout), "All done.\n");
    let spans = spans(&folder);
    let chats = spans.iter().filter(|span| span["name"].as_str().unwrap().starts_with("chat")).count();
    assert_eq!(chats, 3, "{}", text(&output.stderr));
}

#[test]
fn a_run_that_is_killed_is_told_as_killed_with_what_it_did() {
    let stage = Stage::new("sigterm", "kill -TERM $$");
    let folder = stage.scratch.join("otlp");
    let output = stage.run(&["--otlp-dir", folder.to_str().unwrap()], STREAM);
    assert_eq!(output.status.code(), Some(143));
    let spans = spans(&folder);
    let agent = spans.iter().find(|span| span["name"].as_str().unwrap().starts_with("invoke_agent")).unwrap();
    assert_eq!(attribute(agent, "error.type").as_deref(), Some("killed"));
    assert!(spans.iter().any(|span| span["name"].as_str().unwrap().starts_with("execute_tool")));
    assert!(text(&output.stderr).contains("failed: killed by SIGTERM"), "{}", text(&output.stderr));
}

#[test]
fn an_agent_keeps_the_trace_context_it_would_have_without_us() {
    let stage = Stage::new("text_only", "exit 0");
    stage.scratch.script("claude", "#!/bin/sh\nprintf '%s' \"$TRACEPARENT\"\n");
    assert_eq!(text(&stage.run(&["-q"], STREAM).stdout), "");
    let mut command = vigil(stage.scratch.path());
    let inherited = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    command.env("TRACEPARENT", inherited).args(["run", "-q", "--"]).arg(stage.scratch.join("claude")).arg("-p");
    assert_eq!(text(&finish(command).stdout), inherited);
}

#[test]
fn import_tells_what_it_skipped_and_succeeds_when_something_was_a_recording() {
    let stage = Stage::new("text_only", "exit 0");
    let (notes, absent) = (stage.scratch.join("notes.txt"), stage.scratch.join("absent.jsonl"));
    fs::write(&notes, "not a recording\n").unwrap();
    let folder = stage.scratch.join("otlp");
    let output = stage.import(&folder, &[&notes, &absent, &stage.recording.join("transcript.jsonl")]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("notes.txt skipped") && said.contains("absent.jsonl skipped"), "{said}");
    assert!(text(&output.stdout).contains("claude-code finished"), "{}", text(&output.stdout));
    let nothing = stage.import(&folder, &[&notes]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("nothing was imported"));
}

#[test]
fn import_for_programs_is_one_json_object_and_a_resumed_session_is_a_run_for_each_process() {
    let stage = Stage::new("text_only", "exit 0");
    let mut command = vigil(stage.scratch.path());
    command.args(["import", "--json"]).arg(recording("resume"));
    let output = finish(command);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = told["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0]["session_id"], runs[1]["session_id"]);
    assert_eq!(runs[0]["trace_id"], runs[1]["trace_id"]);
    assert_ne!(runs[0]["span_id"], runs[1]["span_id"]);
    assert!(runs.iter().all(|run| run["outcome"] == "ok" && run["chats"] == 1), "{told:#}");
}

#[test]
fn an_exit_code_that_lies_beside_a_stream_is_used() {
    let stage = Stage::new("sigterm", "exit 0");
    let copy = stage.scratch.join("copy");
    fs::create_dir_all(&copy).unwrap();
    fs::copy(stage.recording.join("stdout.jsonl"), copy.join("stdout.jsonl")).unwrap();
    let outcome = |stage: &Stage| {
        let mut command = vigil(stage.scratch.path());
        command.args(["import", "--json"]).arg(stage.scratch.join("copy"));
        let told: serde_json::Value = serde_json::from_slice(&finish(command).stdout).unwrap();
        told["runs"][0]["error_type"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome(&stage), "truncated");
    fs::write(copy.join("exit_code"), "143\n").unwrap();
    assert_eq!(outcome(&stage), "killed");
}

#[test]
fn no_secret_of_the_conversation_is_in_any_output() {
    const CANARY: &str = "canary-7f3a";
    let stage = Stage::new("two_tools", "exit 0");
    let copy = stage.scratch.join("copy");
    fs::create_dir_all(&copy).unwrap();
    // Every text a person or a model wrote becomes the canary: prompts, answers, arguments, results, thinking.
    for name in ["stdout.jsonl", "transcript.jsonl"] {
        let text = fs::read_to_string(stage.recording.join(name)).unwrap();
        let lines = text.lines().map(|line| {
            let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
            poison(&mut value, None, CANARY);
            format!("{value}\n")
        });
        fs::write(copy.join(name), lines.collect::<String>()).unwrap();
    }
    let session = stage.session();
    stage.scratch.script(
        "claude",
        &format!(
            "#!/bin/sh\nmkdir -p '{projects}/p'\ncp '{copy}/transcript.jsonl' '{projects}/p/{session}.jsonl'\n\
             cat '{copy}/stdout.jsonl'\necho '{CANARY} on stderr' >&2\n",
            projects = stage.projects().display(),
            copy = copy.display()
        ),
    );
    let folder = stage.scratch.join("otlp");
    let mut command = vigil(stage.scratch.path());
    command.env("ANTHROPIC_API_KEY", CANARY).env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization={CANARY}"));
    command.args(["run", "--log", "json", "--otlp-dir"]).arg(&folder).arg("--").arg(stage.scratch.join("claude"));
    command.args(["-p", &format!("{CANARY} prompt"), "--output-format", "stream-json", "--verbose"]);
    let output = finish(command);
    assert!(text(&output.stdout).contains(CANARY), "the canary was there to be leaked");
    let own_words = text(&output.stderr).replacen(&format!("{CANARY} on stderr\n"), "", 1);
    assert!(own_words.contains("two_tools") || own_words.contains("chat"), "{own_words}");
    assert!(!own_words.contains(CANARY), "{own_words}");
    let imported = stage.import(&folder, &[&copy]);
    assert!(!(text(&imported.stdout) + &text(&imported.stderr)).contains(CANARY));
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        files += 1;
        assert!(!fs::read_to_string(entry.path()).unwrap().contains(CANARY), "{}", entry.path().display());
    }
    assert!(files >= 2);
    assert_eq!(
        spans(&folder).iter().filter(|span| span["name"].as_str().unwrap().starts_with("execute_tool")).count(),
        4
    );
}

#[test]
fn output_that_is_not_what_is_expected_passes_whole_and_is_told() {
    let stage = Stage::new("text_only", "exit 0");
    let original = fs::read_to_string(stage.recording.join("stdout.jsonl")).unwrap();
    let (init, rest) = original.split_once('\n').unwrap();
    let mut odd = format!("{init}\n{{\"type\":\"brand_new\",\"session_id\":\"x\"}}\nnot json\n").into_bytes();
    odd.extend_from_slice(b"{\"broken\": \xff\xfe}\n");
    odd.extend(std::iter::repeat_n(b'x', 20_000_000));
    odd.extend_from_slice(format!("\n{rest}").as_bytes());
    let file = stage.scratch.join("odd.jsonl");
    fs::write(&file, &odd).unwrap();
    stage.scratch.script("claude", &format!("#!/bin/sh\nexec cat '{}'\n", file.display()));
    let output = stage.run(&["--json"], STREAM);
    assert!(output.stdout == odd, "{} bytes of {}", output.stdout.len(), odd.len());
    let summary: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(summary["outcome"], "ok", "{summary:#}");
    assert_eq!((summary["unknown_events"].as_u64(), summary["bad_lines"].as_u64()), (Some(1), Some(2)), "{summary:#}");
    assert_eq!(summary["oversize_lines"], 1, "{summary:#}");
    // How much of the one long line a busy machine observes depends on the machine.
    assert!(summary["unobserved_bytes"].as_u64().unwrap() <= 20_000_000, "{summary:#}");
}

#[test]
fn output_faster_than_it_can_be_observed_passes_whole_and_its_end_is_still_observed() {
    let stage = Stage::new("text_only", "exit 0");
    let original = fs::read_to_string(stage.recording.join("stdout.jsonl")).unwrap();
    let (init, rest) = original.split_once('\n').unwrap();
    let noise = "{\"type\":\"system\",\"subtype\":\"status\",\"session_id\":\"s\",\"filler\":\"0123456789012345678901234567890\"}\n";
    let mut much = format!("{init}\n").into_bytes();
    for _ in 0..1_500_000 {
        much.extend_from_slice(noise.as_bytes());
    }
    much.extend_from_slice(rest.as_bytes());
    let file = stage.scratch.join("much.jsonl");
    fs::write(&file, &much).unwrap();
    stage.scratch.script("claude", &format!("#!/bin/sh\nexec cat '{}'\n", file.display()));
    let output = stage.run(&["--json"], STREAM);
    assert!(output.stdout == much, "{} bytes of {}", output.stdout.len(), much.len());
    let summary: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((summary["outcome"].as_str(), summary["chats"].as_u64()), (Some("ok"), Some(1)), "{summary:#}");
}

/// Replaces every string that is free text by `canary`, and adds one where an object may hold any.
fn poison(value: &mut serde_json::Value, key: Option<&str>, canary: &str) {
    const KEPT: &[&str] = &[
        "type",
        "subtype",
        "id",
        "session_id",
        "sessionId",
        "uuid",
        "parentUuid",
        "parent_tool_use_id",
        "tool_use_id",
        "timestamp",
        "permissionMode",
        "requestedModel",
        "model",
        "name",
        "role",
        "stop_reason",
        "terminal_reason",
        "status",
        "version",
        "claude_code_version",
        "request_id",
        "requestId",
        "agent_id",
        "agentId",
        "subagent_type",
        "sourceToolAssistantUUID",
    ];
    match value {
        serde_json::Value::String(text) if !key.is_some_and(|key| KEPT.contains(&key)) => *text = canary.to_owned(),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|item| poison(item, key, canary)),
        serde_json::Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, item)| poison(item, Some(name), canary))
        }
        _ => {}
    }
}

//! `kill -9` takes nothing of what was recorded. Children record on several threads and are killed; the next process with
//! their spool brings everything home.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do, wait, and talk to the test"
)]

mod support;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Answer, Server};
use vigil::{Content, FinishReason, OperatingMode, Provider, Telemetry, ToolStatus, Usage};

const THREADS: usize = 3;
/// The spans a batch has at most.
const BATCH: usize = 2048;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vigil-killed-{name}.{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn vacant() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn telemetry(url: &str, spool: &Path) -> Telemetry {
    vigil::from_env("killed").environment([]).quiet(true).endpoint(url).spool_dir(spool).start()
}

fn start(test: &str, url: &str, spool: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("KILLED_URL", url)
        .env("KILLED_SPOOL", spool)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn of_parent() -> Telemetry {
    let variable = |name: &str| std::env::var(name).unwrap();
    telemetry(&variable("KILLED_URL"), Path::new(&variable("KILLED_SPOOL")))
}

/// Kills `child` so long after its first word, and answers with everything it said in whole lines.
fn kill(mut child: Child, after: Duration) -> Vec<String> {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    let mut line = String::new();
    while !line.starts_with("said ") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the child ended before it said anything");
    }
    let rest = std::thread::spawn(move || {
        let mut rest = Vec::new();
        while let Ok(read) = reader.read_until(b'\n', &mut rest) {
            if read == 0 {
                break;
            }
        }
        rest
    });
    lines.push(line);
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let rest = String::from_utf8(rest.join().unwrap()).unwrap();
    let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
    lines.extend(whole.lines().map(str::to_owned));
    lines.iter().filter_map(|line| Some(line.trim_end().strip_prefix("said ")?.to_owned())).collect()
}

#[derive(Default)]
struct Arrived {
    /// By call id.
    tools: HashMap<String, Vec<Span>>,
    others: Vec<Span>,
    modes: HashMap<String, usize>,
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn number(span: &Span, key: &str) -> Option<i64> {
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

fn arrived(server: &Server) -> Arrived {
    let mut arrived = Arrived::default();
    for request in server.requests() {
        if request.path == "/v1/traces" {
            let request = ExportTraceServiceRequest::decode(&*request.body).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            for span in scopes.flat_map(|scope| scope.spans) {
                match text(&span, "gen_ai.tool.call.id") {
                    Some(id) => arrived.tools.entry(id.to_owned()).or_default().push(span),
                    None => arrived.others.push(span),
                }
            }
        } else if request.path == "/v1/logs" {
            let request = ExportLogsServiceRequest::decode(&*request.body).unwrap();
            let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
            for event in scopes.flat_map(|scope| scope.log_records) {
                if event.event_name == "vigil.mode.transition" {
                    let id = event.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
                    *arrived.modes.entry(id).or_insert(0) += 1;
                }
            }
        }
    }
    arrived
}

/// Waits until the spool holds nothing any more, and the record files are gone.
fn until_empty(spool: &Path) {
    let began = Instant::now();
    loop {
        // The files of this process are the next one's.
        let own = format!("-{}-", std::process::id());
        let files = std::fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path());
        // A folder that was being made when its process was killed is hidden, and swept when it is an hour old.
        let is_hidden = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let files: Vec<_> = files.filter(|file| !file.to_string_lossy().contains(&own) && !is_hidden(file)).collect();
        let status = vigil::deliver::spool_status(spool).unwrap();
        let waiting: u64 = status.waiting.iter().flat_map(|one| one.records).sum();
        if waiting == 0 && files.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{waiting} records wait, files {files:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn child_that_records_until_it_is_killed() {
    let telemetry = of_parent();
    let agent = telemetry.agent_span("session", "killed");
    agent.set_attribute("acme.tier", "gold");
    let _open = agent.tool_span("search", "open");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let agent = &agent;
            scope.spawn(move || {
                for count in 0_u64.. {
                    let mut tool = agent.tool_span("search", &format!("{thread}-{count}"));
                    tool.record_tool_status(ToolStatus::Ok);
                    let id = tool.context().span_id;
                    tool.record_mode_transition(OperatingMode::Execute, OperatingMode::Recover);
                    let mut chat = agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
                    chat.record_token_usage(Usage::anthropic(10, 1));
                    chat.record_finish_reason(FinishReason::Stop);
                    chat.finish();
                    tool.finish();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "said {thread}-{count} {id}").unwrap();
                    if count % 512 == 511 {
                        // Not all of it at once, so that there are moments between rounds too.
                        drop(out);
                        std::thread::sleep(Duration::from_millis(count / 512 % 7));
                    }
                }
            });
        }
    });
}

fn killed_after(name: &str, moments: &[u64], dead: bool) {
    let (mut told, mut twice, mut events_twice) = (0, 0, 0);
    for moment in moments {
        let scratch = Scratch::new(&format!("{name}-{moment}"));
        let port = vacant();
        let alive = (!dead).then(|| Server::start_at(port, Answer::Ok));
        let url = format!("http://127.0.0.1:{port}");
        let child = start("child_that_records_until_it_is_killed", &url, &scratch.0);
        let said = kill(child, Duration::from_millis(*moment));
        let server = alive.unwrap_or_else(|| Server::start_at(port, Answer::Ok));
        let next = telemetry(&server.url(), &scratch.0);
        next.agent_span("session", "next").finish();
        until_empty(&scratch.0);
        assert!(next.deliver_and_shutdown(Duration::from_secs(5)).is_complete());
        let arrived = arrived(&server);
        for line in &said {
            let (call, id) = line.split_once(' ').unwrap();
            let (spans, events) = (arrived.tools.get(call), arrived.modes.get(id));
            assert!(spans.is_some(), "{call} of {} is lost", said.len());
            assert!(events.is_some(), "the event of {call} is lost");
            let (spans, events) = (spans.unwrap(), events.unwrap());
            twice += spans.len() - 1;
            assert_eq!(text(&spans[0], "life.tool.status"), Some("ok"), "{call} has lost its status");
            events_twice += events - 1;
        }
        told += said.len();
        let open = &arrived.tools["open"];
        assert_eq!(open.len(), 1);
        assert_eq!(text(&open[0], "error.type"), Some("process_lost"));
        assert!(open[0].end_time_unix_nano >= open[0].start_time_unix_nano);
        let agents: Vec<_> = arrived.others.iter().filter(|span| span.name == "invoke_agent killed").collect();
        assert_eq!(agents.len(), 1);
        assert_eq!(text(agents[0], "error.type"), Some("process_lost"));
        assert_eq!(text(agents[0], "acme.tier"), Some("gold"));
        assert_eq!(open[0].parent_span_id, agents[0].span_id);
        // Sums are of what was recorded, whether it had left before or not.
        let mut chats: Vec<_> =
            arrived.others.iter().filter(|span| span.name.starts_with("chat ")).map(|span| &span.span_id).collect();
        chats.sort();
        let all = chats.len();
        chats.dedup();
        twice += all - chats.len();
        let used = arrived.others.iter().filter(|span| number(span, "gen_ai.usage.output_tokens") == Some(1));
        let mut used: Vec<_> = used.map(|span| &span.span_id).collect();
        used.sort();
        used.dedup();
        let summed = number(agents[0], "vigil.usage.output_tokens").unwrap_or(0);
        assert_eq!(summed, used.len() as i64, "one output token a chat");
    }
    println!("{name}: {told} calls had returned, 0 lost, {twice} spans and {events_twice} events twice");
    // At least once: what was under way to the collector goes again, and what was handed to the spool in the instant of
    // the kill; one batch at most.
    let under_way = BATCH * moments.len();
    assert!(twice <= under_way + told / 1000, "{twice} of {told} twice");
    assert!(events_twice <= under_way + told / 1000, "{events_twice} events of {told} calls twice");
}

#[test]
fn kill_9_takes_nothing_that_was_recorded_when_the_collector_is_dead() {
    killed_after("dead", &[3, 140, 330, 1250], true);
}

#[test]
fn kill_9_takes_nothing_that_was_recorded_when_the_collector_lives() {
    killed_after("alive", &[0, 110, 260, 1400], false);
}

/// What a process that were killed now would leave in `spool`, as a spool of its own.
fn left_now(spool: &Path, name: &str) -> Scratch {
    let copy = Scratch::new(name);
    std::fs::create_dir_all(&copy.0).unwrap();
    for file in std::fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            std::fs::copy(&file, copy.0.join(file.file_name().unwrap())).unwrap();
        }
    }
    copy
}

fn waiting_spans(spool: &Path) -> u64 {
    vigil::deliver::spool_status(spool).unwrap().waiting.iter().map(|one| one.records[0]).sum()
}

#[test]
fn what_is_left_is_brought_home_once_and_any_damage_to_it_is_survived() {
    let scratch = Scratch::new("damaged");
    let telemetry = telemetry(&format!("http://127.0.0.1:{}", vacant()), &scratch.0);
    let agent = telemetry.agent_span("session", "killed");
    for count in 0..20 {
        agent.tool_span("search", &count.to_string()).finish();
    }
    let left = left_now(&scratch.0, "left");
    assert_eq!(vigil::deliver::spool_status(&left.0).unwrap().unrecovered_processes, 1);
    assert_eq!(vigil::recover_spool(&left.0), 1);
    assert_eq!(waiting_spans(&left.0), 21);
    assert_eq!(vigil::recover_spool(&left.0), 0, "it is brought home once");
    assert_eq!(waiting_spans(&left.0), 21);
    // The process that lives is left alone.
    assert_eq!(vigil::recover_spool(&scratch.0), 0);

    let whole = left_now(&scratch.0, "whole");
    let mut seed = 7_u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let mut survived = 0;
    for round in 0..200 {
        let damaged = left_now(&whole.0, "damage");
        for file in std::fs::read_dir(&damaged.0).unwrap().map(|entry| entry.unwrap().path()) {
            let mut bytes = std::fs::read(&file).unwrap();
            // The head, or the first chunk of what follows the keys.
            let reach = if round % 2 == 0 { 4096.min(bytes.len()) } else { bytes.len() };
            for _ in 0..1 + next() % 16 {
                let at = next() % reach;
                bytes[at] = next() as u8;
            }
            if round % 5 == 0 {
                bytes.truncate(next() % bytes.len());
            }
            std::fs::write(&file, bytes).unwrap();
        }
        vigil::recover_spool(&damaged.0);
        let found = waiting_spans(&damaged.0);
        assert!(found <= 21 + 3, "spans out of nowhere");
        survived += usize::from(found >= 21);
    }
    // Most of the file is room for records to come, and damage to it is damage to nothing.
    assert!(survived >= 100, "all spans survived in {survived} of 200 rounds");
}

/// The spans that wait in `spool`, by name.
fn spans_in(spool: &Path) -> HashMap<String, Vec<Span>> {
    let mut spans = HashMap::<String, Vec<Span>>::new();
    let unreadable = vigil::deliver::spool_batches(spool, |batch| {
        if batch.signal() == vigil::encode::Signal::Traces {
            let request = ExportTraceServiceRequest::decode(&**batch.body()).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            for span in scopes.flat_map(|scope| scope.spans) {
                spans.entry(span.name.clone()).or_default().push(span);
            }
        }
        Ok(())
    });
    assert_eq!(unreadable.unwrap(), 0);
    spans
}

#[test]
fn what_is_open_for_long_is_carried_over_as_it_grows() {
    let scratch = Scratch::new("long");
    let url = format!("http://127.0.0.1:{}", vacant());
    let builder = vigil::from_env("killed").environment([]).quiet(true).endpoint(url).spool_dir(&scratch.0);
    let telemetry = builder.schedule_delay(Duration::from_millis(1)).start();
    let agent = telemetry.agent_span("session", "killed");
    agent.set_attribute("acme.first", 0);
    for step in 0..40 {
        agent.set_attribute("acme.step", step);
        agent.tool_span("search", &step.to_string()).finish();
        // Each round lets go of the records it read.
        assert!(telemetry.wait_assembled(Duration::from_secs(5)));
        std::thread::sleep(Duration::from_millis(5));
    }
    let open = std::fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap().path());
    let open = open.filter(|path| path.extension().is_some_and(|extension| extension == "open"));
    let open: u64 = open.map(|path| std::fs::metadata(path).unwrap().len()).sum();
    assert!((1..40 * 1024).contains(&open), "{open} bytes for one span that is open");
    let left = left_now(&scratch.0, "long-left");
    assert_eq!(vigil::recover_spool(&left.0), 1);
    let spans = spans_in(&left.0);
    let agent = &spans["invoke_agent killed"][0];
    assert_eq!((number(agent, "acme.first"), number(agent, "acme.step")), (Some(0), Some(39)));
    assert_eq!(number(agent, "vigil.tool.count"), Some(40));
    assert_eq!(text(agent, "error.type"), Some("process_lost"));
}

#[test]
fn records_larger_than_a_chunk_are_brought_home_too_and_their_room_is_used_again() {
    let scratch = Scratch::new("large");
    let url = format!("http://127.0.0.1:{}", vacant());
    let builder = vigil::from_env("killed").environment([]).quiet(true).endpoint(url).spool_dir(&scratch.0);
    let telemetry = builder.schedule_delay(Duration::from_millis(1)).capture_content(true).start();
    let agent = telemetry.agent_span("session", "killed");
    for step in 0..30 {
        let tool = agent.tool_span("search", &step.to_string());
        tool.record_content(Content::ToolArguments, || format!("\"{}\"", "x".repeat(150_000)));
        tool.finish();
        assert!(telemetry.wait_assembled(Duration::from_secs(5)));
        std::thread::sleep(Duration::from_millis(5));
    }
    let records = std::fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap().path());
    let records = records.filter(|path| path.extension().is_some_and(|extension| extension == "records"));
    let length: u64 = records.map(|path| std::fs::metadata(path).unwrap().len()).sum();
    assert!(length < 4 << 20, "{length} bytes");
    for step in 0..3 {
        let tool = agent.tool_span("last", &step.to_string());
        tool.record_content(Content::ToolArguments, || format!("\"{}\"", "y".repeat(150_000)));
        tool.finish();
    }
    let left = left_now(&scratch.0, "large-left");
    assert_eq!(vigil::recover_spool(&left.0), 1);
    let spans = spans_in(&left.0);
    assert_eq!(spans["execute_tool last"].len(), 3);
    assert!(text(&spans["execute_tool last"][0], "gen_ai.tool.call.arguments").is_some());
}

/// Files this process has open.
#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
#[cfg(target_os = "linux")]
fn telemetry_that_comes_and_goes_leaves_no_file_open() {
    let scratch = Scratch::new("rounds");
    let server = Server::start(Answer::Ok);
    let round = || {
        let telemetry = telemetry(&server.url(), &scratch.0);
        telemetry.agent_span("session", "killed").finish();
        drop(telemetry.deliver_and_shutdown(Duration::from_secs(5)));
    };
    (0..3).for_each(|_| round());
    let before = open_files();
    (0..40).for_each(|_| round());
    // Tests beside this one open some too.
    assert!(open_files() < before + 35, "{before} became {}", open_files());
}

#[test]
fn what_is_left_holds_no_content_that_was_not_asked_for() {
    const CANARY: &str = "c4n4ry-5ecret";
    let scratch = Scratch::new("canary");
    let telemetry = telemetry(&format!("http://127.0.0.1:{}", vacant()), &scratch.0);
    let agent = telemetry.agent_span("session", "killed");
    let tool = agent.tool_span("search", "call");
    for content in [Content::ToolArguments, Content::ToolResult, Content::ErrorMessage, Content::InputMessages] {
        tool.record_content(content, || CANARY.to_owned());
    }
    let chat = agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.fail(vigil::ErrorType::from_code(CANARY.replace('-', " ").as_str()));
    let left = left_now(&scratch.0, "canary-left");
    let files: Vec<_> = std::fs::read_dir(&left.0).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [CANARY, "c4n4ry 5ecret"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", file.display());
        }
    }
}

#[test]
fn a_record_file_of_another_version_is_set_aside_and_named() {
    let scratch = Scratch::new("version");
    let telemetry = telemetry(&format!("http://127.0.0.1:{}", vacant()), &scratch.0);
    telemetry.agent_span("session", "killed").finish();
    let left = left_now(&scratch.0, "version-left");
    let file = std::fs::read_dir(&left.0).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(10).position(|window| window == b"\"version\":").unwrap();
    bytes[at + 10] = b'0';
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(vigil::recover_spool(&left.0), 0);
    assert_eq!(vigil::deliver::spool_status(&left.0).unwrap().set_aside.len(), 1);
}

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child_that_forks() {
    let telemetry = of_parent();
    let agent = telemetry.agent_span("session", "killed");
    agent.tool_span("search", "before").finish();
    #[expect(unsafe_code, reason = "the standard library has no fork that goes on in the child")]
    // SAFETY: the child calls what telemetry promises to survive a fork, and then ends at once.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        for count in 0..10_000 {
            agent.tool_span("search", &format!("child-{count}")).finish();
        }
        #[expect(unsafe_code, reason = "without the destructors that are the parent's business")]
        // SAFETY: it does not return.
        unsafe {
            libc::_exit(0)
        }
    }
    for count in 0..10_000 {
        agent.tool_span("search", &format!("0-{count}")).finish();
    }
    println!("said done");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_fork_does_not_write_into_its_parents_record_file() {
    let scratch = Scratch::new("fork");
    let port = vacant();
    let child = start("child_that_forks", &format!("http://127.0.0.1:{port}"), &scratch.0);
    kill(child, Duration::ZERO);
    let server = Server::start_at(port, Answer::Ok);
    let next = telemetry(&server.url(), &scratch.0);
    next.agent_span("session", "next").finish();
    until_empty(&scratch.0);
    assert!(next.deliver_and_shutdown(Duration::from_secs(5)).is_complete());
    let arrived = arrived(&server);
    for count in 0..10_000 {
        assert_eq!(arrived.tools.get(&format!("0-{count}")).map(Vec::len), Some(1), "call {count}");
    }
    assert!(!arrived.tools.keys().any(|call| call.starts_with("child-")));
}

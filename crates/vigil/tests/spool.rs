//! Telemetry with a spool, as a program uses it: what the end costs, what outlives it, and what is in the files.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests fail as tests do, and measure time"
)]

mod support;

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::{Answer, Server};
use vigil::deliver::spool_status;
use vigil::{Builder, Content, Telemetry};

const CANARY: &str = "c4n4ry-5ecret";

/// A folder that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vigil-sdk-spool-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }

    fn builder(&self, url: &str) -> Builder {
        vigil::from_env("test").environment([]).quiet(true).endpoint(url).spool_dir(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn small_run(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session-1", "tester");
    let tool = agent.tool_span("search", "call-1");
    tool.record_content(Content::ToolArguments, || CANARY.to_owned());
    tool.finish();
    agent.finish();
}

fn vacant() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

/// The bytes of every file below `folder`.
fn all_bytes(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => bytes.extend(all_bytes(&entry.path())),
            false => bytes.extend(std::fs::read(entry.path()).unwrap()),
        }
    }
    bytes
}

#[test]
fn b6_l6_the_end_waits_for_no_network_and_nothing_is_lost() {
    let hanging = Server::start(Answer::Hang);
    for (name, url) in [("refused", vacant()), ("hanging", hanging.url())] {
        let scratch = Scratch::new(name);
        let telemetry = scratch.builder(&url).start();
        assert_eq!(telemetry.spool(), Some(&*scratch.0));
        small_run(&telemetry);
        let before = Instant::now();
        let receipt = telemetry.shutdown(Duration::from_secs(5));
        // 20 ms are promised on a quiet machine (vigil-bench faults), of which a round of the assembler may take some.
        assert!(before.elapsed() < Duration::from_millis(250), "{:?}", before.elapsed());
        assert_eq!((receipt.traces.recorded, receipt.traces.spooled, receipt.traces.lost.total()), (2, 2, 0));
        assert!(receipt.is_kept() && !receipt.is_complete() && receipt.spooled() >= 2, "{receipt}");
        assert_eq!(spool_status(&scratch.0).unwrap().waiting[0].records[0], 2);
    }
}

#[test]
fn dropping_telemetry_keeps_what_was_recorded_too() {
    let scratch = Scratch::new("drop");
    let telemetry = scratch.builder(&vacant()).start();
    small_run(&telemetry);
    let before = Instant::now();
    drop(telemetry);
    assert!(before.elapsed() < Duration::from_millis(250));
    assert_eq!(spool_status(&scratch.0).unwrap().waiting[0].records[0], 2);
}

#[test]
fn the_next_program_delivers_what_the_one_before_left_and_counts_it_apart() {
    let scratch = Scratch::new("next");
    let address = vacant();
    let telemetry = scratch.builder(&address).start();
    small_run(&telemetry);
    assert_eq!(telemetry.shutdown(Duration::from_secs(5)).traces.spooled, 2);
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let server = Server::start_at(port, Answer::Ok);
    let telemetry = scratch.builder(&address).start();
    small_run(&telemetry);
    let until = Instant::now() + Duration::from_secs(5);
    while server.bodies("/v1/traces").is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let receipt = telemetry.deliver_and_shutdown(Duration::from_secs(5));
    assert!(receipt.is_complete(), "waiting is possible where it is wanted: {receipt}");
    assert_eq!((receipt.traces.recorded, server.bodies("/v1/traces").len()), (2, 2));
    assert_eq!(receipt.destinations[0].receipt.traces.left_behind.delivered, 2);
}

#[test]
fn no_secret_is_in_the_spool() {
    let scratch = Scratch::new("canary");
    let telemetry = scratch
        .builder(&vacant().replace("http://", &format!("http://user:{CANARY}@")))
        .header("authorization", CANARY)
        .start();
    small_run(&telemetry);
    telemetry.shutdown(Duration::from_secs(1));
    let bytes = all_bytes(&scratch.0);
    let holds = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    assert!(holds(b"execute_tool search"), "it is what would have been sent");
    assert!(!holds(CANARY.as_bytes()));
}

#[test]
fn b4_an_endpoint_that_is_unset_or_empty_means_that_nothing_is_sent_or_kept() {
    let scratch = Scratch::new("off");
    for endpoint in [None, Some(""), Some("  ")] {
        let directory = scratch.0.to_string_lossy().into_owned();
        let variables = endpoint.map(|value| ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), value.to_owned()));
        let telemetry = vigil::from_env("test")
            .environment(variables.into_iter().chain([("VIGIL_SPOOL_DIR".to_owned(), directory)]))
            .log_writer(std::io::sink())
            .start();
        assert_eq!((telemetry.destinations().len(), telemetry.spool()), (0, None));
        small_run(&telemetry);
        assert_eq!(telemetry.shutdown(Duration::from_secs(1)).traces.recorded, 2, "the log had it");
    }
    assert!(!scratch.0.exists());
}

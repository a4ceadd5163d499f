//! Seed B6: what is in flight when the process ends is delivered, within a bound, also when it ends by `exit`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, and measure time")]

mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};
use support::{Answer, Server};
use vigil::gateway::{Gateway, Policy};

fn child(endpoint: &str, test: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("VIGIL_LOG_FORMAT", "off")
        .output()
        .unwrap()
}

fn arrived(server: &Server) -> bool {
    let traces = server.requests().into_iter().filter(|request| request.path == "/v1/traces");
    traces.into_iter().any(|request| request.body.windows(22).any(|window| window == b"capability acme.charge"))
}

#[test]
fn b6_exit_delivers_what_was_recorded_before_it_ends_the_process() {
    let server = Server::start(Answer::Ok);
    let output = child(&server.url(), "child_that_exits");
    assert_eq!(output.status.code(), Some(3));
    assert!(arrived(&server), "the span of the call did not arrive");
}

#[test]
fn b6_exit_waits_for_a_dead_collector_no_longer_than_its_bound() {
    let server = Server::start(Answer::Hang);
    let started = Instant::now();
    let output = child(&server.url(), "child_that_exits");
    assert_eq!(output.status.code(), Some(3));
    let bound = vigil::SHUTDOWN_DEADLINE_DEFAULT + Duration::from_secs(2);
    assert!(started.elapsed() < bound, "{:?}", started.elapsed());
}

#[test]
fn b6_dropping_the_telemetry_delivers_too() {
    let server = Server::start(Answer::Ok);
    let output = child(&server.url(), "child_that_drops");
    assert!(output.status.success());
    assert!(arrived(&server), "the span of the call did not arrive");
}

fn charge(telemetry: &vigil::Telemetry) {
    let agent = telemetry.agent_span("session", "agent");
    let gateway = Gateway::new(Policy::allow_all());
    gateway.call(&agent, "acme.charge", "card", |_| Ok::<_, std::io::Error>(true)).unwrap();
    agent.finish();
}

#[test]
#[ignore = "run by the tests above, in a process of its own"]
fn child_that_exits() {
    vigil::from_env("child").start().install().unwrap();
    charge(vigil::installed().unwrap());
    vigil::exit(3);
}

#[test]
#[ignore = "run by the tests above, in a process of its own"]
fn child_that_drops() {
    charge(&vigil::from_env("child").start());
}

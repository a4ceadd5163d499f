//! `vigil doctor`: what it finds, how it says so, and what it never shows.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests fail and measure time")]

mod common;

use common::collector::Collector;
use common::{Scratch, finish, text, vigil};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The exit status and the findings.
fn doctor(home: &Scratch, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, Vec<Value>) {
    let mut command = vigil(home.path());
    command.args(["doctor", "--json", "--within", "1"]).args(arguments).envs(variables.iter().copied());
    let output = finish(command);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let code = output.status.code().unwrap();
    assert_eq!(told["ok"], code == 0);
    (code, told["findings"].as_array().unwrap().clone())
}

fn find<'a>(findings: &'a [Value], level: &str, words: &str) -> &'a Value {
    let found = findings.iter().find(|one| one["level"] == level && one["what"].as_str().unwrap().contains(words));
    found.unwrap_or_else(|| panic!("no {level} {words:?} in {findings:#?}"))
}

#[test]
fn with_a_backend_that_is_well_nothing_is_wrong() {
    let home = Scratch::new();
    let collector = Collector::start("127.0.0.1:0".parse().unwrap(), Duration::ZERO);
    let (code, findings) = doctor(&home, &[], &[(ENDPOINT, &collector.url)]);
    assert_eq!(code, 0, "{findings:#?}");
    for signal in ["traces", "logs", "metrics"] {
        find(&findings, "good", &format!("takes {signal} over http/protobuf"));
    }
    find(&findings, "good", "is reached at 127.0.0.1");
    find(&findings, "good", "nothing waits");
    let mut asked = collector.asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, ["/v1/logs", "/v1/metrics", "/v1/traces"]);
}

#[test]
fn nothing_is_sent_when_told_not_to() {
    let home = Scratch::new();
    let collector = Collector::start("127.0.0.1:0".parse().unwrap(), Duration::ZERO);
    let (code, _) = doctor(&home, &["--no-send"], &[(ENDPOINT, &collector.url)]);
    assert_eq!((code, collector.asked.lock().unwrap().len()), (0, 0));
}

#[test]
fn a_backend_that_is_not_there_is_wrong_and_said_how_to_mend() {
    let home = Scratch::new();
    let vacant = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, findings) = doctor(&home, &[], &[(ENDPOINT, &format!("http://{vacant}"))]);
    assert_eq!(code, 1);
    let finding = find(&findings, "wrong", "nobody answers");
    assert!(finding["mend"].as_str().unwrap().contains("is the backend running"), "{finding}");
    let (code, findings) = doctor(&home, &[], &[(ENDPOINT, "http://no-such-host.invalid:4318")]);
    assert_eq!(code, 1);
    find(&findings, "wrong", "cannot be resolved");
}

#[test]
fn a_backend_that_takes_spans_alone_is_told_of_signal_by_signal() {
    let home = Scratch::new();
    let answer = |path: &str| if path == "/v1/traces" { "200 OK" } else { "404 Not Found" };
    let collector = Collector::answering("127.0.0.1:0".parse().unwrap(), Duration::ZERO, answer);
    let (code, findings) = doctor(&home, &[], &[(ENDPOINT, &collector.url)]);
    assert_eq!(code, 1);
    find(&findings, "good", "takes traces");
    let logs = find(&findings, "wrong", "does not take logs over http/protobuf: it answered HTTP 404");
    assert!(logs["mend"].as_str().unwrap().contains("OTEL_LOGS_EXPORTER=none"), "{logs}");
    let quiet = [(ENDPOINT, &*collector.url), ("OTEL_LOGS_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")];
    assert_eq!(doctor(&home, &[], &quiet).0, 0);
}

#[test]
fn a_refused_key_is_told_of_and_never_shown() {
    let home = Scratch::new();
    let collector = Collector::answering("127.0.0.1:0".parse().unwrap(), Duration::ZERO, |_| "401 Unauthorized");
    let url = collector.url.replace("http://", "http://me:url-secret@") + "/?key=query-secret";
    let variables = [(ENDPOINT, &*url), ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=header-secret")];
    let (code, findings) = doctor(&home, &[], &variables);
    assert_eq!(code, 1);
    let finding = find(&findings, "wrong", "does not take traces");
    assert!(finding["mend"].as_str().unwrap().contains("check the key"), "{finding}");
    find(&findings, "good", "OTEL_EXPORTER_OTLP_HEADERS=api-key=…");
    let mut command = vigil(home.path());
    command.arg("doctor").envs(variables);
    let output = finish(command);
    let shown = format!("{findings:?}{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("Several things are wrong."));
}

#[test]
fn settings_that_are_wrong_misspelt_or_unsupported_are_found() {
    let home = Scratch::new();
    let (code, findings) = doctor(
        &home,
        &[],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPIONT", "http://x"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
            ("OTEL_CONFIG_FILE", "o.yaml"),
        ],
    );
    assert_eq!(code, 1);
    let misspelt = find(&findings, "advice", "OTEL_EXPORTER_OTLP_ENDPIONT is set and read by nobody");
    assert_eq!(misspelt["mend"], "was OTEL_EXPORTER_OTLP_ENDPOINT meant?");
    find(&findings, "wrong", "OTEL_BSP_SCHEDULE_DELAY=\"soon\"");
    find(&findings, "wrong", "a configuration file is not supported");
    find(&findings, "advice", "no endpoint is set");
    let (code, findings) = doctor(&home, &[], &[("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(code, 0);
    find(&findings, "advice", "switched off");
}

#[test]
fn a_spool_that_is_open_to_others_or_has_lost_records_is_found() {
    let home = Scratch::new();
    let spool = home.join("spool");
    fs::create_dir_all(spool.join("set-aside")).unwrap();
    fs::write(spool.join("set-aside/one"), b"x").unwrap();
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o755)).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    fs::write(spool.join("losses.log"), format!("{now}\tbackend\ttraces\tspool_full\t7\n")).unwrap();
    let (code, findings) = doctor(&home, &[], &[("VIGIL_SPOOL_DIR", spool.to_str().unwrap())]);
    assert_eq!(code, 1);
    let open = find(&findings, "wrong", "is open to others (mode 755)");
    assert!(open["mend"].as_str().unwrap().starts_with("chmod 700 "));
    find(&findings, "advice", "1 damaged file was set aside");
    find(&findings, "advice", "7 records were lost within a week");
    let (code, findings) = doctor(&home, &[], &[("VIGIL_SPOOL", "false")]);
    assert_eq!(code, 0);
    find(&findings, "advice", "there is none");
}

#[test]
fn an_agent_on_the_path_is_named_with_what_it_can_tell() {
    let home = Scratch::new();
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    home.script("bin/claude", "#!/bin/sh\nexit 9\n");
    let (_, findings) = doctor(&home, &[], &[("PATH", bin.to_str().unwrap())]);
    let agent = find(&findings, "good", "claude is ");
    assert!(agent["why"].as_str().unwrap().contains("tokens and cost"));
}

#[test]
fn a_port_that_belongs_to_the_other_protocol_is_pointed_out() {
    let home = Scratch::new();
    let (code, findings) = doctor(&home, &["--no-send"], &[(ENDPOINT, "http://127.0.0.1:4317")]);
    let finding = find(&findings, "advice", "its port is the usual one for grpc");
    assert_eq!(finding["mend"], "OTEL_EXPORTER_OTLP_PROTOCOL=grpc, if so");
    // Whether somebody happens to listen there is another matter.
    assert!(code == 0 || code == 1);
}

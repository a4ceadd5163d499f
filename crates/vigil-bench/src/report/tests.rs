use super::*;
use crate::load::{Load, Outcome, Who};
use crate::recording::Round;
use crate::sink::Counts;
use crate::worker::Account;

fn cost(shape: Shape, threads: usize, nanos: f64) -> Cost {
    let spread = Spread { median: nanos, p10: nanos * 0.9, p90: nanos * 1.2 };
    Cost {
        shape,
        threads,
        slices: 7,
        cpu_ns: spread,
        wall_ns: spread,
        process_cpu_ns: spread,
        allocations: Spread::default(),
        rounds: vec![Round { cpu_ns: nanos, process_cpu_ns: nanos }; 3],
    }
}

fn measured(name: &'static str, nanos: f64) -> Measured {
    let costs = Shape::ALL.into_iter().flat_map(|shape| [1, THREADS].map(|threads| cost(shape, threads, nanos)));
    let account = Account { recorded: 10, arrived: Some(10) };
    let title = crate::contenders::find(name).unwrap().title;
    Measured { name, title, costs: costs.collect(), account }
}

fn report() -> Report {
    let machine = Machine::look("cargo run".to_owned());
    let recording = vec![measured("vigil", 50.0), measured("sdk", 400.0), measured("tracing-json", 123_456.0)];
    let run = |who, spans| Run {
        who,
        load: Load::Burst { spans: 200_000 },
        outcome: Outcome {
            recorded: 200_000,
            cpu_ns: 1,
            memory_peak_kib: 300_000,
            last_word: "200001 recorded, 200001 delivered".to_owned(),
            ..Outcome::default()
        },
        sink: Counts { spans, ..Counts::default() },
    };
    let equality =
        vec![Comparison { span: "chat", same: 11, different: vec![], added: vec!["vigil.outcome = \"ok\"".into()] }];
    let call = |what, median| Call { what, cpu_ns: Spread { median, p10: median, p90: median }, allocations: 0.0 };
    let gateway = vec![call(What::Bare, 1.5), call(What::Off, 70.0), call(What::OffWithTime, 123_456.0)];
    Report::new(machine, recording, vec![run(Who::Vigil, 200_001), run(Who::Sdk, 31_263)], equality, gateway)
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let text = report().text();
    for line in text.lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn figures_met_and_missed_are_marked() {
    let text = report().text();
    let line = |what: &str| text.lines().find(|line| line.contains(what)).unwrap_or_default().to_owned();
    assert!(line("cheaper than the OpenTelemetry SDK").starts_with('✓'), "{text}");
    assert!(line("cheaper than the OpenTelemetry SDK").ends_with("8.00×"), "{text}");
    assert!(line("spans lost").starts_with('✓'), "{text}");
    assert!(line("resident memory at its peak").starts_with('✗'), "{text}");
    assert!(text.contains("168738"), "{text}");
}

#[test]
fn the_json_holds_what_the_table_is_made_of() {
    let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
    assert_eq!(json["recording"][0]["name"], "vigil");
    assert_eq!(json["recording"][0]["costs"][0]["cpu_ns"]["median"], 50.0);
    assert_eq!(json["runs"][1]["sink"]["spans"], 31_263);
    assert!(json["machine"]["versions"]["opentelemetry"].is_string());
    assert!(json["figures"].as_array().unwrap().len() > 5);
}

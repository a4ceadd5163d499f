//! The verdict against real cases: responses, exceptions and terminal texts of the services agents lean on.
//!
//! The cases live outside the repository; without them the examples of `throttle/tests/` stand alone. Those that are
//! arguable are told of and left out of the figures.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail and tell as tests do"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use vigil_core::fact::UnixNanos;
use vigil_core::throttle::{Channel, Observation, Throttle, ThrottleClass, classify};

fn cases() -> Option<Vec<Value>> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/throttle-cases.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: there are no cases beside the repository");
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn verdict(case: &Value) -> Option<Throttle> {
    let headers: Vec<(&str, &str)> = case["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    classify(&Observation {
        channel: case["channel"].as_str().and_then(Channel::from_word).unwrap_or_default(),
        service: case["service"].as_str(),
        tool: case["tool"].as_str(),
        http_status: case["http_status"].as_u64().and_then(|status| u16::try_from(status).ok()),
        headers: &headers,
        text: case["text"].as_str().unwrap_or_default().as_bytes(),
        now: UnixNanos(1_795_249_103_000_000_000),
        ..Observation::default()
    })
}

#[derive(Default)]
struct Score {
    right: usize,
    all: usize,
}

impl Score {
    fn count(&mut self, what: &str, case: &Value, is_right: bool, got: &dyn std::fmt::Debug) {
        self.all += 1;
        self.right += usize::from(is_right);
        if !is_right {
            println!("{what} of {}: {got:?}", case["id"]);
        }
    }

    fn ratio(&self) -> f64 {
        self.right as f64 / self.all as f64
    }
}

/// The word of a verdict in the cases.
fn label(verdict: Option<&Throttle>) -> &'static str {
    verdict.map_or("none", |throttle| throttle.class.as_str())
}

/// Seed T5: every known shape of a provider's, and those of other services. Seed T7: few false alarms.
#[test]
fn t5_t7_verdicts_of_real_cases_are_right() {
    let Some(cases) = cases() else { return };
    let (mut found, mut missed, mut alarms) = (0_usize, 0_usize, 0_usize);
    let [mut labels, mut waits, mut resets, mut scopes, mut retries] = [const { Score { right: 0, all: 0 } }; 5];
    for case in &cases {
        let got = verdict(case);
        let wanted = case["label"].as_str().unwrap();
        if case["ambiguous"] == true {
            if label(got.as_ref()) != wanted {
                println!("arguable {}: {} and not {wanted}", case["id"], label(got.as_ref()));
            }
            continue;
        }
        labels.count("label", case, label(got.as_ref()) == wanted, &got.map(|got| (got.class, got.rule)));
        match (wanted, &got) {
            ("none", None) => continue,
            ("none", Some(_)) => alarms += 1,
            (_, None) => missed += 1,
            (_, Some(_)) => found += 1,
        }
        let Some(got) = got.filter(|_| wanted != "none") else { continue };
        scopes.count("scope", case, case["scope"] == got.scope.as_str(), &(got.scope, &case["scope"], got.rule));
        retries.count("retryable", case, case["retryable"] == got.retryable, &got.retryable);
        if let Some(wait) = case["retry_after_s"].as_f64() {
            let stated = got.retry_after.map(|wait| wait.as_secs_f64());
            waits.count(
                "wait",
                case,
                stated.is_some_and(|stated| (stated - wait).abs() <= 0.001 + wait / 1000.0),
                &stated,
            );
        }
        if let Some(reset) = case["reset_at"].as_str() {
            let stated = got.reset_stated;
            resets.count("reset", case, stated.is_some_and(|stated| stated.as_str() == reset), &(stated, reset));
        }
        if got.class == ThrottleClass::Quota {
            assert!(!got.retryable, "{}", case["id"]);
        }
    }
    let precision = found as f64 / (found + alarms) as f64;
    let recall = found as f64 / (found + missed) as f64;
    let f1 = 2.0 * precision * recall / (precision + recall);
    let times = Score { right: waits.right + resets.right, all: waits.all + resets.all };
    println!("{} cases, {} of them counted", cases.len(), labels.all);
    println!("throttled or not: F1 {f1:.4}, {alarms} false alarms, {missed} missed");
    println!(
        "label {:.4}, times {:.4}, scope {:.4}, retryable {:.4}",
        labels.ratio(),
        times.ratio(),
        scopes.ratio(),
        retries.ratio()
    );
    assert_eq!(alarms, 0);
    assert!(f1 >= 0.985 && labels.ratio() >= 0.97 && times.ratio() >= 0.95 && scopes.ratio() >= 0.9);
}

//! The board and the rules use names the contract has, as Prometheus spells them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use vigil::contract::{Class, Instrument, Key, Metric, MetricDef, Words};

/// Labels that Prometheus and Grafana bring along.
const THEIR_LABELS: &[&str] = &["job", "instance", "le", "severity"];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The series a metric becomes: OpenTelemetry's translation to Prometheus. Dots become underscores, the unit is
/// spelt out and appended, `1` of a gauge is `ratio` and stands at the end once, counters end in `total`.
fn prometheus_names(def: &MetricDef) -> Vec<String> {
    let mut tokens: Vec<&str> = def.name.split(['.', '_']).collect();
    let unit = match def.unit {
        "s" => Some("seconds"),
        "ms" => Some("milliseconds"),
        "By" => Some("bytes"),
        unit if unit == "1" || unit.starts_with('{') => None,
        unit => panic!("the unit {unit} has no spelling here yet"),
    };
    tokens.extend(unit.filter(|unit| !tokens.contains(unit)));
    let mut end_with = |word| {
        tokens.retain(|token| *token != word);
        tokens.push(word);
    };
    match def.instrument {
        Instrument::Counter => end_with("total"),
        Instrument::Gauge if def.unit == "1" => end_with("ratio"),
        _ => {}
    }
    let name = tokens.join("_");
    match def.instrument {
        Instrument::Histogram { .. } => ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")).into(),
        _ => vec![name],
    }
}

fn prometheus_label(key: Key) -> String {
    key.name().replace('.', "_")
}

fn series() -> BTreeMap<String, Metric> {
    Metric::all()
        .flat_map(|metric| prometheus_names(metric.def()).into_iter().map(move |name| (name, metric)))
        .collect()
}

/// Words that start a name: letters, digits, underscores, and the colons of recorded series.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))).filter(|word| !word.is_empty())
}

/// The expressions in a board: every `expr` and every query of a variable.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if matches!(key.as_str(), "expr" | "query") => found.push(text.to_owned()),
                    _ => expressions(value, found),
                }
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// Every metric in `expression` is one of the contract's, and every label is one that all of them have.
fn check(expression: &str, series: &BTreeMap<String, Metric>, used: &mut BTreeSet<String>) {
    let mut metrics = Vec::new();
    for word in words(expression).filter(|word| word.starts_with("vigil_")) {
        let metric = series.get(word).unwrap_or_else(|| panic!("no metric becomes {word}: {expression}"));
        used.insert(word.to_owned());
        metrics.push(*metric);
    }
    let of_contract: BTreeSet<String> = Key::all().map(prometheus_label).collect();
    let is_label = |word: &&str| of_contract.contains(*word) || word.starts_with("downstream_");
    for word in words(expression).filter(is_label).filter(|word| !series.contains_key(*word)) {
        for metric in &metrics {
            let has = metric.def().attributes.iter().any(|key| prometheus_label(*key) == word);
            assert!(has, "{} has no label {word}: {expression}", metric.def().name);
        }
    }
    for (label, value) in matchers(expression) {
        if THEIR_LABELS.contains(&label) || value.starts_with('$') {
            continue;
        }
        let key = Key::all().find(|key| prometheus_label(*key) == label).unwrap_or_else(|| panic!("label {label}"));
        let Words::Closed(known) = key.def().words else { panic!("{label} has no closed list of values") };
        assert!(known.contains(&value), "{label} is never {value}: {expression}");
        assert_eq!(key.def().class, Class::Enum);
    }
}

/// `label="value"` and `label=~"value"` in an expression.
fn matchers(expression: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once('"') {
        let Some((value, next)) = after.split_once('"') else { break };
        let label = before.trim_end_matches(['=', '~', '!']).rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        if let Some(label) = label.clone().next().filter(|label| !label.is_empty()) {
            found.push((label, value));
        }
        rest = next;
    }
    found
}

#[test]
fn t8_the_board_is_json_and_its_names_are_the_contracts() {
    let board: serde_json::Value = serde_json::from_str(&file("throttle.board.json")).unwrap();
    let mut found = Vec::new();
    expressions(&board, &mut found);
    assert!(found.len() > 10);
    let (series, mut used) = (series(), BTreeSet::new());
    found.iter().for_each(|expression| check(expression, &series, &mut used));
    for metric in [Metric::ThrottleEvents, Metric::ThrottleWait, Metric::ThrottleRemainingRatio] {
        let shown = prometheus_names(metric.def()).iter().any(|name| used.contains(name));
        assert!(shown, "{} is on no panel", metric.def().name);
    }
    let panels = board["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "panels have ids of their own");
}

#[test]
fn t8_the_rules_names_are_the_contracts() {
    let (rules, series, mut used) = (file("throttle.rules.yml"), series(), BTreeSet::new());
    // A block of YAML from `expr:` to the next key is one expression.
    let mut expressions = 0;
    for block in rules.split("expr:").skip(1) {
        let end = ["labels:", "for:", "- record:", "- alert:", "# "].iter().filter_map(|key| block.find(key)).min();
        check(&block[..end.unwrap_or(block.len())], &series, &mut used);
        expressions += 1;
    }
    assert_eq!(expressions, rules.matches("- alert:").count() + rules.matches("- record:").count());
    let recorded: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    for word in words(&rules).filter(|word| word.starts_with("vigil:")) {
        assert!(recorded.contains(word), "{word} is recorded by no rule");
    }
    for alert in [
        "VigilRateLimitBurst",
        "VigilQuotaBlocked",
        "VigilOverloaded",
        "VigilHeadroomLow",
        "VigilHeadroomExhaustedSoon",
    ] {
        assert!(rules.contains(alert), "{alert}");
        assert!(file("throttle.rules.test.yml").contains(&format!("alertname: {alert}")), "{alert} has no test");
        assert!(file("README.md").contains(alert), "{alert} is not explained");
    }
}

#[test]
fn names_are_translated_as_opentelemetry_says() {
    for (metric, names) in [
        (Metric::ThrottleEvents, &["vigil_throttle_events_total"][..]),
        (
            Metric::ThrottleWait,
            &[
                "vigil_throttle_wait_seconds_bucket",
                "vigil_throttle_wait_seconds_sum",
                "vigil_throttle_wait_seconds_count",
            ],
        ),
        (Metric::ThrottleRemainingRatio, &["vigil_throttle_remaining_ratio"]),
        (Metric::LossRecords, &["vigil_loss_records_total"]),
    ] {
        assert_eq!(prometheus_names(metric.def()), names);
    }
}

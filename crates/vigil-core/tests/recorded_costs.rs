//! Vigil's prices against the costs Claude Code computed in recorded runs (`modelUsage` of its results).
//!
//! The recordings live outside the repository; without them the table of known costs in `cost/tests.rs` stands
//! alone.

use std::path::{Path, PathBuf};
use vigil_core::cost::{Cost, price};
use vigil_core::usage::Usage;
use vigil_core::vocab::Provider;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            found.push(path);
        }
    }
}

/// The number after `"name":` in a flat JSON object.
fn number(object: &str, name: &str) -> Option<f64> {
    let rest = object.split_once(&format!("\"{name}\":"))?.1;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].trim().parse().ok()
}

fn tokens(object: &str, name: &str) -> u64 {
    number(object, name).unwrap_or(0.0) as u64
}

/// Every model and its flat object in the `modelUsage` objects of one line.
fn model_usages(line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in line.split("\"modelUsage\":{").skip(1) {
        let mut rest = part;
        while let Some((name, after)) = rest.strip_prefix('"').and_then(|rest| rest.split_once("\":{")) {
            let Some(end) = after.find('}') else { break };
            found.push((name.to_owned(), after[..end].to_owned()));
            rest = after[end + 1..].trim_start_matches(',');
        }
    }
    found
}

#[test]
fn own_cost_differs_from_the_recorded_one_by_less_than_one_percent() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/captures/claude");
    if !folder.is_dir() {
        eprintln!("skipped: no recordings at {}", folder.display());
        return;
    }
    let mut recordings = Vec::new();
    files(&folder, &mut recordings);
    let mut compared = 0;
    for path in recordings {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for (model, object) in text.lines().flat_map(model_usages) {
            let usage = Usage::anthropic(tokens(&object, "inputTokens"), tokens(&object, "outputTokens"))
                .cache(tokens(&object, "cacheReadInputTokens"), tokens(&object, "cacheCreationInputTokens"))
                .cache_write_1h(tokens(&object, "cacheCreationEphemeral1hInputTokens"))
                .web_searches(tokens(&object, "webSearchRequests"));
            let Some(reported_usd) = number(&object, "costUSD") else { continue };
            let Cost::Known { nano_usd, .. } = price(Some(&Provider::ANTHROPIC), &model, &usage) else {
                panic!("{model} has no price, in {}", path.display())
            };
            let reported = reported_usd * 1e9;
            assert!(
                (nano_usd as f64 - reported).abs() <= reported * 0.01,
                "{model}: {nano_usd} against {reported} nano-dollars in {}",
                path.display()
            );
            compared += 1;
        }
    }
    assert!(compared >= 100, "only {compared} costs were found");
}

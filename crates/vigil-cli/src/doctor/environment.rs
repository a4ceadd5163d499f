//! Which variables are set and what each does; which are misspelt; what is wrong with them.

use super::finding::Finding;
use crate::system;
use vigil::{Plan, VARIABLES};

const TOPIC: &str = "settings";
/// How many letters a name may differ in to be taken for a misspelt one.
const TYPING_ERRORS_MAX: usize = 3;

pub(super) fn examine(plan: &Plan) -> Vec<Finding> {
    let mut findings: Vec<_> = VARIABLES
        .iter()
        .filter_map(|variable| {
            let value = system::variable(variable.name)?;
            let shown = variable.shown(&value.to_string_lossy());
            // What every shell sets says nothing of telemetry.
            let is_plain = matches!(variable.name, "HOME" | "XDG_STATE_HOME" | "NO_COLOR");
            let what = format!("{}={shown}", variable.name);
            (!is_plain).then(|| Finding::good(TOPIC, what).because(variable.meaning))
        })
        .collect();
    findings.extend(system::variable_names().into_iter().filter_map(|name| misspelt(&name)));
    findings.extend(plan.warnings.iter().map(|warning| {
        Finding::wrong(TOPIC, warning.clone()).mend("docs/environment.md has the values each variable takes")
    }));
    if plan.disabled {
        let what = "telemetry is switched off";
        findings.push(Finding::advice(TOPIC, what).mend("unset OTEL_SDK_DISABLED to record anything"));
    } else if plan.destinations.is_empty() {
        let what = "no endpoint is set, so nothing is sent anywhere";
        let mend = "export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318, or where your backend listens";
        findings.push(Finding::advice(TOPIC, what).mend(mend));
    }
    findings
}

/// A variable that looks like one of ours and is none.
fn misspelt(name: &str) -> Option<Finding> {
    let is_ours = name.starts_with("VIGIL_") || name.starts_with("OTEL_EXPORTER_OTLP") || name.starts_with("OTEL_");
    if !is_ours || VARIABLES.iter().any(|variable| variable.name == name) {
        return None;
    }
    let nearest = VARIABLES.iter().map(|variable| (distance(name, variable.name), variable.name)).min()?;
    let finding = Finding::advice(TOPIC, format!("{name} is set and read by nobody here"));
    Some(match nearest {
        (distance, meant) if distance <= TYPING_ERRORS_MAX => finding.mend(format!("was {meant} meant?")),
        _ => finding,
    })
}

/// How many letters have to be changed, added or taken away to make `a` of `b`.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, letter) in a.bytes().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (slot, other) in row.iter_mut().skip(1).zip(b) {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = *slot;
            left = changed.min(*slot + 1).min(left + 1);
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_words_is_the_least_number_of_changes() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_misspelt_variable_is_told_from_a_foreign_one() {
        let finding = misspelt("OTEL_EXPORTER_OTLP_ENDPIONT").unwrap();
        assert_eq!(finding.mend.as_deref(), Some("was OTEL_EXPORTER_OTLP_ENDPOINT meant?"));
        assert_eq!(misspelt("OTEL_SOMETHING_QUITE_DIFFERENT").unwrap().mend, None);
        assert_eq!(misspelt("OTEL_SERVICE_NAME"), None);
        assert_eq!(misspelt("PATH"), None);
    }
}

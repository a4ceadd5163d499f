//! A verdict as a line for people and as JSON for programs.

use crate::output::{Style, Styles, duration};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use vigil_core::throttle::{Throttle, ThrottleClass};

/// The word for no throttling.
const NONE: &str = "none";

/// The exit status that tells of a verdict.
pub(super) fn exit_status(verdict: Option<&Throttle>) -> ExitCode {
    ExitCode::from(match verdict.map(|throttle| throttle.class) {
        None => 0,
        Some(ThrottleClass::RateLimit) => 10,
        Some(ThrottleClass::Quota) => 11,
        Some(ThrottleClass::Overloaded) => 12,
    })
}

/// A verdict as a JSON object. Every field is always there.
pub(super) fn json(verdict: Option<&Throttle>) -> Value {
    let Some(throttle) = verdict else {
        return json!({
            "label": NONE, "service": null, "category": null, "scope": null, "retryable": false, "retry_after_s": null,
            "reset_at": null, "reset_at_unix": null, "limit": null, "remaining": null, "code": null, "http_status": null,
            "rule": null,
        });
    };
    json!({
        "label": throttle.class.as_str(),
        "service": throttle.service.as_str(),
        "category": throttle.category().as_str(),
        "scope": throttle.scope.as_str(),
        "retryable": throttle.retryable,
        "retry_after_s": throttle.retry_after.map(seconds),
        "reset_at": throttle.reset_stated.map(|stated| stated.as_str().to_owned()),
        "reset_at_unix": throttle.reset_at.map(|at| at.0 / 1_000_000_000),
        "limit": throttle.limit,
        "remaining": throttle.remaining,
        "code": throttle.code.map(|code| code.as_str()),
        "http_status": throttle.http_status,
        "rule": throttle.rule.as_str(),
    })
}

/// Seconds to the millionth, written as short as they were stated.
fn seconds(wait: Duration) -> f64 {
    (wait.as_secs_f64() * 1e6).round() / 1e6
}

/// A verdict as a line: `quota: claude_code, subscription_window, resets 3pm (UTC) (prose.plan_window)`.
pub(super) fn line(verdict: Option<&Throttle>, styles: Styles) -> String {
    let Some(throttle) = verdict else { return format!("{NONE}\n") };
    let style = if throttle.class == ThrottleClass::Quota { Style::Bad } else { Style::Notable };
    let mut parts = vec![throttle.service.to_string(), throttle.scope.to_string()];
    if let Some(wait) = throttle.retry_after {
        parts.push(format!("wait {}", duration(wait)));
    }
    if let Some(stated) = throttle.reset_stated {
        parts.push(format!("resets {stated}"));
    }
    parts.push(if throttle.retryable { "retryable" } else { "not retryable" }.to_owned());
    let rule = styles.paint(Style::Faint, &format!("({})", throttle.rule));
    format!("{}: {} {rule}\n", styles.paint(style, throttle.class.as_str()), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_as_they_were_stated() {
        for (milliseconds, text) in [(13_694, "13.694"), (5, "0.005"), (20_000, "20.0"), (34_560_000_000, "34560000.0")]
        {
            assert_eq!(json!(seconds(Duration::from_millis(milliseconds))).to_string(), text);
        }
    }
}

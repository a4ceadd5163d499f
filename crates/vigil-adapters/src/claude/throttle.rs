//! Throttling as Claude Code's records tell it: attempts that were refused and made again, calls that failed for good,
//! and the limits of a plan.
//!
//! Stream and transcript must give the same event, so it is made of what both hold: the status and the word of a
//! refused attempt; the text, the status and the limit of a call that failed.

use super::failure;
use super::wire::{Line, RateLimitInfo};
use vigil_core::fact::UnixNanos;
use vigil_core::throttle::{
    Channel, LimitScope, MAX_WAIT, Observation, ProviderCode, Service, Throttle, ThrottleClass, ThrottleRule, classify,
};
use vigil_core::vocab::ErrorType;

/// The longest message of a failed call that is judged, in bytes of JSON.
const MESSAGE_LIMIT: usize = 16 * 1024;

/// A limit of the plan that was reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    pub(crate) throttle: Throttle,
    pub(crate) time: Option<UnixNanos>,
}

/// What an attempt that failed for `reason` and is made again tells, if that is throttling.
pub(crate) fn of_retry(reason: &ErrorType, http_status: Option<u64>) -> Option<Throttle> {
    of_word(reason).map(|throttle| Throttle { http_status: status(http_status), ..throttle })
}

/// What a call that failed for good tells, if that is throttling: the message the program made up.
pub(crate) fn of_message(line: &Line<'_>, time: Option<UnixNanos>) -> Option<Throttle> {
    let text = line.message.content.blocks.0.iter().find_map(|block| block.text.text(MESSAGE_LIMIT));
    of_failure(line, text, time)
}

/// What a result that the API failed tells, if that is throttling. It says the same as the message before it, which
/// not every form of output shows.
pub(crate) fn of_result(line: &Line<'_>, time: Option<UnixNanos>) -> Option<Throttle> {
    (line.terminal_reason.or_empty() == "api_error")
        .then(|| of_failure(line, line.result.text(MESSAGE_LIMIT), time))
        .flatten()
}

fn of_failure(line: &Line<'_>, text: Option<String>, time: Option<UnixNanos>) -> Option<Throttle> {
    let http_status = status(line.api_error_status.count());
    let throttle = match line.api_error.or_empty() {
        "usage_limit_reached" => of_limit(&line.api_error_params.rate_limit_info, time),
        _ => {
            let said = text.and_then(|text| {
                classify(&Observation {
                    channel: Channel::StreamJson,
                    service: Some(Service::Anthropic.as_str()),
                    tool: Some("claude"),
                    http_status,
                    text: text.as_bytes(),
                    now: time.unwrap_or_default(),
                    ..Observation::default()
                })
            });
            let word = of_word(&failure::of_message(line));
            match (said, word) {
                // The text may know better than the word: credit that is used up is an invalid request by its word.
                (Some(said), Some(word)) if said.class == word.class => Throttle { code: word.code, ..said },
                (Some(said), _) => said,
                (None, word) => word?,
            }
        }
    };
    Some(Throttle { http_status: http_status.or(throttle.http_status), ..throttle })
}

/// What a change of the plan's limits tells, if it is that one was reached and nothing else goes on being used.
pub(crate) fn of_event(line: &Line<'_>, time: Option<UnixNanos>) -> Option<Throttle> {
    let info = &line.rate_limit_info;
    (info.status.or_empty() == "rejected" && !info.is_using_overage.is_set()).then(|| of_limit(info, time))
}

/// The reset is at most [`MAX_WAIT`] after `time`; without a time it is believed as it is.
fn of_limit(info: &RateLimitInfo<'_>, time: Option<UnixNanos>) -> Throttle {
    let longest = u64::try_from(MAX_WAIT.as_nanos()).unwrap_or(u64::MAX);
    let latest = time.filter(|time| time.0 > 0).map_or(u64::MAX, |time| time.0.saturating_add(longest));
    let resets_at = info.resets_at_seconds.count().and_then(|seconds| seconds.checked_mul(1_000_000_000));
    Throttle {
        scope: LimitScope::SubscriptionWindow,
        reset_at: resets_at.filter(|nanos| *nanos > 0).map(|nanos| UnixNanos(nanos.min(latest))),
        code: Some(ProviderCode::UsageLimitReached),
        ..Throttle::new(Service::ClaudeCode, ThrottleClass::Quota, ThrottleRule::CodeRateLimitEvent)
    }
}

fn of_word(reason: &ErrorType) -> Option<Throttle> {
    let (class, code, scope) = if *reason == ErrorType::RATE_LIMIT {
        (ThrottleClass::RateLimit, ProviderCode::RateLimitError, LimitScope::Unknown)
    } else if *reason == ErrorType::OVERLOADED {
        (ThrottleClass::Overloaded, ProviderCode::OverloadedError, LimitScope::Unknown)
    } else if *reason == ErrorType::QUOTA {
        (ThrottleClass::Quota, ProviderCode::BillingError, LimitScope::Credits)
    } else {
        return None;
    };
    let throttle = Throttle::new(Service::Anthropic, class, ThrottleRule::CodeAnthropic);
    Some(Throttle { code: Some(code), scope, ..throttle })
}

fn status(status: Option<u64>) -> Option<u16> {
    status.and_then(|status| u16::try_from(status).ok()).filter(|status| (100..600).contains(status))
}

/// The error type of a call that this throttling ended.
pub(crate) fn error_type(throttle: &Throttle) -> ErrorType {
    match throttle.class {
        ThrottleClass::RateLimit => ErrorType::RATE_LIMIT,
        ThrottleClass::Quota => ErrorType::QUOTA,
        ThrottleClass::Overloaded => ErrorType::OVERLOADED,
    }
}

#[cfg(test)]
mod tests;

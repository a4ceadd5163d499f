//! Families of limit headers: whose limit, what is counted, and which of its numbers a header holds.
//!
//! | family | names | reset |
//! |---|---|---|
//! | Anthropic | `anthropic-ratelimit-{requests,tokens,input-tokens,…}-{limit,remaining,reset}` | RFC 3339 |
//! | Claude plans | `anthropic-ratelimit-unified-{5h,7d,…}-{status,utilization,reset}` | epoch seconds |
//! | Codex | `x-codex-{primary,secondary}-{used-percent,reset-at,reset-after-seconds}` | epoch seconds, seconds |
//! | OpenAI, Groq, Azure | `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` | lengths of time |
//! | Mistral | `x-ratelimit-{limit,remaining}-{req,tokens}-{10-second,minute,month}` | none |
//! | GitHub and many | `x-ratelimit-{limit,remaining,reset}` | epoch seconds, or seconds |
//! | the IETF's drafts | `ratelimit-{limit,remaining,reset}`, `ratelimit: limit=…, remaining=…` | seconds |

use crate::throttle::time::instant::Instant;
use crate::throttle::time::{Clock, duration, instant};
use crate::vocab::{LimitScope, Service};
use std::time::Duration;

/// The most limits that are kept of one response.
pub(super) const MAX_LIMITS: usize = 24;

/// One limit, as far as its headers tell.
#[derive(Clone, Copy, Debug)]
pub(in crate::throttle) struct Limit {
    pub(in crate::throttle) service: Option<Service>,
    pub(in crate::throttle) scope: LimitScope,
    /// Tells limits of one family and scope apart: a window, a kind of request.
    pub(super) which: u64,
    pub(in crate::throttle) limit: Option<u64>,
    pub(in crate::throttle) remaining: Option<u64>,
    /// What is used up, 0 to 1 and more.
    pub(in crate::throttle) used: Option<f64>,
    pub(in crate::throttle) reset: Option<Reset>,
}

/// When a limit resets.
#[derive(Clone, Copy, Debug)]
pub(in crate::throttle) enum Reset {
    After(Duration),
    At(Instant),
}

/// What a header holds of its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holds {
    Limit,
    Remaining,
    Reset,
    ResetAfter,
    Utilization,
    UsedPercent,
}

static HOLDS: &[(&str, Holds)] = &[
    ("reset-after-seconds", Holds::ResetAfter),
    ("used-percent", Holds::UsedPercent),
    ("utilization", Holds::Utilization),
    ("reset-at", Holds::Reset),
    ("remaining", Holds::Remaining),
    ("limit", Holds::Limit),
    ("reset", Holds::Reset),
];

/// Beginnings of names, with whose they are.
static FAMILIES: &[(&str, Option<Service>, LimitScope)] = &[
    ("anthropic-ratelimit-unified-", Some(Service::Anthropic), LimitScope::SubscriptionWindow),
    ("anthropic-ratelimit-", Some(Service::Anthropic), LimitScope::Unknown),
    ("x-codex-", Some(Service::CodexCli), LimitScope::SubscriptionWindow),
    ("x-ratelimit-", None, LimitScope::Requests),
    ("x-rate-limit-", None, LimitScope::Requests),
    ("ratelimit-", None, LimitScope::Requests),
];

/// What is counted, by the words that are left of a name. The first that fits.
static SCOPES: &[(&str, LimitScope)] = &[
    ("input-tokens", LimitScope::InputTokens),
    ("output-tokens", LimitScope::OutputTokens),
    ("tokens", LimitScope::Tokens),
    ("requests", LimitScope::Requests),
    ("req", LimitScope::Requests),
];

/// Takes one header in, if it is one of a limit. `name` is in small letters.
pub(super) fn take(name: &str, value: &str, clock: Clock, limits: &mut Vec<Limit>) {
    if name == "ratelimit" {
        return draft(value, limits);
    }
    let Some((rest, service, family_scope)) = FAMILIES
        .iter()
        .find_map(|(prefix, service, scope)| name.strip_prefix(prefix).map(|rest| (rest, *service, *scope)))
    else {
        return;
    };
    let Some((holds, which)) = HOLDS.iter().find_map(|(word, holds)| without(rest, word).map(|which| (*holds, which)))
    else {
        return;
    };
    let scope = SCOPES.iter().find(|(word, _)| which.contains(word)).map_or(family_scope, |(_, scope)| *scope);
    let Some(limit) = slot(limits, service, scope, hash(&which)) else { return };
    // `100;w=21600`: the number, and its window.
    let (number, window) = value.split_once(';').unwrap_or((value, ""));
    let count =
        || number.trim().parse::<f64>().ok().filter(|count| (0.0..1e18).contains(count)).map(|count| count as u64);
    match holds {
        Holds::Limit => limit.limit = count().or(limit.limit),
        Holds::Remaining => limit.remaining = count().or(limit.remaining),
        Holds::Utilization => limit.used = fraction(value, 1.0).or(limit.used),
        Holds::UsedPercent => limit.used = fraction(value, 100.0).or(limit.used),
        Holds::ResetAfter => limit.reset = duration::parse(value, 1.0).map(Reset::After).or(limit.reset),
        Holds::Reset => limit.reset = reset(value, clock).or(limit.reset),
    }
    if window.trim_start().starts_with("w=") && scope == LimitScope::Requests {
        // Image registries count pulls in a window of hours.
        limit.scope = LimitScope::SubscriptionWindow;
    }
}

/// A reset of any form: an instant, a length of time, or seconds; large numbers are seconds since the epoch.
fn reset(value: &str, clock: Clock) -> Option<Reset> {
    const EPOCH_FROM: f64 = 1e9;
    let value = value.trim();
    if let Ok(number) = value.parse::<f64>() {
        if !(0.0..1e15).contains(&number) {
            return None;
        }
        // 13 digits are milliseconds.
        let seconds = if number >= 1e12 { number / 1000.0 } else { number };
        return if number >= EPOCH_FROM {
            Some(Reset::At(instant::from_epoch(value, seconds as i64, clock)))
        } else {
            duration::capped(number).map(Reset::After)
        };
    }
    instant::parse(value, clock).map(Reset::At).or_else(|| duration::parse(value, 1.0).map(Reset::After))
}

/// The IETF's draft: `limit=100, remaining=50, reset=5` or `"default";r=50;t=30`.
fn draft(value: &str, limits: &mut Vec<Limit>) {
    let Some(limit) = slot(limits, None, LimitScope::Requests, 0) else { return };
    for part in value.split([',', ';']).take(16) {
        let Some((name, number)) = part.trim().split_once('=') else { continue };
        let Ok(number) = number.trim().parse::<u64>() else { continue };
        match name {
            "limit" | "q" => limit.limit = Some(number),
            "remaining" | "r" => limit.remaining = Some(number),
            "reset" | "t" => limit.reset = duration::capped(number as f64).map(Reset::After),
            _ => {}
        }
    }
}

fn fraction(value: &str, whole: f64) -> Option<f64> {
    value
        .trim()
        .trim_end_matches('%')
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && *number >= 0.0)
        .map(|number| number / whole)
}

/// The words of `name` without `word`, where it is one of them.
fn without(name: &str, word: &str) -> Option<String> {
    if name == word {
        return Some(String::new());
    }
    if let Some(rest) = name.strip_suffix(word).and_then(|rest| rest.strip_suffix('-')) {
        return Some(rest.to_owned());
    }
    name.strip_prefix(word).and_then(|rest| rest.strip_prefix('-')).map(str::to_owned)
}

fn slot(limits: &mut Vec<Limit>, service: Option<Service>, scope: LimitScope, which: u64) -> Option<&mut Limit> {
    let same = |limit: &Limit| limit.service == service && limit.which == which;
    let place = match limits.iter().position(same) {
        Some(place) => place,
        None if limits.len() < MAX_LIMITS => {
            limits.push(Limit { service, scope, which, limit: None, remaining: None, used: None, reset: None });
            limits.len() - 1
        }
        None => return None,
    };
    limits.get_mut(place)
}

/// FNV-1a: names of windows are compared, never kept.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

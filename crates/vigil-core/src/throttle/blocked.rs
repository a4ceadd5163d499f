//! Why a wrapped command ended as it did.
//!
//! What is known for certain comes first: it took too long, a signal ended it, it could not be found. Then its own
//! last words: throttling by the rules of [`classify`], and sentences of git, of the GitHub command line, of agents
//! and of the system, said as errors and not talked about. Of a throttling and a sentence the one that stands later
//! counts: a refusal that was passed by trying again is not why a command failed. What it said last comes before what
//! it wrote to stderr along the way. At most the last 64 KiB of each are read.

use super::decide::classify_with_place;
use super::observation::{Channel, Observation};
use super::rules::Tier;
use super::rules::endings::{CONSEQUENCES, ENDINGS};
use super::service;
use super::text::said_patterns;
use super::{Throttle, ThrottleClass};
use crate::fact::UnixNanos;
use crate::vocab::{Blocked, ServiceCategory};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// How much of the end of a text is read, in bytes.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// How a wrapped command ended, and its last words.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct CommandEnd<'a> {
    /// The program: `claude`, `/usr/bin/git`.
    pub program: Option<&'a str>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Somebody ended it because it took too long.
    pub timed_out: bool,
    /// The end of its stderr.
    pub stderr: &'a [u8],
    /// What it said last, or the error its stream ended with.
    pub final_text: &'a [u8],
    /// The present.
    pub now: UnixNanos,
    /// The offset of the local zone from UTC in seconds.
    pub utc_offset_seconds: i32,
}

/// Why a command ended as it did.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    /// The reason; `ErrorType::from(blocked)` is the word for `error.type`.
    pub blocked: Blocked,
    /// The verdict, when a service throttles.
    pub throttle: Option<Throttle>,
}

/// Why a wrapped command failed. Nothing when its exit status says that it did not, or when there is none.
///
/// ```
/// use vigil_core::throttle::{Blocked, CommandEnd, outcome_of};
///
/// let end = CommandEnd { program: Some("git"), exit_code: Some(128), stderr: b"fatal: Authentication failed for 'https://x/'", ..CommandEnd::default() };
/// assert_eq!(outcome_of(&end).map(|outcome| outcome.blocked), Some(Blocked::GitAuth));
/// ```
pub fn outcome_of(end: &CommandEnd<'_>) -> Option<Outcome> {
    let certain = |blocked| Some(Outcome { blocked, throttle: None });
    let is_agent =
        end.program.and_then(service::of_tool).is_some_and(|service| service.category() == ServiceCategory::Provider);
    if end.timed_out {
        return certain(Blocked::Timeout);
    }
    if let Some(blocked) = end.signal.and_then(of_signal) {
        return certain(blocked);
    }
    match end.exit_code? {
        0 => return None,
        // As timeout(1) and the shells have it.
        124 => return certain(Blocked::Timeout),
        126 => return certain(Blocked::StartFailed),
        127 => return certain(if is_agent { Blocked::ProviderMissing } else { Blocked::StartFailed }),
        code if (129..=192).contains(&code) => {
            // Gemini CLI ends with the HTTP status modulo 256, which may look like a signal: its words count more.
            if let Some(blocked) = of_signal(code - 128) {
                return of_words(end).or(certain(blocked));
            }
        }
        _ => {}
    }
    of_words(end).or(certain(if is_agent { Blocked::ProviderRuntimeError } else { Blocked::ExitStatus }))
}

/// What a signal that ends a process tells; nothing for signals that say no more than the code.
fn of_signal(signal: i32) -> Option<Blocked> {
    match signal {
        2 => Some(Blocked::Cancelled),
        1 | 3 | 6 | 9 | 11 | 15 => Some(Blocked::Killed),
        _ => None,
    }
}

/// What its last words tell.
fn of_words(end: &CommandEnd<'_>) -> Option<Outcome> {
    [end.final_text, end.stderr].into_iter().find_map(|text| {
        let text = &text[text.len().saturating_sub(MAX_TEXT_BYTES)..];
        let observation = Observation {
            channel: Channel::CliText,
            tool: end.program,
            exit_status: end.exit_code,
            text,
            now: end.now,
            utc_offset_seconds: end.utc_offset_seconds,
            ..Observation::default()
        };
        let throttled = classify_with_place(&observation);
        // A sentence in the line of the throttling is part of the same message.
        let after = throttled.map(|(_, at)| end_of_line(text, at.unwrap_or_default()));
        if let Some(blocked) = of_sentences(&observation, after) {
            return Some(Outcome { blocked, throttle: None });
        }
        throttled.map(|(throttle, _)| Outcome { blocked: of_throttle(&throttle), throttle: Some(throttle) })
    })
}

fn end_of_line(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn of_throttle(throttle: &Throttle) -> Blocked {
    match (throttle.category(), throttle.class) {
        (ServiceCategory::Provider, ThrottleClass::Quota) => Blocked::ProviderQuota,
        (ServiceCategory::Provider, ThrottleClass::RateLimit) => Blocked::ProviderRateLimit,
        (ServiceCategory::Provider, ThrottleClass::Overloaded) => Blocked::ProviderOverloaded,
        (_, ThrottleClass::Quota) => Blocked::Quota,
        (_, ThrottleClass::RateLimit) => Blocked::RateLimit,
        (_, ThrottleClass::Overloaded) => Blocked::Overloaded,
    }
}

/// The automaton of all sentences, and which reason each belongs to.
static SENTENCES: LazyLock<Option<(AhoCorasick, Vec<Sentence>)>> = LazyLock::new(|| {
    let of_reason = |(reason, (_, texts)): (usize, &(Blocked, &'static [&'static str]))| {
        let sentence = |text: &&str| Sentence { reason, is_consequence: CONSEQUENCES.contains(text) };
        texts.iter().map(|text| (super::text::squeezed(text), sentence(text))).collect::<Vec<_>>()
    };
    let (patterns, sentences): (Vec<String>, Vec<Sentence>) = ENDINGS.iter().enumerate().flat_map(of_reason).unzip();
    AhoCorasick::new(&patterns).ok().map(|automaton| (automaton, sentences))
});

/// What a sentence tells.
struct Sentence {
    /// Its place in [`ENDINGS`].
    reason: usize,
    is_consequence: bool,
}

/// What the sentences say; where a service throttles, only those that begin after `throttled` and are about something
/// else.
fn of_sentences(observation: &Observation<'_>, throttled: Option<usize>) -> Option<Blocked> {
    let (automaton, sentences) = SENTENCES.as_ref()?;
    let said = said_patterns(observation, automaton, Tier::Exact).into_iter().filter_map(|(pattern, at)| {
        let sentence = sentences.get(pattern)?;
        throttled.is_none_or(|after| at > after && !sentence.is_consequence).then_some(sentence.reason)
    });
    ENDINGS.get(said.min()?).map(|(blocked, _)| *blocked)
}

#[cfg(test)]
mod tests;

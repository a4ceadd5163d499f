//! One automaton over every pattern of the tables.

use super::squeeze::squeezed;
use crate::throttle::rules::codes::{CODES, EXCEPTIONS, FIELDS};
use crate::throttle::rules::phrases::FAMILIES;
use crate::throttle::rules::refine::{REFINEMENTS, Refine};
use crate::throttle::rules::{Tells, Tier};
use crate::vocab::{LimitScope, Service, ThrottleClass, ThrottleRule};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The most that a `*` of a pattern stands for, in squeezed bytes.
const MAX_GAP_BYTES: usize = 40;
/// The most matches that are looked at in one window; more of them are the same few sentences over and over.
const MAX_MATCHES: usize = 2048;
/// Codes shorter than this are words that people use, in bytes.
const MIN_BARE_BYTES: usize = 12;
/// What a plan's limits are not: limits of a conversation or of the agent itself.
static NOT_A_PLAN: &[&str] =
    &["context", "turn", "tool", "attempt", "step", "iteration", "file", "upload", "character", "recursion", "output"];

/// What was found in a squeezed text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// A sentence, code or status that counts, if it is said.
    Verdict { tells: Tells, kind: Kind },
    /// What makes a verdict more precise.
    Refine(Refine),
}

/// What kind of pattern it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The value of a field of codes.
    Code,
    /// A code that stands alone.
    BareCode,
    Exception,
    Phrase,
    Status,
}

/// A find and its place in the squeezed text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    pub(super) found: Found,
    pub(super) start: usize,
    pub(super) end: usize,
    /// How much of the pattern is literal; of sentences that begin at one place the longest counts.
    literal: usize,
}

/// What a pattern may mean; some mean several things.
#[derive(Clone)]
enum Meaning {
    Code(Tells),
    Exception(Tells),
    Phrase {
        tells: Tells,
        rests: Vec<String>,
        literal: usize,
    },
    Refine(Refine),
    Status(Tells),
    /// `"rate_limit_info": {"status": "rejected", …}` of Claude Code's events.
    RateLimitInfo,
}

struct Scanner {
    automaton: AhoCorasick,
    meanings: Vec<Vec<Meaning>>,
}

static SCANNER: LazyLock<Option<Scanner>> = LazyLock::new(Scanner::new);

/// Statuses that tell of throttling, and as what.
fn statuses() -> [(&'static str, Tells); 3] {
    let tells =
        |class, rule| Tells { tier: Tier::Status, class, scope: LimitScope::Unknown, service: None, code: None, rule };
    [
        ("429", tells(ThrottleClass::RateLimit, ThrottleRule::StatusTooManyRequests)),
        ("529", tells(ThrottleClass::Overloaded, ThrottleRule::StatusOverloaded)),
        // Of a model provider only, which is for the reader to see.
        ("503", tells(ThrottleClass::Overloaded, ThrottleRule::StatusOverloaded)),
    ]
}

impl Scanner {
    /// Nothing if the automaton cannot be built, which a test rules out for these tables.
    fn new() -> Option<Self> {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut patterns = Vec::new();
        let mut meanings: Vec<Vec<Meaning>> = Vec::new();
        let mut add = |text: &str, meaning: Meaning| {
            let pattern = squeezed(text);
            let place = *places.entry(pattern.clone()).or_insert_with(|| {
                patterns.push(pattern);
                meanings.push(Vec::new());
                meanings.len() - 1
            });
            if let Some(slot) = meanings.get_mut(place) {
                slot.push(meaning);
            }
        };
        for code in CODES {
            add(code.text, Meaning::Code(code.tells));
        }
        for exception in EXCEPTIONS {
            add(exception.text, Meaning::Exception(exception.tells));
        }
        for family in FAMILIES {
            for text in family.texts {
                let mut parts = text.split('*').map(squeezed);
                let first = parts.next().unwrap_or_default();
                let rests: Vec<String> = parts.collect();
                let literal = first.len() + rests.iter().map(String::len).sum::<usize>();
                add(&first, Meaning::Phrase { tells: family.tells(), rests, literal });
            }
        }
        for (text, refine) in REFINEMENTS {
            add(text, Meaning::Refine(*refine));
        }
        for (text, tells) in statuses() {
            add(text, Meaning::Status(tells));
        }
        add("'rate_limit_info':{", Meaning::RateLimitInfo);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&patterns)
            .ok()?;
        Some(Self { automaton, meanings })
    }
}

/// Everything found in a squeezed text. Squeezing glues words together, so whether a find stands on its own in the
/// text itself is for the reader to see.
pub(super) fn scan(text: &[u8]) -> Vec<Match> {
    let Some(scanner) = &*SCANNER else { return Vec::new() };
    let mut found = Vec::new();
    for hit in scanner.automaton.find_overlapping_iter(text).take(MAX_MATCHES) {
        let (start, end) = (hit.start(), hit.end());
        for meaning in scanner.meanings.get(hit.pattern().as_usize()).into_iter().flatten() {
            found.extend(match meaning {
                Meaning::Refine(refine) => Some(Match { found: Found::Refine(*refine), start, end, literal: 0 }),
                Meaning::Code(tells) => kind_of_code(text, start, end).map(|kind| verdict(*tells, kind, start, end)),
                Meaning::Exception(tells) => Some(verdict(*tells, Kind::Exception, start, end)),
                Meaning::Status(tells) => {
                    is_status(text, start, end).then(|| verdict(*tells, Kind::Status, start, end))
                }
                Meaning::Phrase { tells, rests, literal } => end_of_phrase(text, end, rests)
                    .map(|end| Match { literal: *literal, ..verdict(*tells, Kind::Phrase, start, end) }),
                Meaning::RateLimitInfo => {
                    rate_limit_info(text, end).map(|tells| verdict(tells, Kind::Code, start, end))
                }
            });
        }
    }
    longest_at_each_place(&mut found);
    found
}

fn verdict(tells: Tells, kind: Kind, start: usize, end: usize) -> Match {
    Match { found: Found::Verdict { tells, kind }, start, end, literal: 0 }
}

/// Of the sentences that begin at one place only the longest is kept.
fn longest_at_each_place(found: &mut Vec<Match>) {
    let is_phrase = |found: &Match| matches!(found.found, Found::Verdict { kind: Kind::Phrase, .. });
    let mut longest: HashMap<usize, usize> = HashMap::new();
    for found in found.iter().filter(|found| is_phrase(found)) {
        let literal = longest.entry(found.start).or_default();
        *literal = found.literal.max(*literal);
    }
    found.retain(|found| !is_phrase(found) || longest.get(&found.start) == Some(&found.literal));
}

/// Where a sentence ends whose first part ends at `end`; nothing if the rest does not follow.
fn end_of_phrase(text: &[u8], mut end: usize, rests: &[String]) -> Option<usize> {
    for rest in rests {
        let window = text.get(end..text.len().min(end + MAX_GAP_BYTES + rest.len()))?;
        let gap = window.windows(rest.len().max(1)).position(|part| part == rest.as_bytes())?;
        let between = String::from_utf8_lossy(&window[..gap]);
        // A sentence ends at its full stop; what comes after it is another one.
        if between.contains('.') || NOT_A_PLAN.iter().any(|word| between.contains(word)) {
            return None;
        }
        end += gap + rest.len();
    }
    Some(end)
}

/// Whether the code at this place is all of a field's value, or stands alone.
fn kind_of_code(text: &[u8], start: usize, end: usize) -> Option<Kind> {
    if text.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return None;
    }
    let code = text.get(start..end)?;
    // A word people use is a code in quotes or after an equals sign: not that of "error: overloaded".
    let is_marked =
        code.contains(&b'_') || matches!(start.checked_sub(1).and_then(|at| text.get(at)), Some(b'\'' | b'=' | b'#'));
    if is_marked && field_before(text, start).is_some_and(|field| FIELDS.iter().any(|known| is_field(field, known))) {
        return Some(Kind::Code);
    }
    (code.contains(&b'_') && code.len() >= MIN_BARE_BYTES).then_some(Kind::BareCode)
}

/// What ends where the name of a field would, before the value at `start`: `…'type':'` gives `…'type`.
fn field_before(text: &[u8], start: usize) -> Option<&[u8]> {
    let before = text.get(start.saturating_sub(48)..start)?;
    let before = before.strip_suffix(b"'").unwrap_or(before);
    // AWS puts a namespace before the class: `com.amazonaws#ThrottlingException`.
    let before = match before.iter().rposition(|byte| *byte == b'#') {
        Some(hash) if before[hash + 1..].is_empty() => {
            let colon = before.iter().rposition(|byte| *byte == b':').map(|at| at + 1)?;
            before.get(..colon)?
        }
        _ => before,
    };
    let before = before.strip_suffix(b"[").unwrap_or(before);
    before.strip_suffix(b":").or_else(|| before.strip_suffix(b"=")).or_else(|| before.strip_suffix(b"=>"))
}

/// Whether `before` ends with the name of this field, in quotes or after something that is no letter.
fn is_field(before: &[u8], name: &str) -> bool {
    let name = name.replace('-', "");
    let quoted = before.strip_suffix(b"'");
    let Some(rest) = quoted.unwrap_or(before).strip_suffix(name.as_bytes()) else { return false };
    match rest.last() {
        Some(b'\'') => quoted.is_some(),
        Some(byte) => quoted.is_none() && !byte.is_ascii_alphanumeric() && *byte != b'_',
        None => true,
    }
}

/// What a status stands after, when it is one.
static STATUS_WORDS: &[&str] = &[
    "status", "code", "http", "http/1.0", "http/1.1", "http/2", "http/3", "error", "err!", "returned", "response",
    "rejected", "received",
];

/// Whether the number at this place is said to be a status.
fn is_status(text: &[u8], start: usize, end: usize) -> bool {
    let before = &text[start.saturating_sub(40)..start];
    let kept = before
        .iter()
        .rposition(|byte| !matches!(byte, b':' | b'=' | b'\'' | b'(' | b'[' | b'<'))
        .map_or(0, |at| at + 1);
    let before = &before[..kept];
    let ends_there = match text.get(end..).unwrap_or_default() {
        [b'.', digit, ..] => !digit.is_ascii_digit(),
        [byte, ..] => !byte.is_ascii_digit() && !matches!(byte, b'%' | b'_'),
        [] => true,
    };
    ends_there && STATUS_WORDS.iter().any(|word| before.ends_with(word.as_bytes()))
}

/// Claude Code's event about the limits of its plan fails only when its own status says so: a rejected overage
/// with an allowed status is none.
fn rate_limit_info(text: &[u8], start: usize) -> Option<Tells> {
    const MAX_BYTES: usize = 800;
    let info = text.get(start..text.len().min(start + MAX_BYTES))?;
    let info = &info[..info.iter().position(|byte| *byte == b'}').unwrap_or(info.len())];
    let rejected = b"'status':'rejected'";
    info.windows(rejected.len()).any(|part| part == rejected).then_some(Tells {
        tier: Tier::Firm,
        class: ThrottleClass::Quota,
        scope: LimitScope::SubscriptionWindow,
        service: Some(Service::ClaudeCode),
        code: None,
        rule: ThrottleRule::CodeRateLimitEvent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::text::squeeze::squeeze_into;

    fn verdicts(text: &str) -> Vec<(Kind, ThrottleClass)> {
        let mut squeezed = Vec::new();
        squeeze_into(text.as_bytes(), &mut squeezed);
        let verdict = |found: Match| match found.found {
            Found::Verdict { kind: Kind::BareCode, .. } | Found::Refine(_) => None,
            Found::Verdict { tells, kind } => Some((kind, tells.class)),
        };
        scan(&squeezed).into_iter().filter_map(verdict).collect()
    }

    #[test]
    fn the_tables_make_an_automaton() {
        assert!(SCANNER.is_some());
    }

    #[test]
    fn a_code_counts_as_the_value_of_a_field_of_codes() {
        let code = |class| vec![(Kind::Code, class)];
        for text in [
            r#"{"error":{"code":"insufficient_quota"}}"#,
            "{'error': {'type':\n 'insufficient_quota'}}",
            "{ error: { code: 'insufficient_quota' } }",
            "error.type=insufficient_quota",
            r#"{\"type\":\"insufficient_"#.to_owned().as_str(),
        ] {
            let expected = if text.ends_with('_') { Vec::new() } else { code(ThrottleClass::Quota) };
            assert_eq!(verdicts(text), expected, "{text}");
        }
        for text in [
            "insufficient_quota",
            r#"#[serde(rename = "insufficient_quota")]"#,
            r#"{"label":"insufficient_quota"}"#,
            r#"{"subtype":"insufficient_quota"}"#,
            r#"{"type":"insufficient_quota_test"}"#,
        ] {
            assert_eq!(verdicts(text), [], "{text}");
        }
    }

    #[test]
    fn a_number_counts_as_a_status_after_a_word_for_one() {
        for text in [
            "HTTP 429",
            "HTTP/2 429",
            "status code: 429",
            r#"{"code":429}"#,
            "Error code: 429 - {",
            "api_error_status=529",
        ] {
            assert_eq!(verdicts(text).len(), 1, "{text}");
        }
        for text in [
            "#429",
            "yarn.js:429:3109",
            "4290 items",
            "port 429",
            "status 4291",
            "code 429%",
            "took 429 ms",
            "remaining: 429",
        ] {
            assert_eq!(verdicts(text), [], "{text}");
        }
    }

    #[test]
    fn only_a_rejected_status_of_a_rate_limit_event_counts() {
        let event = |info: &str| format!(r#"{{"type":"rate_limit_event","rate_limit_info":{{{info}}}}}"#);
        assert_eq!(verdicts(&event(r#""status":"rejected","resetsAt":1"#)), [(Kind::Code, ThrottleClass::Quota)]);
        assert_eq!(verdicts(&event(r#""status":"allowed_warning","resetsAt":1"#)), []);
        assert_eq!(verdicts(&event(r#""status":"allowed","overageStatus":"rejected""#)), []);
    }

    #[test]
    fn a_gap_does_not_reach_over_a_sentence_or_into_the_conversation() {
        assert_eq!(verdicts("You've hit your weekly limit").len(), 1);
        assert_eq!(verdicts("You've hit your stride. There is a limit"), []);
        assert_eq!(verdicts("You've hit your context limit"), []);
    }
}

//! Reads a text window by window: what it says about throttling, and what makes that more precise.

use super::json::Documents;
use super::said::{self, Place, Teller};
use super::scan::{Found, Kind, scan};
use super::squeeze::{places, squeeze_into};
use crate::throttle::observation::{Channel, Observation};
use crate::throttle::rules::refine::{Lead, Refine};
use crate::throttle::rules::{Tells, Tier};
use crate::throttle::time::{Clock, Cursor, duration, instant};
use crate::vocab::{Service, ServiceCategory, ThrottleRule};
use aho_corasick::AhoCorasick;
use std::time::Duration;

/// How much is looked at at once, in bytes.
const WINDOW_BYTES: usize = 64 << 10;
/// How much of a window is looked at again with the next, so that no message is cut: 4 KiB.
const OVERLAP_BYTES: usize = 4 << 10;
/// Sentences longer than this have blanks; without them they are names in code, in bytes.
const MAX_WORD_BYTES: usize = 12;
/// The most finds that are judged in one window; the rest are the same few lines over and over.
const MAX_JUDGED: usize = 128;
/// The most refinements and times that are kept of a text.
const MAX_KEPT: usize = 512;

/// What a text says.
#[derive(Debug, Default)]
pub(in crate::throttle) struct Reading {
    /// What is said, each once, with the last place it was said at.
    pub(in crate::throttle) verdicts: Vec<(Tells, usize)>,
    /// What makes it more precise, with its place.
    pub(in crate::throttle) refines: Vec<(Refine, usize)>,
    /// The times that are stated, with their places.
    pub(in crate::throttle) times: Vec<(TimeSaid, usize)>,
    /// A status that is named.
    pub(in crate::throttle) status: Option<u16>,
}

/// A time a text states.
#[derive(Clone, Copy, Debug)]
pub(in crate::throttle) enum TimeSaid {
    Wait(Lead, Duration),
    Reset(Lead, instant::Instant),
}

/// Reads the text of an observation whose service may be known.
pub(in crate::throttle) fn read(observation: &Observation<'_>, known: Option<Service>, clock: Clock) -> Reading {
    let mut reading = Reading::default();
    let mut squeezed = Vec::new();
    let text = observation.text;
    let mut from = 0;
    loop {
        let to = text.len().min(from + WINDOW_BYTES + OVERLAP_BYTES);
        let window = Window { text: &text[from..to], from, observation, known, clock };
        squeeze_into(window.text, &mut squeezed);
        window.read(&squeezed, &mut reading);
        if to == text.len() {
            return reading;
        }
        from += WINDOW_BYTES;
    }
}

/// Which patterns of another automaton are said in a text, by their numbers, and where each begins.
pub(in crate::throttle) fn said_patterns(
    observation: &Observation<'_>,
    automaton: &AhoCorasick,
    tier: Tier,
) -> Vec<(usize, usize)> {
    let text = observation.text;
    let mut squeezed = Vec::new();
    squeeze_into(text, &mut squeezed);
    let hits: Vec<_> = automaton.find_overlapping_iter(&squeezed).collect();
    if hits.is_empty() {
        return Vec::new();
    }
    // What is said last counts most.
    let hits = &hits[hits.len().saturating_sub(MAX_JUDGED)..];
    let places = places(text);
    let documents = Documents::read(text);
    let teller = Teller { channel: observation.channel, tool: observation.tool, is_failure: true };
    let at = |place: usize| places.get(place).map_or(text.len(), |at| *at as usize);
    let said_at = |start: usize, end: usize| {
        let place = Place { text, start: at(start), end: at(end - 1) + 1 };
        let is_said =
            !documents.is_talk(place.start) && said::stands_alone(place) && said::is_said(place, tier, teller, false);
        is_said.then_some(place.start)
    };
    hits.iter().filter_map(|hit| Some((hit.pattern().as_usize(), said_at(hit.start(), hit.end())?))).collect()
}

struct Window<'a> {
    text: &'a [u8],
    /// Where it begins in the whole text.
    from: usize,
    observation: &'a Observation<'a>,
    known: Option<Service>,
    clock: Clock,
}

impl Window<'_> {
    fn read(&self, squeezed: &[u8], reading: &mut Reading) {
        let found = scan(squeezed);
        // A status that failed may be explained by words that are no verdict alone.
        let is_failure = self.observation.http_status.is_some_and(|status| status >= 400);
        if found.is_empty() || !is_failure && !found.iter().any(|found| matches!(found.found, Found::Verdict { .. })) {
            return;
        }
        let places = places(self.text);
        let place = |start: usize, end: usize| {
            let start = places.get(start).map_or(self.text.len(), |at| *at as usize);
            let end = end.checked_sub(1).and_then(|last| places.get(last)).map_or(start, |at| *at as usize + 1);
            Place { text: self.text, start, end }
        };
        let documents = Documents::read(self.text);
        let mut said_here = is_failure;
        let verdicts = || found.iter().filter(|found| matches!(found.found, Found::Verdict { .. }));
        let skipped = verdicts().count().saturating_sub(MAX_JUDGED);
        for (index, found) in verdicts().enumerate() {
            // What is said last matters as much as what is said first.
            if (MAX_JUDGED / 2..MAX_JUDGED / 2 + skipped).contains(&index) {
                continue;
            }
            let Found::Verdict { tells, kind } = found.found else { continue };
            let place = place(found.start, found.end);
            if self.is_cut(place) {
                continue;
            }
            if self.counts(place, tells, kind, &documents) {
                said_here = true;
                if kind == Kind::Status && reading.status.is_none() {
                    reading.status =
                        std::str::from_utf8(&squeezed[found.start..found.end]).ok().and_then(|text| text.parse().ok());
                }
                reading.say(tells, self.from + place.start);
            }
        }
        if !said_here {
            return;
        }
        for found in &found {
            let Found::Refine(refine) = found.found else { continue };
            let place = place(found.start, found.end);
            if documents.is_talk(place.start) {
                continue;
            }
            match refine {
                Refine::Wait(_) | Refine::Reset(_) => {
                    if said::stands_alone(place)
                        && let Some(time) = self.time(refine, place.end)
                        && reading.times.len() < MAX_KEPT
                    {
                        reading.times.push((time, self.from + place.start));
                    }
                }
                _ if reading.refines.len() < MAX_KEPT => reading.refines.push((refine, self.from + place.start)),
                _ => {}
            }
        }
    }

    /// Whether the window cuts off what stands around a find, which the window before or after it shows whole.
    fn is_cut(&self, place: Place<'_>) -> bool {
        let is_last = self.from + self.text.len() == self.observation.text.len();
        let is_shown_before = self.from > 0 && place.start < OVERLAP_BYTES / 2;
        let is_shown_after = !is_last && place.start >= WINDOW_BYTES + OVERLAP_BYTES / 2;
        is_shown_before || is_shown_after
    }

    /// Whether a find counts: it stands on its own, nobody's talk holds it, and it is said as an error.
    fn counts(&self, place: Place<'_>, tells: Tells, kind: Kind, documents: &Documents) -> bool {
        let observation = self.observation;
        if documents.is_talk(place.start) || !said::stands_alone(place) {
            return false;
        }
        let status = observation.http_status;
        let is_failure = status.is_some_and(|status| status >= 400);
        // A success says nothing by its words, unless it is an error that came as one.
        let is_success =
            observation.channel == Channel::Http && status.is_some_and(|status| (200..300).contains(&status));
        if is_success {
            let counts_there = match kind {
                Kind::Code => true,
                Kind::Status | Kind::Exception => documents.has_error,
                Kind::Phrase => tells.tier >= Tier::Exact && (documents.has_error || said::is_a_message(place)),
                Kind::BareCode => false,
            };
            if !counts_there {
                return false;
            }
        }
        let found = place.text.get(place.start..place.end).unwrap_or_default();
        let fits = match kind {
            // `rateLimitExceeded` is a code, "rate limit exceeded" a sentence; others are told by their underscores.
            Kind::Code => found.contains(&b'_') || !found.iter().any(u8::is_ascii_whitespace),
            Kind::BareCode => is_failure && observation.channel != Channel::CliText,
            Kind::Exception => observation.channel != Channel::CliText || said::ends_like_a_class(place),
            Kind::Phrase => said::has_blanks(place) || found.contains(&b':') || found.len() <= MAX_WORD_BYTES,
            Kind::Status if found == b"503" => self.known.map(Service::category) == Some(ServiceCategory::Provider),
            Kind::Status => !said::counts_things(place),
        };
        let teller = Teller { channel: observation.channel, tool: observation.tool, is_failure };
        fits && said::is_said(place, tells.tier, teller, tells.rule == ThrottleRule::ProseGithub)
    }

    fn time(&self, refine: Refine, at: usize) -> Option<TimeSaid> {
        let mut cursor = Cursor::new(self.text.get(at..self.text.len().min(at + 512))?);
        cursor.skip_blanks();
        match refine {
            Refine::Wait(lead) => {
                cursor.skip(b"\\\"':= (");
                cursor.keyword(&["about", "approximately", "around", "at", "least", "for", "after", "another"]);
                let wait = match lead {
                    Lead::Prose => duration::read(&mut cursor),
                    Lead::Milliseconds => duration::read_or_bare(&mut cursor, 0.001),
                    Lead::Seconds | Lead::Field => duration::read_or_bare(&mut cursor, 1.0),
                }?;
                Some(TimeSaid::Wait(lead, wait))
            }
            Refine::Reset(lead) => {
                cursor.skip(b"\\\"':= *|");
                cursor.keyword(&["at", "on"]);
                instant::read(&mut cursor, self.clock).map(|instant| TimeSaid::Reset(lead, instant))
            }
            _ => None,
        }
    }
}

impl Reading {
    fn say(&mut self, tells: Tells, at: usize) {
        match self.verdicts.iter_mut().find(|(known, _)| *known == tells) {
            Some((_, last)) => *last = at,
            None => self.verdicts.push((tells, at)),
        }
    }
}

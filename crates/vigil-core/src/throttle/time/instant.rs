//! Instants as services state them.
//!
//! Seconds or milliseconds since the epoch, RFC 3339, HTTP dates, `2026-04-01 at 00:00 UTC`, `11/17/2025`,
//! `Jul 5th, 2026 8:19 PM`, `10 de jul. de 2026, 11:52`, `Feb 16, 11am (Europe/Berlin)`, `Monday at 9am`, `2am`.
//! What has no year is the next such day, what has no date the next such hour, what has no zone is local. An instant
//! that cannot be known (no clock, a zone that is not in the table) keeps its statement, without that zone.

use super::civil::{self, DAY};
use super::cursor::Cursor;
use super::stated::StatedTime;
use super::{Clock, zone};
use crate::fact::UnixNanos;
use crate::throttle::MAX_WAIT;

/// An instant: when it is, where that can be known, and as it was stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::throttle) struct Instant {
    pub(in crate::throttle) at: Option<UnixNanos>,
    pub(in crate::throttle) stated: Option<StatedTime>,
}

#[rustfmt::skip]
static MONTHS: &[&[&str]] = &[
    &["jan", "january", "janv", "janeiro", "ene", "enero", "januar", "gen"],
    &["feb", "february", "fev", "fevereiro", "febrero", "februar"],
    &["mar", "march", "mars", "marzo", "maart"],
    &["apr", "april", "abr", "abril", "avr", "avril"],
    &["may", "mai", "maio", "mayo", "mei"],
    &["jun", "june", "juin", "junho", "junio", "juni"],
    &["jul", "july", "juil", "julho", "julio", "juli"],
    &["aug", "august", "ago", "agosto"],
    &["sep", "sept", "september", "set", "setembro", "septiembre"],
    &["oct", "october", "out", "outubro", "octubre", "okt", "oktober", "ott"],
    &["nov", "november", "novembro", "noviembre"],
    &["dec", "december", "dez", "dezembro", "dic", "diciembre", "dezember"],
];

static WEEKDAYS: &[&[&str]] = &[
    &["sun", "sunday"],
    &["mon", "monday"],
    &["tue", "tues", "tuesday"],
    &["wed", "wednesday"],
    &["thu", "thur", "thurs", "thursday"],
    &["fri", "friday"],
    &["sat", "saturday"],
];

/// What a statement names.
#[derive(Clone, Copy, Default)]
struct Parts {
    year: Option<i64>,
    month_and_day: Option<(i64, i64)>,
    weekday: Option<i64>,
    days_ahead: Option<i64>,
    /// Seconds of the day.
    clock: Option<i64>,
    zone: ZonePart,
}

#[derive(Clone, Copy, Default)]
enum ZonePart {
    #[default]
    Local,
    Known(zone::Zone),
    /// Seconds from UTC.
    Offset(i64),
    Unknown,
}

/// Reads an instant.
pub(in crate::throttle) fn read(cursor: &mut Cursor<'_>, clock: Clock) -> Option<Instant> {
    cursor.skip_blanks();
    let start = *cursor;
    let at = match epoch(cursor) {
        Some(seconds) => believed(seconds, clock),
        None => {
            let parts = parts(cursor)?;
            resolve(parts, clock)
        }
    };
    let length = cursor.position() - start.position();
    Some(Instant { at, stated: StatedTime::new(&start.rest()[..length]) })
}

/// A whole text that is an instant.
pub(in crate::throttle) fn parse(text: &str, clock: Clock) -> Option<Instant> {
    let mut cursor = Cursor::new(text.trim().as_bytes());
    let instant = read(&mut cursor, clock)?;
    cursor.rest().is_empty().then_some(instant)
}

/// The instant `seconds` after the epoch, as it was stated in `text`. For fields that are known to hold such numbers.
pub(in crate::throttle) fn from_epoch(text: &str, seconds: i64, clock: Clock) -> Instant {
    Instant { at: believed(seconds, clock), stated: StatedTime::new(text.trim().as_bytes()) }
}

/// Seconds (10 digits) or milliseconds (13 digits) since the epoch.
fn epoch(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut ahead = *cursor;
    let number = i64::try_from(ahead.integer()?).ok()?;
    let length = ahead.position() - cursor.position();
    if ahead.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b':' | b'-')) {
        return None;
    }
    let seconds = match length {
        10 => number,
        13 => number / 1000,
        _ => return None,
    };
    *cursor = ahead;
    Some(seconds)
}

fn parts(cursor: &mut Cursor<'_>) -> Option<Parts> {
    let mut parts = Parts::default();
    let start = *cursor;
    let dated = date(cursor, &mut parts);
    if !dated {
        *cursor = start;
    }
    let mut ahead = *cursor;
    if dated {
        connect(&mut ahead);
    }
    if let Some(seconds) = time_of_day(&mut ahead) {
        parts.clock = Some(seconds);
        *cursor = ahead;
        parts.zone = zone_part(cursor);
    } else if !dated || parts.days_ahead.is_some() {
        return None;
    }
    Some(parts)
}

/// What stands between a date and a time of day.
fn connect(cursor: &mut Cursor<'_>) {
    cursor.skip_blanks();
    cursor.one_of(b",T");
    cursor.keyword(&["at", "as"]);
    // "às"
    if cursor.rest().starts_with(" \u{e0}s".as_bytes()) {
        cursor.one_of(b" ");
        cursor.one_of(&[0xc3]);
        cursor.one_of(&[0xa0]);
        cursor.one_of(b"s");
    }
    cursor.skip_blanks();
}

fn date(cursor: &mut Cursor<'_>, parts: &mut Parts) -> bool {
    if let Some(word) = peek_word(cursor) {
        let ahead = ["today", "tomorrow"].iter().position(|known| known.eq_ignore_ascii_case(word));
        if let Some(days) = ahead {
            cursor.word();
            parts.days_ahead = Some(if days == 0 { 0 } else { 1 });
            return true;
        }
        if let Some(weekday) = place(WEEKDAYS, word) {
            cursor.word();
            cursor.one_of(b",");
            cursor.skip_blanks();
            parts.weekday = Some(weekday);
            let mut ahead = *cursor;
            if numbered_date(&mut ahead, parts) {
                *cursor = ahead;
            }
            return true;
        }
    }
    numbered_date(cursor, parts)
}

/// A date with a number in it.
fn numbered_date(cursor: &mut Cursor<'_>, parts: &mut Parts) -> bool {
    if let Some(month) = peek_word(cursor).and_then(|word| place(MONTHS, word)) {
        cursor.word();
        cursor.one_of(b".");
        cursor.skip_blanks();
        let Some(day) = cursor.integer().and_then(small) else { return false };
        ordinal(cursor);
        parts.year = year_after(cursor);
        return set_date(parts, month + 1, day);
    }
    let Some(first) = cursor.integer().and_then(small) else { return false };
    match cursor.peek() {
        Some(b'-') if first >= 1970 => {
            cursor.one_of(b"-");
            let (Some(month), Some(_), Some(day)) =
                (cursor.integer().and_then(small), cursor.one_of(b"-"), cursor.integer().and_then(small))
            else {
                return false;
            };
            parts.year = Some(first);
            set_date(parts, month, day)
        }
        // As in the United States: month, day, year.
        Some(b'/') => {
            cursor.one_of(b"/");
            let (Some(day), Some(_), Some(year)) =
                (cursor.integer().and_then(small), cursor.one_of(b"/"), cursor.integer().and_then(small))
            else {
                return false;
            };
            parts.year = Some(year);
            set_date(parts, first, day)
        }
        _ => {
            ordinal(cursor);
            cursor.one_of(b".");
            cursor.skip_blanks();
            cursor.keyword(&["de"]);
            cursor.skip_blanks();
            let Some(month) = peek_word(cursor).and_then(|word| place(MONTHS, word)) else { return false };
            cursor.word();
            cursor.one_of(b".");
            cursor.keyword(&["de"]);
            parts.year = year_after(cursor);
            set_date(parts, month + 1, first)
        }
    }
}

fn set_date(parts: &mut Parts, month: i64, day: i64) -> bool {
    parts.month_and_day = Some((month, day));
    // A day that is in no year is none; the leap day is in some.
    civil::is_date(parts.year.unwrap_or(2024), month, day)
}

/// A year of four digits, after a comma or not; nothing is read when there is none.
fn year_after(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut ahead = *cursor;
    ahead.one_of(b",");
    ahead.skip_blanks();
    let year = ahead.integer().and_then(small).filter(|year| (1970..=2999).contains(year))?;
    if ahead.peek() == Some(b':') {
        return None;
    }
    *cursor = ahead;
    Some(year)
}

fn ordinal(cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    if ahead.word().is_some_and(|word| ["st", "nd", "rd", "th"].contains(&word.to_ascii_lowercase().as_str())) {
        *cursor = ahead;
    }
}

/// `11am`, `2:30 PM`, `20:00:34`, `00:00:00.123`: seconds of the day.
fn time_of_day(cursor: &mut Cursor<'_>) -> Option<i64> {
    cursor.skip_blanks();
    let mut ahead = *cursor;
    let hour = ahead.integer().and_then(small)?;
    let mut with_minutes = false;
    let mut seconds = 0;
    for scale in [60, 1] {
        if ahead.peek() != Some(b':') || !ahead.rest().get(1).is_some_and(u8::is_ascii_digit) {
            break;
        }
        ahead.one_of(b":");
        let value = ahead.integer().and_then(small).filter(|value| *value < 60)?;
        seconds += value * scale;
        with_minutes = true;
    }
    if ahead.peek() == Some(b'.') && ahead.rest().get(1).is_some_and(u8::is_ascii_digit) {
        ahead.one_of(b".");
        ahead.skip(b"0123456789");
    }
    let mut half = ahead;
    half.skip_blanks();
    let half_of_day = match half.word().map(str::to_ascii_lowercase).as_deref() {
        Some("am") => Some(0),
        Some("pm") => Some(12),
        // "a.m."
        Some(letter @ ("a" | "p")) if half.one_of(b".").is_some() && half.keyword(&["m"]) => {
            half.one_of(b".");
            Some(if letter == "a" { 0 } else { 12 })
        }
        _ => None,
    };
    let hour = match half_of_day {
        Some(offset) if (1..=12).contains(&hour) => {
            ahead = half;
            hour % 12 + offset
        }
        None if with_minutes && hour < 24 => hour,
        _ => return None,
    };
    *cursor = ahead;
    Some(hour * 3600 + seconds)
}

/// `Z`, `UTC`, `(Asia/Seoul)`, `+05:30`; nothing is read when there is none.
fn zone_part(cursor: &mut Cursor<'_>) -> ZonePart {
    let mut ahead = *cursor;
    if let Some(sign) = ahead.one_of(b"+-") {
        let hours = ahead.integer().and_then(small);
        ahead.one_of(b":");
        let minutes = ahead.integer().and_then(small);
        if let Some(hours) = hours.filter(|hours| *hours <= 1400) {
            let minutes =
                if hours > 14 { hours / 100 * 60 + hours % 100 } else { hours * 60 + minutes.unwrap_or(0).min(59) };
            *cursor = ahead;
            return ZonePart::Offset(if sign == b'-' { -minutes * 60 } else { minutes * 60 });
        }
        return ZonePart::Local;
    }
    ahead.skip_blanks();
    let in_brackets = ahead.one_of(b"(").is_some();
    let length = ahead
        .rest()
        .iter()
        .take(zone::MAX_NAME_BYTES + 1)
        .take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'_'))
        .count();
    let Some(name) = std::str::from_utf8(&ahead.rest()[..length]).ok().filter(|name| zone::is_name(name)) else {
        return ZonePart::Local;
    };
    for byte in name.bytes() {
        ahead.one_of(&[byte]);
    }
    if in_brackets && ahead.one_of(b")").is_none() {
        return ZonePart::Local;
    }
    // Whatever has the form of a name may be anybody's words: only names of the table are part of the statement.
    let Some(zone) = zone::find(name) else { return ZonePart::Unknown };
    *cursor = ahead;
    ZonePart::Known(zone)
}

fn resolve(parts: Parts, clock: Clock) -> Option<UnixNanos> {
    let to_utc = |local: i64| match parts.zone {
        ZonePart::Known(zone) => Some(zone.to_utc(local)),
        ZonePart::Offset(seconds) => Some(local - seconds),
        ZonePart::Local if clock.now.0 > 0 => Some(local - i64::from(clock.utc_offset_seconds)),
        ZonePart::Local | ZonePart::Unknown => None,
    };
    let of_day = |day: i64| to_utc(day * DAY + parts.clock.unwrap_or(0));
    if let (Some(year), Some((month, day))) = (parts.year, parts.month_and_day) {
        return believed(of_day(civil::days(year, month, day))?, clock);
    }
    if clock.now.0 == 0 {
        return None;
    }
    let now = i64::try_from(clock.now.0 / 1_000_000_000).ok()?;
    // The local day is at most a day off.
    let today = now.div_euclid(DAY) - 1;
    let day = match (parts.month_and_day, parts.weekday, parts.days_ahead) {
        (Some((month, day)), ..) => {
            let (this_year, ..) = civil::date(today);
            (this_year..this_year + 9)
                .filter(|year| civil::is_date(*year, month, day))
                .map(|year| civil::days(year, month, day))
                .find(|day| *day >= today)?
        }
        (None, Some(weekday), _) => (today..today + 9)
            .find(|day| civil::weekday(*day) == weekday && of_day(*day).is_some_and(|at| at >= now))?,
        (None, None, Some(ahead)) => {
            let offset = today * DAY - (of_day(today)? - parts.clock.unwrap_or(0));
            (now + offset).div_euclid(DAY) + ahead
        }
        (None, None, None) => (today..today + 4).find(|day| of_day(*day).is_some_and(|at| at >= now))?,
    };
    believed(of_day(day)?, clock)
}

/// An instant in seconds since the epoch; one further away than [`MAX_WAIT`] is taken for that.
fn believed(seconds: i64, clock: Clock) -> Option<UnixNanos> {
    let nanos = u64::try_from(seconds).ok()?.saturating_mul(1_000_000_000);
    let max_wait = u64::try_from(MAX_WAIT.as_nanos()).unwrap_or(u64::MAX);
    Some(UnixNanos(if clock.now.0 == 0 { nanos } else { nanos.min(clock.now.0.saturating_add(max_wait)) }))
}

fn peek_word<'a>(cursor: &Cursor<'a>) -> Option<&'a str> {
    let mut ahead = *cursor;
    ahead.word()
}

fn place(names: &[&[&str]], word: &str) -> Option<i64> {
    let lower = word.to_ascii_lowercase();
    let place = names.iter().position(|names| names.contains(&lower.as_str()))?;
    i64::try_from(place).ok()
}

fn small(number: u64) -> Option<i64> {
    i64::try_from(number).ok().filter(|number| *number < 10_000)
}

#[cfg(test)]
mod tests;

//! Lengths of time as services state them.
//!
//! `7` where a unit is known, `1.984999999s`, `900.2ms`, `10h17m5.72s`, `23h 59m`, `5 days 22 hours 11 minutes`,
//! `2 minutes and 30 seconds`, `a minute`, `an hour`, `12:34:56`.

use super::cursor::Cursor;
use crate::throttle::MAX_WAIT;
use std::time::Duration;

/// A length of time of this many seconds, at most [`MAX_WAIT`]; nothing for what is negative or no number.
pub(in crate::throttle) fn capped(seconds: f64) -> Option<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds).map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT)))
}

/// The seconds of a unit.
fn unit(word: &str) -> Option<f64> {
    Some(match word.to_ascii_lowercase().as_str() {
        "ns" | "nanosecond" | "nanoseconds" => 1e-9,
        "us" | "microsecond" | "microseconds" => 1e-6,
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    })
}

/// `12:34:56`: hours, minutes, seconds.
fn read_clock(cursor: &mut Cursor<'_>) -> Option<Duration> {
    let mut ahead = *cursor;
    ahead.skip_blanks();
    let mut seconds = 0;
    for part in 0..3 {
        let value = ahead.integer().filter(|value| *value < if part == 0 { 10_000 } else { 60 })?;
        seconds = seconds * 60 + value;
        if part < 2 {
            ahead.one_of(b":")?;
        }
    }
    *cursor = ahead;
    capped(seconds as f64)
}

/// Reads a length of time with its units, largest first.
pub(in crate::throttle) fn read(cursor: &mut Cursor<'_>) -> Option<Duration> {
    if let Some(found) = read_clock(cursor) {
        return Some(found);
    }
    let mut seconds = None;
    // As many parts as there are units: more is not a length of time.
    for part in 0..8 {
        let mut ahead = *cursor;
        ahead.skip_blanks();
        if part > 0 {
            ahead.one_of(b",");
            ahead.keyword(&["and"]);
            ahead.skip_blanks();
        }
        let Some(value) = amount(&mut ahead, part) else { break };
        ahead.skip_blanks();
        // The micro sign and the Greek letter.
        let micro = ahead.one_of(&[0xc2, 0xce]).is_some() && ahead.one_of(&[0xb5, 0xbc]).is_some();
        let Some(scale) = ahead.word().and_then(|word| if micro { (word == "s").then_some(1e-6) } else { unit(word) })
        else {
            break;
        };
        seconds = Some(seconds.unwrap_or(0.0) + value * scale);
        *cursor = ahead;
    }
    capped(seconds?)
}

fn amount(cursor: &mut Cursor<'_>, part: usize) -> Option<f64> {
    cursor.number().or_else(|| (part == 0 && cursor.keyword(&["a", "an", "one"])).then_some(1.0))
}

/// Reads a length of time, or a bare number of `scale` seconds.
pub(in crate::throttle) fn read_or_bare(cursor: &mut Cursor<'_>, scale: f64) -> Option<Duration> {
    if let Some(found) = read(cursor) {
        return Some(found);
    }
    cursor.skip_blanks();
    cursor.number().and_then(|value| capped(value * scale))
}

/// A whole text that is a length of time, or a bare number of `scale` seconds.
pub(in crate::throttle) fn parse(text: &str, scale: f64) -> Option<Duration> {
    let mut cursor = Cursor::new(text.trim().as_bytes());
    let found = read_or_bare(&mut cursor, scale)?;
    cursor.rest().is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_length_of_time_is_read() {
        for (text, seconds) in [
            ("7", 7.0),
            ("1.984999999s", 1.984_999_999),
            ("28ms", 0.028),
            ("900.2ms", 0.9002),
            ("0.539477544s", 0.539_477_544),
            ("6m0s", 360.0),
            ("9m38.016s", 578.016),
            ("10h17m5.72s", 37_025.72),
            ("23h 59m", 86_340.0),
            ("7d", 604_800.0),
            ("5 days 22 hours 11 minutes", 511_860.0),
            ("2 minutes and 30 seconds", 150.0),
            ("1 hour, 5 minutes", 3900.0),
            ("58 hours", 208_800.0),
            ("1 second", 1.0),
            ("a minute", 60.0),
            ("an hour", 3600.0),
            ("250\u{b5}s", 0.000_25),
            ("3 days 4\n     hours", 273_600.0),
            ("35\\nseconds", 35.0),
            ("12:34:56", 45_296.0),
        ] {
            let found = parse(text, 1.0).unwrap_or_else(|| panic!("{text}"));
            assert!((found.as_secs_f64() - seconds).abs() < 1e-6, "{text}: {found:?}");
        }
        assert_eq!(parse("500", 0.001), Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_absurd_is_bounded_and_what_is_none_is_refused() {
        for text in ["999999999999999999", "99999999 days", "100000000000000000 weeks"] {
            assert_eq!(parse(text, 1.0), Some(MAX_WAIT), "{text}");
        }
        for text in [
            "",
            "-5",
            "soon",
            "1.2.3",
            "a few minutes",
            "5 apples",
            "1e9",
            "NaN",
            "inf",
            "9999999999999999999999",
            "7s later",
            "12:34",
            "1:2:99",
        ] {
            assert_eq!(parse(text, 1.0), None, "{text}");
        }
        assert_eq!(capped(f64::INFINITY), Some(MAX_WAIT));
        assert_eq!(capped(f64::NAN), None);
        assert_eq!(capped(-0.1), None);
    }
}

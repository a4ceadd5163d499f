//! Times as foreign records write them.

use vigil_core::fact::UnixNanos;

/// Reads `2026-11-21T01:10:13.764Z` (any number of fraction digits, `Z` or an offset). `None` for anything
/// else, and for times before 1970 or after 2500.
pub fn parse_rfc3339(text: &str) -> Option<UnixNanos> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || bytes.len() > 40 || !text.is_ascii() {
        return None;
    }
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, separator)| bytes[*at] != *separator) || !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let digits = |from: usize, to: usize| -> Option<i64> {
        bytes[from..to]
            .iter()
            .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if !(1970..=2500).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = &bytes[19..];
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut scale = 100_000_000;
        for digit in &fraction[..count] {
            nanos += i64::from(digit - b'0') * scale;
            scale /= 10;
        }
        rest = &fraction[count..];
    }
    let offset_minutes = match rest {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()) => {
            let value = |tens: &u8, ones: &u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
            let minutes = value(h1, h2) * 60 + value(m1, m2);
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    // Days since 1970 of a Gregorian date, after Howard Hinnant's `days_from_civil`.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + hour * 3600 + (minute - offset_minutes) * 60 + second;
    u64::try_from(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?).ok().map(UnixNanos)
}

/// A time given in milliseconds since 1970.
pub(crate) fn from_millis(millis: u64) -> Option<UnixNanos> {
    millis.checked_mul(1_000_000).filter(|nanos| i64::try_from(*nanos).is_ok()).map(UnixNanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T01:10:13.764Z", 1_795_223_413_764_000_000),
            ("2026-11-21T02:10:13.764000001+01:00", 1_795_223_413_764_000_001),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000_000_000),
            ("2000-03-01T00:00:00.5Z", 951_868_800_500_000_000),
        ] {
            assert_eq!(parse_rfc3339(text), Some(UnixNanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2026-11-21",
            "2026-13-21T01:10:13Z",
            "2026-11-21T01:10:13",
            "2026-11-21T01:10:13.764",
            "9999-11-21T01:10:13Z",
            "2026-11-21T01:10:13+1:00",
            "2026-11-2éT01:10:13Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}

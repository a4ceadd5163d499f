//! Times as text.

use std::time::Duration;
use vigil_core::fact::UnixNanos;

/// Year, month and day of days since the epoch (Howard Hinnant's civil_from_days).
fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn parts(time: UnixNanos) -> (u64, u64, u64, u64, u64) {
    let seconds = time.0 / 1_000_000_000;
    let of_day = seconds % 86_400;
    (seconds / 86_400, of_day / 3600, of_day / 60 % 60, of_day % 60, time.0 % 1_000_000_000)
}

/// The length of [`rfc3339`].
pub(crate) const RFC3339_BYTES: usize = 30;

/// `2026-11-21T01:15:09.084000000Z`. Years up to 2554 is what 64 bits of nanoseconds reach.
pub(crate) fn rfc3339(time: UnixNanos) -> [u8; RFC3339_BYTES] {
    let (days, hour, minute, second, nanos) = parts(time);
    let (year, month, day) = civil(days as i64);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    let mut put = |at: std::ops::Range<usize>, mut number: u64| {
        for digit in text[at].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(0..4, year as u64);
    put(5..7, u64::from(month));
    put(8..10, u64::from(day));
    put(11..13, hour);
    put(14..16, minute);
    put(17..19, second);
    put(20..29, nanos);
    text
}

/// [`rfc3339`] of times that are near one another: the calendar is asked once a second.
#[derive(Debug)]
pub(crate) struct Stamps {
    second: u64,
    text: [u8; RFC3339_BYTES],
}

impl Default for Stamps {
    fn default() -> Self {
        Self { second: 0, text: rfc3339(UnixNanos(0)) }
    }
}

impl Stamps {
    #[inline]
    pub(crate) fn rfc3339(&mut self, time: UnixNanos) -> &[u8; RFC3339_BYTES] {
        let (second, nanos) = (time.0 / 1_000_000_000, (time.0 % 1_000_000_000) as u32);
        if second != self.second {
            *self = Self { second, text: rfc3339(time) };
        } else {
            let (high, low) = (nanos / 100_000, nanos % 100_000);
            for (at, pair) in [(20, high / 100), (22, high % 100), (25, low / 100 % 100), (27, low % 100)] {
                self.text[at] = b'0' + (pair / 10) as u8;
                self.text[at + 1] = b'0' + (pair % 10) as u8;
            }
            self.text[24] = b'0' + (low / 10_000) as u8;
        }
        &self.text
    }
}

/// `01:15:09.084`, UTC.
pub(crate) fn clock_time(time: UnixNanos) -> String {
    let (_, hour, minute, second, nanos) = parts(time);
    format!("{hour:02}:{minute:02}:{second:02}.{:03}", nanos / 1_000_000)
}

/// `412µs`, `44ms`, `1.2s`, `3m05s`, `2h03m`.
pub(crate) fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration < Duration::from_millis(1) {
        format!("{}µs", duration.as_micros())
    } else if seconds < 1 {
        format!("{}ms", duration.as_millis())
    } else if seconds < 60 {
        format!("{:.1}s", duration.as_secs_f64())
    } else if seconds < 3600 {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_the_calendar_has_them() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (1_795_223_709_084_000_001, "2026-11-21T01:15:09.084000001Z"),
        ] {
            assert_eq!(rfc3339(UnixNanos(nanos)), text.as_bytes());
        }
        let mut stamps = Stamps::default();
        for nanos in [0, 1, 123_456_789, 999_999_999, 1_000_000_000, 951_782_400_000_000_007, 951_782_400_906_050_403] {
            assert_eq!(stamps.rfc3339(UnixNanos(nanos)), &rfc3339(UnixNanos(nanos)));
        }
        assert_eq!(clock_time(UnixNanos(1_795_223_709_084_000_001)), "01:15:09.084");
    }

    #[test]
    fn durations_have_the_unit_a_person_would_use() {
        for (millis, text) in [(44, "44ms"), (1_240, "1.2s"), (185_000, "3m05s"), (7_380_000, "2h03m")] {
            assert_eq!(human_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(human_duration(Duration::from_micros(412)), "412µs");
    }
}

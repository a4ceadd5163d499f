//! Zones that services name: `Asia/Seoul`, `UTC`, `PST`.
//!
//! A small table instead of a time zone library: the zones agents are used in, with today's rules. A zone that is not
//! here makes an instant unknown; the statement is kept without it.

use super::civil::{self, DAY};

/// How a zone shifts its clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Summer {
    /// Never.
    No,
    /// From the second Sunday of March, 2:00, to the first of November, 2:00.
    America,
    /// From the last Sunday of March to that of October, 1:00 UTC.
    Europe,
    /// From the first Sunday of October, 2:00, to that of April, 3:00.
    Australia,
    /// From the last Sunday of September, 2:00, to the first of April, 3:00.
    NewZealand,
}

/// A zone: minutes from UTC in winter, and its summer time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Zone {
    minutes: i32,
    summer: Summer,
}

/// Continents and oceans of zone names.
const AREAS: &[&str] = &[
    "africa",
    "america",
    "antarctica",
    "arctic",
    "asia",
    "atlantic",
    "australia",
    "etc",
    "europe",
    "indian",
    "pacific",
    "us",
];

#[rustfmt::skip]
static ZONES: &[(&str, i32, Summer)] = &[
    ("utc", 0, Summer::No), ("gmt", 0, Summer::No), ("z", 0, Summer::No), ("etc/utc", 0, Summer::No), ("etc/gmt", 0, Summer::No),
    ("est", -300, Summer::No), ("edt", -240, Summer::No), ("cst", -360, Summer::No), ("cdt", -300, Summer::No),
    ("mst", -420, Summer::No), ("mdt", -360, Summer::No), ("pst", -480, Summer::No), ("pdt", -420, Summer::No),
    ("cet", 60, Summer::No), ("cest", 120, Summer::No), ("bst", 60, Summer::No), ("jst", 540, Summer::No), ("kst", 540, Summer::No),
    ("america/new_york", -300, Summer::America), ("us/eastern", -300, Summer::America), ("america/toronto", -300, Summer::America),
    ("america/detroit", -300, Summer::America), ("america/chicago", -360, Summer::America), ("us/central", -360, Summer::America),
    ("america/winnipeg", -360, Summer::America), ("america/denver", -420, Summer::America), ("us/mountain", -420, Summer::America),
    ("america/boise", -420, Summer::America), ("america/edmonton", -420, Summer::America), ("america/phoenix", -420, Summer::No),
    ("america/los_angeles", -480, Summer::America), ("us/pacific", -480, Summer::America), ("america/vancouver", -480, Summer::America),
    ("america/anchorage", -540, Summer::America), ("america/halifax", -240, Summer::America), ("america/puerto_rico", -240, Summer::No),
    ("america/sao_paulo", -180, Summer::No), ("america/fortaleza", -180, Summer::No), ("america/bahia", -180, Summer::No),
    ("america/buenos_aires", -180, Summer::No), ("america/argentina/buenos_aires", -180, Summer::No), ("america/montevideo", -180, Summer::No),
    ("america/bogota", -300, Summer::No), ("america/lima", -300, Summer::No), ("america/caracas", -240, Summer::No),
    ("america/mexico_city", -360, Summer::No), ("america/costa_rica", -360, Summer::No), ("america/guatemala", -360, Summer::No),
    ("america/panama", -300, Summer::No), ("america/guayaquil", -300, Summer::No),
    ("europe/london", 0, Summer::Europe), ("europe/dublin", 0, Summer::Europe), ("europe/lisbon", 0, Summer::Europe),
    ("europe/berlin", 60, Summer::Europe), ("europe/paris", 60, Summer::Europe), ("europe/madrid", 60, Summer::Europe),
    ("europe/rome", 60, Summer::Europe), ("europe/amsterdam", 60, Summer::Europe), ("europe/brussels", 60, Summer::Europe),
    ("europe/vienna", 60, Summer::Europe), ("europe/zurich", 60, Summer::Europe), ("europe/prague", 60, Summer::Europe),
    ("europe/warsaw", 60, Summer::Europe), ("europe/budapest", 60, Summer::Europe), ("europe/belgrade", 60, Summer::Europe),
    ("europe/copenhagen", 60, Summer::Europe), ("europe/oslo", 60, Summer::Europe), ("europe/stockholm", 60, Summer::Europe),
    ("europe/luxembourg", 60, Summer::Europe), ("europe/ljubljana", 60, Summer::Europe), ("europe/zagreb", 60, Summer::Europe),
    ("europe/bratislava", 60, Summer::Europe), ("europe/helsinki", 120, Summer::Europe), ("europe/athens", 120, Summer::Europe),
    ("europe/bucharest", 120, Summer::Europe), ("europe/sofia", 120, Summer::Europe), ("europe/kyiv", 120, Summer::Europe),
    ("europe/kiev", 120, Summer::Europe), ("europe/riga", 120, Summer::Europe), ("europe/vilnius", 120, Summer::Europe),
    ("europe/tallinn", 120, Summer::Europe), ("europe/istanbul", 180, Summer::No), ("europe/moscow", 180, Summer::No),
    ("europe/minsk", 180, Summer::No), ("africa/lagos", 60, Summer::No), ("africa/johannesburg", 120, Summer::No),
    ("africa/nairobi", 180, Summer::No), ("africa/accra", 0, Summer::No), ("africa/algiers", 60, Summer::No),
    ("asia/dubai", 240, Summer::No), ("asia/riyadh", 180, Summer::No), ("asia/baghdad", 180, Summer::No), ("asia/tehran", 210, Summer::No),
    ("asia/tbilisi", 240, Summer::No), ("asia/yerevan", 240, Summer::No), ("asia/karachi", 300, Summer::No), ("asia/tashkent", 300, Summer::No),
    ("asia/almaty", 300, Summer::No), ("asia/kolkata", 330, Summer::No), ("asia/calcutta", 330, Summer::No), ("asia/colombo", 330, Summer::No),
    ("asia/kathmandu", 345, Summer::No), ("asia/katmandu", 345, Summer::No), ("asia/dhaka", 360, Summer::No), ("asia/yangon", 390, Summer::No),
    ("asia/bangkok", 420, Summer::No), ("asia/ho_chi_minh", 420, Summer::No), ("asia/saigon", 420, Summer::No), ("asia/jakarta", 420, Summer::No),
    ("asia/novosibirsk", 420, Summer::No), ("asia/shanghai", 480, Summer::No), ("asia/hong_kong", 480, Summer::No), ("asia/taipei", 480, Summer::No),
    ("asia/singapore", 480, Summer::No), ("asia/kuala_lumpur", 480, Summer::No), ("asia/manila", 480, Summer::No), ("asia/chongqing", 480, Summer::No),
    ("australia/perth", 480, Summer::No), ("asia/tokyo", 540, Summer::No), ("asia/seoul", 540, Summer::No), ("australia/brisbane", 600, Summer::No),
    ("australia/darwin", 570, Summer::No), ("australia/adelaide", 570, Summer::Australia), ("australia/sydney", 600, Summer::Australia),
    ("australia/melbourne", 600, Summer::Australia), ("australia/hobart", 600, Summer::Australia), ("pacific/auckland", 720, Summer::NewZealand),
    ("pacific/honolulu", -600, Summer::No),
];

/// The longest name of a zone, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 32;

/// Whether this is the name of a zone: a short one of the table, or a place in one of the world's areas.
pub(super) fn is_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    find(&name).is_some()
        || name.len() <= MAX_NAME_BYTES
            && name.split_once('/').is_some_and(|(area, place)| {
                AREAS.contains(&area)
                    && place.len() >= 3
                    && place.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'/'))
            })
}

/// The zone of this name, in any case.
pub(super) fn find(name: &str) -> Option<Zone> {
    let found = ZONES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    found.map(|(_, minutes, summer)| Zone { minutes: *minutes, summer: *summer })
}

impl Zone {
    /// The seconds since the epoch of a local time (seconds since the epoch as if it were UTC).
    pub(super) fn to_utc(self, local: i64) -> i64 {
        local - self.offset(local)
    }

    /// Seconds from UTC at this local time.
    fn offset(self, local: i64) -> i64 {
        let (year, ..) = civil::date(local.div_euclid(DAY));
        let winter = i64::from(self.minutes) * 60;
        let at = |month: i64, week: Week, hour: i64| sunday(year, month, week) * DAY + hour * 3600;
        let is_summer = match self.summer {
            Summer::No => false,
            Summer::America => (at(3, Week::Second, 2)..at(11, Week::First, 2)).contains(&local),
            // Europe changes everywhere at once: by the local clock of winter that is 1:00 and the offset.
            Summer::Europe => (at(3, Week::Last, 1) + winter..at(10, Week::Last, 2) + winter).contains(&local),
            Summer::Australia => !(at(4, Week::First, 3)..at(10, Week::First, 2)).contains(&local),
            Summer::NewZealand => !(at(4, Week::First, 3)..at(9, Week::Last, 2)).contains(&local),
        };
        winter + if is_summer { 3600 } else { 0 }
    }
}

#[derive(Clone, Copy)]
enum Week {
    First,
    Second,
    Last,
}

/// A Sunday of a month, in days since the epoch.
fn sunday(year: i64, month: i64, week: Week) -> i64 {
    let first_of = |month: i64, year: i64| {
        let day = civil::days(year, month, 1);
        day + (7 - civil::weekday(day)) % 7
    };
    match week {
        Week::First => first_of(month, year),
        Week::Second => first_of(month, year) + 7,
        // The months of the table are never December.
        Week::Last => first_of(month + 1, year) - 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc_hour(zone: &str, month: i64, day: i64, hour: i64) -> i64 {
        let local = civil::days(2026, month, day) * DAY + hour * 3600;
        (find(zone).unwrap().to_utc(local) - civil::days(2026, month, day) * DAY) / 3600
    }

    #[test]
    fn summer_time_is_that_of_the_place() {
        assert_eq!(utc_hour("America/New_York", 1, 15, 12), 17);
        assert_eq!(utc_hour("America/New_York", 7, 15, 12), 16);
        assert_eq!(utc_hour("America/New_York", 3, 8, 1), 6);
        assert_eq!(utc_hour("America/New_York", 3, 8, 3), 7);
        assert_eq!(utc_hour("Europe/Berlin", 3, 29, 1), 0);
        assert_eq!(utc_hour("Europe/Berlin", 3, 29, 3), 1);
        assert_eq!(utc_hour("Europe/London", 6, 1, 12), 11);
        assert_eq!(utc_hour("Australia/Sydney", 1, 15, 12), 1);
        assert_eq!(utc_hour("Australia/Sydney", 7, 15, 12), 2);
        assert_eq!(utc_hour("Pacific/Auckland", 9, 28, 12), -1);
        assert_eq!(utc_hour("Asia/Seoul", 7, 1, 12), 3);
        assert_eq!(utc_hour("utc", 7, 1, 12), 12);
    }

    #[test]
    fn names_of_places_are_told_from_other_words() {
        for name in ["Asia/Seoul", "America/Argentina/Ushuaia", "Europe/Isle_of_Man", "UTC", "pst"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "secret", "home/user", "Asia/", "Asia/a@b", "Europe/Berlin; drop", "me", "asia/x1234"] {
            assert!(!is_name(name), "{name}");
        }
        let mut names: Vec<_> = ZONES.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ZONES.len());
    }
}

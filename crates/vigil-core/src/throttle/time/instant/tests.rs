use super::*;

/// 2026-11-21T08:18:23Z, a Saturday.
const NOW: u64 = 1_795_249_103;

fn clock() -> Clock {
    Clock { now: UnixNanos(NOW * 1_000_000_000), utc_offset_seconds: -5 * 3600 }
}

/// Reads `text` and renders the instant as `year-month-day hour:minute:second` in UTC.
fn utc(text: &str, clock: Clock) -> String {
    let found = read(&mut Cursor::new(text.as_bytes()), clock).unwrap_or_else(|| panic!("{text}"));
    let Some(at) = found.at else { return "unknown".to_owned() };
    let seconds = i64::try_from(at.0 / 1_000_000_000).unwrap();
    let (year, month, day) = civil::date(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[test]
fn every_form_of_an_instant_is_read_and_kept_as_it_was_stated() {
    for (text, stated, at) in [
        ("1738888888", "1738888888", "2025-02-07 00:41:28"),
        ("1738888888123", "1738888888123", "2025-02-07 00:41:28"),
        ("2024-04-07T07:31:00Z", "2024-04-07T07:31:00Z", "2024-04-07 07:31:00"),
        ("2026-12-01T00:00:00.123+05:30", "2026-12-01T00:00:00.123+05:30", "2026-11-30 18:30:00"),
        ("2026-04-01 at 00:00 UTC.", "2026-04-01 at 00:00 UTC", "2026-04-01 00:00:00"),
        ("Fri, 18 Jul 2025 20:00:34 GMT and see", "Fri, 18 Jul 2025 20:00:34 GMT", "2025-07-18 20:00:34"),
        ("11/17/2025.*", "11/17/2025", "2025-11-17 05:00:00"),
        ("Jul 5th, 2026 8:19 PM.", "Jul 5th, 2026 8:19 PM", "2026-07-06 01:19:00"),
        ("July 3, 2026 at 2:45 PM.", "July 3, 2026 at 2:45 PM", "2026-07-03 19:45:00"),
        ("10 de jul. de 2026, 11:52. Para", "10 de jul. de 2026, 11:52", "2026-07-10 16:52:00"),
        ("Feb 16, 11am (Europe/Berlin)", "Feb 16, 11am (Europe/Berlin)", "2027-02-16 10:00:00"),
        ("Nov 23 at 4pm (Asia/Calcutta)", "Nov 23 at 4pm (Asia/Calcutta)", "2026-11-23 10:30:00"),
        ("3pm (Asia/Calcutta)", "3pm (Asia/Calcutta)", "2026-11-21 09:30:00"),
        ("2am", "2am", "2026-11-22 07:00:00"),
        ("9:30 AM.  View", "9:30 AM", "2026-11-21 14:30:00"),
        ("12am (UTC)", "12am (UTC)", "2026-11-22 00:00:00"),
        ("12:30 p.m. PST", "12:30 p.m. PST", "2026-11-21 20:30:00"),
        ("Monday at 9am (UTC)", "Monday at 9am (UTC)", "2026-11-23 09:00:00"),
        ("tomorrow at 9am (UTC)", "tomorrow at 9am (UTC)", "2026-11-22 09:00:00"),
        ("2pm\n   (America/New_York)\n", "2pm (America/New_York)", "2026-11-21 19:00:00"),
        ("5pm (Europe/Isle_of_Man)", "5pm", "unknown"),
    ] {
        let found = read(&mut Cursor::new(text.as_bytes()), clock()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(found.stated.unwrap().as_str(), stated);
        assert_eq!(utc(text, clock()), at, "{text}");
    }
}

#[test]
fn without_a_clock_only_what_names_its_date_and_zone_is_known() {
    let blind = Clock { now: UnixNanos(0), utc_offset_seconds: 0 };
    assert_eq!(utc("2026-04-01 at 00:00 UTC", blind), "2026-04-01 00:00:00");
    for text in ["2am", "3pm (Asia/Seoul)", "Jul 5th, 2026 8:19 PM", "Feb 16, 11am (Europe/Berlin)", "Monday at 9am"] {
        assert_eq!(utc(text, blind), "unknown", "{text}");
    }
}

#[test]
fn what_is_no_instant_is_refused() {
    for text in [
        "",
        "3",
        "soon",
        "25:00",
        "13pm",
        "0am",
        "10:75",
        "2026-02-30",
        "Feb 30, 11am",
        "12345",
        "99999999999999999999",
        "40/40/2026",
        "May the force",
        "set up",
        "in 5 days",
        "2026-",
        "1.5",
        "tomorrow",
        "12345678901234",
    ] {
        assert_eq!(read(&mut Cursor::new(text.as_bytes()), clock()), None, "{text}");
    }
}

#[test]
fn a_reset_in_the_far_future_is_not_believed() {
    let far = parse("9999999999", clock()).unwrap();
    assert_eq!(far.at.unwrap().0, clock().now.0 + u64::try_from(MAX_WAIT.as_nanos()).unwrap());
    assert_eq!(parse("2999-01-01T00:00:00Z", clock()).unwrap().at, far.at);
}

#[test]
fn a_statement_holds_nothing_but_the_time() {
    let text = "2am (secret) for alice@example.com";
    assert_eq!(read(&mut Cursor::new(text.as_bytes()), clock()).unwrap().stated.unwrap().as_str(), "2am");
    let text = "3pm (America/some_secret_word)";
    assert_eq!(read(&mut Cursor::new(text.as_bytes()), clock()).unwrap().stated.unwrap().as_str(), "3pm");
    let padded = format!("Jul{}5th, 2026 8:19 PM", " ".repeat(100));
    assert_eq!(
        read(&mut Cursor::new(padded.as_bytes()), clock()).unwrap().stated.unwrap().as_str(),
        "Jul 5th, 2026 8:19 PM"
    );
}

use super::*;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn retry(seconds: u64) -> Verdict {
    Verdict::Retry { after: Some(Duration::from_secs(seconds)) }
}

#[test]
fn http_answers_are_judged_as_the_specification_says() {
    let again = Verdict::Retry { after: None };
    let refused = Verdict::Drop(LossReason::Rejected);
    for (status, retry_after, verdict) in [
        (429, None, again),
        (429, Some("7"), retry(7)),
        (503, Some(" 7 "), retry(7)),
        (503, Some("Thu, 01 Jan 1970 00:00:09 GMT"), retry(9)),
        (503, Some("Wed, 31 Dec 1969 23:59:59 GMT"), again),
        (503, Some("soon"), again),
        (503, Some("-3"), again),
        (503, Some(""), again),
        (429, Some("999999999999999999999999"), retry(300)),
        (429, Some("3600"), retry(300)),
        (502, None, again),
        (504, None, again),
        (400, None, refused),
        (404, Some("7"), refused),
        (301, None, refused),
        (500, None, refused),
        (501, None, refused),
        (413, None, Verdict::Split),
        (401, None, Verdict::Drop(LossReason::Unauthorized)),
        (403, None, Verdict::Drop(LossReason::Unauthorized)),
    ] {
        let judged = judge_http(status, retry_after, NOW);
        if retry_after == Some("Wed, 31 Dec 1969 23:59:59 GMT") {
            // A date that has passed, or one the parser does not know: now.
            assert!(matches!(judged, Verdict::Retry { after: None | Some(Duration::ZERO) }), "{judged:?}");
        } else {
            assert_eq!(judged, verdict, "{status} {retry_after:?}");
        }
    }
}

#[test]
fn grpc_answers_are_judged_as_the_specification_says() {
    let again = Verdict::Retry { after: None };
    let refused = Verdict::Drop(LossReason::Rejected);
    for (code, verdict) in [
        (1, again),
        (2, refused),
        (3, refused),
        (4, again),
        (5, refused),
        (6, refused),
        (7, Verdict::Drop(LossReason::Unauthorized)),
        (8, refused),
        (9, refused),
        (10, again),
        (11, again),
        (12, refused),
        (13, refused),
        (14, again),
        (15, again),
        (16, Verdict::Drop(LossReason::Unauthorized)),
        (99, refused),
    ] {
        assert_eq!(judge_grpc(code, None, b""), verdict, "{code}");
    }
    let two = Some(Duration::from_secs(2));
    assert_eq!(judge_grpc(8, two, b""), retry(2));
    assert_eq!(judge_grpc(14, two, b""), retry(2));
    assert_eq!(judge_grpc(3, two, b""), refused);
    for message in [
        &b"grpc: received message larger than max (5000000 vs. 4194304)"[..],
        b"Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
    ] {
        assert_eq!(judge_grpc(8, None, message), Verdict::Split);
        assert_eq!(judge_grpc(11, None, message), Verdict::Split);
        assert_eq!(judge_grpc(8, two, message), retry(2));
        assert_eq!(judge_grpc(3, None, message), refused);
    }
}

#[test]
fn retry_info_is_found_in_the_details_and_garbage_is_not() {
    use crate::encode::proto;
    let mut status = Vec::new();
    proto::uint(&mut status, 1, 14);
    proto::bytes(&mut status, 2, b"busy");
    for (url, delay) in [("type.googleapis.com/google.rpc.Other", 9), ("type.googleapis.com/google.rpc.RetryInfo", 2)] {
        proto::message(&mut status, 3, |out| {
            proto::bytes(out, 1, url.as_bytes());
            proto::message(out, 2, |out| {
                proto::message(out, 1, |out| {
                    proto::uint(out, 1, delay);
                    proto::uint(out, 2, 500_000_000);
                });
            });
        });
    }
    assert_eq!(retry_info(&status), Some(Duration::from_millis(2500)));
    for end in 0..status.len() {
        assert_eq!(retry_info(&status[..end]), None, "{end}");
    }
    for index in 0..status.len() {
        let mut damaged = status.clone();
        damaged[index] ^= 0xff;
        // Any answer will do; a panic or a wait of years will not.
        assert!(retry_info(&damaged).unwrap_or_default() <= MAX_SERVER_DELAY);
    }
}

#[test]
fn refused_records_are_read_from_protobuf_and_from_json() {
    use crate::encode::proto;
    let mut answer = Vec::new();
    proto::message(&mut answer, 1, |out| {
        proto::uint(out, 1, 3);
        proto::bytes(out, 2, b"too old");
    });
    assert_eq!(rejected_records(&answer), Ok(3));
    assert_eq!(rejected_records(b""), Ok(0));
    assert_eq!(rejected_records(b"OK"), Err(Malformed));
    let mut negative = Vec::new();
    proto::message(&mut negative, 1, |out| proto::uint(out, 1, -3i64 as u64));
    assert_eq!(rejected_records(&negative), Ok(0));
    assert_eq!(rejected_records_json(b"{}"), 0);
    assert_eq!(rejected_records_json(br#"{"partialSuccess":{}}"#), 0);
    assert_eq!(rejected_records_json(br#"{"partialSuccess":{"rejectedSpans":"3"}}"#), 3);
    assert_eq!(rejected_records_json(br#"{"partialSuccess": {"rejectedLogRecords": 12}}"#), 12);
    assert_eq!(rejected_records_json(br#"{"rejectedDataPoints":"99999999999999999999999"}"#), 0);
}

#[test]
fn backoff_doubles_up_to_its_cap_with_jitter_and_keeps_to_what_was_asked() {
    let backoff = Backoff::STEADY;
    let seconds = |failures, chance| backoff.delay(failures, None, chance).as_secs_f64();
    assert!((seconds(1, 0.0) - 0.05).abs() < 1e-9);
    for (failures, most) in [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (7, 30.0), (100, 30.0), (u32::MAX, 30.0)] {
        assert!((seconds(failures, 1.0) - most).abs() < 1e-6, "{failures}");
        assert!((seconds(failures, 0.0) - most / 10.0).abs() < 1e-6, "{failures}");
    }
    let asked = Some(Duration::from_secs(10));
    assert_eq!(backoff.delay(5, asked, 0.0), Duration::from_secs(10));
    assert_eq!(backoff.delay(5, asked, 1.0), Duration::from_secs(11));
}

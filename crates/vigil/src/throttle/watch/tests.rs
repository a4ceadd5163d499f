use super::*;
use vigil_core::throttle::ThrottleClass;

const RATE_LIMITED: &[u8] = br#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;

fn watch(host: &str, status: u16, headers: &[(&str, &str)]) -> Watch {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Watch::new(Some(host.to_owned()), status, headers)
}

/// The verdict on a body that comes in pieces of `size` bytes.
fn verdict(mut watch: Watch, body: &[u8], size: usize) -> Option<ThrottleClass> {
    let mut verdicts: Vec<_> = body.chunks(size).filter_map(|piece| watch.pass(piece)).collect();
    verdicts.extend(watch.end());
    assert!(verdicts.len() <= 1, "one response, one event");
    verdicts.first().map(|throttle| throttle.class)
}

#[test]
fn a_failure_is_judged_by_its_body_however_it_is_cut() {
    for size in [1, 7, 1 << 20] {
        let refused = watch("api.anthropic.com", 429, &[("content-type", "application/json")]);
        assert_eq!(verdict(refused, RATE_LIMITED, size), Some(ThrottleClass::RateLimit));
        let spent = br#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#;
        let spent = verdict(watch("api.anthropic.com", 400, &[]), spent, size);
        assert_eq!(spent, Some(ThrottleClass::Quota), "a 400 whose body says more than its status");
    }
}

#[test]
fn an_error_in_the_middle_of_a_successful_stream_is_found_however_it_is_cut() {
    let stream = format!(
        "event: message_start\ndata: {{\"type\":\"message_start\"}}\n\n\
         event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"text\":\"{}\"}}}}\n\n\
         event: error\r\ndata: {OVERLOADED}\r\n\r\n",
        "long ".repeat(40_000)
    );
    for size in [1, 100, 4096, 1 << 20] {
        let streamed = watch("api.anthropic.com", 200, &[("content-type", "text/event-stream; charset=utf-8")]);
        assert_eq!(verdict(streamed, stream.as_bytes(), size), Some(ThrottleClass::Overloaded), "pieces of {size}");
    }
}

#[test]
fn what_a_model_says_in_a_stream_is_no_error_of_the_service() {
    let words = r#"{\"error\":{\"type\":\"overloaded_error\"}} rate limit exceeded, 429 Too Many Requests"#;
    let stream = format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"text\":\"{words}\"}}}}\n\n\
         data: {{\"choices\":[{{\"delta\":{{\"content\":\"{words}\"}}}}],\"error\":null}}\n\n"
    );
    let streamed = watch("api.openai.com", 200, &[("content-type", "text/event-stream")]);
    assert_eq!(verdict(streamed, stream.as_bytes(), 64), None);
}

#[test]
fn an_openai_stream_that_fails_is_found() {
    let failed = r#"data: {"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"Rate limit reached. Please try again in 11s."}}}"#;
    let streamed = watch("api.openai.com", 200, &[("content-type", "text/event-stream")]);
    assert_eq!(
        verdict(streamed, failed.as_bytes(), 10),
        Some(ThrottleClass::RateLimit),
        "the last line may have no end"
    );
}

#[test]
fn services_that_fail_with_200_are_looked_at_and_others_are_not() {
    let limited = br#"{"data":null,"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#;
    let json: &[(&str, &str)] = &[("content-type", "application/json; charset=utf-8")];
    assert_eq!(verdict(watch("api.github.com", 200, json), limited, 9), Some(ThrottleClass::RateLimit));
    assert!(!watch("api.anthropic.com", 200, json).reads_body(), "a success need not be read");
    let answer = br#"{"data":{"search":{"title":"API rate limit exceeded"}}}"#;
    assert_eq!(verdict(watch("api.github.com", 200, json), answer, 9), None, "what was asked for is no error");
}

#[test]
fn an_exception_in_awss_event_stream_is_found() {
    let mut frames = vec![0, 0, 0, 90];
    frames.extend_from_slice(&b"\x0b:event-type\x07\x00\x05chunk{\"bytes\":\"aGVsbG8=\"}".repeat(2000));
    frames.extend_from_slice(
        b"\x0f:exception-type\x07\x00\x13throttlingException\x0d:content-type\x07\x00\x10application/json",
    );
    frames.extend_from_slice(br#"{"message":"Too many tokens, please wait before trying again."}"#);
    for size in [1, 100, 1 << 20] {
        let streamed = watch(
            "bedrock-runtime.us-east-1.amazonaws.com",
            200,
            &[("content-type", "application/vnd.amazon.eventstream")],
        );
        assert_eq!(verdict(streamed, &frames, size), Some(ThrottleClass::RateLimit), "pieces of {size}");
    }
}

#[test]
fn bodies_that_need_not_or_cannot_be_read_are_not() {
    for (status, headers) in [
        (200, &[("content-type", "text/html")][..]),
        (204, &[]),
        (302, &[("content-type", "text/plain")]),
        (404, &[("content-type", "image/png")]),
        (429, &[("content-encoding", "gzip"), ("content-type", "application/json")]),
    ] {
        assert!(!watch("example.com", status, headers).reads_body(), "{status} {headers:?}");
    }
}

#[test]
fn a_failure_whose_body_cannot_be_read_is_judged_by_its_head() {
    let refused = watch("api.github.com", 429, &[("content-encoding", "br"), ("retry-after", "7")]);
    let throttle = refused.verdict().unwrap();
    assert_eq!((throttle.class, throttle.retry_after.map(|wait| wait.as_secs())), (ThrottleClass::RateLimit, Some(7)));
    assert_eq!(watch("api.github.com", 200, &[("x-ratelimit-remaining", "0")]).verdict(), None);
}

#[test]
fn what_is_held_of_a_body_is_bounded() {
    for (status, content_type) in
        [(500, "text/plain"), (200, "text/event-stream"), (200, "application/vnd.amazon.eventstream")]
    {
        let mut watch = watch("api.anthropic.com", status, &[("content-type", content_type)]);
        for _ in 0..200 {
            watch.pass(&[b'x'; 10_000]);
            assert!(watch.held.capacity() <= 3 * TEXT_MAX, "{content_type}: {}", watch.held.capacity());
        }
        let skipped = b"x\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n";
        let verdict = watch.pass(skipped).or_else(|| watch.end());
        assert_eq!(verdict.is_some(), content_type == "text/event-stream", "a line after one that is too long");
    }
}

#[test]
fn any_bytes_in_any_pieces_do_no_harm() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let seeds: [&[u8]; 4] =
        [RATE_LIMITED, OVERLOADED.as_bytes(), b"event: error\ndata: {", b":exception-type\n\r\"\\u00"];
    for _ in 0..3000 {
        let types = ["text/event-stream", "application/json", "application/vnd.amazon.eventstream", "x"];
        let mut watch = watch(
            ["api.github.com", "x", ""][next() % 3],
            [200, 429, 503, 999][next() % 4],
            &[("content-type", types[next() % 4]), ("retry-after", ["-1", "1e9", "Fri, 99 Foo", "7"][next() % 4])],
        );
        for _ in 0..next() % 6 {
            let mut piece = seeds[next() % 4].to_vec();
            let (at, byte) = (next() % piece.len(), next() as u8);
            piece[at] = byte;
            watch.pass(&piece);
        }
        watch.end();
    }
}

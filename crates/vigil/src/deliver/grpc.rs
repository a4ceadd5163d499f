//! OTLP over gRPC: one unary call a batch, spoken by hand over HTTP/2.
//!
//! A call is a `POST` whose body is one message behind five bytes (compressed or not, and its length); the
//! verdict comes in the trailers, or in the headers when there is no message.

use super::config::SignalConfig;
use super::diagnostic::Problem;
use super::receipt::LossReason;
use super::retry::{Verdict, grpc_code_of_http, judge_grpc, rejected_records, retry_delay, retry_info};
use super::throttle;
use super::transport::{
    Attempt, HttpClient, Unreadable, client, compressed, headers, max_request_bytes, problem_of, read_answer,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue, TE};
use http::{Method, Request, Version};
use http_body_util::Full;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The bytes before a message.
const PREFIX: usize = 5;

pub(super) struct GrpcSender {
    client: HttpClient,
    config: SignalConfig,
    headers: HeaderMap,
}

impl GrpcSender {
    pub(super) fn new(config: &SignalConfig) -> Result<Self, rustls::Error> {
        let mut headers = headers(config, "application/grpc");
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(coding) = config.compression.coding() {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static(coding));
        }
        // At most eight digits, says gRPC: 27 hours of milliseconds.
        let timeout = format!("{}m", config.timeout.as_millis().clamp(1, 99_999_999));
        if let Ok(timeout) = HeaderValue::from_str(&timeout) {
            headers.insert(GRPC_TIMEOUT, timeout);
        }
        Ok(Self { client: client(config)?, config: config.clone(), headers })
    }

    pub(super) fn max_request_bytes(&self) -> usize {
        max_request_bytes(&self.config)
    }

    pub(super) fn request_body(&self, body: &Bytes) -> Bytes {
        let message = compressed(body, self.config.compression);
        let mut framed = BytesMut::with_capacity(PREFIX + message.len());
        framed.put_u8(u8::from(self.config.compression.coding().is_some()));
        // Below 64 MiB by `max_request_bytes`.
        framed.put_u32(message.len() as u32);
        framed.put_slice(&message);
        framed.freeze()
    }

    pub(super) async fn send(&mut self, body: Bytes) -> Attempt {
        if let Ok(attempt) = tokio::time::timeout(self.config.timeout, self.exchange(body)).await {
            return attempt;
        }
        // The connection may be dead without anyone having said so; the next attempt makes a new one.
        if let Ok(client) = client(&self.config) {
            self.client = client;
        }
        Attempt::unanswered(Problem::TimedOut(self.config.timeout))
    }

    async fn exchange(&self, body: Bytes) -> Attempt {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.config.endpoint.uri().clone();
        *request.headers_mut() = self.headers.clone();
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return Attempt::unanswered(problem_of(&error)),
        };
        let (head, body) = response.into_parts();
        if head.headers.contains_key(GRPC_STATUS) {
            return verdict(&head.headers, &[]);
        }
        if head.status.as_u16() != 200 {
            let status = head.status.as_u16();
            let verdict = judge_grpc(grpc_code_of_http(status), None, b"");
            let throttle = throttle::of_http(status, &head.headers, crate::clock::wall());
            return Attempt { throttle, ..Attempt::new(verdict, Problem::Status(status)) };
        }
        match read_answer(body).await {
            Ok((answer, trailers)) => verdict(&trailers, &answer),
            Err(Unreadable::TooLarge) => Attempt::new(Verdict::Drop(LossReason::BadAnswer), Problem::NotOtlp),
            Err(Unreadable::Closed) => Attempt::unanswered(Problem::Closed),
        }
    }
}

fn verdict(trailers: &HeaderMap, answer: &[u8]) -> Attempt {
    let status = trailers.get(GRPC_STATUS).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    match status {
        Some(0) => {
            let message = answer.get(PREFIX..).unwrap_or_default();
            Attempt::delivered(rejected_records(message).unwrap_or(0))
        }
        Some(code) => {
            let details = trailers.get(GRPC_STATUS_DETAILS).and_then(|value| unbase64(value.as_bytes()));
            let message = trailers.get(GRPC_MESSAGE).map_or(&b""[..], HeaderValue::as_bytes);
            let message = super::endpoint::percent_decoded(message);
            let verdict = judge_grpc(code, details.as_deref().and_then(retry_info), &message);
            let delay = details.as_deref().and_then(retry_delay);
            let throttle = throttle::of_grpc(code, delay, crate::clock::wall());
            Attempt { throttle, ..Attempt::new(verdict, Problem::Grpc(code)) }
        }
        // A 200 that ends without a status is no gRPC.
        None => Attempt::new(Verdict::Drop(LossReason::BadAnswer), Problem::NotOtlp),
    }
}

/// Reads base64 of either alphabet, padded or not, as binary headers have it.
fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut group, mut bits) = (0u32, 0);
    for byte in text.iter().copied().take_while(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        group = group << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
            group &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::json::base64;

    #[test]
    fn base64_reads_back_what_it_wrote() {
        for len in 0..40u8 {
            let bytes: Vec<u8> = (0..len).map(|byte| byte.wrapping_mul(37) ^ 0xff).collect();
            let mut text = Vec::new();
            base64(&bytes, &mut text);
            assert_eq!(unbase64(&text), Some(bytes.clone()));
            text.retain(|byte| *byte != b'=');
            assert_eq!(unbase64(&text), Some(bytes));
        }
        assert_eq!(unbase64(b"a b"), None);
    }
}

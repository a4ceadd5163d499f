//! OTLP over HTTP/1.1 with bodies of protobuf or JSON.

use super::config::{Protocol, SignalConfig};
use super::diagnostic::Problem;
use super::receipt::LossReason;
use super::retry::{Verdict, judge_http, rejected_records, rejected_records_json};
use super::throttle;
use super::transport::{
    Attempt, HttpClient, Unreadable, client, compressed, headers, max_request_bytes, problem_of, read_answer,
};
use crate::encode::Batch;
use crate::encode::json::to_json_line;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request};
use http_body_util::Full;

pub(super) struct HttpSender {
    client: HttpClient,
    config: SignalConfig,
    headers: HeaderMap,
}

impl HttpSender {
    pub(super) fn new(config: &SignalConfig) -> Result<Self, rustls::Error> {
        let content_type = match config.protocol {
            Protocol::HttpJson => "application/json",
            _ => "application/x-protobuf",
        };
        let mut headers = headers(config, content_type);
        if let Some(coding) = config.compression.coding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        Ok(Self { client: client(config)?, config: config.clone(), headers })
    }

    pub(super) fn max_request_bytes(&self) -> usize {
        max_request_bytes(&self.config)
    }

    /// `None` when it is larger than a request may be, which JSON may be where protobuf is not.
    pub(super) fn request_body(&self, batch: &Batch) -> Option<Bytes> {
        let body = match self.config.protocol {
            Protocol::HttpJson => {
                let mut json = Vec::with_capacity(batch.body().len() * 2);
                to_json_line(batch.signal(), batch.body(), &mut json).ok()?;
                json.pop();
                Bytes::from(json)
            }
            _ => batch.body().clone(),
        };
        (body.len() <= self.max_request_bytes()).then(|| compressed(&body, self.config.compression))
    }

    pub(super) async fn send(&self, body: Bytes) -> Attempt {
        tokio::time::timeout(self.config.timeout, self.exchange(body))
            .await
            .unwrap_or_else(|_| Attempt::unanswered(Problem::TimedOut(self.config.timeout)))
    }

    async fn exchange(&self, body: Bytes) -> Attempt {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.config.endpoint.uri().clone();
        *request.headers_mut() = self.headers.clone();
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return Attempt::unanswered(problem_of(&error)),
        };
        let (head, body) = response.into_parts();
        let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        if !head.status.is_success() {
            let status = head.status.as_u16();
            let now = crate::clock::wall();
            let verdict = judge_http(status, header(RETRY_AFTER), now);
            let throttle = throttle::of_http(status, &head.headers, now);
            // Reading a short answer keeps the connection; what it says is nobody's business.
            if body_is_short(&head.headers) {
                drop(read_answer(body).await);
            }
            return Attempt { throttle, ..Attempt::new(verdict, Problem::Status(status)) };
        }
        let content_type = header(CONTENT_TYPE).unwrap_or_default();
        if content_type.starts_with("text/html") {
            return Attempt::new(Verdict::Drop(LossReason::BadAnswer), Problem::NotOtlp);
        }
        match read_answer(body).await {
            Ok((answer, _)) if content_type.contains("json") => Attempt::delivered(rejected_records_json(&answer)),
            // A 2xx means taken; some servers put words where the empty message should be.
            Ok((answer, _)) => Attempt::delivered(rejected_records(&answer).unwrap_or(0)),
            Err(Unreadable::TooLarge) => Attempt::new(Verdict::Drop(LossReason::BadAnswer), Problem::NotOtlp),
            Err(Unreadable::Closed) => Attempt::unanswered(Problem::Closed),
        }
    }
}

fn body_is_short(headers: &HeaderMap) -> bool {
    const SHORT: u64 = 64 << 10;
    let length = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.is_some_and(|length: u64| length <= SHORT)
}

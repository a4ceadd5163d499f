//! What response headers tell: that a limit was hit, when to come again, what is left.
//!
//! Headers come as they come: in any case, twice, contradicting each other, negative, absurd. Numbers that are none
//! are passed over, of two waits the longer counts, and at most 256 headers of at most 1 KiB are read.

mod limits;

pub(super) use limits::{Limit, Reset};

use super::time::{Clock, duration, instant};
use crate::vocab::{LimitScope, ProviderCode, Service};
use std::time::Duration;

/// The most headers that are read.
const MAX_HEADERS: usize = 256;
/// The longest value that is read, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// What the headers of a response tell.
#[derive(Debug, Default)]
pub(super) struct FromHeaders {
    /// How long to wait.
    pub(super) retry_after: Option<Duration>,
    /// When to come again, where that was said as an instant.
    pub(super) retry_at: Option<instant::Instant>,
    /// The limits there are.
    pub(super) limits: Vec<Limit>,
    /// Anthropic's unified limit rejected the request.
    pub(super) unified_rejected: bool,
    /// Which limit of a ChatGPT plan was reached.
    pub(super) codex_reached: Option<ProviderCode>,
    /// AWS' class of error.
    pub(super) amazon_error: Option<String>,
    /// Whose headers they are.
    pub(super) service: Option<Service>,
}

/// Names that only one service's headers have.
static SERVICES: &[(&str, Service)] = &[
    ("anthropic-", Service::Anthropic),
    ("x-codex-", Service::CodexCli),
    ("openai-", Service::OpenAi),
    ("x-github-", Service::GithubRest),
    ("x-amzn-", Service::AwsBedrock),
    ("apim-request-id", Service::AzureOpenAi),
    ("x-ms-", Service::AzureOpenAi),
    ("x-groq-", Service::Groq),
    ("docker-ratelimit-source", Service::DockerRegistry),
];

/// Reads the headers of a response.
pub(super) fn read(headers: &[(&str, &str)], clock: Clock) -> FromHeaders {
    let mut told = FromHeaders::default();
    for (name, value) in headers.iter().take(MAX_HEADERS) {
        if name.len() > MAX_VALUE_BYTES || value.len() > MAX_VALUE_BYTES {
            continue;
        }
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        if told.service.is_none() {
            told.service = SERVICES.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, service)| *service);
        }
        match name.as_str() {
            "retry-after" => told.wait(value, 1.0, clock),
            "retry-after-ms" | "x-ms-retry-after-ms" => told.wait(value, 0.001, clock),
            "x-codex-rate-limit-reached-type" => told.codex_reached = value.to_ascii_lowercase().parse().ok(),
            "x-amzn-errortype" => {
                told.amazon_error = value.split([':', '#']).find(|part| part.ends_with("Exception")).map(str::to_owned);
            }
            "server" if value.eq_ignore_ascii_case("github.com") => told.service = Some(Service::GithubRest),
            _ => {
                if name.starts_with("anthropic-ratelimit-unified-") && name.ends_with("status") {
                    let is_overage = name.contains("overage");
                    told.unified_rejected |= !is_overage && value.eq_ignore_ascii_case("rejected");
                }
                limits::take(&name, value, clock, &mut told.limits);
            }
        }
    }
    told
}

impl FromHeaders {
    fn wait(&mut self, value: &str, scale: f64, clock: Clock) {
        if let Some(wait) = duration::parse(value, scale) {
            self.retry_after = self.retry_after.max(Some(wait));
        } else if let Some(at) = instant::parse(value, clock) {
            self.retry_at = Some(at);
        }
    }

    /// The limit of which nothing is left.
    pub(super) fn exhausted(&self) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.remaining == Some(0)).or_else(|| {
            self.limits.iter().find(|limit| {
                limit.scope == LimitScope::SubscriptionWindow && limit.used.is_some_and(|used| used >= 1.0)
            })
        })
    }
}

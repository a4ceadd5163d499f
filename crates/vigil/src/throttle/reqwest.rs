//! A middleware for `reqwest` clients, by way of `reqwest-middleware`.

use super::body::{Observed, WatchedBody};
use super::record::Place;
use super::watch::Watch;
use crate::telemetry::Telemetry;
use http::Extensions;
use reqwest::{Body, Request, Response, ResponseBuilderExt as _};
use reqwest_middleware::{Middleware, Next, Result};

/// Watches every response of a `reqwest` client for throttling, and records it on the span that is current when the
/// request is made. Place it innermost, so that it sees each attempt of a middleware that retries.
///
/// ```
/// use vigil::throttle::ThrottleMiddleware;
///
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
///     .with(ThrottleMiddleware::new())
///     .build();
/// ```
///
/// A response whose body is worth a look comes back with a body that is watched as it streams through; all others
/// come back as they are.
#[derive(Clone, Debug, Default)]
pub struct ThrottleMiddleware {
    telemetry: Option<Telemetry>,
}

impl ThrottleMiddleware {
    /// A middleware that records where the current span does, or to the installed telemetry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A middleware that records to `telemetry`.
    pub fn with(telemetry: Telemetry) -> Self {
        Self { telemetry: Some(telemetry) }
    }
}

#[async_trait::async_trait]
impl Middleware for ThrottleMiddleware {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let place = Place::here(self.telemetry.as_ref());
        let response = next.run(request, extensions).await?;
        let Some(place) = place else { return Ok(response) };
        // After redirects: whoever answered throttles.
        let host = response.url().host_str().map(str::to_owned);
        let watch = Watch::new(host, response.status().as_u16(), super::owned(response.headers()));
        Ok(match Observed::head(watch, place) {
            Some(observed) => watched(response, observed),
            None => response,
        })
    }
}

/// `response` with a body that is watched. What else there is of it stays.
fn watched(response: Response, observed: Observed) -> Response {
    let url = response.url().clone();
    let (mut head, body) = http::Response::from(response).into_parts();
    // The address of a response is an extension that only a builder can make.
    if let Ok(bare) = http::Response::builder().url(url).body(()) {
        head.extensions.extend(bare.into_parts().0.extensions);
    }
    let body = Body::wrap(WatchedBody::new(body, Some(observed)));
    Response::from(http::Response::from_parts(head, body))
}

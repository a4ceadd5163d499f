//! A `tower` layer over any service that answers with HTTP responses.

use super::body::{Observed, WatchedBody};
use super::record::Place;
use super::watch::Watch;
use crate::telemetry::Telemetry;
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Watches every response of an HTTP client for throttling, and records it on the span that is current when the
/// request is made.
///
/// Bodies stream through unchanged: only their type becomes [`WatchedBody`].
///
/// ```
/// use tower_layer::Layer;
/// use vigil::throttle::ThrottleLayer;
///
/// # fn client<S>(http_client: S) {
/// // Of the installed telemetry, or of whatever span is current; `with` names another.
/// let client = ThrottleLayer::new().layer(http_client);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ThrottleLayer {
    telemetry: Option<Telemetry>,
}

impl ThrottleLayer {
    /// A layer that records where the current span does, or to the installed telemetry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A layer that records to `telemetry`.
    pub fn with(telemetry: Telemetry) -> Self {
        Self { telemetry: Some(telemetry) }
    }
}

impl<S> Layer<S> for ThrottleLayer {
    type Service = ThrottleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ThrottleService { inner, telemetry: self.telemetry.clone() }
    }
}

/// A service whose responses are watched; made by [`ThrottleLayer`].
#[derive(Clone, Debug)]
pub struct ThrottleService<S> {
    inner: S,
    telemetry: Option<Telemetry>,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for ThrottleService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
{
    type Response = Response<WatchedBody<ResponseBody>>;
    type Error = S::Error;
    type Future = ThrottleFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let host = request.uri().host().map(str::to_owned).or_else(|| host_header(&request));
        let place = Place::here(self.telemetry.as_ref());
        ThrottleFuture { inner: self.inner.call(request), host, place }
    }
}

/// Clients of HTTP/1.1 may have the host in a header only.
fn host_header<B>(request: &Request<B>) -> Option<String> {
    request.headers().get(http::header::HOST)?.to_str().ok().map(str::to_owned)
}

pin_project! {
    /// The response of a [`ThrottleService`], to be.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ThrottleFuture<F> {
        #[pin]
        inner: F,
        host: Option<String>,
        place: Option<Place>,
    }
}

impl<F, B, E> Future for ThrottleFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<WatchedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(context))?;
        let (host, place) = (this.host.take(), this.place.take());
        let observed = place.and_then(|place| {
            let headers = super::owned(response.headers());
            Observed::head(Watch::new(host, response.status().as_u16(), headers), place)
        });
        Poll::Ready(Ok(response.map(|body| WatchedBody::new(body, observed))))
    }
}

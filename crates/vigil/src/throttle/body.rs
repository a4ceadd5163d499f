//! A body that is looked at while it streams through.

use super::record::Place;
use super::watch::Watch;
use bytes::Buf;
use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use vigil_core::throttle::{DownstreamOperation, Throttle, Told};

pin_project! {
    /// The body of a response that is looked at while it streams through, unchanged and at once.
    #[derive(Debug)]
    pub struct WatchedBody<B> {
        #[pin]
        inner: B,
        observed: Option<Observed>,
    }
}

impl<B> WatchedBody<B> {
    /// `inner`, and what is to be observed of it, if anything is.
    pub(super) fn new(inner: B, observed: Option<Observed>) -> Self {
        Self { inner, observed }
    }
}

/// What is observed of a body, and where it is recorded. Dropping it is the end of the body: whoever read it may
/// have lost interest.
#[derive(Debug)]
pub(super) struct Observed {
    watch: Watch,
    place: Place,
}

impl Observed {
    /// Records what the head of a response tells; what is left is to be observed of its body, if anything is.
    pub(super) fn head(watch: Watch, place: Place) -> Option<Self> {
        place.headroom(watch.host(), watch.headers());
        if watch.reads_body() {
            return Some(Self { watch, place });
        }
        record(place, watch.verdict());
        None
    }

    fn pass(&mut self, bytes: &[u8]) {
        record(self.place, self.watch.pass(bytes));
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        record(self.place, self.watch.end());
    }
}

fn record(place: Place, throttle: Option<Throttle>) {
    if let Some(throttle) = throttle {
        place.throttled(&throttle, Told { operation: Some(DownstreamOperation::HttpRequest), ..Told::default() });
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        match (&frame, this.observed.as_mut()) {
            // A first chunk is all there is of most kinds of data; of others the rest is not looked at.
            (Some(Ok(frame)), Some(observed)) => frame.data_ref().map_or((), |data| observed.pass(data.chunk())),
            (Some(Err(_)) | None, _) => *this.observed = None,
            (Some(Ok(_)), None) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

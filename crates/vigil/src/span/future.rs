//! Futures inside spans.

use super::Span;
use super::ambient::Scope;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets a future run inside a span.
pub trait InSpanExt: Future + Sized {
    /// Makes `span` current whenever this future is polled, so that spans started inside without a handle,
    /// and other people's `tracing` spans, become its children. The span itself is not ended by this.
    fn in_span(self, span: &Span) -> InSpan<Self> {
        InSpan { future: self, scope: span.scope() }
    }
}

impl<F: Future> InSpanExt for F {}

pin_project_lite::pin_project! {
    /// A future that runs inside a span; made by [`InSpanExt::in_span`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InSpan<F> {
        #[pin]
        future: F,
        scope: Scope,
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _guard = this.scope.enter();
        this.future.poll(context)
    }
}

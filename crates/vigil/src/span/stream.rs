//! Model streams: a chat span that ends with its stream, however that ends.

use super::ChatSpan;
use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use vigil_core::vocab::ErrorType;

/// What a look at one item of the stream found.
type Inspect<T, E> = Box<dyn FnMut(&mut ChatSpan, &Result<T, E>) -> Option<ErrorType> + Send>;

pin_project_lite::pin_project! {
    /// A stream that owns its chat span; made by [`ChatSpan::stream`].
    ///
    /// The span gets the time to the first chunk, and ends: finished when the stream ends, failed at its
    /// first error, cancelled when the stream is dropped before either. Usage recorded meanwhile is kept.
    #[must_use = "streams do nothing unless polled"]
    pub struct SpanStream<S, T, E> {
        #[pin]
        stream: S,
        chat: Option<ChatSpan>,
        begun: bool,
        inspect: Inspect<T, E>,
    }
}

impl<S, T, E> std::fmt::Debug for SpanStream<S, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpanStream").field("chat", &self.chat).finish_non_exhaustive()
    }
}

impl<S, T, E> SpanStream<S, T, E> {
    pub(super) fn new(stream: S, chat: ChatSpan, inspect: Inspect<T, E>) -> Self {
        Self { stream, chat: Some(chat), begun: false, inspect }
    }
}

impl<S: Stream<Item = Result<T, E>>, T, E> Stream for SpanStream<S, T, E> {
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let polled = {
            let _guard = this.chat.as_ref().map(|chat| chat.enter());
            this.stream.poll_next(context)
        };
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => {
                if let Some(chat) = this.chat.take() {
                    chat.finish();
                }
            }
            Poll::Ready(Some(item)) => {
                if let Some(mut chat) = this.chat.take() {
                    if !std::mem::replace(this.begun, true) {
                        chat.record_first_chunk();
                    }
                    let found = (this.inspect)(&mut chat, item);
                    match (item, found) {
                        (_, Some(error)) => chat.fail(error),
                        (Err(_), None) => chat.fail(ErrorType::OTHER),
                        (Ok(_), None) => *this.chat = Some(chat),
                    }
                }
            }
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

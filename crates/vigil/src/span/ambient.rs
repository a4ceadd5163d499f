//! The span that is current on this thread, for code that cannot be handed its parent.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use vigil_core::id::SpanContext;

use crate::record::Recorder;

/// The span a thread is inside of, and whom it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Ambient {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) context: SpanContext,
    pub(crate) sampled: bool,
}

thread_local! {
    static CURRENT: RefCell<Option<Ambient>> = const { RefCell::new(None) };
}

/// The context of the span that is current on this thread, if any.
pub fn current() -> Option<SpanContext> {
    Ambient::current().map(|ambient| ambient.context)
}

impl Ambient {
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// The current span, when it belongs to `recorder`.
    pub(crate) fn of(recorder: &Arc<Recorder>) -> Option<Self> {
        Self::current().filter(|ambient| Arc::ptr_eq(&ambient.recorder, recorder))
    }

    pub(crate) fn replace(ambient: Option<Self>) -> Option<Self> {
        CURRENT.try_with(|current| current.replace(ambient)).ok().flatten()
    }
}

/// A span as something to be inside of: what [`EnterGuard`] makes current.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) ambient: Option<Ambient>,
    #[cfg(feature = "tracing")]
    pub(crate) mirror: Option<tracing::Span>,
}

impl Scope {
    pub(crate) fn enter(&self) -> EnterGuard {
        EnterGuard {
            before: Ambient::replace(self.ambient.clone()),
            #[cfg(feature = "tracing")]
            _mirror: self.mirror.clone().map(tracing::Span::entered),
            not_send: PhantomData,
        }
    }
}

/// Keeps a span current on this thread until it is dropped. Not `Send`: for futures use
/// [`in_span`](crate::InSpanExt::in_span).
#[must_use = "the span is current only while the guard lives"]
#[derive(Debug)]
pub struct EnterGuard {
    before: Option<Ambient>,
    #[cfg(feature = "tracing")]
    _mirror: Option<tracing::span::EnteredSpan>,
    not_send: PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        drop(Ambient::replace(self.before.take()));
    }
}

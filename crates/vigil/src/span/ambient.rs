//! The spans a thread is inside of, for code that cannot be handed its parent.
//!
//! A stack a thread, the innermost last. Spans of several telemetry values may lie on it; each value sees its
//! own only. Leaving takes a span out wherever it lies, so that guards may be dropped in any order.

use super::span::Parent;
use crate::record::Recorder;
use std::cell::RefCell;
use std::marker::PhantomData;
use vigil_core::id::{SpanContext, SpanId};

/// A span a thread is inside of, and whom it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Ambient {
    pub(crate) recorder: &'static Recorder,
    pub(crate) context: SpanContext,
    pub(crate) sampled: bool,
}

/// What names a span on the stack. Telemetry values with the same seed give the same ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entered {
    span: SpanId,
    recorder: u64,
}

thread_local! {
    static ENTERED: RefCell<Vec<Ambient>> = const { RefCell::new(Vec::new()) };
}

/// The context of the span that is current on this thread, if any.
pub fn current() -> Option<SpanContext> {
    ENTERED.try_with(|entered| entered.borrow().last().map(|ambient| ambient.context)).ok().flatten()
}

impl Ambient {
    /// The innermost span that belongs to `recorder`.
    pub(crate) fn of(recorder: &'static Recorder) -> Option<Self> {
        ENTERED
            .try_with(|entered| {
                let entered = entered.borrow();
                entered.iter().rev().find(|ambient| std::ptr::eq(ambient.recorder, recorder)).cloned()
            })
            .ok()
            .flatten()
    }

    /// The innermost span, whomever it belongs to.
    pub(crate) fn innermost() -> Option<Self> {
        ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
    }

    pub(crate) fn as_parent(&self) -> Parent {
        Parent { context: Some(self.context), sampled: Some(self.sampled), remote: false }
    }

    pub(crate) fn entered(&self) -> Entered {
        Entered { span: self.context.span_id, recorder: self.recorder.id() }
    }

    /// Makes this span the current one until [`leave`](Self::leave).
    pub(crate) fn enter(self) -> Entered {
        let name = self.entered();
        // A thread that is being torn down has no stack left, and nothing will ask for it either.
        ENTERED.try_with(|entered| entered.borrow_mut().push(self)).ok();
        name
    }

    pub(crate) fn leave(name: Entered) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let place = entered.iter().rposition(|ambient| ambient.entered() == name)?;
            Some(entered.remove(place))
        });
        drop(left);
    }
}

/// A span as something to be inside of: what [`EnterGuard`] makes current.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// `None` when the span records nothing; what is current stays so.
    pub(crate) ambient: Option<Ambient>,
    #[cfg(feature = "tracing")]
    pub(crate) mirror: Option<tracing::Span>,
}

impl Scope {
    pub(crate) fn enter(&self) -> EnterGuard {
        EnterGuard {
            entered: self.ambient.clone().map(Ambient::enter),
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
    entered: Option<Entered>,
    #[cfg(feature = "tracing")]
    _mirror: Option<tracing::span::EnteredSpan>,
    not_send: PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        if let Some(entered) = self.entered {
            Ambient::leave(entered);
        }
    }
}

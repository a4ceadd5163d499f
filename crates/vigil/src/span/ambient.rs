//! The spans a thread is inside of, for code that cannot be handed its parent.
//!
//! A stack a thread, the innermost last. Spans of several telemetry values may lie on it; each value sees its
//! own only. Leaving takes a span out wherever it lies, so that guards may be dropped in any order.
//!
//! Where a telemetry value shares the host's notion of what is current ([`HostContext`](crate::HostContext)), its spans
//! are entered there too, and what is innermost is asked there: one order for both.

use super::span::Parent;
use crate::host::CurrentSpan;
use crate::record::Recorder;
use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use vigil_core::id::{SpanContext, SpanId};

/// A span a thread is inside of, and whom it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Ambient {
    pub(crate) recorder: &'static Recorder,
    pub(crate) context: SpanContext,
    pub(crate) sampled: bool,
    /// Whether it is certain to be a span of another process.
    pub(crate) remote: bool,
}

/// A place on the stack.
struct Place {
    ambient: Ambient,
    /// What keeps the span current for the host; dropped, it no longer is. Never while the stack is borrowed: it runs
    /// the host's code.
    _host: Option<Box<dyn Any>>,
}

/// What names a span on the stack. Telemetry values with the same seed give the same ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entered {
    span: SpanId,
    recorder: u64,
}

thread_local! {
    static ENTERED: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// The context of the span that is current on this thread, if any.
pub fn current() -> Option<SpanContext> {
    ENTERED.try_with(|entered| entered.borrow().last().map(|place| place.ambient.context)).ok().flatten()
}

impl Ambient {
    /// The innermost span that belongs to `recorder`, or that of the host's further in.
    pub(crate) fn of(recorder: &'static Recorder) -> Option<Self> {
        if let Some(host) = recorder.host_context.get()
            && let Some(current) = host.current()
            && !Self::is_of_another(current, recorder)
        {
            let CurrentSpan { context, sampled, remote } = current;
            return Some(Self { recorder, context, sampled, remote });
        }
        ENTERED
            .try_with(|entered| {
                let entered = entered.borrow();
                let ambients = entered.iter().rev().map(|place| &place.ambient);
                ambients.clone().find(|ambient| std::ptr::eq(ambient.recorder, recorder)).cloned()
            })
            .ok()
            .flatten()
    }

    /// Whether what is current for the host is a span of another telemetry value on this thread.
    fn is_of_another(current: CurrentSpan, recorder: &'static Recorder) -> bool {
        let of_another =
            |place: &Place| place.ambient.context == current.context && !std::ptr::eq(place.ambient.recorder, recorder);
        ENTERED.try_with(|entered| entered.borrow().iter().any(of_another)).unwrap_or(false)
    }

    /// The innermost span, whomever it belongs to.
    pub(crate) fn innermost() -> Option<Self> {
        ENTERED.try_with(|entered| entered.borrow().last().map(|place| place.ambient.clone())).ok().flatten()
    }

    pub(crate) fn as_parent(&self) -> Parent {
        Parent { context: Some(self.context), sampled: Some(self.sampled), remote: self.remote }
    }

    pub(crate) fn entered(&self) -> Entered {
        Entered { span: self.context.span_id, recorder: self.recorder.id() }
    }

    /// Makes this span the current one until [`leave`](Self::leave).
    pub(crate) fn enter(self) -> Entered {
        let name = self.entered();
        let current = CurrentSpan { context: self.context, sampled: self.sampled, remote: self.remote };
        let host = self.recorder.host_context.get().map(|host| host.enter(current));
        // A thread that is being torn down has no stack left, and nothing will ask for it either.
        ENTERED.try_with(|entered| entered.borrow_mut().push(Place { ambient: self, _host: host })).ok();
        name
    }

    pub(crate) fn leave(name: Entered) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let place = entered.iter().rposition(|place| place.ambient.entered() == name)?;
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

impl EnterGuard {
    /// Keeps nothing: what is current stays so.
    #[inline(always)]
    pub(crate) fn of_nothing() -> Self {
        Self {
            entered: None,
            #[cfg(feature = "tracing")]
            _mirror: None,
            not_send: PhantomData,
        }
    }
}

impl Drop for EnterGuard {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(entered) = self.entered {
            Ambient::leave(entered);
        }
    }
}

//! The gateway itself, how it is made, and what can be done with it.

use super::answer::Answer;
use super::error::{BoxError, GatewayError};
use super::flow::Attempt;
use super::handlers::Places;
use super::meter::{Calls, Meters};
use super::payload::Payload;
use super::recording::{CallLog, CallSource, Mode, Recording, Replaying};
use crate::budget::Budget;
use crate::span::{InSpanExt, Span};
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use vigil_core::policy::{Policy, Ruling};

/// What every side effect passes. Cheap to clone; clones share budgets and recordings.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

pub(super) struct Inner {
    policy: Arc<Policy>,
    pub(super) meters: Meters,
    pub(super) mode: Mode,
    places: Places,
    pub(super) budget: Option<Budget>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.0.mode {
            Mode::Live => "live",
            Mode::Recording(_) => "recording",
            Mode::Replaying(_) => "replaying",
        };
        f.debug_struct("Gateway").field("policy", &self.0.policy).field("mode", &mode).finish_non_exhaustive()
    }
}

/// A gateway in the making.
#[must_use = "call build()"]
pub struct GatewayBuilder {
    policy: Policy,
    mode: Mode,
    folder: Option<PathBuf>,
    budget: Option<Budget>,
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl GatewayBuilder {
    /// Below which folder relative paths and patterns are meant. Defaults to the process's working folder at the
    /// time of [`build`](Self::build).
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Begins no call once the time of `budget`, or of one above it, is over. What it counts beside is asked for and
    /// settled by whoever knows how much that is.
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Writes every call into `log`, see [`CallLog`].
    pub fn record(mut self, log: impl CallLog + 'static) -> Self {
        self.mode = Mode::Recording(Recording::new(Box::new(log)));
        self
    }

    /// Answers every call from `source`. No handler runs, and the policy is not asked: what was refused when it
    /// was recorded is refused again. Calls have spans only where the telemetry says that it is of a replay
    /// ([`Builder::replay`](crate::Builder::replay)).
    pub fn replay(mut self, source: impl CallSource + 'static) -> Self {
        self.mode = Mode::Replaying(Replaying::new(Box::new(source)));
        self
    }

    /// The gateway. Patterns of files are resolved here: a folder that is named through a symbolic link is the
    /// folder it leads to now.
    pub fn build(self) -> Gateway {
        let Self { mut policy, mode, folder, budget } = self;
        let places = Places::new(folder, &mut policy);
        Gateway(Arc::new(Inner { meters: Meters::of(&policy), policy: Arc::new(policy), mode, places, budget }))
    }
}

/// Something that can be done behind the gateway, ready to be handed a request.
///
/// For what is done in one place a closure is shorter, see [`Gateway::call`].
pub trait Handler<R: Payload> {
    /// What it answers.
    type Answer: Answer;

    /// The capability it uses.
    fn capability(&self) -> &str;

    /// Does it. A [`Denied`](super::Denied) among the errors means that it was refused before anything was done.
    ///
    /// # Errors
    /// Whatever it is that went wrong.
    fn handle(&self, call: &Call<'_>, request: R) -> Result<Self::Answer, BoxError>;
}

/// A [`Handler`] that waits without holding up its thread.
pub trait AsyncHandler<R: Payload>: Handler<R> {
    /// Does what [`handle`](Handler::handle) does.
    ///
    /// # Errors
    /// Whatever it is that went wrong.
    fn handle_async(&self, call: &Call<'_>, request: R) -> impl Future<Output = Result<Self::Answer, BoxError>> + Send;
}

/// What a [`Handler`] knows of the call it is in.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    gateway: &'a Inner,
    span: &'a Span,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("span", &self.span).finish_non_exhaustive()
    }
}

impl<'a> Call<'a> {
    /// The policy, to be asked about what would really be touched.
    pub fn policy(&self) -> &'a Policy {
        &self.gateway.policy
    }

    /// The policy, to be kept.
    pub(super) fn shared_policy(&self) -> Arc<Policy> {
        Arc::clone(&self.gateway.policy)
    }

    /// The call's span.
    pub fn span(&self) -> &'a Span {
        self.span
    }

    pub(super) fn places(&self) -> &'a Places {
        &self.gateway.places
    }
}

impl Gateway {
    /// A gateway that holds calls to `policy`.
    pub fn new(policy: Policy) -> Self {
        Self::builder(policy).build()
    }

    /// A gateway with more than a policy.
    pub fn builder(policy: Policy) -> GatewayBuilder {
        GatewayBuilder { policy, mode: Mode::Live, folder: None, budget: None }
    }

    /// The policy, its patterns resolved.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// What the policy says about `capability`, without using it.
    pub fn ask(&self, capability: &str) -> Ruling {
        self.0.policy.rule(capability)
    }

    /// How many calls of `capability` are left; `None` where they are not counted.
    pub fn calls_left(&self, capability: &str) -> Option<u64> {
        self.0.meters.ask(capability).ok().flatten().map(Calls::left)
    }

    /// Whether results come from a record.
    pub fn is_replay(&self) -> bool {
        matches!(self.0.mode, Mode::Replaying(_))
    }

    /// Makes a call: has `handler` do something with `arguments` if the policy and the budget allow it. Its span
    /// is a child of `parent`.
    ///
    /// # Errors
    /// It was refused, or the handler failed. See [`GatewayError`].
    #[inline]
    pub fn call<A: Payload, T: Answer, E: Into<BoxError>>(
        &self,
        parent: &Span,
        capability: &str,
        arguments: A,
        handler: impl FnOnce(A) -> Result<T, E>,
    ) -> Result<T, GatewayError> {
        if let Some(replaying) = self.0.replaying() {
            return self.0.replay(replaying, parent, capability, &arguments);
        }
        let mut attempt = Attempt::new(&self.0, parent, capability, &arguments);
        attempt.admit()?;
        let result = {
            let _current = attempt.span().enter();
            handler(arguments)
        };
        attempt.end(result)
    }

    /// Makes a call of something asynchronous. Nothing happens before the first poll; a call whose future is
    /// dropped after it counts, and its span is cancelled.
    ///
    /// # Errors
    /// It was refused, or the handler failed. See [`GatewayError`].
    pub async fn call_async<A: Payload, T: Answer, E: Into<BoxError>>(
        &self,
        parent: &Span,
        capability: &str,
        arguments: A,
        handler: impl AsyncFnOnce(A) -> Result<T, E>,
    ) -> Result<T, GatewayError> {
        if let Some(replaying) = self.0.replaying() {
            return self.0.replay(replaying, parent, capability, &arguments);
        }
        let mut attempt = Attempt::new(&self.0, parent, capability, &arguments);
        attempt.admit()?;
        let result = handler(arguments).in_span(attempt.span()).await;
        attempt.end(result)
    }

    /// Has `handler` do what `request` asks for.
    ///
    /// # Errors
    /// It was refused, or the handler failed. See [`GatewayError`].
    pub fn run<R: Payload, H: Handler<R>>(
        &self,
        parent: &Span,
        handler: &H,
        request: R,
    ) -> Result<H::Answer, GatewayError> {
        if let Some(replaying) = self.0.replaying() {
            return self.0.replay(replaying, parent, handler.capability(), &request);
        }
        let mut attempt = Attempt::new(&self.0, parent, handler.capability(), &request);
        attempt.admit()?;
        let result = {
            let _current = attempt.span().enter();
            handler.handle(&Call { gateway: &self.0, span: attempt.span() }, request)
        };
        attempt.end(result)
    }

    /// Has `handler` do what `request` asks for, without holding up the thread. Nothing happens before the first
    /// poll; a call whose future is dropped after it counts, and its span is cancelled.
    ///
    /// # Errors
    /// It was refused, or the handler failed. See [`GatewayError`].
    pub async fn run_async<R: Payload, H: AsyncHandler<R>>(
        &self,
        parent: &Span,
        handler: &H,
        request: R,
    ) -> Result<H::Answer, GatewayError> {
        if let Some(replaying) = self.0.replaying() {
            return self.0.replay(replaying, parent, handler.capability(), &request);
        }
        let mut attempt = Attempt::new(&self.0, parent, handler.capability(), &request);
        attempt.admit()?;
        let call = Call { gateway: &self.0, span: attempt.span() };
        let result = handler.handle_async(&call, request).in_span(attempt.span()).await;
        attempt.end(result)
    }
}

//! The way of one call: ask, reserve, then the handler, then settle and record.

use super::answer::Answer;
use super::error::{BoxError, BudgetExceeded, GatewayError, RuntimeError};
use super::gateway::Inner;
use super::meter::Calls;
use super::payload::{Payload, Walk, digest_of, text_bytes};
use super::recording::{CallOutcome, CallRecord, Mode, Recording, ReplayError, Replaying};
use crate::budget::Budget;
use crate::record::format::{AttrRef, ValueRef};
use crate::span::{CapabilitySpan, Span};
use vigil_core::budget::Ask;
use vigil_core::contract::{EventKind, Key, attr};
use vigil_core::policy::{Clause, Denied};
use vigil_core::vocab::{BudgetKind, CapabilityError, ErrorType};

impl Inner {
    /// What calls are answered from, where they are not made.
    #[inline(always)]
    pub(super) fn replaying(&self) -> Option<&Replaying> {
        match &self.mode {
            Mode::Replaying(replaying) => Some(replaying),
            Mode::Live | Mode::Recording(_) => None,
        }
    }

    /// Answers a call with what it came to when it was recorded.
    #[cold]
    pub(super) fn replay<T: Answer>(
        &self,
        replaying: &Replaying,
        parent: &Span,
        capability: &str,
        arguments: &impl Payload,
    ) -> Result<T, GatewayError> {
        let mut walk = Walk::digesting();
        arguments.walk(&mut walk);
        let bytes_in = walk.bytes_walked();
        let taken = replaying.take(capability, walk.digest());
        let span = parent.is_replay().then(|| {
            let span = parent.capability_span(capability);
            span.set_some(&[(attr::BYTES_IN, bytes_in.into())]);
            span
        });
        match taken {
            Ok((number, outcome)) => Replayed { inner: self, replaying, capability, span, number, outcome }.answer(),
            Err(error) => {
                let error = GatewayError::Replay(error);
                if let Some(span) = span {
                    fail(span, &error, &[]);
                }
                Err(error)
            }
        }
    }
}

/// A call that is under way. When it is dropped before its end, the call was given up.
///
/// It stays where it is made: it is asked for leave and ended by reference, since to move it costs more than to ask.
pub(super) struct Attempt<'a> {
    inner: &'a Inner,
    capability: &'a str,
    /// `None` once it ended.
    span: Option<CapabilitySpan>,
    bytes_in: Option<u64>,
    calls: Option<&'a Calls>,
    left: Option<u64>,
    noted: Option<Box<Noted<'a>>>,
}

/// What is to be recorded of a call.
struct Noted<'a> {
    recording: &'a Recording,
    number: u64,
    digest: [u8; 32],
}

impl<'a> Noted<'a> {
    /// Boxed: a call that is not recorded is the smaller for it.
    #[cold]
    fn new(recording: &'a Recording, arguments: &impl Payload) -> Box<Self> {
        Box::new(Self { recording, number: recording.number(), digest: digest_of(arguments) })
    }
}

impl<'a> Attempt<'a> {
    /// A call with its span, before it is asked for leave.
    #[inline(always)]
    pub(super) fn new(inner: &'a Inner, parent: &Span, capability: &'a str, arguments: &impl Payload) -> Self {
        let noted = match &inner.mode {
            Mode::Recording(recording) => Some(Noted::new(recording, arguments)),
            // What is replayed is no attempt: it never comes here.
            Mode::Live | Mode::Replaying(_) => None,
        };
        let span = parent.capability_span(capability);
        let bytes_in = span.is_recorded().then(|| text_bytes(arguments));
        Self { inner, capability, span: Some(span), bytes_in, calls: None, left: None, noted }
    }

    #[inline(always)]
    pub(super) fn span(&self) -> &Span {
        // Present until the end.
        self.span.as_deref().unwrap_or(&crate::span::OFF)
    }

    /// Asks for leave and reserves. A refusal is recorded, and is the call's end.
    #[inline(always)]
    pub(super) fn admit(&mut self) -> Result<(), GatewayError> {
        self.ask().map_err(|error| self.refused(error))
    }

    #[inline(always)]
    fn ask(&mut self) -> Result<(), GatewayError> {
        if self.noted.as_ref().is_some_and(|noted| noted.recording.is_broken()) {
            return Err(GatewayError::Unrecorded);
        }
        let calls = self.inner.meters.ask(self.capability).map_err(|clause| self.denied(clause))?;
        if let Some(budget) = &self.inner.budget
            && let Some(limit) = budget.time_that_is_over()
        {
            return Err(self.time_exceeded(budget, limit));
        }
        if let Some(calls) = calls {
            self.left = calls.take();
            if self.left.is_none() {
                self.left = Some(0);
                return Err(self.calls_exceeded(calls));
            }
            self.calls = Some(calls);
        }
        Ok(())
    }

    #[cold]
    fn denied(&self, clause: Clause) -> GatewayError {
        GatewayError::Denied(Denied { capability: self.capability.to_owned(), clause })
    }

    #[cold]
    fn time_exceeded(&self, budget: &Budget, limit: u64) -> GatewayError {
        // Refused there too, which tells of it once.
        if let Ok(admission) = budget.admit(self.span(), Ask::TIME) {
            admission.refund(self.span());
        }
        let capability = self.capability.to_owned();
        GatewayError::BudgetExceeded(BudgetExceeded { capability, kind: BudgetKind::Time, limit })
    }

    #[cold]
    fn calls_exceeded(&self, calls: &Calls) -> GatewayError {
        let (kind, limit) = (BudgetKind::CapabilityCalls, calls.limit);
        if calls.is_first_telling() {
            let attributes: [AttrRef<'_>; 3] = [
                (attr::VIGIL_BUDGET_KIND, kind.as_str().into()),
                (attr::VIGIL_BUDGET_LIMIT, limit.into()),
                (attr::CAP_NAME, self.capability.into()),
            ];
            self.span().event(EventKind::BudgetExhausted, EventKind::BudgetExhausted.def().severity, &attributes);
        }
        GatewayError::BudgetExceeded(BudgetExceeded { capability: self.capability.to_owned(), kind, limit })
    }

    /// Ends a call that was not admitted.
    #[cold]
    fn refused(&mut self, error: GatewayError) -> GatewayError {
        self.record(|| CallOutcome::failed(error.kind(), &error.error_type()));
        if let Some(span) = self.span.take() {
            fail(span, &error, &self.attributes(None));
        }
        error
    }

    #[inline(always)]
    pub(super) fn end<T: Answer, E: Into<BoxError>>(&mut self, result: Result<T, E>) -> Result<T, GatewayError> {
        match result {
            Ok(answer) => {
                self.record(|| CallOutcome::Answered(answer.to_record()));
                if let Some(span) = self.span.take() {
                    if span.is_recorded() {
                        span.set_some(&self.attributes(Some(text_bytes(&answer))));
                    }
                    span.finish();
                }
                Ok(answer)
            }
            Err(error) => Err(self.failed(error.into())),
        }
    }

    #[cold]
    fn failed(&mut self, error: BoxError) -> GatewayError {
        let error = match error.downcast::<Denied>() {
            Ok(denied) => {
                // Refused once it was known what it would touch: nothing was done.
                if let Some(calls) = self.calls.take() {
                    calls.put_back();
                    self.left = Some(calls.left());
                }
                GatewayError::Denied(*denied)
            }
            Err(error) => GatewayError::Runtime(RuntimeError::of(error)),
        };
        self.record(|| CallOutcome::failed(error.kind(), &error.error_type()));
        if let Some(span) = self.span.take() {
            fail(span, &error, &self.attributes(None));
        }
        error
    }

    fn attributes(&self, bytes_out: Option<u64>) -> Attributes {
        Attributes::of([
            (attr::BYTES_IN, self.bytes_in),
            (attr::BYTES_OUT, bytes_out),
            (attr::CAP_BUDGET_REMAINING, self.left),
        ])
    }

    #[inline]
    fn record(&self, outcome: impl FnOnce() -> CallOutcome) {
        if let Some(noted) = &self.noted {
            // A log that keeps the ids of spans finds those of this call.
            let _current = self.span().enter();
            let (number, digest) = (noted.number, noted.digest);
            noted.recording.append(&CallRecord {
                number,
                capability: self.capability.to_owned(),
                digest,
                outcome: outcome(),
            });
        }
    }

    #[cold]
    fn given_up(&mut self) {
        let error_type = if std::thread::panicking() { ErrorType::PANIC } else { ErrorType::CANCELLED };
        self.record(|| CallOutcome::failed(CapabilityError::RuntimeError, &error_type));
        let Some(span) = self.span.take() else { return };
        span.set_some(&self.attributes(None));
        if error_type == ErrorType::PANIC {
            span.set_some(&[(attr::ERROR_KIND, CapabilityError::RuntimeError.as_str().into())]);
            span.fail(error_type);
        }
    }
}

impl Drop for Attempt<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.span.is_some() {
            self.given_up();
        }
    }
}

/// A call whose outcome comes from a record.
struct Replayed<'a> {
    inner: &'a Inner,
    replaying: &'a Replaying,
    capability: &'a str,
    span: Option<CapabilitySpan>,
    number: u64,
    outcome: CallOutcome,
}

impl Replayed<'_> {
    fn answer<T: Answer>(self) -> Result<T, GatewayError> {
        let calls = self.inner.meters.ask(self.capability).ok().flatten();
        let capability = || self.capability.to_owned();
        let was_made = !matches!(
            self.outcome,
            CallOutcome::Failed { kind: CapabilityError::Denied | CapabilityError::BudgetExceeded, .. }
        );
        // The count goes on as it did then, so that who asks what is left gets the same answer.
        let left = calls.map(|calls| if was_made { calls.take().unwrap_or(0) } else { calls.left() });
        let result = match self.outcome {
            CallOutcome::Answered(bytes) => T::from_record(&bytes).ok_or_else(|| {
                let error = ReplayError::WrongType { number: self.number, capability: capability() };
                GatewayError::Replay(self.replaying.give_up(error))
            }),
            CallOutcome::Failed { kind: CapabilityError::Denied, .. } => {
                Err(GatewayError::Denied(Denied { capability: capability(), clause: Clause::Recorded }))
            }
            CallOutcome::Failed { kind: CapabilityError::BudgetExceeded, .. } => {
                let limit = calls.map_or(0, |calls| calls.limit);
                let kind = BudgetKind::CapabilityCalls;
                Err(GatewayError::BudgetExceeded(BudgetExceeded { capability: capability(), kind, limit }))
            }
            CallOutcome::Failed { kind: CapabilityError::RuntimeError, error_type } => {
                let error_type = ErrorType::from_code(&error_type);
                Err(GatewayError::Runtime(RuntimeError { error_type, source: None }))
            }
        };
        if let Some(span) = self.span {
            let bytes_out = result.as_ref().ok().map(|answer| text_bytes(answer));
            let attributes = Attributes::of([
                (attr::BYTES_OUT, bytes_out),
                (attr::CAP_BUDGET_REMAINING, left),
                (attr::BYTES_IN, None),
            ]);
            match &result {
                Ok(_) => {
                    span.set_some(&attributes);
                    span.finish();
                }
                Err(error) => fail(span, error, &attributes),
            }
        }
        result
    }
}

/// Ends a span by what went wrong.
fn fail(span: CapabilitySpan, error: &GatewayError, attributes: &[AttrRef<'_>]) {
    span.set_some(attributes);
    span.set_some(&[(attr::ERROR_KIND, error.kind().as_str().into())]);
    span.fail(error.error_type());
}

/// The numbers a span carries, without an allocation.
struct Attributes {
    known: [AttrRef<'static>; 3],
    count: usize,
}

impl Attributes {
    #[inline]
    fn of(numbers: [(Key, Option<u64>); 3]) -> Self {
        let mut attributes = Self { known: [(attr::BYTES_IN, ValueRef::Int(0)); 3], count: 0 };
        for (key, number) in numbers {
            if let Some(number) = number {
                attributes.known[attributes.count] = (key, number.into());
                attributes.count += 1;
            }
        }
        attributes
    }
}

impl std::ops::Deref for Attributes {
    type Target = [AttrRef<'static>];

    fn deref(&self) -> &[AttrRef<'static>] {
        &self.known[..self.count]
    }
}

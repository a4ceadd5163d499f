//! Budgets: what an agent may spend, asked before it is spent.
//!
//! A [`Budget`] limits tokens, money, wall time and tool calls. Clones share it, also between threads, and a
//! [`child`](Budget::child) has limits of its own and spends its parent's too. Before a model call or a tool call it
//! is asked for leave; afterwards it is told the true figures:
//!
//! ```
//! use vigil::{Budget, Limits, Provider, Usage};
//!
//! # let telemetry = vigil::testing::recorder();
//! # let turn = telemetry.turn_span(1);
//! let budget = Budget::new(Limits::none().tokens(30_000).nano_usd(250_000_000).tool_calls(12));
//!
//! let estimate = Usage::total(2_000, 500); // or Usage::unknown()
//! let admission = budget.admit_chat(&turn, &Provider::ANTHROPIC, "claude-sonnet-4-5", &estimate)?;
//! // … the call …
//! admission.settle(&turn, &Usage::anthropic(1_890, 403));
//! assert_eq!(budget.left().tokens_remaining, Some(30_000 - 2_293));
//!
//! let helper = budget.child(Limits::none().tokens(5_000)); // for a sub-agent
//! let tool = helper.admit_tool(&turn)?;
//! tool.settle(&turn);
//! budget.record(&turn); // once a tick: on the span, and on gauges
//! # Ok::<(), vigil::BudgetRefusal>(())
//! ```
//!
//! # The promise
//!
//! - Work that is not admitted does not begin. What was admitted is held until it is settled, so that many threads
//!   together overspend by no more than what was in flight. One call can use more than it asked for: then the next
//!   is refused. No admission can prevent that.
//! - It is the same with telemetry on, off or broken, and does not depend on sampling.
//! - The first time 80 % of a limit are used (see [`Limits::low_at_percent`]) there is one `vigil.budget.low` event, and
//!   the first time something is used up one `vigil.budget.exhausted`, each with what is left.
//! - A model without a price is refused where money is limited, unless [`Unpriced`] says otherwise.
//! - An admission that is dropped counts as what it asked for: whether the work happened nobody knows. One that
//!   is leaked is let go after an hour ([`HELD_FOR`]).

use crate::clock::monotonic;
use crate::record::format::{AttrRef, ValueRef};
use crate::span::{BudgetLeft, Span};
use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vigil_core::budget::{
    AccountId, Amounts, Ask, Ledger, Left, Limits, Notice, Refusal, ReservationId, Unpriced, UnpricedModel,
    ask_for_call,
};
use vigil_core::contract::{EventKind, attr};
use vigil_core::cost::price;
use vigil_core::usage::Usage;
use vigil_core::vocab::{BudgetKind, ErrorType, Provider};

/// How long something is held that is never settled. A model call that takes longer is settled all the same.
pub const HELD_FOR: Duration = Duration::from_secs(3600);
/// The most models without a price that are told of by name.
const UNPRICED_TOLD: usize = 64;

/// What an agent may spend. See [`Limits`].
#[derive(Clone)]
pub struct Budget(Arc<Node>);

/// One account of a tree.
struct Node {
    tree: Arc<Tree>,
    /// `None` where there was no room for one: then it admits nothing.
    account: Option<AccountId>,
    parent: Option<Budget>,
    limits: Limits,
    opened: Instant,
    used: Used,
}

/// What all accounts of a tree share.
struct Tree {
    ledger: Mutex<Ledger>,
    started: Instant,
    unpriced: Unpriced,
    told_unpriced: Mutex<HashSet<String>>,
}

/// What is spent or held on an account and below it, to be read without the lock.
#[derive(Debug, Default)]
struct Used {
    tokens: AtomicU64,
    nano_usd: AtomicU64,
    tool_calls: AtomicU64,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("limits", &self.0.limits).field("left", &self.left()).finish_non_exhaustive()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(account) = self.account {
            self.tree.ledger().close(account);
        }
    }
}

impl Tree {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(monotonic().saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Budget {
    /// A budget whose time begins now. A model without a price is refused where money is limited.
    pub fn new(limits: Limits) -> Self {
        Self::with_unpriced(limits, Unpriced::Refuse)
    }

    /// A budget whose time begins now, and what it and its children do about models without a price.
    pub fn with_unpriced(limits: Limits, unpriced: Unpriced) -> Self {
        let (ledger, account) = Ledger::with_account(limits, 0);
        let tree = Tree { ledger: Mutex::new(ledger), started: monotonic(), unpriced, told_unpriced: Mutex::default() };
        Self::node(Arc::new(tree), Some(account), None, limits)
    }

    /// A budget below this one: it has limits of its own, and what it spends this one spends too. Its time begins
    /// now. There are at most 65,536 budgets of one tree at a time; further ones admit nothing.
    #[must_use]
    pub fn child(&self, limits: Limits) -> Self {
        let now = self.0.tree.now();
        let parent = self.0.account;
        let account = parent.and_then(|parent| self.0.tree.ledger().open_below(parent, limits, now));
        Self::node(Arc::clone(&self.0.tree), account, Some(self.clone()), limits)
    }

    fn node(tree: Arc<Tree>, account: Option<AccountId>, parent: Option<Budget>, limits: Limits) -> Self {
        Self(Arc::new(Node { tree, account, parent, limits, opened: monotonic(), used: Used::default() }))
    }

    /// Asks for leave to spend.
    ///
    /// # Errors
    /// Not enough is left, of this budget or of one above it.
    pub fn admit(&self, span: &Span, ask: Ask) -> Result<Admission, BudgetRefusal> {
        let node = &*self.0;
        let account = node.account.ok_or(BudgetRefusal::Exhausted(Refusal::Closed))?;
        let now = node.tree.now();
        let until = now.saturating_add(u64::try_from(HELD_FOR.as_nanos()).unwrap_or(u64::MAX));
        let mut ledger = node.tree.ledger();
        ledger.expire(now);
        let reserved = ledger.reserve(account, ask, now, until);
        self.publish(ledger, span);
        let id = reserved.map_err(BudgetRefusal::Exhausted)?;
        Ok(Admission { budget: self.clone(), id, held: ask, settled: false })
    }

    /// Asks for leave to call `model`, with what it is expected to use. What is not known of that is admitted as long as
    /// anything is left.
    ///
    /// # Errors
    /// Not enough is left, or the model has no price and the money is limited.
    pub fn admit_chat(
        &self,
        span: &Span,
        provider: &Provider,
        model: &str,
        estimate: &Usage,
    ) -> Result<ChatAdmission, BudgetRefusal> {
        let tree = &self.0.tree;
        let limited = self.chain().any(|budget| budget.0.limits.nano_usd.is_some());
        let ask =
            ask_for_call(Some(provider), model, estimate, limited, tree.unpriced).map_err(BudgetRefusal::Unpriced)?;
        let admission = self.admit(span, ask)?;
        if limited && ask.nano_usd.is_none() && tree.unpriced == Unpriced::Warn {
            self.tell_unpriced(span, model);
        }
        Ok(ChatAdmission { admission, provider: provider.clone(), model: model.to_owned() })
    }

    /// Asks for leave to call a tool.
    ///
    /// # Errors
    /// No tool call is left, or the time is over.
    pub fn admit_tool(&self, span: &Span) -> Result<Admission, BudgetRefusal> {
        self.admit(span, Ask::TOOL_CALL)
    }

    /// What may still be asked for, of this budget and all above it: what is neither spent nor held. Takes no lock.
    pub fn left(&self) -> BudgetLeft {
        let mut now = None;
        let mut left = self.0.left(&mut now);
        for budget in self.chain().skip(1) {
            left = left.and(budget.0.left(&mut now));
        }
        BudgetLeft {
            tokens_remaining: left.tokens,
            cost_remaining_nano_usd: left.nano_usd.map(|nano| i64::try_from(nano).unwrap_or(i64::MAX)),
            time_remaining: left.time,
            tool_calls_remaining: left.tool_calls,
        }
    }

    /// What was spent on this budget and below it, what is held included. Takes no lock.
    pub fn used(&self) -> Amounts {
        self.0.used.amounts()
    }

    /// What this budget limits by itself.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// How long ago its time began.
    pub fn age(&self) -> Duration {
        monotonic().saturating_duration_since(self.0.opened)
    }

    /// Records what is left, on `span` and on the budget gauges. Call it once a tick.
    pub fn record(&self, span: &Span) {
        span.record_budget(&self.left());
    }

    /// The limit of time that is over, if one is, in milliseconds.
    pub(crate) fn time_that_is_over(&self) -> Option<u64> {
        let over = |budget: &Budget| budget.0.limits.time.is_some_and(|limit| budget.age() >= limit);
        self.chain().find(|budget| over(budget))?.0.limits.of(BudgetKind::Time)
    }

    /// This budget and all above it.
    fn chain(&self) -> impl Iterator<Item = &Budget> {
        std::iter::successors(Some(self), |budget| budget.0.parent.as_ref())
    }

    /// Makes what the ledger says readable without it, and tells what is to be told.
    fn publish(&self, mut ledger: MutexGuard<'_, Ledger>, span: &Span) {
        for budget in self.chain() {
            let Some(account) = budget.0.account else { continue };
            let (mut used, held) = (ledger.spent(account), ledger.held(account));
            used.tokens = used.tokens.saturating_add(held.tokens);
            used.nano_usd = used.nano_usd.saturating_add(held.nano_usd);
            used.tool_calls = used.tool_calls.saturating_add(held.tool_calls);
            budget.0.used.set(used);
        }
        let notices = ledger.take_notices();
        drop(ledger);
        for notice in notices {
            self.tell(span, notice);
        }
    }

    #[cold]
    fn tell(&self, span: &Span, notice: Notice) {
        let whose = self.chain().find(|budget| budget.0.account == Some(notice.account)).unwrap_or(self);
        let left = whose.0.left(&mut None);
        let event = if notice.exhausted { EventKind::BudgetExhausted } else { EventKind::BudgetLow };
        let mut attributes: Vec<AttrRef<'_>> = vec![
            (attr::VIGIL_BUDGET_KIND, notice.kind.as_str().into()),
            (attr::VIGIL_BUDGET_LIMIT, notice.limit.into()),
        ];
        let dollars = |nano: u64| ValueRef::Double(nano as f64 / 1e9);
        let millis = |time: Duration| ValueRef::from(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        attributes.extend(left.tokens.map(|left| (attr::LIFE_BUDGET_TOKENS_REMAINING, left.into())));
        attributes.extend(left.nano_usd.map(|left| (attr::LIFE_BUDGET_COST_REMAINING_USD, dollars(left))));
        attributes.extend(left.time.map(|left| (attr::LIFE_BUDGET_TIME_REMAINING_MS, millis(left))));
        attributes.extend(left.tool_calls.map(|left| (attr::LIFE_BUDGET_TOOL_CALLS_REMAINING, left.into())));
        span.event(event, event.def().severity, &attributes);
    }

    #[cold]
    fn tell_unpriced(&self, span: &Span, model: &str) {
        let mut told = self.0.tree.told_unpriced.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < UNPRICED_TOLD && told.insert(model.to_owned()) {
            let event = EventKind::BudgetUnpriced;
            span.event(event, event.def().severity, &[(attr::GEN_AI_REQUEST_MODEL, model.into())]);
        }
    }
}

impl Node {
    /// What is left `now`, which is read where a time is limited, once for a whole chain.
    #[inline]
    fn left(&self, now: &mut Option<Instant>) -> Left {
        let used = self.used.amounts();
        let left = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
        let time = self.limits.time.map(|time| {
            let now = now.get_or_insert_with(monotonic);
            time.saturating_sub(now.saturating_duration_since(self.opened))
        });
        Left {
            tokens: left(self.limits.tokens, used.tokens),
            nano_usd: left(self.limits.nano_usd, used.nano_usd),
            time,
            tool_calls: left(self.limits.tool_calls, used.tool_calls),
        }
    }
}

impl Used {
    fn set(&self, amounts: Amounts) {
        self.tokens.store(amounts.tokens, Ordering::Relaxed);
        self.nano_usd.store(amounts.nano_usd, Ordering::Relaxed);
        self.tool_calls.store(amounts.tool_calls, Ordering::Relaxed);
    }

    fn amounts(&self) -> Amounts {
        Amounts {
            tokens: self.tokens.load(Ordering::Relaxed),
            nano_usd: self.nano_usd.load(Ordering::Relaxed),
            tool_calls: self.tool_calls.load(Ordering::Relaxed),
        }
    }
}

/// Leave to spend. Settle it when the work has ended, or refund it when it did not happen.
#[derive(Debug)]
#[must_use = "dropping it at once counts as having spent all that was asked for; settle or refund it"]
pub struct Admission {
    budget: Budget,
    id: ReservationId,
    held: Ask,
    settled: bool,
}

impl Admission {
    /// Says that what was asked for was spent.
    pub fn settle(mut self, span: &Span) {
        let amounts = self.asked();
        self.end(Some(amounts), span);
    }

    /// Says what was spent.
    pub fn settle_with(mut self, span: &Span, amounts: Amounts) {
        self.end(Some(amounts), span);
    }

    /// Says that the work did not happen: nothing was spent.
    pub fn refund(mut self, span: &Span) {
        self.end(None, span);
    }

    fn asked(&self) -> Amounts {
        Amounts {
            tokens: self.held.tokens.unwrap_or(0),
            nano_usd: self.held.nano_usd.unwrap_or(0),
            tool_calls: self.held.tool_calls.unwrap_or(0),
        }
    }

    fn end(&mut self, spent: Option<Amounts>, span: &Span) {
        self.settled = true;
        let tree = &self.budget.0.tree;
        let now = tree.now();
        let mut ledger = tree.ledger();
        match spent {
            Some(amounts) => ledger.settle(self.id, amounts, now),
            None => ledger.refund(self.id),
        }
        self.budget.publish(ledger, span);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.settled {
            let amounts = self.asked();
            self.end(Some(amounts), &crate::span::OFF);
        }
    }
}

/// Leave to call a model.
#[derive(Debug)]
#[must_use = "dropping it at once counts as having spent all that was asked for; settle or refund it"]
pub struct ChatAdmission {
    admission: Admission,
    provider: Provider,
    model: String,
}

impl ChatAdmission {
    /// Says what the call used, retries included. It costs what it costs by the price of the model that was asked.
    pub fn settle(self, span: &Span, usage: &Usage) {
        let model = self.model.clone();
        self.settle_by(span, &model, usage);
    }

    /// Says what the call used where another model answered than was asked.
    pub fn settle_by(self, span: &Span, model: &str, usage: &Usage) {
        let held = self.admission.held.nano_usd.unwrap_or(0);
        let cost = match price(Some(&self.provider), model, usage).nano_usd() {
            Some(nano_usd) => nano_usd,
            // Its exact name may be new: what was asked for is the better guess, else what was held.
            None => price(Some(&self.provider), &self.model, usage).nano_usd().unwrap_or(held),
        };
        self.admission.settle_with(span, Amounts::of_call(usage, cost));
    }

    /// Says that nothing was used: the call failed before the model began.
    pub fn refund(self, span: &Span) {
        self.admission.refund(span);
    }
}

/// Why a budget does not admit something.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BudgetRefusal {
    /// Not enough is left.
    Exhausted(Refusal),
    /// The model has no price, and the money is limited.
    Unpriced(UnpricedModel),
}

impl BudgetRefusal {
    /// What is used up, if that is why.
    pub const fn kind(&self) -> Option<BudgetKind> {
        match self {
            Self::Exhausted(refusal) => refusal.kind(),
            Self::Unpriced(_) => Some(BudgetKind::Cost),
        }
    }

    /// The word for it as `error.type`.
    pub const fn error_type(&self) -> ErrorType {
        ErrorType::BUDGET_EXHAUSTED
    }
}

impl fmt::Display for BudgetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted(refusal) => refusal.fmt(f),
            Self::Unpriced(model) => model.fmt(f),
        }
    }
}

impl std::error::Error for BudgetRefusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Exhausted(refusal) => Some(refusal),
            Self::Unpriced(model) => Some(model),
        }
    }
}

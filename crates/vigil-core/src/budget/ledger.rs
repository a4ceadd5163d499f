//! Accounts and what is held on them.

use super::amounts::{AMOUNTS, Amounts, Ask, Left, Limits};
use crate::vocab::BudgetKind;
use std::fmt;
use std::time::Duration;

/// The most accounts at a time.
pub const MAX_ACCOUNTS: usize = 65_536;
/// The most reservations at a time.
pub const MAX_RESERVATIONS: usize = 65_536;

/// An account of one ledger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountId {
    place: u32,
    generation: u32,
}

/// Something held in one ledger.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use = "settle or refund it, or what it holds stays held"]
pub struct ReservationId {
    place: u32,
    generation: u32,
}

/// Why something was not admitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// Less is left than was asked for.
    Exhausted {
        /// Of what.
        kind: BudgetKind,
        /// The limit: tokens, nano-dollars, milliseconds or calls, by kind.
        limit: u64,
        /// What is left of it, in the same unit.
        left: u64,
        /// The account whose limit it is: the one that asked, or one above it.
        account: AccountId,
    },
    /// More than [`MAX_RESERVATIONS`] are under way: some are never settled.
    TooManyReservations,
    /// The account was closed.
    Closed,
}

impl Refusal {
    /// What is used up, if that is why.
    pub const fn kind(&self) -> Option<BudgetKind> {
        match self {
            Self::Exhausted { kind, .. } => Some(*kind),
            Self::TooManyReservations | Self::Closed => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted { kind, limit, left, .. } => {
                let unit = match kind {
                    BudgetKind::Tokens => "tokens",
                    BudgetKind::Cost => "billionths of a dollar",
                    BudgetKind::Time => "milliseconds",
                    BudgetKind::ToolCalls => "tool calls",
                    BudgetKind::CapabilityCalls => "calls",
                };
                write!(f, "not enough is left: {left} of {limit} {unit}")
            }
            Self::TooManyReservations => write!(f, "more than {MAX_RESERVATIONS} reservations are under way"),
            Self::Closed => f.write_str("the budget was closed"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Something that should be told once: an account and a kind each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The account.
    pub account: AccountId,
    /// What is running low or used up.
    pub kind: BudgetKind,
    /// Whether it is used up; running low otherwise.
    pub exhausted: bool,
    /// The limit: tokens, nano-dollars, milliseconds or calls, by kind.
    pub limit: u64,
}

/// Slots that are used again, told apart by generation.
#[derive(Clone, Debug)]
struct Slots<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    fn insert(&mut self, value: T, most: usize) -> Option<(u32, u32)> {
        if let Some(place) = self.free.pop() {
            let (generation, slot) = self.slots.get_mut(place as usize)?;
            *slot = Some(value);
            return Some((place, *generation));
        }
        let place = u32::try_from(self.slots.len()).ok().filter(|place| (*place as usize) < most)?;
        self.slots.push((0, Some(value)));
        Some((place, 0))
    }

    fn get(&self, place: u32, generation: u32) -> Option<&T> {
        let (own, slot) = self.slots.get(place as usize)?;
        slot.as_ref().filter(|_| *own == generation)
    }

    fn get_mut(&mut self, place: u32, generation: u32) -> Option<&mut T> {
        let (own, slot) = self.slots.get_mut(place as usize)?;
        slot.as_mut().filter(|_| *own == generation)
    }

    fn remove(&mut self, place: u32, generation: u32) -> Option<T> {
        let (own, slot) = self.slots.get_mut(place as usize)?;
        if *own != generation {
            return None;
        }
        let value = slot.take()?;
        *own = own.wrapping_add(1);
        self.free.push(place);
        Some(value)
    }
}

/// Which kinds were told of already.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    low: u8,
    exhausted: u8,
}

#[derive(Clone, Debug)]
struct Account {
    parent: Option<AccountId>,
    limits: Limits,
    opened: u64,
    spent: Amounts,
    held: Amounts,
    told: Told,
    /// Whoever still needs it: its owner, accounts below it, reservations on it.
    users: u32,
    closed: bool,
}

impl Account {
    fn time_left(&self, now: u64) -> Option<Duration> {
        let passed = Duration::from_nanos(now.saturating_sub(self.opened));
        self.limits.time.map(|limit| limit.saturating_sub(passed))
    }

    fn left_of(&self, kind: BudgetKind) -> Option<u64> {
        let limit = self.limits.of(kind)?;
        Some(limit.saturating_sub(self.spent.of(kind)).saturating_sub(self.held.of(kind)))
    }

    fn left(&self, now: u64) -> Left {
        Left {
            tokens: self.left_of(BudgetKind::Tokens),
            nano_usd: self.left_of(BudgetKind::Cost),
            time: self.time_left(now),
            tool_calls: self.left_of(BudgetKind::ToolCalls),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Reservation {
    account: AccountId,
    held: Amounts,
    until: u64,
    /// What it held was let go.
    expired: bool,
}

/// Accounts, what was spent on them, and what is held. Times are nanoseconds of any one clock.
///
/// ```
/// use vigil_core::budget::{Amounts, Ask, Ledger, Limits};
///
/// let mut ledger = Ledger::default();
/// let agent = ledger.open(Limits::none().tokens(1_000), 0).unwrap();
/// let helper = ledger.open_below(agent, Limits::none().tokens(600), 0).unwrap();
///
/// let ask = Ask { tokens: Some(500), ..Ask::default() };
/// let call = ledger.reserve(helper, ask, 0, u64::MAX).unwrap();
/// assert_eq!(ledger.left(agent, 0).tokens, Some(500));
/// ledger.settle(call, Amounts { tokens: 420, ..Amounts::default() }, 0);
/// assert_eq!(ledger.left(agent, 0).tokens, Some(580));
/// assert!(ledger.reserve(helper, ask, 0, u64::MAX).is_err()); // 180 are left of its own
/// ```
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Slots<Account>,
    reservations: Slots<Reservation>,
    /// The earliest time a reservation may expire at.
    next_expiry: Option<u64>,
    notices: Vec<Notice>,
}

impl Ledger {
    /// A ledger with its first account.
    pub fn with_account(limits: Limits, now: u64) -> (Self, AccountId) {
        let mut ledger = Self::default();
        let account = ledger.open(limits, now);
        // The first of an empty ledger has place 0 and generation 0.
        (ledger, account.unwrap_or(AccountId { place: 0, generation: 0 }))
    }

    /// Opens an account. `None` where there are [`MAX_ACCOUNTS`] already.
    pub fn open(&mut self, limits: Limits, now: u64) -> Option<AccountId> {
        self.insert(None, limits, now)
    }

    /// Opens an account below `parent`. `None` where that is closed, or there are [`MAX_ACCOUNTS`] already.
    pub fn open_below(&mut self, parent: AccountId, limits: Limits, now: u64) -> Option<AccountId> {
        self.account(parent).filter(|account| !account.closed)?;
        let id = self.insert(Some(parent), limits, now)?;
        if let Some(above) = self.account_mut(parent) {
            above.users += 1;
        }
        Some(id)
    }

    fn insert(&mut self, parent: Option<AccountId>, limits: Limits, now: u64) -> Option<AccountId> {
        let account = Account {
            parent,
            limits,
            opened: now,
            spent: Amounts::default(),
            held: Amounts::default(),
            told: Told::default(),
            users: 1,
            closed: false,
        };
        let (place, generation) = self.accounts.insert(account, MAX_ACCOUNTS)?;
        Some(AccountId { place, generation })
    }

    /// Closes an account: nothing is admitted on it any more. What is held on it or below may still be settled.
    pub fn close(&mut self, id: AccountId) {
        let Some(account) = self.account_mut(id).filter(|account| !account.closed) else { return };
        account.closed = true;
        self.release(id);
    }

    /// One user of an account less; without any it is forgotten, and is one user less for the one above.
    fn release(&mut self, id: AccountId) {
        let mut next = Some(id);
        while let Some(id) = next {
            next = None;
            if let Some(account) = self.account_mut(id) {
                account.users -= 1;
                if account.users == 0 {
                    next = account.parent;
                    self.accounts.remove(id.place, id.generation);
                }
            }
        }
    }

    /// Holds what work asks for, if every account up from `id` has it. After `until` it may be let go, see
    /// [`expire`](Self::expire).
    ///
    /// # Errors
    /// The first thing that is short, from `id` upwards.
    pub fn reserve(&mut self, id: AccountId, ask: Ask, now: u64, until: u64) -> Result<ReservationId, Refusal> {
        if let Err(refusal) = self.check(id, ask, now) {
            if let Refusal::Exhausted { kind, account, .. } = refusal {
                self.tell(account, kind, true);
            }
            return Err(refusal);
        }
        let held = ask.held();
        let reservation = Reservation { account: id, held, until, expired: false };
        let inserted = self.reservations.insert(reservation, MAX_RESERVATIONS);
        let (place, generation) = inserted.ok_or(Refusal::TooManyReservations)?;
        if let Some(account) = self.account_mut(id) {
            account.users += 1;
        }
        self.each_above(id, |account| account.held.add(held));
        self.next_expiry = Some(self.next_expiry.map_or(until, |next| next.min(until)));
        self.tell_time(id, now);
        Ok(ReservationId { place, generation })
    }

    fn check(&self, id: AccountId, ask: Ask, now: u64) -> Result<(), Refusal> {
        if self.account(id).is_none_or(|account| account.closed) {
            return Err(Refusal::Closed);
        }
        for (id, account) in self.above(id) {
            let exhausted = |kind, left| Refusal::Exhausted {
                kind,
                limit: account.limits.of(kind).unwrap_or(0),
                left,
                account: id,
            };
            if account.time_left(now) == Some(Duration::ZERO) {
                return Err(exhausted(BudgetKind::Time, 0));
            }
            for kind in AMOUNTS {
                // An unknown amount is at least something.
                if let (Some(asked), Some(left)) = (ask.of(kind), account.left_of(kind))
                    && asked.max(1) > left
                {
                    return Err(exhausted(kind, left));
                }
            }
        }
        Ok(())
    }

    /// Puts what was really spent in the place of what was held. Also after it expired. A second time nothing
    /// happens.
    pub fn settle(&mut self, id: ReservationId, spent: Amounts, now: u64) {
        let Some(reservation) = self.end(id) else { return };
        self.each_above(reservation.account, |account| account.spent.add(spent));
        self.tell_amounts(reservation.account);
        self.tell_time(reservation.account, now);
        self.release(reservation.account);
    }

    /// Lets go what was held: the work did not happen. A second time nothing happens.
    pub fn refund(&mut self, id: ReservationId) {
        if let Some(reservation) = self.end(id) {
            self.release(reservation.account);
        }
    }

    fn end(&mut self, id: ReservationId) -> Option<Reservation> {
        let reservation = self.reservations.remove(id.place, id.generation)?;
        if !reservation.expired {
            self.each_above(reservation.account, |account| account.held.take(reservation.held));
        }
        Some(reservation)
    }

    /// Lets go what was held until before `now`, so that work that was lost does not keep others from theirs;
    /// answers how many reservations that were. Should such work end after all, it is settled as ever.
    pub fn expire(&mut self, now: u64) -> usize {
        if self.next_expiry.is_none_or(|next| next >= now) {
            return 0;
        }
        let mut expired = Vec::new();
        self.next_expiry = None;
        for (_, slot) in &mut self.reservations.slots {
            let Some(reservation) = slot.as_mut().filter(|reservation| !reservation.expired) else { continue };
            if reservation.until < now {
                reservation.expired = true;
                expired.push(*reservation);
            } else {
                self.next_expiry = Some(self.next_expiry.map_or(reservation.until, |at| at.min(reservation.until)));
            }
        }
        for reservation in &expired {
            self.each_above(reservation.account, |account| account.held.take(reservation.held));
        }
        expired.len()
    }

    /// What may still be asked for on an account: the least of it and all above.
    pub fn left(&self, id: AccountId, now: u64) -> Left {
        self.above(id).fold(Left::default(), |left, (_, account)| left.and(account.left(now)))
    }

    /// What was spent on an account and below it.
    pub fn spent(&self, id: AccountId) -> Amounts {
        self.account(id).map_or_else(Amounts::default, |account| account.spent)
    }

    /// What is held on an account and below it.
    pub fn held(&self, id: AccountId) -> Amounts {
        self.account(id).map_or_else(Amounts::default, |account| account.held)
    }

    /// Whether money is limited for an account, by itself or above.
    pub fn is_money_limited(&self, id: AccountId) -> bool {
        self.above(id).any(|(_, account)| account.limits.nano_usd.is_some())
    }

    /// What should be told since this was asked last.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id.place, id.generation)
    }

    fn account_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(id.place, id.generation)
    }

    /// An account and all above it.
    fn above(&self, id: AccountId) -> impl Iterator<Item = (AccountId, &Account)> {
        let mut next = Some(id);
        std::iter::from_fn(move || {
            let id = next?;
            let account = self.account(id)?;
            next = account.parent;
            Some((id, account))
        })
    }

    fn each_above(&mut self, id: AccountId, mut change: impl FnMut(&mut Account)) {
        let mut next = Some(id);
        while let Some(account) = next.and_then(|id| self.account_mut(id)) {
            change(account);
            next = account.parent;
        }
    }

    fn tell(&mut self, id: AccountId, kind: BudgetKind, exhausted: bool) {
        let bit = 1 << kind as u8;
        let Some(account) = self.account_mut(id) else { return };
        let told = if exhausted { &mut account.told.exhausted } else { &mut account.told.low };
        if *told & bit != 0 {
            return;
        }
        *told |= bit;
        let limit = account.limits.of(kind).unwrap_or(0);
        self.notices.push(Notice { account: id, kind, exhausted, limit });
    }

    /// Tells of amounts that are running low, or used up.
    fn tell_amounts(&mut self, id: AccountId) {
        let mut next = Some(id);
        while let Some((id, account)) = next.and_then(|id| Some((id, self.account(id)?))) {
            next = account.parent;
            let found = AMOUNTS.map(|kind| {
                let (spent, limit) = (account.spent.of(kind), account.limits.of(kind)?);
                let low = account.limits.is_low(spent.into(), limit.into());
                Some((kind, low, spent >= limit))
            });
            for (kind, low, exhausted) in found.into_iter().flatten() {
                if low {
                    self.tell(id, kind, false);
                }
                if exhausted {
                    self.tell(id, kind, true);
                }
            }
        }
    }

    fn tell_time(&mut self, id: AccountId, now: u64) {
        let mut next = Some(id);
        while let Some((id, account)) = next.and_then(|id| Some((id, self.account(id)?))) {
            next = account.parent;
            let passed = u128::from(now.saturating_sub(account.opened));
            let low = account.limits.time.is_some_and(|limit| account.limits.is_low(passed, limit.as_nanos()));
            if low {
                self.tell(id, BudgetKind::Time, false);
            }
        }
    }
}

//! What an agent may spend, as data: accounts with limits, and a ledger that admits before anything is spent.
//!
//! An account limits tokens, money, wall time and tool calls. It may stand below another: what is spent on it is
//! spent on all above it too, and every one of them has to admit it. Work asks first ([`Ledger::reserve`]), and
//! what it asked for is held until the true figures are known ([`Ledger::settle`]), the work turned out not to
//! happen ([`Ledger::refund`]), or nobody came back in time ([`Ledger::expire`]).
//!
//! **The promise.** At any time `spent + held <= limit` but for what settled calls used beyond what they asked
//! for. So a budget is never overspent by more than what was in flight; one call can overshoot its estimate, and
//! no admission before the call can prevent that. Sums saturate.
//!
//! At most [`MAX_ACCOUNTS`] accounts and [`MAX_RESERVATIONS`] reservations at a time. Pure: time is a parameter,
//! sharing between threads is the SDK's business.

mod amounts;
mod ask;
mod ledger;

pub use amounts::{Amounts, Ask, Left, Limits};
pub use ask::{Unpriced, UnpricedModel, ask_for_call};
pub use ledger::{AccountId, Ledger, MAX_ACCOUNTS, MAX_RESERVATIONS, Notice, Refusal, ReservationId};

#[cfg(test)]
mod tests;

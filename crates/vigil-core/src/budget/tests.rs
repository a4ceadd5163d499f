use super::*;
use crate::usage::Usage;
use crate::vocab::{BudgetKind, Provider};
use proptest::prelude::*;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn tokens(tokens: u64) -> Ask {
    Ask { tokens: Some(tokens), ..Ask::default() }
}

fn spent(tokens: u64) -> Amounts {
    Amounts { tokens, ..Amounts::default() }
}

#[test]
fn a_childs_spending_counts_for_all_above_it_and_all_above_have_to_admit_it() {
    let mut ledger = Ledger::default();
    let top = ledger.open(Limits::none().tokens(100), 0).unwrap();
    let middle = ledger.open_below(top, Limits::none(), 0).unwrap();
    let low = ledger.open_below(middle, Limits::none().tokens(80), 0).unwrap();
    let call = ledger.reserve(low, tokens(70), 0, u64::MAX).unwrap();
    assert_eq!(ledger.left(top, 0).tokens, Some(30));
    assert_eq!(ledger.left(low, 0).tokens, Some(10));
    ledger.settle(call, spent(60), 0);
    assert_eq!((ledger.spent(top), ledger.spent(middle), ledger.spent(low)), (spent(60), spent(60), spent(60)));
    let call = ledger.reserve(top, tokens(35), 0, u64::MAX).unwrap();
    // 20 are left of its own, 5 of the one at the top.
    let refusal = ledger.reserve(low, tokens(10), 0, u64::MAX).unwrap_err();
    assert_eq!(refusal, Refusal::Exhausted { kind: BudgetKind::Tokens, limit: 100, left: 5, account: top });
    assert_eq!(refusal.to_string(), "not enough is left: 5 of 100 tokens");
    ledger.refund(call);
    assert!(ledger.reserve(low, tokens(10), 0, u64::MAX).is_ok());
}

#[test]
fn an_unknown_amount_is_admitted_as_long_as_anything_is_left() {
    let mut ledger = Ledger::default();
    let account = ledger.open(Limits::none().tokens(10), 0).unwrap();
    let call = ledger.reserve(account, tokens(0), 0, u64::MAX).unwrap();
    ledger.settle(call, spent(25), 0);
    assert_eq!(ledger.left(account, 0).tokens, Some(0));
    assert_eq!(ledger.reserve(account, tokens(0), 0, u64::MAX).unwrap_err().kind(), Some(BudgetKind::Tokens));
    // What is used up keeps nobody from what is not.
    assert!(ledger.reserve(account, Ask::TOOL_CALL, 0, u64::MAX).is_ok());
}

#[test]
fn time_passes_for_all_below() {
    let mut ledger = Ledger::default();
    let top = ledger.open(Limits::none().time(Duration::from_secs(10)), SECOND).unwrap();
    let low = ledger.open_below(top, Limits::none().time(Duration::from_secs(60)), 5 * SECOND).unwrap();
    assert_eq!(ledger.left(low, 5 * SECOND).time, Some(Duration::from_secs(6)));
    assert!(ledger.reserve(low, Ask::TIME, 10 * SECOND, u64::MAX).is_ok());
    let refusal = ledger.reserve(low, Ask::TIME, 11 * SECOND, u64::MAX).unwrap_err();
    assert_eq!(refusal, Refusal::Exhausted { kind: BudgetKind::Time, limit: 10_000, left: 0, account: top });
    // A clock that goes back makes nothing of it.
    assert_eq!(ledger.left(low, 0).time, Some(Duration::from_secs(10)));
}

#[test]
fn running_low_and_used_up_are_told_once_each() {
    let mut ledger = Ledger::default();
    let limits = Limits::none().tokens(100).tool_calls(1).time(Duration::from_secs(10));
    let account = ledger.open(limits, 0).unwrap();
    let use_tokens = |ledger: &mut Ledger, amount, now| {
        let call = ledger.reserve(account, tokens(0), now, u64::MAX).unwrap();
        ledger.settle(call, spent(amount), now);
        let notices = ledger.take_notices();
        notices.into_iter().map(|notice| (notice.kind, notice.exhausted)).collect::<Vec<_>>()
    };
    assert_eq!(use_tokens(&mut ledger, 79, 0), []);
    assert_eq!(use_tokens(&mut ledger, 1, 0), [(BudgetKind::Tokens, false)]);
    assert_eq!(use_tokens(&mut ledger, 1, 8 * SECOND), [(BudgetKind::Time, false)]);
    assert_eq!(use_tokens(&mut ledger, 50, 8 * SECOND), [(BudgetKind::Tokens, true)]);
    for _ in 0..3 {
        assert!(ledger.reserve(account, tokens(1), 8 * SECOND, u64::MAX).is_err());
    }
    assert_eq!(ledger.take_notices(), []);
    assert!(ledger.reserve(account, Ask::TIME, 10 * SECOND, u64::MAX).is_err());
    let notice = Notice { account, kind: BudgetKind::Time, exhausted: true, limit: 10_000 };
    assert_eq!(ledger.take_notices(), [notice]);
}

#[test]
fn what_was_lost_is_let_go_and_still_counts_when_it_comes_back() {
    let mut ledger = Ledger::default();
    let account = ledger.open(Limits::none().tokens(100), 0).unwrap();
    let lost = ledger.reserve(account, tokens(90), 0, SECOND).unwrap();
    let kept = ledger.reserve(account, tokens(10), 0, 3 * SECOND).unwrap();
    assert_eq!(ledger.expire(SECOND), 0);
    assert_eq!(ledger.expire(2 * SECOND), 1);
    assert_eq!(ledger.expire(2 * SECOND), 0);
    assert_eq!(ledger.left(account, 0).tokens, Some(90));
    ledger.settle(lost, spent(70), 0);
    ledger.settle(lost, spent(70), 0);
    ledger.refund(kept);
    ledger.refund(kept);
    assert_eq!(ledger.left(account, 0).tokens, Some(30));
}

#[test]
fn a_closed_account_admits_nothing_and_is_forgotten_when_nobody_needs_it() {
    let mut ledger = Ledger::default();
    let top = ledger.open(Limits::none().tokens(100), 0).unwrap();
    for _ in 0..3 * MAX_ACCOUNTS {
        let child = ledger.open_below(top, Limits::none(), 0).unwrap();
        let call = ledger.reserve(child, tokens(1), 0, u64::MAX).unwrap();
        ledger.close(child);
        ledger.close(child);
        assert_eq!(ledger.reserve(child, tokens(1), 0, u64::MAX), Err(Refusal::Closed));
        assert_eq!(ledger.open_below(child, Limits::none(), 0), None);
        ledger.refund(call);
    }
    assert_eq!(ledger.left(top, 0).tokens, Some(100));
}

#[test]
fn accounts_and_reservations_are_bounded() {
    let mut ledger = Ledger::default();
    let account = ledger.open(Limits::none(), 0).unwrap();
    let held: Vec<_> = (0..MAX_RESERVATIONS).map(|_| ledger.reserve(account, Ask::TIME, 0, 9).unwrap()).collect();
    assert_eq!(ledger.reserve(account, Ask::TIME, 0, 9), Err(Refusal::TooManyReservations));
    ledger.refund(held[7]);
    assert!(ledger.reserve(account, Ask::TIME, 0, 9).is_ok());
    assert_eq!((1..MAX_ACCOUNTS).filter_map(|_| ledger.open(Limits::none(), 0)).count(), MAX_ACCOUNTS - 1);
    assert_eq!(ledger.open(Limits::none(), 0), None);
}

#[test]
fn numbers_beyond_measure_stop_at_the_end() {
    let mut ledger = Ledger::default();
    let account = ledger.open(Limits::none().tokens(u64::MAX).time(Duration::MAX), 0).unwrap();
    for _ in 0..3 {
        let call = ledger.reserve(account, tokens(0), u64::MAX, u64::MAX).unwrap();
        ledger.settle(call, spent(u64::MAX / 3), u64::MAX);
    }
    let call = ledger.reserve(account, tokens(0), 0, 0);
    assert_eq!(
        call.map(|call| ledger.settle(call, spent(u64::MAX), 0)),
        Err(Refusal::Exhausted { kind: BudgetKind::Tokens, limit: u64::MAX, left: 0, account })
    );
    assert_eq!(ledger.left(account, 0).tokens, Some(0));
}

#[test]
fn a_model_without_a_price_is_refused_where_money_is_limited_or_counted_by_its_tokens() {
    let (provider, estimate) = (Some(&Provider::ANTHROPIC), Usage::total(1_000, 100));
    let known = ask_for_call(provider, "claude-sonnet-4-5", &estimate, true, Unpriced::Refuse).unwrap();
    assert_eq!(known, Ask { tokens: Some(1_100), nano_usd: Some(1_000 * 3_000 + 100 * 15_000), tool_calls: None });
    let refused = ask_for_call(provider, "no-such-model", &estimate, true, Unpriced::Refuse);
    assert_eq!(refused.unwrap_err().to_string(), "the model no-such-model has no price, and the money is limited");
    for (limited, unpriced) in [(true, Unpriced::CountTokens), (true, Unpriced::Warn), (false, Unpriced::Refuse)] {
        let ask = ask_for_call(provider, "no-such-model", &estimate, limited, unpriced).unwrap();
        assert_eq!(ask, tokens(1_100));
    }
    // A price, but no estimate: any money left will do.
    let unknown = ask_for_call(provider, "claude-sonnet-4-5", &Usage::unknown(), true, Unpriced::Refuse).unwrap();
    assert_eq!(unknown, Ask { tokens: Some(0), nano_usd: Some(0), tool_calls: None });
}

/// What is done to a ledger.
#[derive(Clone, Debug)]
enum Step {
    Open { parent: Option<usize>, limit: Option<u64>, calls: Option<u64>, seconds: Option<u64> },
    Close { account: usize },
    Reserve { account: usize, tokens: Option<u64>, calls: Option<u64>, until: u64 },
    Settle { reservation: usize, tokens: u64, calls: u64 },
    Refund { reservation: usize },
    Pass { nanos: u64 },
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..12_usize;
    let limit = || prop::option::of(0..60_u64);
    prop_oneof![
        2 => (prop::option::of(place.clone()), limit(), limit(), prop::option::of(0..40_u64))
            .prop_map(|(parent, limit, calls, seconds)| Step::Open { parent, limit, calls, seconds }),
        1 => place.clone().prop_map(|account| Step::Close { account }),
        8 => (place.clone(), limit(), prop::option::of(0..4_u64), 0..80_u64)
            .prop_map(|(account, tokens, calls, until)| Step::Reserve { account, tokens, calls, until }),
        5 => (0..30_usize, 0..60_u64, 0..4_u64)
            .prop_map(|(reservation, tokens, calls)| Step::Settle { reservation, tokens, calls }),
        2 => (0..30_usize).prop_map(|reservation| Step::Refund { reservation }),
        2 => (0..20_u64).prop_map(|nanos| Step::Pass { nanos }),
        2 => Just(Step::Expire),
    ]
}

/// The same without any cleverness: every sum is made anew from all that ever happened.
#[derive(Debug, Default)]
struct Model {
    accounts: Vec<ModelAccount>,
    calls: Vec<ModelCall>,
    now: u64,
}

#[derive(Debug)]
struct ModelAccount {
    parent: Option<usize>,
    limits: Limits,
    opened: u64,
    closed: bool,
}

#[derive(Debug)]
struct ModelCall {
    account: usize,
    held: [u64; 2],
    until: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Held,
    Expired,
    Settled([u64; 2]),
    Refunded,
}

impl Model {
    fn chain(&self, account: usize) -> Vec<usize> {
        std::iter::successors(Some(account), |account| self.accounts[*account].parent).collect()
    }

    /// Spent and held, of tokens or calls, on an account and below.
    fn sums(&self, account: usize, index: usize) -> (u64, u64) {
        let mine = self.calls.iter().filter(|call| self.chain(call.account).contains(&account));
        mine.fold((0, 0), |(spent, held), call| match call.state {
            State::Held => (spent, held + call.held[index]),
            State::Settled(amounts) => (spent + amounts[index], held),
            State::Expired | State::Refunded => (spent, held),
        })
    }

    fn left(&self, account: usize, index: usize) -> Option<u64> {
        let limits = self.accounts[account].limits;
        let limit = [limits.tokens, limits.tool_calls][index]?;
        let (spent, held) = self.sums(account, index);
        Some(limit.saturating_sub(spent + held))
    }

    fn time_is_over(&self, account: usize) -> bool {
        let account = &self.accounts[account];
        account.limits.time.is_some_and(|time| u128::from(self.now - account.opened) >= time.as_nanos())
    }

    fn admits(&self, account: usize, asks: [Option<u64>; 2]) -> bool {
        !self.accounts[account].closed
            && self.chain(account).into_iter().all(|above| {
                let fits = |index: usize| match (asks[index], self.left(above, index)) {
                    (Some(asked), Some(left)) => asked.max(1) <= left,
                    _ => true,
                };
                !self.time_is_over(above) && fits(0) && fits(1)
            })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_does_what_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let (mut ledger, mut model) = (Ledger::default(), Model::default());
        let (mut accounts, mut calls): (Vec<AccountId>, Vec<ReservationId>) = Default::default();
        for step in steps {
            match step {
                Step::Open { parent, limit, calls, seconds } => {
                    let limits = Limits {
                        tokens: limit,
                        tool_calls: calls,
                        time: seconds.map(Duration::from_nanos),
                        ..Limits::default()
                    };
                    let parent = parent.filter(|parent| *parent < accounts.len());
                    let opened = match parent {
                        Some(parent) => ledger.open_below(accounts[parent], limits, model.now),
                        None => ledger.open(limits, model.now),
                    };
                    let possible = parent.is_none_or(|parent| !model.accounts[parent].closed);
                    prop_assert_eq!(opened.is_some(), possible);
                    if let Some(id) = opened {
                        accounts.push(id);
                        model.accounts.push(ModelAccount { parent, limits, opened: model.now, closed: false });
                    }
                }
                Step::Close { account } if account < accounts.len() => {
                    ledger.close(accounts[account]);
                    model.accounts[account].closed = true;
                }
                Step::Reserve { account, tokens, calls: tool_calls, until } if account < accounts.len() => {
                    let ask = Ask { tokens, tool_calls, nano_usd: None };
                    let reserved = ledger.reserve(accounts[account], ask, model.now, until);
                    prop_assert_eq!(reserved.is_ok(), model.admits(account, [tokens, tool_calls]), "{:?}", reserved);
                    if let Ok(id) = reserved {
                        calls.push(id);
                        let held = [tokens.unwrap_or(0), tool_calls.unwrap_or(0)];
                        model.calls.push(ModelCall { account, held, until, state: State::Held });
                    }
                }
                Step::Settle { reservation, tokens, calls: tool_calls } if reservation < calls.len() => {
                    ledger.settle(calls[reservation], Amounts { tokens, tool_calls, nano_usd: 0 }, model.now);
                    let state = &mut model.calls[reservation].state;
                    if matches!(state, State::Held | State::Expired) {
                        *state = State::Settled([tokens, tool_calls]);
                    }
                }
                Step::Refund { reservation } if reservation < calls.len() => {
                    ledger.refund(calls[reservation]);
                    let state = &mut model.calls[reservation].state;
                    if matches!(state, State::Held | State::Expired) {
                        *state = State::Refunded;
                    }
                }
                Step::Pass { nanos } => model.now += nanos,
                Step::Expire => {
                    let due = |call: &&mut ModelCall| call.state == State::Held && call.until < model.now;
                    let expired = model.calls.iter_mut().filter(due).map(|call| call.state = State::Expired).count();
                    prop_assert_eq!(ledger.expire(model.now), expired);
                }
                _ => {}
            }
            for (index, id) in accounts.iter().enumerate().filter(|(index, _)| !model.accounts[*index].closed) {
                let (spent_tokens, held_tokens) = model.sums(index, 0);
                let (spent_calls, held_calls) = model.sums(index, 1);
                prop_assert_eq!(ledger.spent(*id), Amounts { tokens: spent_tokens, tool_calls: spent_calls, nano_usd: 0 });
                prop_assert_eq!(ledger.held(*id), Amounts { tokens: held_tokens, tool_calls: held_calls, nano_usd: 0 });
                let left = |which| model.chain(index).into_iter().filter_map(|above| model.left(above, which)).min();
                prop_assert_eq!(ledger.left(*id, model.now).tokens, left(0));
                prop_assert_eq!(ledger.left(*id, model.now).tool_calls, left(1));
            }
        }
    }
}

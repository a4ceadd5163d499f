//! How the agent acts on what it knows about itself: it spends less when little is left, and waits when it is asked to.

use std::time::Duration;
use vigil::{Budget, BudgetLeft, EconomicMode, Health, HealthReport, Limits, Unpriced, Vitals};

/// 30,000 tokens, two minutes, sixteen tool calls; and what they may cost.
const LIMITS: Limits = Limits {
    tokens: Some(30_000),
    nano_usd: None,
    time: Some(Duration::from_secs(120)),
    tool_calls: Some(16),
    low_at_percent: 80,
};
/// Two cents for models that play a part, so that they run low and something has to be done about it; a quarter of a
/// dollar for real ones.
const SCRIPTED_NANO_USD: u64 = 20_000_000;
const LIVE_NANO_USD: u64 = 250_000_000;
/// The most a helper may use of that.
const HELPER_TOKENS: u64 = 10_000;

/// The pause before a call when every try of the last minute was throttled; less when fewer were.
const CALM: Duration = Duration::from_millis(120);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What an agent may spend. A model without a price is counted by its tokens, and told of: the user has named it.
pub(crate) fn budget(scripted: bool) -> Budget {
    let limits = LIMITS.nano_usd(if scripted { SCRIPTED_NANO_USD } else { LIVE_NANO_USD });
    Budget::with_unpriced(limits, Unpriced::Warn)
}

/// What its helper may spend of it.
pub(crate) fn helper(budget: &Budget) -> Budget {
    budget.child(Limits::none().tokens(HELPER_TOKENS))
}

/// How freely to spend with this much left.
pub(crate) fn mode(left: &BudgetLeft, limits: &Limits) -> EconomicMode {
    let share = |left: Option<u64>, limit: Option<u64>| Some(left? as f64 / limit?.max(1) as f64);
    let money = left.cost_remaining_nano_usd.and_then(|nano| u64::try_from(nano).ok());
    let shares = [share(left.tokens_remaining, limits.tokens), share(money, limits.nano_usd)];
    match shares.into_iter().flatten().fold(1.0, f64::min) {
        0.5.. => EconomicMode::Sovereign,
        0.2.. => EconomicMode::Conserving,
        share if share > 0.0 => EconomicMode::Hustle,
        _ => EconomicMode::Hibernate,
    }
}

/// How well the agent is.
pub(crate) fn health(vitals: &Vitals, mode: EconomicMode) -> HealthReport {
    let strain = vitals.pressure().max(vitals.tool_failure_rate().unwrap_or(0.0));
    let operational = match strain {
        0.75.. => Health::Critical,
        0.25.. => Health::Degraded,
        _ => Health::Healthy,
    };
    let economic = match mode {
        EconomicMode::Sovereign => Health::Healthy,
        EconomicMode::Conserving => Health::Degraded,
        EconomicMode::Hustle => Health::Critical,
        EconomicMode::Hibernate => Health::Failed,
    };
    HealthReport { operational: Some(operational), economic: Some(economic), cognitive: None }
}

/// How long to wait before the next model call: as long as a service asked for, and the longer the more it throttles.
pub(crate) fn pause(vitals: &Vitals) -> Duration {
    vitals.wait().max(CALM.mul_f64(vitals.pressure())).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigil::{ErrorType, Provider, testing};

    #[test]
    fn the_mode_follows_whatever_is_shortest() {
        let limits = Limits::none().tokens(100).nano_usd(100);
        let with = |tokens, nano| {
            let left = BudgetLeft {
                tokens_remaining: Some(tokens),
                cost_remaining_nano_usd: Some(nano),
                ..BudgetLeft::default()
            };
            mode(&left, &limits)
        };
        assert_eq!(with(100, 50), EconomicMode::Sovereign);
        assert_eq!(with(100, 49), EconomicMode::Conserving);
        assert_eq!(with(19, 100), EconomicMode::Hustle);
        assert_eq!(with(100, 0), EconomicMode::Hibernate);
        assert_eq!(mode(&BudgetLeft::default(), &Limits::none()), EconomicMode::Sovereign);
    }

    #[test]
    fn an_agent_waits_only_when_it_is_throttled() {
        let telemetry = testing::recorder();
        assert_eq!(pause(&telemetry.vitals()), Duration::ZERO);
        let chat = telemetry.chat_span(Provider::ANTHROPIC, "m");
        chat.record_retry(1, Duration::from_secs(3), &ErrorType::OVERLOADED);
        chat.fail(ErrorType::OVERLOADED);
        assert!(telemetry.wait_assembled(Duration::from_secs(5)));
        assert_eq!(pause(&telemetry.vitals()), Duration::from_secs(3));
        telemetry.advance(Duration::from_secs(10));
        let vitals = telemetry.vitals();
        assert_eq!(pause(&vitals), CALM);
        assert_eq!(health(&vitals, EconomicMode::Sovereign).operational, Some(Health::Critical));
    }
}

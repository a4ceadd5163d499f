//! What an agent says about itself: its state, its health, its modes, its run.

use super::Span;
use crate::record::format::{AttrRef, ValueRef};
use vigil_core::contract::{EventKind, Key, attr};
use vigil_core::vocab::{EconomicMode, Health, OperatingMode, RiskLevel};

/// How an agent sees its own work (`life.state.*`). What is `None` is not recorded.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct StateVector {
    /// How far it believes it is, 0 to 1.
    pub progress: Option<f64>,
    /// How unsure it is, 0 to 1.
    pub uncertainty: Option<f64>,
    /// How risky its course is.
    pub risk_level: Option<RiskLevel>,
    /// Errors in a row.
    pub error_streak: Option<u32>,
    /// How full the model's context is, 0 to 1.
    pub context_pressure: Option<f64>,
}

/// How well an agent is (`autonomic.*_health`). What is `None` is not recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HealthReport {
    /// Its tools and services.
    pub operational: Option<Health>,
    /// Its reasoning.
    pub cognitive: Option<Health>,
    /// Its budget.
    pub economic: Option<Health>,
}

impl Span {
    /// Records how the agent sees its own work. For spans of the loop: agent, turn, phase.
    pub fn record_state(&self, state: &StateVector) {
        let share =
            |share: Option<f64>| share.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 1.0).into());
        self.set_known([
            (attr::LIFE_STATE_PROGRESS, share(state.progress)),
            (attr::LIFE_STATE_UNCERTAINTY, share(state.uncertainty)),
            (attr::LIFE_STATE_RISK_LEVEL, state.risk_level.map(|level| level.as_str().into())),
            (attr::LIFE_STATE_ERROR_STREAK, state.error_streak.map(|streak| u64::from(streak).into())),
            (attr::LIFE_STATE_CONTEXT_PRESSURE, share(state.context_pressure)),
        ]);
    }

    /// Records how well the agent is. For spans of the loop: agent, turn, phase.
    pub fn record_health(&self, health: &HealthReport) {
        let word = |health: Option<Health>| health.map(|health| health.as_str().into());
        self.set_known([
            (attr::AUTONOMIC_OPERATIONAL_HEALTH, word(health.operational)),
            (attr::AUTONOMIC_COGNITIVE_HEALTH, word(health.cognitive)),
            (attr::AUTONOMIC_ECONOMIC_HEALTH, word(health.economic)),
        ]);
    }

    /// Records the operating mode the agent is in. A change of it is
    /// [`record_mode_transition`](Self::record_mode_transition).
    pub fn record_operating_mode(&self, mode: OperatingMode) {
        self.set_some(&[(attr::LIFE_OPERATING_MODE, mode.as_str().into())]);
    }

    /// Records that the agent changes how freely it spends.
    pub fn record_economic_mode_transition(&self, from: EconomicMode, to: EconomicMode) {
        let event = EventKind::EconomicModeTransition;
        let attributes: [AttrRef<'_>; 2] = [
            (attr::AUTONOMIC_ECONOMIC_MODE_FROM, from.as_str().into()),
            (attr::AUTONOMIC_ECONOMIC_MODE_TO, to.as_str().into()),
        ];
        self.event(event, event.def().severity, &attributes);
    }

    /// Records which run of the session this is, and which branch of its history; an empty text stands for none.
    pub fn record_run(&self, run: &str, branch: &str) {
        let named = [(attr::LIFE_RUN_ID, run), (attr::LIFE_BRANCH_ID, branch)];
        self.set_known(named.map(|(key, name)| (key, (!name.is_empty()).then_some(name.into()))));
    }

    /// Sets what is there, in one record.
    pub(crate) fn set_known<'a, const N: usize>(&self, values: [(Key, Option<ValueRef<'a>>); N]) {
        let mut attributes: [AttrRef<'a>; N] = values.map(|(key, _)| (key, ValueRef::Bool(false)));
        let mut count = 0;
        for (key, value) in values {
            if let Some(value) = value {
                attributes[count] = (key, value);
                count += 1;
            }
        }
        self.set_some(&attributes[..count]);
    }
}

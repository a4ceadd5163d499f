//! The envelope of a model call (seed L10): how its model was chosen, how reliable the way to it was, what governed it,
//! and whether a cache answered. Identity, tokens and money are on the span anyway.

use super::ChatSpan;
use vigil_core::contract::attr;
use vigil_core::vocab::{CircuitState, sanitise};

impl ChatSpan {
    /// Records what chose the model, in a word: `router`, `budget`, `user`, …
    pub fn record_chosen_by(&mut self, what: &str) {
        let word = sanitise(what);
        if !word.is_empty() {
            self.set_some(&[(attr::VIGIL_CALL_CHOSEN_BY, word.as_str().into())]);
        }
    }

    /// Records that another model or way was taken than the usual one, because that did not work.
    pub fn record_fallback(&mut self) {
        self.set_some(&[(attr::LIFE_RELIABILITY_FALLBACK_TRIGGERED, true.into())]);
    }

    /// Records the state of the circuit breaker before the call.
    pub fn record_circuit_state(&mut self, state: CircuitState) {
        self.set_some(&[(attr::LIFE_RELIABILITY_CIRCUIT_STATE, state.as_str().into())]);
    }

    /// Records the policy that governed the call, by name.
    pub fn record_policy(&mut self, name: &str) {
        self.set_some(&[(attr::VIGIL_CALL_POLICY, name.into())]);
    }

    /// Records whether the answer came from a cache of the caller's own, without the model being asked.
    pub fn record_cache_hit(&mut self, hit: bool) {
        self.set_some(&[(attr::VIGIL_CALL_CACHE_HIT, hit.into())]);
    }
}

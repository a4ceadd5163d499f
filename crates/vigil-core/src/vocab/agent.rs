//! Words of the agent's own loop: phases, modes, health.

use super::word::closed_words;

closed_words! {
    /// A phase of the agent loop (`life.loop_phase`).
    Phase {
        /// Taking in what changed.
        Perceive = "perceive",
        /// Asking the model what to do.
        Deliberate = "deliberate",
        /// Deciding whether it may be done.
        Gate = "gate",
        /// Doing it.
        Execute = "execute",
        /// Writing down what was done.
        Commit = "commit",
        /// Judging how it went.
        Reflect = "reflect",
        /// Waiting for the next tick.
        Sleep = "sleep",
    }
}

closed_words! {
    /// What the agent is up to (`life.operating_mode`, `life.mode.from`, `life.mode.to`).
    OperatingMode {
        /// Looking for a way.
        Explore = "explore",
        /// Following one.
        Execute = "execute",
        /// Checking the result.
        Verify = "verify",
        /// Coming back from an error.
        Recover = "recover",
        /// Waiting for a person.
        AskHuman = "ask_human",
        /// Doing nothing.
        Sleep = "sleep",
    }
}

closed_words! {
    /// How freely the agent spends (`autonomic.economic_mode`), from plenty to nearly nothing.
    EconomicMode {
        /// Plenty: the best model, no hurry.
        Sovereign = "sovereign",
        /// Saving: cheaper models where they do.
        Conserving = "conserving",
        /// Short: only what pays.
        Hustle = "hustle",
        /// Nothing left: stay alive.
        Hibernate = "hibernate",
    }
}

closed_words! {
    /// How well one side of the agent is (`autonomic.*_health`).
    Health {
        /// As it should be.
        Healthy = "healthy",
        /// Works, worse than usual.
        Degraded = "degraded",
        /// Close to failing.
        Critical = "critical",
        /// Does not work.
        Failed = "failed",
        /// Nobody has looked.
        Unknown = "unknown",
    }
}

closed_words! {
    /// How risky the agent judges its present course (`life.state.risk_level`).
    RiskLevel {
        /// Nothing to lose.
        Low = "low",
        /// Reversible.
        Medium = "medium",
        /// Hard to reverse.
        High = "high",
        /// Not reversible.
        Critical = "critical",
    }
}

closed_words! {
    /// The state of a circuit breaker (`life.reliability.circuit_state`).
    CircuitState {
        /// Calls pass.
        Closed = "closed",
        /// Calls are refused at once.
        Open = "open",
        /// One call may try.
        HalfOpen = "half_open",
    }
}

closed_words! {
    /// When an evaluation is made (`life.eval.timing`).
    EvaluationTiming {
        /// While the agent runs.
        Inline = "inline",
        /// Afterwards, beside the run.
        Async = "async",
        /// In a batch over recorded runs.
        Offline = "offline",
    }
}

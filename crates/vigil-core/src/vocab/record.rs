//! Words Vigil itself uses about records.

use super::word::closed_words;
use std::fmt;

/// How serious an event is, with the numbers OTLP gives them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Severity {
    /// Finer than debugging.
    Trace = 1,
    /// For debugging.
    Debug = 5,
    /// Worth knowing.
    Info = 9,
    /// Something failed and somebody deals with it.
    Warn = 13,
    /// Something failed.
    Error = 17,
    /// The program ends over it.
    Fatal = 21,
}

impl Severity {
    /// Every severity, from the least.
    pub const ALL: &'static [Self] = &[Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// OTLP's `SeverityNumber`.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The severity of OTLP's number 1 to 24 (four steps each).
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1..=24 => Self::ALL.get(usize::from((number - 1) / 4)).copied(),
            _ => None,
        }
    }

    /// The usual word in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

closed_words! {
    /// Who says it (`vigil.originator`).
    Originator {
        /// A program that links Vigil.
        Sdk = "sdk",
        /// The program `vigil`, observing another.
        Cli = "cli",
    }
}

closed_words! {
    /// How a span ended, in a word (`vigil.outcome`).
    OutcomeWord {
        /// It did what it was meant to.
        Ok = "ok",
        /// It failed.
        Error = "error",
        /// The caller gave up on it.
        Cancelled = "cancelled",
    }
}

closed_words! {
    /// Which agent of a run (`vigil.agent.kind`).
    AgentKind {
        /// The one that was started.
        Main = "main",
        /// One that another agent started.
        Sub = "sub",
    }
}

closed_words! {
    /// Where token counts come from (`vigil.usage.source`), when a record has several.
    UsageSource {
        /// The agent's output stream.
        Stream = "stream",
        /// The agent's transcript on disk.
        Transcript = "transcript",
        /// The totals at the end of a run.
        Total = "total",
        /// The program that made the call.
        Sdk = "sdk",
    }
}

closed_words! {
    /// What was decided about a call (`vigil.permission.decision`, `vigil.approval.decision`).
    Decision {
        /// It may go on.
        Accept = "accept",
        /// It may not.
        Reject = "reject",
        /// A person is asked, or was asked and did not answer.
        Ask = "ask",
    }
}

closed_words! {
    /// What a budget counts (`vigil.budget.kind`).
    BudgetKind {
        /// Tokens.
        Tokens = "tokens",
        /// Money.
        Cost = "cost",
        /// Time.
        Time = "time",
        /// Tool calls.
        ToolCalls = "tool_calls",
        /// Calls of one capability.
        CapabilityCalls = "capability_calls",
    }
}

closed_words! {
    /// How a capability call failed (`error.kind`).
    CapabilityError {
        /// The policy does not allow it.
        Denied = "denied",
        /// Its budget was used up before it.
        BudgetExceeded = "budget_exceeded",
        /// It was admitted and failed.
        RuntimeError = "runtime_error",
    }
}

closed_words! {
    /// How a downstream service throttles (`downstream.classification`).
    ThrottleClass {
        /// Waiting helps.
        RateLimit = "rate_limit",
        /// Waiting for money, plan or window.
        Quota = "quota",
        /// The service is full.
        Overloaded = "overloaded",
    }
}

closed_words! {
    /// What became of a throttled call (`vigil.throttle.outcome`).
    ThrottleOutcome {
        /// It was tried again.
        Retried = "retried",
        /// It waited and went on.
        Waited = "waited",
        /// The agent cannot go on until somebody acts.
        Blocked = "blocked",
        /// It failed for good.
        Failed = "failed",
    }
}

//! How often each capability was used, of those whose use is limited.
//!
//! A counter is taken from by compare and swap, so that any number of threads together never take more than
//! there is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use vigil_core::policy::{Clause, Policy};

/// The rules of a policy, ready to be asked often.
#[derive(Debug)]
pub(super) struct Meters {
    rules: Box<[Meter]>,
    default_allow: bool,
}

#[derive(Debug)]
pub(super) struct Meter {
    capability: Box<str>,
    allowed: bool,
    budget: Option<Calls>,
}

/// Calls of one capability.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) limit: u64,
    left: AtomicU64,
    told: AtomicBool,
}

impl Meters {
    pub(super) fn of(policy: &Policy) -> Self {
        let meter = |capability: &String| {
            let ruling = policy.rule(capability);
            let budget = |limit| Calls { limit, left: AtomicU64::new(limit), told: AtomicBool::new(false) };
            Meter { capability: capability.as_str().into(), allowed: ruling.allowed, budget: ruling.budget.map(budget) }
        };
        Self { rules: policy.rules.keys().map(meter).collect(), default_allow: policy.default_allow }
    }

    /// Whether `capability` may be used at all, and the budget that counts its calls. The same answer as
    /// [`Policy::rule`], without a search through a tree.
    #[inline]
    pub(super) fn ask(&self, capability: &str) -> Result<Option<&Calls>, Clause> {
        match self.rules.iter().find(|meter| &*meter.capability == capability) {
            Some(meter) if meter.allowed => Ok(meter.budget.as_ref()),
            Some(_) => Err(Clause::Rule),
            None if self.default_allow => Ok(None),
            None => Err(Clause::DefaultAllow),
        }
    }
}

impl Calls {
    /// Takes one call and answers how many are left. `None` where none is.
    #[inline]
    pub(super) fn take(&self) -> Option<u64> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.ok().map(|before| before - 1)
    }

    /// Puts back a call that was not made.
    pub(super) fn put_back(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Whether this is the first time that it is told to be used up.
    pub(super) fn is_first_telling(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }
}

//! The clock and random bytes: side effects like any other, so that a replay sees what the run saw.

use crate::clock::wall;
use crate::gateway::error::BoxError;
use crate::gateway::{Call, Handler, RuntimeError};
use ring::rand::{SecureRandom, SystemRandom};
use std::time::UNIX_EPOCH;
use vigil_core::policy::capability;
use vigil_core::vocab::ErrorType;

/// The most random bytes that are drawn at once: 64 KiB.
const DRAWN_MAX: u32 = 64 << 10;

/// Reads the wall clock: nanoseconds since the Unix epoch. Takes `()`.
///
/// ```
/// # use vigil::gateway::{Gateway, Policy, ReadClock};
/// # let telemetry = vigil::testing::recorder();
/// # let agent = telemetry.agent_span("session", "agent");
/// let now: u64 = Gateway::new(Policy::allow_all()).run(&agent, &ReadClock, ())?;
/// # assert!(now > 1_700_000_000_000_000_000);
/// # Ok::<(), vigil::gateway::GatewayError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReadClock;

impl Handler<()> for ReadClock {
    type Answer = u64;

    fn capability(&self) -> &str {
        capability::TIME_NOW
    }

    fn handle(&self, _call: &Call<'_>, _request: ()) -> Result<u64, BoxError> {
        let since = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Draws random bytes from the operating system, at most 64 KiB at once. Takes how many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DrawBytes;

impl Handler<u32> for DrawBytes {
    type Answer = Vec<u8>;

    fn capability(&self) -> &str {
        capability::RANDOM
    }

    fn handle(&self, _call: &Call<'_>, count: u32) -> Result<Vec<u8>, BoxError> {
        if count > DRAWN_MAX {
            let why = format!("at most {DRAWN_MAX} bytes are drawn at once");
            return Err(RuntimeError::new(ErrorType::INVALID_REQUEST, why).into());
        }
        let mut bytes = vec![0; count as usize];
        SystemRandom::new().fill(&mut bytes).map_err(|_| "the operating system has no random bytes")?;
        Ok(bytes)
    }
}

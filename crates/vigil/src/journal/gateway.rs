//! The journal as what a gateway records its calls into, and replays them from.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use vigil::gateway::{Gateway, Policy};
//! use vigil::journal::{Journal, Replay};
//! # let folder = std::env::temp_dir().join(format!("vigil-journal-gateway-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("agent.journal");
//! # let telemetry = vigil::testing::recorder();
//! # let agent = telemetry.agent_span("session-42", "researcher");
//! # let greet = |gateway: &Gateway| gateway.call(&agent, "acme.greet", "you", |name| Ok::<_, std::io::Error>(format!("hi {name}")));
//! let journal = Arc::new(Journal::options("session-42").open(&path)?);
//! let gateway = Gateway::builder(Policy::allow_all()).record(journal.clone()).build();
//! greet(&gateway)?; // calls and events of the agent's own, in the order they happen
//! journal.append(&agent, "greeting.sent", b"you")?;
//! let recorded = journal.flush()?;
//!
//! let replay = Arc::new(Mutex::new(Replay::open(&path)?));
//! let gateway = Gateway::builder(Policy::allow_all()).replay(replay.clone()).build();
//! greet(&gateway)?; // nobody is greeted
//! replay.lock().unwrap().append("greeting.sent", b"you")?;
//! assert_eq!(replay.lock().unwrap().finish()?, recorded);
//! # drop(journal); std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An envelope of a call carries the ids of the call's span. A call that cannot be journaled is the gateway's last
//! ([`GatewayError::Unrecorded`](crate::gateway::GatewayError::Unrecorded)), and so is one where the agent's events
//! and the record have parted.

use super::call::{Call, Outcome};
use super::journal::Journal;
use super::replay::Replay;
use crate::gateway::{CallLog, CallOutcome, CallRecord, CallSource};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

impl CallLog for Arc<Journal> {
    fn append(&mut self, call: &CallRecord) -> io::Result<()> {
        let outcome = match &call.outcome {
            CallOutcome::Answered(bytes) => Outcome::Answered(bytes),
            CallOutcome::Failed { kind, error_type } => Outcome::Failed { kind: *kind, error_type },
        };
        let call = Call { number: call.number, capability: &call.capability, digest: call.digest, outcome };
        // The gateway is inside the call's span while it records.
        self.append_call(crate::current(), &call).map(drop).map_err(io::Error::other)
    }
}

impl<R: Read + Send> CallSource for Arc<Mutex<Replay<R>>> {
    fn next_call(&mut self) -> io::Result<Option<CallRecord>> {
        let mut replay = self.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(call) = replay.next_call().map_err(io::Error::other)? else { return Ok(None) };
        let outcome = match call.outcome {
            Outcome::Answered(bytes) => CallOutcome::Answered(bytes.to_vec()),
            Outcome::Failed { kind, error_type } => CallOutcome::Failed { kind, error_type: error_type.to_owned() },
        };
        Ok(Some(CallRecord {
            number: call.number,
            capability: call.capability.to_owned(),
            digest: call.digest,
            outcome,
        }))
    }
}

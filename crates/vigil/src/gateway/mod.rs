//! The gateway: every side effect of an agent passes one gate.
//!
//! A call goes ask → reserve → run → settle → record: the [`Policy`] is asked, a call of its budget is taken,
//! the handler runs, and one span says how it went. A call that is not admitted does not touch the world.
//!
//! ```
//! use vigil::gateway::{Gateway, GatewayError, Policy};
//!
//! # let telemetry = vigil::testing::recorder();
//! # let agent = telemetry.agent_span("session", "agent");
//! let gateway = Gateway::new(Policy::deny_all().allow("acme.greet", 1));
//! let greet = |name: &str| gateway.call(&agent, "acme.greet", name, |name| Ok::<_, std::io::Error>(format!("hi {name}")));
//! assert_eq!(greet("you")?, "hi you");
//! assert!(matches!(greet("you"), Err(GatewayError::BudgetExceeded(_))));
//! # Ok::<(), GatewayError>(())
//! ```
//!
//! # The promise
//!
//! - **Decisions are the same** with telemetry on, off, broken or full: they never look at it.
//! - **One span a call**, `capability {name}`: `cap.name`, `bytes_in`, `bytes_out`, `cap.budget_remaining` where the
//!   rule has a budget, and `error.kind` (`denied`, `budget_exceeded`, `runtime_error`) with `error.type` on failure.
//!   `cap.budget_remaining = 0` without an error is the last allowed call, with `budget_exceeded` a refused one.
//!   Never a byte of an argument, a result or a message.
//! - **A budget is never overdrawn**, by any number of threads. A call that was refused costs nothing of it; one
//!   that was begun costs one, however it ends.
//! - **Off is free**: without telemetry a call costs no allocation of its own.
//!
//! | ready to use | capability | what it holds to |
//! |---|---|---|
//! | [`Fetch`] | `net.fetch` | hosts, methods, paths, sizes, time; every hop of a redirect; the address that is connected to |
//! | [`ReadFile`], [`WriteFile`] | `fs.read`, `fs.write` | resolved paths, regular files, sizes |
//! | [`RunCommand`] | `process.run` | commands word by word, folder, environment, output, time |
//! | [`ReadClock`], [`DrawBytes`] | `time.now`, `random` | |
//!
//! With [`record`](GatewayBuilder::record) the results of all calls are written down, and with
//! [`replay`](GatewayBuilder::replay) they come from there: see [`CallLog`]. Policies are described in
//! `docs/gateway.md`.

mod answer;
mod error;
mod flow;
#[allow(clippy::module_inception, reason = "the type the module is about")]
mod gateway;
mod handlers;
mod meter;
mod payload;
mod recording;

pub use answer::{Answer, Json};
pub use error::{BoxError, BudgetExceeded, GatewayError, RuntimeError};
pub use gateway::{AsyncHandler, Call, Gateway, GatewayBuilder, Handler};
pub use handlers::{
    CommandOutput, CommandRequest, DrawBytes, Fetch, FetchRequest, FetchResponse, ReadClock, ReadFile, RunCommand,
    WriteFile, WriteRequest,
};
pub use payload::{Payload, Walk, digest_of, text_bytes};
pub use recording::{AHEAD_MAX, Asked, CallLog, CallOutcome, CallRecord, CallSource, CallTape, ReplayError};
pub use vigil_core::policy::{
    Clause, CommandPattern, Denied, FilePolicy, HostPattern, NetPolicy, PathPattern, Policy, PolicyError,
    ProcessPolicy, RequestTarget, Rule, Ruling, UrlPathPattern, capability, parse_with,
};

//! `vigil demo`: a small agent that really works, observed by the SDK as any user would.
//!
//! [`agent`] is the agent and the guide to observing one; everything else serves it. Its model is a scripted server
//! inside the program ([`server`], [`script`]) unless `--live` names a real one; HTTP ([`model`]), tools ([`tools`])
//! and telemetry are real either way, and what both may do is a policy's to say ([`policy`]). What the agent lives
//! through can be kept in a journal and replayed from it ([`events`]). The tree that is shown is read back from the OTLP
//! bytes that would be sent ([`trace`], [`tree`]), not from the agent.
//!
//! It touches one folder of its own below the system's temporary one ([`scratch`]) and removes it, and listens on
//! the loopback alone. With the script it takes under two seconds, and at most [`command::DELIVERY_TIME`] more for
//! an endpoint that does not answer.

mod agent;
mod args;
mod command;
mod content;
mod economy;
mod events;
mod model;
mod policy;
mod scene;
mod scratch;
mod script;
mod server;
mod tools;
mod trace;
mod tree;

pub(crate) use args::DemoArgs;
pub(crate) use command::run;

//! Claude Code.
//!
//! | module | what it holds |
//! |---|---|
//! | `wire` | the lines as they are |
//! | `session` | a session under construction |
//! | `lanes`, `chats`, `tools` | the operations on it, which both records speak through |
//! | `stream`, `transcript` | the two records of a session |
//! | `records`, `tokens`, `ids`, `failure`, `throttle` | what a session is made of, in its terms and ours |
//! | `telling`, `roll_up`, `ending` | from there to the contract's facts |

mod chats;
mod ending;
mod failure;
mod ids;
mod lanes;
mod records;
mod roll_up;
mod session;
pub(crate) mod stream;
mod telling;
mod throttle;
mod tokens;
mod tools;
pub(crate) mod transcript;
pub(crate) mod wire;

pub(crate) use ending::set_process_end;
pub(crate) use ids::key;
pub(crate) use session::Session;
pub(crate) use telling::name;

/// How the agent is called in `gen_ai.agent.name`.
pub(crate) const AGENT_NAME: &str = "claude-code";

//! Capabilities that have a name everywhere. A program may have more of its own.

/// Asking a server on the network.
pub const NET_FETCH: &str = "net.fetch";
/// Reading a file.
pub const FS_READ: &str = "fs.read";
/// Writing a file.
pub const FS_WRITE: &str = "fs.write";
/// Running a program.
pub const PROCESS_RUN: &str = "process.run";
/// Asking a database.
pub const DB_QUERY: &str = "db.query";
/// Asking a model.
pub const LLM_CALL: &str = "llm.call";
/// Reading the clock.
pub const TIME_NOW: &str = "time.now";
/// Drawing random bytes.
pub const RANDOM: &str = "random";
/// Showing something to a person.
pub const UI_RENDER: &str = "ui.render";
/// Starting an agent.
pub const ACTOR_SPAWN: &str = "actor.spawn";
/// Sending a message to an agent.
pub const ACTOR_SEND: &str = "actor.send";
/// Reading the input of a step of a workflow.
pub const STEP_INPUT: &str = "step.input";

/// Every name above, in order.
pub const ALL: &[&str] = &[
    ACTOR_SEND,
    ACTOR_SPAWN,
    DB_QUERY,
    FS_READ,
    FS_WRITE,
    LLM_CALL,
    NET_FETCH,
    PROCESS_RUN,
    RANDOM,
    STEP_INPUT,
    TIME_NOW,
    UI_RENDER,
];

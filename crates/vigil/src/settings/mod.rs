//! Settings: what the environment and the builder ask for, and what will be done.
//!
//! [`env`] reads variables through a parameter, so that tests never touch the process's environment.
//! [`variables`] is the table of names, [`reference`] the page made of it. [`resolve`] makes [`Settings`] of them once; what makes no sense
//! becomes a [`Warning`] that names the variable, its value (never a header's) and what is used instead.

mod env;
mod parse;
mod reference;
mod resolve;
mod signals;
mod variables;

pub(crate) use env::Environment;
pub(crate) use parse::mask_userinfo;
pub(crate) use resolve::{Carrier, ContentMode, Level, Overrides, Settings};
pub(crate) use signals::SignalSettings;
pub(crate) use variables::name;
pub use variables::{VARIABLES, Variable};

/// The structured log on stderr.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// A line for people per finished span.
    #[default]
    Pretty,
    /// One JSON object per line, for machines.
    Json,
    /// No log.
    Off,
}

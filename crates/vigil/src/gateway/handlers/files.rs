//! Reading and writing files.
//!
//! A path is resolved first: made absolute below the gateway's folder, every symbolic link and `..` followed.
//! What it resolves to is held against `fs_policy`, and then opened without following any link, so that nobody
//! can slip one in between. Only regular files are touched: no devices, pipes or folders. A hard link cannot be
//! told from the file it is.

use super::open;
use super::places::plain;
use crate::gateway::error::BoxError;
use crate::gateway::{Call, Handler, Payload, Walk};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use vigil_core::policy::{Clause, Denied, FileAccess, capability};

/// Reads a file, at most `fs_policy.max_read_bytes`. Takes its path.
///
/// ```
/// # use vigil::gateway::{Gateway, Policy, ReadFile};
/// # use std::path::Path;
/// # let telemetry = vigil::testing::recorder();
/// # let agent = telemetry.agent_span("session", "agent");
/// let gateway = Gateway::new(Policy::parse(
///     r#"{ "rules": { "fs.read": { "allow": true } }, "fs_policy": { "read": ["src/**"] } }"#,
/// )?);
/// let code = gateway.run(&agent, &ReadFile, Path::new("src/lib.rs"))?;
/// assert!(code.starts_with(b"//! Vigil"));
/// assert!(gateway.run(&agent, &ReadFile, Path::new("src/../Cargo.toml")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReadFile;

impl<P: AsRef<Path> + Payload> Handler<P> for ReadFile {
    type Answer = Vec<u8>;

    fn capability(&self) -> &str {
        capability::FS_READ
    }

    fn handle(&self, call: &Call<'_>, path: P) -> Result<Vec<u8>, BoxError> {
        let (name, most) = (capability::FS_READ, call.policy().files.max_read_bytes);
        let resolved = permitted(call, name, FileAccess::Read, path.as_ref())?;
        let file = regular(name, open::existing(&resolved)?)?;
        let mut bytes = Vec::new();
        // One more than may be: a file that grows meanwhile is noticed.
        if file.metadata()?.len() <= most {
            file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
            if bytes.len() as u64 <= most {
                return Ok(bytes);
            }
        }
        Err(denied(name, Clause::ReadBytes))
    }
}

/// What is to be written where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteRequest {
    /// The file. It need not exist, its folder must.
    pub path: PathBuf,
    /// All that it shall hold.
    pub contents: Vec<u8>,
}

impl WriteRequest {
    /// Writes `contents` to `path`.
    pub fn new(path: impl Into<PathBuf>, contents: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), contents: contents.into() }
    }
}

impl Payload for WriteRequest {
    fn walk(&self, walk: &mut Walk) {
        (self.path.as_path(), self.contents.as_slice()).walk(walk);
    }
}

/// Writes a file, at most `fs_policy.max_write_bytes`, in the place of what it held. Takes a [`WriteRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WriteFile;

impl Handler<WriteRequest> for WriteFile {
    type Answer = ();

    fn capability(&self) -> &str {
        capability::FS_WRITE
    }

    fn handle(&self, call: &Call<'_>, request: WriteRequest) -> Result<(), BoxError> {
        let name = capability::FS_WRITE;
        if request.contents.len() as u64 > call.policy().files.max_write_bytes {
            return Err(denied(name, Clause::WriteBytes));
        }
        let resolved = permitted(call, name, FileAccess::Write, &request.path)?;
        let mut file = regular(name, open::for_writing(&resolved)?)?;
        // Only now: what is no regular file was not emptied.
        file.set_len(0)?;
        file.write_all(&request.contents)?;
        Ok(())
    }
}

fn denied(capability: &str, clause: Clause) -> BoxError {
    Denied { capability: capability.to_owned(), clause }.into()
}

/// What `path` resolves to, if it may be touched.
fn permitted(call: &Call<'_>, capability: &str, access: FileAccess, path: &Path) -> Result<PathBuf, BoxError> {
    let clause = match access {
        FileAccess::Read => Clause::Read,
        FileAccess::Write => Clause::Write,
    };
    let (resolved, exists) = resolve(&call.places().absolute(path))?;
    // A path that is no text can be held against no pattern.
    let text = plain(&resolved).ok_or_else(|| denied(capability, clause))?;
    call.policy().check_file(access, &text).map_err(|clause| denied(capability, clause))?;
    // Told only of what may be touched: whether anything else exists is nobody's business.
    match (access, exists) {
        (FileAccess::Read, false) => Err(io::Error::from(io::ErrorKind::NotFound).into()),
        _ => Ok(resolved),
    }
}

/// The real path of `path`, and whether there is something. Of what does not exist the part that does is
/// resolved, and the rest must be plain names.
fn resolve(path: &Path) -> io::Result<(PathBuf, bool)> {
    let mut rest: Vec<OsString> = Vec::new();
    let mut existing = path.to_owned();
    loop {
        match existing.canonicalize() {
            Ok(mut real) => {
                let exists = rest.is_empty();
                real.extend(rest.iter().rev());
                return Ok((real, exists));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // `..` has no file name: beyond what does not exist nothing can be known.
                let name = existing.file_name().ok_or(io::ErrorKind::NotFound)?.to_owned();
                rest.push(name);
                if !existing.pop() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn regular(capability: &str, file: File) -> Result<File, BoxError> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(denied(capability, Clause::RegularFiles)) }
}

/// A folder, resolved.
pub(super) fn resolved_folder(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if real.is_dir() { Ok(real) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

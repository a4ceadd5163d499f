//! What can go wrong, by operation.

use super::chain::Head;
use super::frame::{KIND_BYTES_MAX, PAYLOAD_BYTES_MAX, STREAM_BYTES_MAX, VERSION};
use std::time::Duration;
use std::{error, fmt, io};

/// A kind no journal takes: it is not one word of at most 64 letters, digits and `_.:-/`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindError;

/// Why a journal cannot be opened for writing.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The stream id is not 1 to 100 bytes without control characters.
    StreamId,
    /// The file holds something else. It was not touched.
    NotAJournal,
    /// The file was written by a later version of Vigil. It was not touched.
    Version(u16),
    /// The file is the journal of another stream. It was not touched.
    OtherStream(String),
    /// Another process kept the file locked all this time.
    Busy(Duration),
    /// The file cannot be opened, read or written.
    Io(io::Error),
}

/// Why a record was not appended, or not acknowledged.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The kind is not one word of at most 64 letters, digits and `_.:-/`.
    Kind,
    /// The payload is larger than 16 MiB; its size in bytes.
    TooLarge(usize),
    /// Another process kept the file locked all this time. Try again.
    Busy(Duration),
    /// The record could not be written, and the file is as it was. Try again when the cause is gone.
    Io(io::Error),
    /// A write or a sync failed after records had got their sequences. Those after `kept` may be lost; open the
    /// journal again to go on.
    Broken {
        /// The last record known to be in the file.
        kept: Head,
        /// What failed.
        cause: String,
    },
}

/// Why a journal cannot be read, or read on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The file holds something else.
    NotAJournal,
    /// The file was written by a later version of Vigil.
    Version(u16),
    /// The file cannot be opened or read.
    Io(io::Error),
}

impl fmt::Display for KindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kind of an event is one word of at most {KIND_BYTES_MAX} letters, digits and `_.:-/`")
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamId => write!(f, "a stream id is 1 to {STREAM_BYTES_MAX} bytes without control characters"),
            Self::NotAJournal => NOT_A_JOURNAL.fmt(f),
            Self::Version(version) => write_version(f, *version),
            Self::OtherStream(stream) => write!(f, "it is the journal of another stream, {stream:?}"),
            Self::Busy(waited) => write_busy(f, *waited),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => KindError.fmt(f),
            Self::TooLarge(bytes) => {
                write!(f, "a payload of {bytes} bytes is larger than the {PAYLOAD_BYTES_MAX} a record may have")
            }
            Self::Busy(waited) => write_busy(f, *waited),
            Self::Io(error) => error.fmt(f),
            Self::Broken { kept, cause } => {
                write!(f, "records after {} may be lost: {cause}; open the journal again to go on", kept.sequence)
            }
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAJournal => NOT_A_JOURNAL.fmt(f),
            Self::Version(version) => write_version(f, *version),
            Self::Io(error) => error.fmt(f),
        }
    }
}

const NOT_A_JOURNAL: &str = "it is not a journal of Vigil";

fn write_version(f: &mut fmt::Formatter<'_>, version: u16) -> fmt::Result {
    write!(f, "it is a journal of version {version}; this Vigil reads version {VERSION}")
}

fn write_busy(f: &mut fmt::Formatter<'_>, waited: Duration) -> fmt::Result {
    write!(f, "another process kept it locked for {waited:?}")
}

impl error::Error for KindError {}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::Io(error) = self { Some(error) } else { None }
    }
}

impl error::Error for AppendError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::Io(error) = self { Some(error) } else { None }
    }
}

impl error::Error for ReadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::Io(error) = self { Some(error) } else { None }
    }
}

impl From<KindError> for AppendError {
    fn from(_: KindError) -> Self {
        Self::Kind
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

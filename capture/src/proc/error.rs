//! What can go wrong when /proc is read.

use std::io;
use std::path::PathBuf;

/// A file of /proc or /sys that could not be read or understood, or a system call that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says something unexpected.
    #[error("{}: {what}", path.display())]
    Text {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A system call failed.
    #[error("{call}: {source}")]
    Call {
        /// Its name.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// Whether it only says that the process is no more: it vanished while it was being read.
    ///
    /// A read of an open /proc file gives ESRCH, an open gives ENOENT.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Error::Read { source, .. } => {
                matches!(source.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
            }
            _ => false,
        }
    }
}

/// A result with this module's error.
pub(crate) type Result<T> = std::result::Result<T, Error>;

//! What can go wrong when symbols are read.

use std::io;
use std::path::PathBuf;

/// Why a file gives no symbols.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A file could not be opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read {len} bytes at offset {offset:#x}: {source}")]
    Read {
        /// Where in the file.
        offset: u64,
        /// How much.
        len: usize,
        /// Why.
        source: io::Error,
    },
    /// Not a file of the kind that code comes from.
    #[error("{}: {what}", path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// The file does not follow its format.
    #[error("bad ELF file: {what} at offset {offset:#x}")]
    Elf {
        /// What is wrong.
        what: &'static str,
        /// Where in the file.
        offset: u64,
    },
    /// The kernel shows zeros for its addresses.
    #[error(
        "/proc/kallsyms shows no addresses: CAP_SYSLOG is missing or kernel.kptr_restrict is 2"
    )]
    KernelAddressesHidden,
    /// The kernel tells no symbol that places can be counted from.
    #[error("/proc/kallsyms has no _stext")]
    NoKernelBase,
    /// This process has no vDSO (vdso=0 on the kernel command line).
    #[error("/proc/self/maps has no [vdso]")]
    NoVdso,
    /// The time for symbols was used up before this module's turn.
    #[error("no time left to read symbols")]
    OutOfTime,
}

/// A result with this module's error.
pub(crate) type Result<T> = std::result::Result<T, Error>;

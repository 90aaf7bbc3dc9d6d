//! What can go wrong while recording.

use std::path::PathBuf;

/// Why a recording could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or system call failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The kernel refused the programs.
    #[error("cannot load the kernel programs: {0}{1}")]
    Load(String, &'static str),
    /// The host has no BTF.
    #[error(
        "this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF, which distributions set since 2020 ({0})"
    )]
    NoBtf(String),
    /// Neither root nor the capabilities.
    #[error(
        "not permitted: recording needs {missing} (run as root, or grant them with setcap or setpriv)"
    )]
    Permission {
        /// The capabilities that this process lacks.
        missing: String,
    },
    /// In a container with process numbers of its own.
    #[error(
        "this is not the host's pid namespace, so no process would have its right name: run on the host, or in a container that shares it (docker run --pid=host)"
    )]
    Namespace,
    /// A probe that was asked for by name cannot run here.
    #[error("probe {probe} cannot run on this host: {reason}")]
    Probe {
        /// Which one.
        probe: String,
        /// Why not.
        reason: String,
    },
    /// No probe is called that.
    #[error("there is no probe {0}: `ktape probes` lists them")]
    NoSuchProbe(String),
    /// A list of probes without any.
    #[error("no probe is asked for: `ktape probes` lists them")]
    NoProbe,
    /// A probe that cannot be chosen.
    #[error("probe {0} is always recorded and need not be asked for")]
    AlwaysProbe(String),
    /// No knob of the probe is called that, or its value does not fit.
    #[error("probe {probe}: {message}")]
    Knob {
        /// Which probe.
        probe: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// A filter names something that is not there.
    #[error("{0}")]
    Target(String),
    /// The command could not be started.
    #[error("cannot run {command}")]
    Command {
        /// Its name.
        command: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The trace could not be written.
    #[error("cannot write {} (free some space, or write elsewhere with -o); what was recorded until then is in it", path.display())]
    Write {
        /// The trace.
        path: PathBuf,
        /// Why not.
        source: Box<ktape_format::Error>,
    },
    /// The last moments could not be written.
    #[error("cannot write {} (free some space, or write elsewhere with -o)", path.display())]
    Dump {
        /// The dump.
        path: PathBuf,
        /// Why not.
        source: Box<ktape_format::Error>,
    },
    /// Nobody reads standard output any more.
    #[error("the reader of the trace on standard output has gone")]
    Reader,
    /// A signal came while the output did not go on.
    #[error(
        "given up at another signal: the output took no more, and the end of the trace is missing"
    )]
    GivenUp,
    /// A ring or map misbehaved.
    #[error("cannot {action}: {message}")]
    Kernel {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        message: String,
    },
}

/// Result of recording.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The exit status that a shell would give for a command that could not be run: 127 when it
    /// was not found, 126 when it could not be executed.
    pub fn command_status(&self) -> Option<u8> {
        match self {
            Error::Command { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some(127)
            }
            Error::Command { .. } => Some(126),
            _ => None,
        }
    }

    /// Whether the command line asked for something that cannot be, on any host.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Error::NoProbe
                | Error::AlwaysProbe(_)
                | Error::NoSuchProbe(_)
                | Error::Knob { .. }
                | Error::Target(_)
        )
    }

    /// An [`Error::Io`] for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    /// An [`Error::Kernel`] for `map_err`.
    pub(crate) fn kernel<E: std::error::Error>(action: &'static str) -> impl FnOnce(E) -> Error {
        move |error| Error::Kernel { action, message: chain(&error) }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

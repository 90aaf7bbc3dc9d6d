//! The trace file: made so that nobody else can read it, and the previous one kept.

use crate::error::{Error, Result};
use crate::options::Output;
use ktape_format::limits::MAGIC;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where chunks go.
pub(crate) enum Sink {
    File(File),
    Stdout(io::Stdout),
}

impl Sink {
    /// Opens the output; moves a file of that name to `NAME.old` first.
    pub(crate) fn open(output: &Output) -> Result<Sink> {
        let Output::File(path) = output else { return Ok(Sink::Stdout(io::stdout())) };
        // A device or a pipe is written as it is.
        let regular = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Error::Io {
                    action: "write to the folder",
                    path: path.clone(),
                    source: io::ErrorKind::IsADirectory.into(),
                });
            }
            Ok(metadata) => metadata.is_file(),
            Err(_) => true,
        };
        if !regular {
            let file = OpenOptions::new()
                .write(true)
                .open(path)
                .map_err(Error::io("open", path.clone()))?;
            return Ok(Sink::File(file));
        }
        if path.exists() {
            check_trace(path)?;
            let mut old = path.clone().into_os_string();
            old.push(".old");
            std::fs::rename(path, PathBuf::from(&old))
                .map_err(Error::io("keep the previous trace as", old))?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(Error::io("create", path.clone()))?;
        if let Some((uid, gid)) = invoking_user() {
            std::os::unix::fs::fchown(&file, Some(uid), Some(gid))
                .map_err(Error::io("give to the invoking user", path.clone()))?;
        }
        Ok(Sink::File(file))
    }
}

/// Nothing but a trace (or an empty file) is moved away: a slip of the hand must not cost anything
/// else.
fn check_trace(path: &Path) -> Result<()> {
    let mut first = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut first))
        .map_err(Error::io("read", path.to_owned()))?;
    if MAGIC.starts_with(&first) {
        return Ok(());
    }
    Err(Error::Target(format!(
        "{} is there and is no ktape trace: give another -o",
        path.display()
    )))
}

impl Sink {
    /// The regular file behind it once more, if there is one.
    pub(crate) fn file(&self) -> Result<Option<File>> {
        match self {
            Sink::File(file) => {
                let again = file.try_clone().map_err(Error::io("open", "the trace once more"))?;
                let regular = again.metadata().is_ok_and(|metadata| metadata.is_file());
                Ok(regular.then_some(again))
            }
            Sink::Stdout(_) => Ok(None),
        }
    }
}

/// Who called sudo, if root was reached by it.
fn invoking_user() -> Option<(u32, u32)> {
    let id = |name| std::env::var(name).ok()?.parse().ok();
    Some((id("SUDO_UID")?, id("SUDO_GID")?))
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Stdout(stdout) => stdout.flush(),
        }
    }
}

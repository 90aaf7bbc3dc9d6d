//! The trace file: made so that nobody else can read it, and the previous one kept.

use crate::error::{Error, Result};
use crate::identity::{self, Identity};
use crate::options::{Files, Output};
use ktape_format::limits::MAGIC;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where chunks go.
pub(crate) enum Sink {
    File(File),
    Stdout(io::Stdout),
    /// Memory: what was written at once lies together.
    Memory(Vec<Box<[u8]>>),
}

impl Sink {
    /// Opens the output; moves a file of that name to `NAME.old` first.
    pub(crate) fn open(output: &Output) -> Result<Sink> {
        let Output::File(path) = output else { return Ok(Sink::Stdout(io::stdout())) };
        if check(path)? == Existing::Written {
            return open_as_it_is(path).map(Sink::File);
        }
        if path.exists() {
            let old = old(path);
            std::fs::rename(path, &old)
                .map_err(Error::io("keep the previous trace as", old.clone()))?;
        }
        create(path).map(Sink::File)
    }
}

/// Where a recording goes: a symbolic link stands for the file that it leads to, and one to standard
/// output for that.
pub(crate) fn target(output: &Output, files: &Files) -> Result<Output> {
    let Output::File(path) = output else { return Ok(output.clone()) };
    let target = if is_link(path) { follow(path)? } else { output.clone() };
    let written = match &target {
        Output::File(path) => check(path)? == Existing::Written,
        Output::Stdout => true,
    };
    if written && *files != Files::One {
        return Err(Error::Target(format!(
            "{} is no file that could be renamed: give -o the name of one with --switch-output and \
             --overwrite",
            path.display()
        )));
    }
    Ok(target)
}

fn follow(path: &Path) -> Result<Output> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        Error::Target(format!(
            "{} is a symbolic link that leads nowhere ({error}): remove it, or give another -o",
            path.display()
        ))
    })?;
    let found = Identity::of(&metadata);
    let stdout = std::fs::metadata("/proc/self/fd/1").ok().as_ref().map(Identity::of);
    if stdout == Some(found) && !metadata.file_type().is_char_device() {
        return Ok(Output::Stdout);
    }
    if !metadata.is_file() || identity::of_descriptors().contains(&found) {
        return Ok(Output::File(path.to_owned()));
    }
    let target = path.canonicalize().map_err(Error::io("follow the link", path.to_owned()))?;
    Ok(Output::File(target))
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Opens what is written as it is. A pipe that nobody reads is an error: to wait for a reader could
/// not be ended.
#[expect(unsafe_code, reason = "fcntl(2): std cannot have a file wait again")]
fn open_as_it_is(path: &Path) -> Result<File> {
    let before = identity::of_descriptors();
    let file = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(
        |error| match error.raw_os_error() {
            Some(libc::ENXIO) => {
                let path = path.display();
                Error::Target(format!("nobody reads {path}: start its reader first"))
            }
            _ => Error::io("open", path.to_owned())(error),
        },
    )?;
    let metadata = file.metadata().map_err(Error::io("read", path.to_owned()))?;
    // Somebody else may have changed the link meanwhile.
    if metadata.is_file() && !before.contains(&Identity::of(&metadata)) {
        return Err(Error::Target(format!("{} is another file by now", path.display())));
    }
    // SAFETY: plain system calls on a descriptor that is open.
    let done = unsafe {
        let flags = libc::fcntl(file.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags & !libc::O_NONBLOCK)
    };
    match done {
        0 => Ok(file),
        _ => Err(Error::io("set up", path.to_owned())(io::Error::last_os_error())),
    }
}

/// Makes a file that only its owner can read: who called sudo, or else root.
pub(crate) fn create(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("create", path.to_owned()))?;
    if let Some((uid, gid)) = invoking_user() {
        std::os::unix::fs::fchown(&file, Some(uid), Some(gid))
            .map_err(Error::io("give to the invoking user", path.to_owned()))?;
    }
    Ok(file)
}

/// Has the folder of a file reach the disk, so that a power cut does not take the name along.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("sync the folder", folder.to_owned()))
}

/// What becomes of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// A trace, or nothing: a new file takes its place.
    Replaced,
    /// A character device, a pipe or a descriptor of this process is written as it is.
    Written,
}

/// Refuses to write a trace to what it would spoil: a slip of the hand must not cost anything but
/// the trace before the previous one.
pub(crate) fn check(path: &Path) -> Result<Existing> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(Existing::Replaced) };
    let kind = metadata.file_type();
    if kind.is_char_device() || kind.is_fifo() {
        return Ok(Existing::Written);
    }
    // Only such links are left by `target`.
    if is_link(path) && kind.is_file() {
        if metadata.len() == 0 && identity::of_descriptors().contains(&Identity::of(&metadata)) {
            return Ok(Existing::Written);
        }
        return Err(Error::Target(format!(
            "{} leads to a file that is open already and not empty: give another -o",
            path.display()
        )));
    }
    check_replaceable(path)?;
    let old = old(path);
    if std::fs::symlink_metadata(&old).is_ok() && !is_trace(&old)? {
        return Err(Error::Target(format!(
            "{} is kept as {}, which is there and is no ktape trace: move that away, or give \
             another -o",
            path.display(),
            old.display()
        )));
    }
    Ok(Existing::Replaced)
}

/// Refuses unless there is nothing at this path, or a trace or an empty file: nothing else may be
/// replaced by a trace.
pub fn check_replaceable(path: &Path) -> Result<()> {
    if std::fs::symlink_metadata(path).is_err() || is_trace(path)? {
        return Ok(());
    }
    Err(Error::Target(format!(
        "{} is there and is no ktape trace: give another -o",
        path.display()
    )))
}

/// Whether something is a trace, or an empty file. A folder or a device is an error.
fn is_trace(path: &Path) -> Result<bool> {
    let kind = std::fs::metadata(path).map_err(Error::io("read", path.to_owned()))?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "folder"
        } else if kind.is_block_device() {
            "block device, whose content a trace would overwrite"
        } else {
            "device, pipe or socket"
        };
        let path = path.display();
        return Err(Error::Target(format!("{path} is a {what}: give -o the name of a file")));
    }
    let mut first = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut first))
        .map_err(Error::io("read", path.to_owned()))?;
    Ok(MAGIC.starts_with(&first))
}

/// What the previous trace is kept as: `NAME.old`.
fn old(path: &Path) -> PathBuf {
    let mut old = path.to_owned().into_os_string();
    old.push(".old");
    old.into()
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
            Sink::Stdout(_) | Sink::Memory(_) => Ok(None),
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
            Sink::Memory(parts) => {
                parts.push(bytes.into());
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Stdout(stdout) => stdout.flush(),
            Sink::Memory(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `check` says of a.ktape, with these files there.
    #[track_caller]
    fn check_with(files: &[(&str, &[u8])], expected: Option<&str>) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).expect("a file");
        }
        let found = check(&folder.path().join("a.ktape")).map_err(|error| error.to_string());
        match expected {
            None => assert_eq!(found, Ok(Existing::Replaced)),
            Some(part) => {
                assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?}")
            }
        }
    }

    #[test]
    fn only_traces_are_replaced() {
        let notes = b"my notes";
        check_with(&[], None);
        check_with(&[("a.ktape", &MAGIC)], None);
        check_with(&[("a.ktape", b"")], None);
        check_with(&[("a.ktape", notes)], Some("a.ktape is there"));
        check_with(&[("a.ktape", &MAGIC), ("a.ktape.old", &MAGIC)], None);
        check_with(&[("a.ktape", &MAGIC), ("a.ktape.old", notes)], Some("a.ktape.old, which"));
        // Without a previous trace nothing is moved there.
        check_with(&[("a.ktape.old", notes)], None);
    }

    /// Where a link to this leads.
    fn target_of(leads_to: &Path, files: &Files) -> std::result::Result<Output, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("t.ktape");
        std::os::unix::fs::symlink(leads_to, &link).expect("a link");
        let target = target(&Output::File(link.clone()), files);
        assert!(is_link(&link), "it is still there");
        target.map_err(|error| error.to_string()).map(|target| match target {
            Output::File(path) if path == link => Output::File("the link".into()),
            target => target,
        })
    }

    #[test]
    fn links_are_followed_and_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let big = folder.path().canonicalize().expect("a path").join("big.ktape");
        std::fs::write(&big, MAGIC).expect("a file");
        let one = |path: &Path| target_of(path, &Files::One);
        assert_eq!(one(&big), Ok(Output::File(big.clone())));
        assert!(one(&folder.path().join("none")).is_err_and(|error| error.contains("nowhere")));
        assert_eq!(one(Path::new("/dev/null")), Ok(Output::File("the link".into())));
        let switched = Files::Switched { at: None, keep: None };
        let error = target_of(Path::new("/dev/null"), &switched);
        assert!(error.is_err_and(|error| error.contains("--switch-output")));
        let notes = folder.path().join("notes");
        std::fs::write(&notes, "my notes").expect("a file");
        assert!(one(&notes).is_err_and(|error| error.contains("no ktape trace")));
    }

    #[test]
    fn descriptors_are_written_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("y");
        let mut open = File::create(&path).expect("a file");
        let link = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
        let target = target(&Output::File(link.clone()), &Files::One).expect("a target");
        assert_eq!(target, Output::File(link));
        Sink::open(&target)
            .and_then(|mut sink| sink.write(b"a").map_err(Error::io("write", "")))
            .expect("written");
        assert_eq!(std::fs::read(&path).expect("a file"), b"a");
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 1);
        open.write_all(b"bc").expect("written");
        assert!(Sink::open(&target).is_err_and(|error| error.to_string().contains("not empty")));
    }

    #[test]
    fn a_pipe_without_a_reader() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ff");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        let output = Output::File(path.clone());
        assert!(Sink::open(&output).is_err_and(|error| error.to_string().contains("reader first")));
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
        let reader = reader.expect("a reader");
        let sink = Sink::open(&output).expect("a pipe");
        drop((reader, sink));
    }

    #[test]
    fn devices_and_folders() {
        assert_eq!(check(Path::new("/dev/null")).ok(), Some(Existing::Written));
        let refused = |path: &str, part: &str| {
            let found = check_replaceable(Path::new(path)).map_err(|error| error.to_string());
            assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?}");
        };
        refused("/dev/null", "is a device");
        refused("/tmp", "is a folder");
    }
}

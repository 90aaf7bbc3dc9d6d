//! Opens the file behind a module, as the process that mapped it sees it.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::symbols::{Error, FileSource, Result};

/// OVERLAYFS_SUPER_MAGIC of include/uapi/linux/magic.h.
const OVERLAYFS_MAGIC: u64 = 0x794c_7630;

/// Which file is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) path: &'a Path,
    /// A process that sees it under this path.
    pub(crate) pid: Option<u32>,
    /// Its inode, when known.
    pub(crate) inode: Option<u64>,
}

/// Opens a regular file: below the root of the process if that is still there, else in our own,
/// else the process's executable, if that is the one (it can be opened even when unlinked).
///
/// A container can put anything under a path: nothing but a regular file is opened, and links do
/// not lead out of the container. A file with another inode is not taken, except on overlayfs,
/// where some kernels show the inode of a lower layer in /proc/PID/maps.
pub(crate) fn open_module(wish: Wish<'_>) -> Result<FileSource> {
    let mut failure = None;
    if let Some(pid) = wish.pid {
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        let opened = look(&root)
            .and_then(|root| look_below(&root, wish.path))
            .and_then(|handle| read_regular(&handle, wish));
        match opened {
            Ok(Ok(file)) => return Ok(file),
            Ok(Err(unfit)) => failure = Some(unfit),
            Err(_) => {}
        }
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        if wish.inode.is_some_and(|inode| fs::metadata(&exe).is_ok_and(|m| m.ino() == inode))
            && let Ok(Ok(file)) = look(&exe).and_then(|exe| read_regular(&exe, wish))
        {
            return Ok(file);
        }
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    // One in memory only has no path.
    if !wish.path.is_absolute() {
        return Err(Error::Unfit { path: wish.path.to_owned(), what: "no path leads to it" });
    }
    look(wish.path)
        .and_then(|handle| read_regular(&handle, wish))
        .map_err(|source| Error::Open { path: wish.path.to_owned(), source })?
}

/// Opens a file that is known by a handle, if it is fit: the handle alone has no side effects,
/// but opening a device or a pipe may have.
fn read_regular(handle: &OwnedFd, wish: Wish<'_>) -> io::Result<Result<FileSource>> {
    let unfit = |what| Ok(Err(Error::Unfit { path: wish.path.to_owned(), what }));
    let by_handle = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    let metadata = fs::metadata(&by_handle)?;
    if !metadata.is_file() {
        return unfit("not a regular file");
    }
    if wish.inode.is_some_and(|inode| inode != metadata.ino()) && !on_overlayfs(handle.as_raw_fd())
    {
        return unfit("another file has this path by now");
    }
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(by_handle)?;
    FileSource::new(file).map(Ok)
}

/// What tells a file from others, and from what stood in its place before: device, inode, size and
/// when its inode was changed. On overlayfs the device is 0: each mount has its own, while the
/// kernel puts programs into the file below, which they share.
pub(crate) type Identity = (u64, u64, u64, i64);

/// The identity of an open file.
pub(crate) fn identity(file: &File) -> io::Result<Identity> {
    let facts = file.metadata()?;
    let device = if on_overlayfs(file.as_raw_fd()) { 0 } else { facts.dev() };
    let changed = facts.ctime().wrapping_mul(1_000_000_000).wrapping_add(facts.ctime_nsec());
    Ok((device, facts.ino(), facts.size(), changed))
}

/// A handle of a folder or file, whatever links lead to it.
fn look(path: &Path) -> io::Result<OwnedFd> {
    fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).map(File::into)
}

/// A handle of the file at `path` below a folder that stands for the root: openat2(2), Linux 5.6.
#[expect(unsafe_code, reason = "openat2 has no wrapper in the standard library")]
fn look_below(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: open_how is three integers: all zeros is a value of it.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC).unsigned_abs().into();
    how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: `root` is an open descriptor, `path` is NUL-terminated, `how` is as long as said;
    // all of them outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    };
    let descriptor = i32::try_from(result).ok().filter(|&fd| fd >= 0);
    let descriptor = descriptor.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[expect(unsafe_code, reason = "fstatfs is a libc call")]
fn on_overlayfs(file: RawFd) -> bool {
    // SAFETY: statfs is integers: all zeros is a value of it.
    let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `facts` is a valid statfs for the kernel to fill.
    let result = unsafe { libc::fstatfs(file, &raw mut facts) };
    // Signed in glibc, unsigned in musl.
    result == 0 && facts.f_type as u64 == OVERLAYFS_MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wish: Wish<'_>, expected: std::result::Result<u64, &str>) {
        match (open_module(wish), expected) {
            (Ok(file), Ok(size)) => assert_eq!(crate::symbols::source::Source::size(&file), size),
            (Err(error), Err(what)) => {
                assert!(error.to_string().contains(what), "{error}");
            }
            (found, expected) => panic!("{wish:?}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn only_what_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1234567").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let own = Some(std::process::id());
        for pid in [None, own, Some(u32::MAX)] {
            let wish = Wish { path: &path, pid, inode: None };
            check(wish, Ok(7));
            check(Wish { inode: Some(inode), ..wish }, Ok(7));
            check(Wish { inode: Some(inode + 1), ..wish }, Err("another file"));
            check(Wish { path: folder.path(), ..wish }, Err("not a regular file"));
            check(Wish { path: Path::new("/dev/zero"), ..wish }, Err("not a regular file"));
            check(Wish { path: &folder.path().join("none"), ..wish }, Err("No such file"));
        }
    }

    #[test]
    fn an_unlinked_executable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sleep");
        let size = fs::copy("/bin/sleep", &path).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let mut child = std::process::Command::new(&path).arg("100").spawn().unwrap();
        fs::remove_file(&path).unwrap();
        let wish = Wish { path: &path, pid: Some(child.id()), inode: Some(inode) };
        check(wish, Ok(size));
        fs::write(&path, "an update").unwrap();
        check(Wish { inode: Some(inode), ..wish }, Ok(size));
        child.kill().unwrap();
        child.wait().unwrap();
        check(wish, Err("another file"));
    }
}

//! The files of a shared library on this host: those that processes have mapped, and those that
//! processes to come will find.

use crate::proc::{Backing, executable, read_maps};
use crate::symbols::{FileSource, Wish, identity, open_module};
use rustc_hash::FxHashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where loaders look (ld.so(8)), besides what programs bring along.
const FOLDERS: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
];

/// Each file once of the library whose name begins so, with its path: `libssl` has `libssl.so.3` and
/// the `libssl-3f43de8c.so.3` of a Python wheel. Those of containers are among them.
pub(crate) fn files(library: &str) -> Vec<(PathBuf, FileSource)> {
    let mut seen = FxHashSet::default();
    let mut found = Vec::new();
    let mut add = |path: &Path, pid: Option<u32>| {
        if let Ok(source) = open_module(Wish { path, pid, inode: None })
            && let Ok(identity) = identity(source.file())
            && seen.insert(identity)
        {
            found.push((path.to_owned(), source));
        }
    };
    for folder in FOLDERS {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort_unstable();
        paths.iter().filter(|path| is_named(path, library)).for_each(|path| add(path, None));
    }
    let mut maps = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if read_maps(pid, &mut maps).is_err() {
            continue;
        }
        for mapping in executable(&maps) {
            let Backing::File { path, .. } = mapping.backing else { continue };
            let path = Path::new(OsStr::from_bytes(&path));
            if is_named(path, library) {
                add(path, Some(pid));
            }
        }
    }
    found
}

/// Whether a path is that of a file of this library.
pub(crate) fn is_named(path: &Path, library: &str) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| {
        name.strip_prefix(library).is_some_and(|rest| {
            (rest.starts_with('.') || rest.starts_with('-')) && rest.contains(".so")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn libraries_are_known_by_their_names() {
        let check =
            |path: &str, expected| assert_eq!(is_named(Path::new(path), "libssl"), expected);
        check("/lib/x86_64-linux-gnu/libssl.so.3", true);
        check("/opt/venv/cryptography.libs/libssl-3f43de8c.so.1.1", true);
        check("/lib/libssl3.so", false);
        check("/lib/libssl.a", false);
        check("/lib/libssl", false);
    }

    #[test]
    fn each_file_is_found_once() {
        let files = files("libc");
        let identities: FxHashSet<(u64, u64)> = files
            .iter()
            .map(|(_, source)| source.file().metadata().unwrap())
            .map(|file| (file.dev(), file.ino()))
            .collect();
        assert_eq!(identities.len(), files.len());
    }
}

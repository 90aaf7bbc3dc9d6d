//! Finds the files of a module by build-id.

use std::path::{Component, Path, PathBuf};

use super::elf_file::{ElfFile, Segment};
use super::options::Symbolize;

/// Where distributions put debug information.
const SYSTEM: &str = "/usr/lib/debug";

/// A module as the trace has it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Path, or a name in brackets.
    pub(super) path: String,
    /// Lower-case hexadecimal; empty when unknown.
    pub(super) build_id: String,
    pub(super) kernel: bool,
}

/// The files that were found for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Has debug information, or at least a symbol table.
    pub(super) file: PathBuf,
    pub(super) has_dwarf: bool,
    /// The shared part of it.
    pub(super) supplement: Option<PathBuf>,
    pub(super) place: Place,
}

/// How offsets become addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// By the segments of the very file.
    Segments(Vec<Segment>),
    /// By segments as GNU ld would have placed them: the file itself was not found.
    Assumed(Vec<Segment>),
    /// They count from this address: the kernel's `_stext`.
    From(u64),
}

/// Looks for the files of a module; why there are none, in words.
pub(super) fn search(wanted: &Wanted, options: &Symbolize) -> Result<Found, String> {
    let tail = build_id_path(&wanted.build_id).ok_or("the trace does not know its build-id")?;
    let mut segments = None;
    let mut tried = Vec::new();
    let mut symbols_only = None;
    for path in candidates(wanted, options, &tail) {
        let elf = match ElfFile::read(&path, wanted.kernel) {
            Ok(elf) => elf,
            Err(why) => {
                tried.push((path, why));
                continue;
            }
        };
        if elf.build_id.as_deref() != Some(&wanted.build_id) {
            let id = elf.build_id.as_deref().unwrap_or("none");
            tried.push((path, format!("its build-id is {id}")));
            continue;
        }
        if elf.has_layout() && segments.is_none() {
            segments = Some(elf.segments.clone());
        }
        if !elf.has_dwarf {
            if symbols_only.is_none() && elf.has_symbols && elf.has_layout() && !wanted.kernel {
                let place = Place::Segments(elf.segments);
                symbols_only =
                    Some(Found { file: path, has_dwarf: false, supplement: None, place });
            } else {
                tried.push((path, "no debug information".to_owned()));
            }
            continue;
        }
        let place = match (wanted.kernel, elf.stext, segments) {
            (true, Some(stext), _) => Place::From(stext),
            (true, None, found) => {
                tried.push((path, "no symbol _stext".to_owned()));
                segments = found;
                continue;
            }
            (false, _, Some(segments)) => Place::Segments(segments),
            (false, _, None) => Place::Assumed(elf.assumed_layout()),
        };
        let supplement = supplement(&path, &elf, options);
        return Ok(Found { file: path, has_dwarf: true, supplement, place });
    }
    symbols_only.ok_or_else(|| reason(wanted, &tried))
}

/// What to say of all that was tried: files that are there but do not fit are news, files that are not
/// there are not.
fn reason(wanted: &Wanted, tried: &[(PathBuf, String)]) -> String {
    let there: Vec<String> = tried
        .iter()
        .filter(|(_, why)| why != "no such file")
        .map(|(path, why)| format!("{}: {why}", path.display()))
        .collect();
    if !there.is_empty() {
        return there.join("; ");
    }
    if wanted.kernel { "no file: give --vmlinux" } else { "no file with this build-id" }.to_owned()
}

fn candidates(wanted: &Wanted, options: &Symbolize, tail: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if wanted.kernel {
        paths.extend(options.vmlinux.clone());
    } else if let Some(relative) = below_root(&wanted.path) {
        paths.push(PathBuf::from(&wanted.path));
        paths.extend(options.symfs.iter().map(|root| root.join(&relative)));
    }
    paths.push(Path::new(SYSTEM).join(tail));
    // The recorded host's own debug files.
    let system = SYSTEM.trim_start_matches('/');
    paths.extend(options.symfs.iter().map(|root| root.join(system).join(tail)));
    paths.extend(options.debug_dir.iter().map(|root| root.join(tail)));
    paths
}

/// The path without its root; `None` for what is no plain absolute path.
fn below_root(path: &str) -> Option<PathBuf> {
    let mut parts = Path::new(path).components();
    if parts.next() != Some(Component::RootDir) {
        return None;
    }
    let relative = parts.as_path();
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !relative.as_os_str().is_empty()).then(|| relative.to_owned())
}

/// `.build-id/xx/yyyy.debug`; `None` for what is no build-id.
fn build_id_path(id: &str) -> Option<PathBuf> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if id.len() < 4 || !id.bytes().all(hex) {
        return None;
    }
    let (first, rest) = id.split_at(2);
    Some(PathBuf::from(format!(".build-id/{first}/{rest}.debug")))
}

/// The file that debug information shares with that of other modules (made by dwz).
fn supplement(file: &Path, elf: &ElfFile, options: &Symbolize) -> Option<PathBuf> {
    let (link, id) = elf.supplement.as_ref()?;
    let mut paths = Vec::new();
    if link.is_absolute() {
        paths.push(link.clone());
    } else {
        paths.extend(file.parent().map(|folder| folder.join(link)));
    }
    if let Some(tail) = build_id_path(id) {
        paths.push(Path::new(SYSTEM).join(&tail));
        paths.extend(options.debug_dir.iter().map(|root| root.join(&tail)));
    }
    paths.into_iter().find(|path| {
        ElfFile::read(path, false).is_ok_and(|found| found.build_id.as_deref() == Some(id))
    })
}

#[cfg(test)]
mod tests {
    use super::{below_root, build_id_path};

    #[test]
    fn only_plain_paths_are_opened() {
        let check = |path, expected: Option<&str>| {
            assert_eq!(below_root(path).as_deref(), expected.map(std::path::Path::new), "{path}");
        };
        check("/usr/bin/app", Some("usr/bin/app"));
        check("/usr/../etc/app", None);
        check("usr/bin/app", None);
        check("[vdso]", None);
        check("/", None);
        check("", None);
    }

    #[test]
    fn a_build_id_is_hexadecimal() {
        let check = |id, expected: Option<&str>| {
            assert_eq!(build_id_path(id).as_deref(), expected.map(std::path::Path::new), "{id}");
        };
        check("3e56e912", Some(".build-id/3e/56e912.debug"));
        check("", None);
        check("../../x", None);
        check("3E56", None);
    }
}

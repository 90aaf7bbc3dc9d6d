//! /proc/PID/maps: the executable memory of a process.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;

use crate::proc::{Error, Result};

/// The device of a mapped file, as maps shows it.
///
/// On overlayfs and btrfs it is not the `st_dev` of stat(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Device {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// What stands behind a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backing<'a> {
    /// A file, as a path in the process's mount namespace and below its root.
    File {
        /// The path, with `\012` back as a newline (the only byte that the kernel escapes here).
        path: Cow<'a, [u8]>,
        /// It was unlinked: the path may name another file by now. A file that still exists under
        /// a name ending in " (deleted)" reads the same; stat(2) tells the two apart.
        deleted: bool,
    },
    /// memfd_create(2): a file without a path, by its name. JITs put code here.
    Memfd(Cow<'a, [u8]>),
    /// Memory without a file.
    Anonymous,
    /// Memory without a file that the process gave a name (prctl(2) PR_SET_VMA_ANON_NAME), or
    /// that the kernel calls `//anon`, `/dev/zero`, `/SYSV..` or `/anon_hugepage`.
    Named(&'a [u8]),
    /// The vDSO.
    Vdso,
    /// The vsyscall page, at a fixed address outside of every process's memory.
    Vsyscall,
    /// The heap.
    Heap,
    /// The main thread's stack.
    Stack,
    /// The trampolines of uprobes.
    Uprobes,
    /// Another region that the kernel names in brackets.
    Special(&'a [u8]),
}

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping<'a> {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Offset of `start` in the file.
    pub offset: u64,
    /// Device of the file; zero when there is none.
    pub device: Device,
    /// Inode of the file; 0 when there is none.
    pub inode: u64,
    /// What is mapped.
    pub backing: Backing<'a>,
}

/// The executable mappings in the text of /proc/PID/maps, in order of address.
///
/// A line that does not parse is left out: the kernel writes none.
pub(crate) fn executable(text: &[u8]) -> impl Iterator<Item = Mapping<'_>> {
    text.split(|&b| b == b'\n').filter_map(parse)
}

/// Reads /proc/PID/maps into a buffer that the caller keeps from process to process.
///
/// The text of a process with very many mappings is cut after 64 MiB.
pub(crate) fn read_maps(pid: u32, buffer: &mut Vec<u8>) -> Result<()> {
    let path = format!("/proc/{pid}/maps");
    buffer.clear();
    File::open(&path)
        .and_then(|file| file.take(64 << 20).read_to_end(buffer))
        .map(|_| ())
        .map_err(|source| Error::Read { path: path.into(), source })
}

fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    // start-end perms offset major:minor inode          path
    let (start, rest) = hex(line)?;
    let (end, rest) = hex(rest.strip_prefix(b"-")?)?;
    let perms = rest.strip_prefix(b" ")?.get(..4)?;
    if perms[2] != b'x' || end <= start {
        return None;
    }
    let (offset, rest) = hex(rest.get(5..)?.strip_prefix(b" ")?)?;
    let (major, rest) = hex(rest.strip_prefix(b" ")?)?;
    let (minor, rest) = hex(rest.strip_prefix(b":")?)?;
    let (inode, rest) = decimal(rest.strip_prefix(b" ")?)?;
    let device = Device { major: u32::try_from(major).ok()?, minor: u32::try_from(minor).ok()? };
    let backing = backing(rest.trim_ascii_start());
    Some(Mapping { start, end, offset, device, inode, backing })
}

fn backing(name: &[u8]) -> Backing<'_> {
    const DELETED: &[u8] = b" (deleted)";
    match name {
        b"" => return Backing::Anonymous,
        b"[vdso]" => return Backing::Vdso,
        b"[vsyscall]" => return Backing::Vsyscall,
        b"[heap]" => return Backing::Heap,
        b"[stack]" => return Backing::Stack,
        b"[uprobes]" => return Backing::Uprobes,
        _ => {}
    }
    if let Some(name) = name.strip_prefix(b"[anon:").or(name.strip_prefix(b"[anon_shmem:")) {
        return Backing::Named(name.strip_suffix(b"]").unwrap_or(name));
    }
    if name.starts_with(b"[") {
        return Backing::Special(name);
    }
    let (path, deleted) = name.strip_suffix(DELETED).map_or((name, false), |path| (path, true));
    if let Some(name) = path.strip_prefix(b"/memfd:") {
        return Backing::Memfd(unescape(name));
    }
    let kernel_made = deleted
        && (path == b"/dev/zero" || path == b"/anon_hugepage" || path.starts_with(b"/SYSV"));
    if kernel_made || name.starts_with(b"//anon") {
        return Backing::Named(path);
    }
    Backing::File { path: unescape(path), deleted }
}

/// Undoes what `seq_file_path(.., "\n")` in fs/proc/task_mmu.c does: it writes a newline as `\012`
/// and leaves every other byte alone, backslashes too.
fn unescape(path: &[u8]) -> Cow<'_, [u8]> {
    const NEWLINE: &[u8] = b"\\012";
    if !path.contains(&b'\\') {
        return Cow::Borrowed(path);
    }
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(NEWLINE) {
            plain.push(b'\n');
            rest = after;
        } else {
            plain.push(first);
            rest = after;
        }
    }
    Cow::Owned(plain)
}

fn hex(text: &[u8]) -> Option<(u64, &[u8])> {
    number(text, 16)
}

fn decimal(text: &[u8]) -> Option<(u64, &[u8])> {
    number(text, 10)
}

/// The number at the start of a text and what follows it; `None` when there is none or it does
/// not fit.
fn number(text: &[u8], radix: u32) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    let mut len = 0;
    while let Some(digit) = text.get(len).and_then(|&b| (b as char).to_digit(radix)) {
        value = value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))?;
        len += 1;
    }
    (len > 0).then(|| (value, &text[len..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<Backing<'_>>) {
        let found: Vec<_> = executable(line.as_bytes()).collect();
        assert_eq!(found.first().map(|m| m.backing.clone()), expected, "{line}");
    }

    fn file(path: &str, deleted: bool) -> Option<Backing<'_>> {
        Some(Backing::File { path: Cow::Borrowed(path.as_bytes()), deleted })
    }

    #[test]
    fn fields() {
        let text = b"7f00-8f00 r--p 00000000 fe:00 1  /x\n\
            7ff5c9748000-7ff5c989e000 r-xp 00026000 fe:00 326279                     /lib/libc.so.6\n\
            7ff5c9915000-7ff5c9917000 r-xp 00000000 00:00 0                          [vdso]\n";
        let found: Vec<_> = executable(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            Mapping {
                start: 0x7ff5_c974_8000,
                end: 0x7ff5_c989_e000,
                offset: 0x26000,
                device: Device { major: 0xfe, minor: 0 },
                inode: 326279,
                backing: Backing::File { path: Cow::Borrowed(b"/lib/libc.so.6"), deleted: false },
            }
        );
        assert_eq!(found[1].backing, Backing::Vdso);
    }

    #[test]
    fn names() {
        let line = |name: &str| format!("1000-2000 r-xp 00000000 00:00 7      {name}");
        check(&line(""), Some(Backing::Anonymous));
        check("1000-2000 rwxp 00000000 00:00 0 ", Some(Backing::Anonymous));
        check("1000-2000 rwxp 00000000 00:00 0", Some(Backing::Anonymous));
        check(&line("[heap]"), Some(Backing::Heap));
        check(&line("[vsyscall]"), Some(Backing::Vsyscall));
        check(&line("[uprobes]"), Some(Backing::Uprobes));
        check(&line("[sigpage]"), Some(Backing::Special(b"[sigpage]")));
        check(&line("[anon:v8 code]"), Some(Backing::Named(b"v8 code")));
        check(&line("//anon"), Some(Backing::Named(b"//anon")));
        check(&line("/dev/zero (deleted)"), Some(Backing::Named(b"/dev/zero")));
        check(&line("/memfd:jit (deleted)"), Some(Backing::Memfd(Cow::Borrowed(b"jit"))));
        check(&line("/a b/c  d"), file("/a b/c  d", false));
        check(&line("/opt/x (deleted)"), file("/opt/x", true));
        check(&line("/opt/x (deleted) (deleted)"), file("/opt/x (deleted)", true));
        check(&line(r"/a\012b\011c\"), file("/a\nb\\011c\\", false));
    }

    #[test]
    fn left_out() {
        for line in [
            "",
            "1000-2000 r--p 00000000 00:00 0 /x",
            "2000-1000 r-xp 00000000 00:00 0 /x",
            "1000 r-xp 00000000 00:00 0 /x",
            "1000-2000 r-xp",
            "1000-2000 r-",
            "11112222333344445-2000 r-xp 00000000 00:00 0 /x",
            "1000-2000 r-xp 00000000 0000 0 /x",
        ] {
            check(line, None);
        }
    }

    #[test]
    fn own_memory() {
        let mut text = Vec::new();
        read_maps(std::process::id(), &mut text).unwrap();
        let here = own_memory as fn() as usize as u64;
        let mapping = executable(&text).find(|m| (m.start..m.end).contains(&here)).unwrap();
        let exe = std::env::current_exe().unwrap();
        let Backing::File { path, .. } = mapping.backing else { panic!("{mapping:?}") };
        assert_eq!(&*path, exe.as_os_str().as_encoded_bytes());
        assert!(read_maps(u32::MAX, &mut text).unwrap_err().is_gone());
    }
}

//! /proc/kallsyms: the names of kernel code.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::symbols::layout::{KernelLayout, Origin};
use crate::symbols::{Error, Result};

/// How far above its symbol an address may lie where no end of the code is known.
const MAX_GENERATED: u64 = 1 << 20;

/// The kernel function at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelSymbol {
    /// What it belongs to.
    pub origin: Origin,
    /// The address that offsets in its origin count from.
    pub base: u64,
    /// Its name.
    pub name: String,
    /// Offset of the address in the function.
    pub offset: u64,
}

impl KernelSymbol {
    /// The path of its module in a trace: `[kernel]`, `[name]`, or a BPF program's own name.
    #[cfg(test)]
    pub(crate) fn module_path(&self) -> String {
        match &self.origin {
            Origin::Kernel => "[kernel]".to_owned(),
            Origin::Module(name) => format!("[{name}]"),
            Origin::Bpf => self.name.clone(),
        }
    }
}

/// Finds the functions at sorted kernel addresses in one pass over the text of /proc/kallsyms.
///
/// Keeps one symbol for each address and no table. Parsing takes 6 ms for 120 000 lines; the kernel
/// needs 40 ms to write them. When no address lies beyond the image, reading ends behind the last
/// one: the image comes first, in order.
///
/// Of several symbols at one address, global goes before weak before local, section marks such as
/// `_text` come last, then the shortest name wins, then the first in the order of bytes.
pub(crate) fn resolve_kernel(
    kallsyms: impl Read,
    layout: &KernelLayout,
    wanted: &[u64],
) -> Result<Vec<Option<KernelSymbol>>> {
    debug_assert!(wanted.is_sorted());
    let mut nearest = vec![Nearest::default(); wanted.len()];
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let last = wanted.last().copied().filter(|&last| layout.in_image(last));
    let mut hidden = true;
    lines(kallsyms, |line| {
        hidden &= line.address == 0;
        if last.is_some_and(|last| line.address > last) {
            return false;
        }
        if line.address != 0 && line.is_text() {
            let at = wanted.partition_point(|&address| address < line.address);
            if let Some(nearest) = nearest.get_mut(at) {
                nearest.offer(line);
            }
        }
        true
    })?;
    if hidden {
        return Err(Error::KernelAddressesHidden);
    }
    let mut found: Vec<Option<KernelSymbol>> = Vec::with_capacity(wanted.len());
    let mut last = Nearest::default();
    for (&address, own) in wanted.iter().zip(nearest) {
        if own.value != 0 {
            last = own;
        }
        found.push(last.symbol_at(address, layout));
    }
    Ok(found)
}

/// Opens /proc/kallsyms.
pub(super) fn open() -> Result<File> {
    let path = Path::new("/proc/kallsyms");
    File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// The symbol nearest below an address, as far as seen.
#[derive(Clone, Debug, Default)]
struct Nearest {
    /// 0 when none was seen.
    value: u64,
    rank: u8,
    name: Vec<u8>,
    module: Vec<u8>,
}

impl Nearest {
    fn offer(&mut self, line: Line<'_>) {
        let rank = rank(&line);
        let order = self
            .value
            .cmp(&line.address)
            .then_with(|| rank.cmp(&self.rank))
            .then_with(|| line.name.len().cmp(&self.name.len()))
            .then_with(|| line.name.cmp(&self.name));
        if order != Ordering::Less {
            return;
        }
        self.value = line.address;
        self.rank = rank;
        self.name.clear();
        self.name.extend_from_slice(line.name);
        self.module.clear();
        self.module.extend_from_slice(line.module.unwrap_or_default());
    }

    fn symbol_at(&self, address: u64, layout: &KernelLayout) -> Option<KernelSymbol> {
        let offset = address.checked_sub(self.value)?;
        let (origin, base) = match self.module.as_slice() {
            _ if self.value == 0 => return None,
            b"" if self.value < layout.stext || !layout.in_image(address) => return None,
            // No function: the end of them.
            b"" if self.name == b"_etext" => return None,
            b"" => (Origin::Kernel, layout.stext),
            b"bpf" if offset < MAX_GENERATED => (Origin::Bpf, self.value),
            name => {
                let name = String::from_utf8_lossy(name).into_owned();
                match layout.module_at(address) {
                    Some(module) if module.name == name => (Origin::Module(name), module.base),
                    None if offset < MAX_GENERATED && layout.module(&name).is_none() => {
                        (Origin::Module(name), self.value)
                    }
                    _ => return None,
                }
            }
        };
        let name = String::from_utf8_lossy(&self.name).into_owned();
        Some(KernelSymbol { origin, base, name, offset })
    }
}

/// The lower the better.
fn rank(line: &Line<'_>) -> u8 {
    // `_text`, `_stext`, `__sched_text_start`, `__irqentry_text_end`: bounds, not functions.
    let is_mark = line.name.starts_with(b"_")
        && [&b"text"[..], b"text_start", b"text_end"].iter().any(|end| line.name.ends_with(end));
    let kind = match line.kind {
        b'T' => 0,
        b'W' | b'w' => 1,
        _ => 2,
    };
    kind + if is_mark { 3 } else { 0 }
}

/// A line of /proc/kallsyms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) address: u64,
    /// The letter of nm(1).
    pub(super) kind: u8,
    pub(super) name: &'a [u8],
    /// Name in brackets; `None` for the image.
    pub(super) module: Option<&'a [u8]>,
}

/// Calls `see` with each line until it answers false. Lines that do not parse are passed over.
pub(super) fn lines(mut text: impl Read, mut see: impl FnMut(Line<'_>) -> bool) -> Result<()> {
    // The kernel gives a page at a time, however much is asked for.
    let mut buffer = vec![0; 64 << 10];
    let mut filled = 0;
    let mut offset = 0u64;
    loop {
        let read = match text.read(&mut buffer[filled..]) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => {
                read.map_err(|source| Error::Read { offset, len: buffer.len() - filled, source })?
            }
        };
        offset += read as u64;
        let end = filled + read;
        let mut start = 0;
        while let Some(len) = find_newline(&buffer[start..end]) {
            if let Some(line) = parse(&buffer[start..start + len])
                && !see(line)
            {
                return Ok(());
            }
            start += len + 1;
        }
        if read == 0 {
            if let Some(line) = parse(&buffer[start..end]) {
                see(line);
            }
            return Ok(());
        }
        if start == 0 && end == buffer.len() {
            // No line is this long: drop what there is of it.
            start = end;
        }
        buffer.copy_within(start..end, 0);
        filled = end - start;
    }
}

/// The first newline: 8 bytes at a time, for a quarter of this file's cost is to find them.
fn find_newline(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const NEWLINES: u64 = u64::from_ne_bytes([b'\n'; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ NEWLINES;
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeros != 0 {
            return Some(at * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&b| b == b'\n').map(|at| words.len() * 8 + at)
}

fn parse(line: &[u8]) -> Option<Line<'_>> {
    let mut address = 0u64;
    let mut len = 0;
    while let Some(digit) = line.get(len).and_then(|&b| (b as char).to_digit(16)) {
        if len == 16 {
            return None;
        }
        address = address << 4 | u64::from(digit);
        len += 1;
    }
    let [b' ', kind, b' ', name @ ..] = &line[len..] else { return None };
    if len == 0 || name.is_empty() {
        return None;
    }
    let (name, module) = match name.iter().position(|&b| b == b'\t') {
        Some(tab) => {
            let module = name[tab + 1..].trim_ascii_end();
            let module = module.strip_prefix(b"[")?.strip_suffix(b"]")?;
            (&name[..tab], Some(module))
        }
        None => (name, None),
    };
    Some(Line { address, kind: *kind, name, module })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KALLSYMS: &str = "0000000000000000 A fixed_percpu_data\n\
        ffffffff81000000 T _text\nffffffff81000000 T _stext\nffffffff81000000 t start_up\n\
        ffffffff81000100 t c_local\nffffffff81000100 W b_weak\nffffffff81000100 T longer\n\
        ffffffff81000100 T zz\nffffffff81000100 T aa\nffffffff81000200 D data\n\
        ffffffff81000fff T last\nffffffff81001000 T _etext\n\
        ffffffffc0000010 t exit\t[mod]\nffffffffc0000000 t init\t[mod]\n\
        ffffffffc0009000 t bpf_prog_6deef7357e7b4530_x\t[bpf]\n\
        ffffffffc000a000 t tramp\t[__builtin__ftrace]\nbroken\n";

    fn check(address: u64, expected: Option<(&str, &str, u64)>) {
        let modules = b"mod 8192 0 - Live 0xffffffffc0000000\n";
        let layout = KernelLayout::read(KALLSYMS.as_bytes(), Some(modules)).unwrap();
        // Alone, and among others.
        for wanted in [vec![address], vec![0xffff_ffff_8100_0050.min(address), address]] {
            let found = resolve_kernel(KALLSYMS.as_bytes(), &layout, &wanted).unwrap();
            let found = found.last().unwrap().as_ref();
            let path = found.map(KernelSymbol::module_path).unwrap_or_default();
            let found = found.map(|symbol| (path.as_str(), symbol.name.as_str(), symbol.offset));
            assert_eq!(found, expected, "{address:#x}");
        }
    }

    #[test]
    fn names() {
        check(0xffff_ffff_8100_0000, Some(("[kernel]", "start_up", 0)));
        check(0xffff_ffff_8100_00ff, Some(("[kernel]", "start_up", 0xff)));
        check(0xffff_ffff_8100_0100, Some(("[kernel]", "aa", 0)));
        check(0xffff_ffff_8100_0300, Some(("[kernel]", "aa", 0x200)));
        check(0xffff_ffff_8100_1000, None);
        check(0x1000, None);
        check(0xffff_ffff_c000_000f, Some(("[mod]", "init", 0xf)));
        check(0xffff_ffff_c000_1fff, Some(("[mod]", "exit", 0x1fef)));
        check(0xffff_ffff_c000_2000, None);
        let bpf = "bpf_prog_6deef7357e7b4530_x";
        check(0xffff_ffff_c000_9020, Some((bpf, bpf, 0x20)));
        check(0xffff_ffff_c000_a020, Some(("[__builtin__ftrace]", "tramp", 0x20)));
        check(0xffff_ffff_c010_a000, None);
    }

    #[test]
    fn pieces_of_any_length() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let len = self.0.len().min(7).min(buffer.len());
                buffer[..len].copy_from_slice(&self.0[..len]);
                self.0 = &self.0[len..];
                Ok(len)
            }
        }
        let mut names = Vec::new();
        let keep = |names: &mut Vec<Vec<u8>>, line: Line<'_>| names.push(line.name.to_vec());
        lines(Drip(KALLSYMS.as_bytes()), |line| {
            keep(&mut names, line);
            true
        })
        .unwrap();
        assert_eq!(names.len(), 16);
        let endless = vec![b'f'; 300_000];
        lines(endless.as_slice(), |line| panic!("{line:?}")).unwrap();
        lines(&b"fffffffffffffffff T x\n T x\nff T \n1 t y\tz\n"[..], |line| panic!("{line:?}"))
            .unwrap();
    }

    #[test]
    fn hidden() {
        let layout = KernelLayout::read(KALLSYMS.as_bytes(), None).unwrap();
        let zeros = &b"0000000000000000 T _stext\n"[..];
        let found = resolve_kernel(zeros, &layout, &[1]);
        assert!(matches!(found, Err(Error::KernelAddressesHidden)));
        assert_eq!(resolve_kernel(zeros, &layout, &[]).unwrap(), []);
    }

    /// On this host every function finds itself, unless the kernel hides its addresses.
    #[test]
    fn this_kernel() {
        let layout = match KernelLayout::of_host() {
            Ok(layout) => layout,
            Err(error) => {
                crate::symbols::compiled_tests::not_run("this_kernel", &error.to_string());
                return;
            }
        };
        let mut expected = Vec::new();
        lines(open().unwrap(), |line| {
            let wanted = [&b"schedule"[..], b"do_sys_openat2", b"vfs_read", b"kfree"];
            if line.is_text() && line.module.is_none() && wanted.contains(&line.name) {
                let name = String::from_utf8(line.name.to_vec()).unwrap();
                expected.push((line.address + 3, name));
            }
            true
        })
        .unwrap();
        expected.sort();
        assert!(expected.len() >= 3, "{expected:?}");
        let wanted: Vec<_> = expected.iter().map(|(address, _)| *address).collect();
        let found = resolve_kernel(open().unwrap(), &layout, &wanted).unwrap();
        for ((_, name), symbol) in expected.iter().zip(found) {
            let symbol = symbol.unwrap();
            assert_eq!((&symbol.name, symbol.offset), (name, 3));
            assert_eq!((symbol.origin, symbol.base), (Origin::Kernel, layout.stext));
        }
    }
}

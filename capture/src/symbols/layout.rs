//! Where the kernel's code lies: the image and its modules.

use std::io::Read;
use std::ops::Range;

use crate::symbols::kallsyms::{Line, lines};
use crate::symbols::{Error, Result};

/// Longest code of an image: that of distributions has some 20 MiB.
const MAX_IMAGE: u64 = 64 << 20;
/// Where x86-64 puts modules and what it generates (Documentation/arch/x86/x86_64/mm.rst).
const X86_MODULES: u64 = 0xffff_ffff_c000_0000;

/// What a piece of kernel code belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Origin {
    /// The image; offsets count from `_stext`.
    Kernel,
    /// A module, by name; offsets count from its load address. Also what the kernel generates for
    /// itself and names in brackets (`__builtin__ftrace`); offsets count from the symbol then.
    Module(String),
    /// A BPF program, trampoline or dispatcher; offsets count from its start.
    Bpf,
}

/// A loaded kernel module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelModule {
    /// Its name.
    pub name: String,
    /// Where it was loaded.
    pub base: u64,
    /// First address after it, at most the base of the next.
    pub end: u64,
}

/// The address ranges of kernel code, so that no absolute address needs to be kept.
///
/// Valid until a module is loaded or unloaded. BPF programs are not in it: they come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelLayout {
    /// The address of `_stext`, which offsets in the image count from.
    pub stext: u64,
    /// Where the image's code lies, at most; the second one is for code that lies apart.
    pub image: [Range<u64>; 2],
    /// In order of address.
    pub modules: Vec<KernelModule>,
}

impl KernelLayout {
    /// Reads it from /proc/kallsyms and the text of /proc/modules.
    ///
    /// Ends at `_stext`, one of the first lines, for the kernel takes 0.35 us to write each. Where
    /// the image ends stands too far behind: it is given as much as it can have. Without the text
    /// the modules are put together from their symbols, all of them.
    pub(crate) fn read(kallsyms: impl Read, modules: Option<&[u8]>) -> Result<KernelLayout> {
        let mut stext = None;
        let mut seen: Vec<KernelModule> = Vec::new();
        let mut hidden = true;
        lines(kallsyms, |line| {
            hidden &= line.address == 0;
            match line.module {
                Some(name) if is_module(name) && line.is_text() => {
                    note_module(&mut seen, name, line.address);
                }
                None if line.name == b"_stext" => {
                    stext.get_or_insert(line.address);
                }
                _ => {}
            }
            modules.is_none() || stext.is_none()
        })?;
        if hidden {
            return Err(Error::KernelAddressesHidden);
        }
        let stext = stext.filter(|&stext| stext != 0).ok_or(Error::NoKernelBase)?;
        let mut end = stext.saturating_add(MAX_IMAGE);
        if stext < X86_MODULES {
            end = end.min(X86_MODULES);
        }
        let modules = ordered(modules.map_or(seen, parse_modules));
        Ok(KernelLayout { stext, image: [stext..end, 0..0], modules })
    }

    /// Reads it from this host's /proc: a fraction of a millisecond.
    pub(crate) fn of_host() -> Result<KernelLayout> {
        let modules = match std::fs::read("/proc/modules") {
            // A kernel that cannot load modules has no such file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Vec::new()),
            modules => modules.ok(),
        };
        KernelLayout::read(super::kallsyms::open()?, modules.as_deref())
    }

    /// What an address belongs to, and where that starts; `None` for BPF programs and whatever
    /// else the kernel generates.
    #[cfg(test)]
    pub(crate) fn locate(&self, address: u64) -> Option<(Origin, u64)> {
        if self.in_image(address) {
            return Some((Origin::Kernel, self.stext));
        }
        let module = self.module_at(address)?;
        Some((Origin::Module(module.name.clone()), module.base))
    }

    /// Where the named module was loaded.
    pub(crate) fn module(&self, name: &str) -> Option<&KernelModule> {
        self.modules.iter().find(|module| module.name == name)
    }

    pub(super) fn in_image(&self, address: u64) -> bool {
        self.image.iter().any(|range| range.contains(&address))
    }

    pub(super) fn module_at(&self, address: u64) -> Option<&KernelModule> {
        let after = self.modules.partition_point(|module| module.base <= address);
        self.modules[..after].last().filter(|module| address < module.end)
    }
}

/// Whether a name in brackets is a module's: the kernel names its own code `__builtin__..`.
fn is_module(name: &[u8]) -> bool {
    name != b"bpf" && !name.starts_with(b"__builtin__")
}

fn note_module(seen: &mut Vec<KernelModule>, name: &[u8], address: u64) {
    let end = address.saturating_add(4096);
    // The symbols of a module stand together.
    match seen.last_mut() {
        Some(last) if last.name.as_bytes() == name => {
            last.base = last.base.min(address);
            last.end = last.end.max(end);
        }
        _ => {
            let name = String::from_utf8_lossy(name).into_owned();
            seen.push(KernelModule { name, base: address, end });
        }
    }
}

/// In order of address, none reaching into the next.
fn ordered(mut modules: Vec<KernelModule>) -> Vec<KernelModule> {
    modules.sort_unstable_by(|a, b| (a.base, &a.name).cmp(&(b.base, &b.name)));
    for at in 1..modules.len() {
        // The size in /proc/modules adds up areas that lie apart since Linux 6.4.
        modules[at - 1].end = modules[at - 1].end.min(modules[at].base);
    }
    modules
}

/// Lines of /proc/modules: name, size, users, dependants, state, address, taints.
fn parse_modules(text: &[u8]) -> Vec<KernelModule> {
    let parse = |line: &[u8]| -> Option<KernelModule> {
        let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let name = fields.next()?.to_owned();
        let size: u64 = fields.next()?.parse().ok()?;
        let address = fields.nth(3)?.strip_prefix("0x")?;
        let base = u64::from_str_radix(address, 16).ok().filter(|&base| base != 0)?;
        Some(KernelModule { name, base, end: base.saturating_add(size) })
    };
    text.split(|&b| b == b'\n').filter_map(parse).collect()
}

impl Line<'_> {
    /// Whether it is a symbol of code.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, b't' | b'T' | b'w' | b'W')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KALLSYMS: &str = "0000000000000000 A fixed_percpu_data\n\
        ffffffff81000000 T _stext\nffffffff82000000 T _etext\n\
        ffffffffc0000100 t a_init\t[a]\nffffffffc0000000 t a_exit\t[a]\n\
        ffffffffc0009000 t f\t[__builtin__ftrace]\nffffffffc000a000 t bpf_prog_1\t[bpf]\n";

    #[test]
    fn places() {
        let modules = "b 8192 0 - Live 0xffffffffc0002000\n\
            a 16384 1 b, Live 0xffffffffc0000000 (OE)\nzero 5 0 - Live 0x0000000000000000\nx\n";
        let layout = KernelLayout::read(KALLSYMS.as_bytes(), Some(modules.as_bytes())).unwrap();
        let check = |address: u64, expected: Option<(Origin, u64)>| {
            assert_eq!(layout.locate(address), expected, "{address:#x}");
        };
        check(0xffff_ffff_8100_0010, Some((Origin::Kernel, 0xffff_ffff_8100_0000)));
        check(0xffff_ffff_80ff_ffff, None);
        check(0xffff_ffff_8500_0000, None);
        check(0xffff_ffff_c000_1fff, Some((Origin::Module("a".into()), 0xffff_ffff_c000_0000)));
        check(0xffff_ffff_c000_2000, Some((Origin::Module("b".into()), 0xffff_ffff_c000_2000)));
        check(0xffff_ffff_c000_4000, None);
        check(0, None);
    }

    #[test]
    fn without_a_list_of_modules() {
        let layout = KernelLayout::read(KALLSYMS.as_bytes(), None).unwrap();
        let expected = KernelModule {
            name: "a".into(),
            base: 0xffff_ffff_c000_0000,
            end: 0xffff_ffff_c000_1100,
        };
        assert_eq!(layout.modules, [expected]);
    }

    #[test]
    fn hidden_or_headless() {
        let zeros = "0000000000000000 T _stext\n0000000000000000 T _etext\n";
        let read = |text: &str| KernelLayout::read(text.as_bytes(), None);
        assert!(matches!(read(zeros), Err(Error::KernelAddressesHidden)));
        assert!(matches!(read(""), Err(Error::KernelAddressesHidden)));
        assert!(matches!(read("ffffffff81000000 T x\n"), Err(Error::NoKernelBase)));
    }
}

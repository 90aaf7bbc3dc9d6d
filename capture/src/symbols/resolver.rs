//! Names for all places of a trace at once.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::Instant;

use ktape_schema::module_kind;

use crate::symbols::elf::Place;
use crate::symbols::kallsyms::{self, resolve_kernel};
use crate::symbols::layout::KernelLayout;
use crate::symbols::open::{Wish, open_module};
use crate::symbols::source::Source;
use crate::symbols::{Elf, Error, Result, demangle, own_vdso};

/// A module, and the places in it whose names are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    /// Its path, or the kernel's name for it in brackets.
    pub path: &'a [u8],
    /// One of [`module_kind`].
    pub kind: u32,
    /// A process that has it mapped: its root and mounts are where the path holds.
    pub pid: Option<u32>,
    /// The inode that /proc/PID/maps told: another file under the same path is not taken.
    pub inode: Option<u64>,
    /// Offsets as in `frame.offset`, in any order.
    ///
    /// A return address may be the first byte after its function: ask for the byte before.
    pub offsets: &'a [u64],
}

/// A function's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// Demangled, at most [`crate::symbols::MAX_NAME`] bytes.
    pub text: String,
    /// Offset of the place in the function.
    pub offset: u64,
}

/// What was found out about a module.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// Its GNU build-id in lower-case hexadecimal.
    pub build_id: Option<String>,
    /// For each offset asked for, its function.
    pub names: Vec<Option<Name>>,
    /// Why there are no names.
    pub failure: Option<Error>,
}

/// Finds names for places in files, the kernel, the vDSO and BPF programs.
///
/// The same files give the same names. Each module is opened once, and only the tables that are
/// needed are read: 35 us for a shared library and 20 places in it, 1 ms for a symbol table of
/// 165 000 entries, and once what the kernel takes to write /proc/kallsyms (40 ms for 120 000
/// lines).
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    layout: Option<KernelLayout>,
    deadline: Option<Instant>,
}

impl Resolver {
    /// One without a kernel and without a deadline.
    pub(crate) fn new() -> Resolver {
        Resolver::default()
    }

    /// Says where the kernel's code lies; without it, kernel modules stay nameless.
    #[must_use]
    pub(crate) fn with_kernel(mut self, layout: KernelLayout) -> Resolver {
        self.layout = Some(layout);
        self
    }

    /// Stops opening modules at this time: the rest gets [`Error::OutOfTime`]. Put the modules
    /// that matter most first.
    #[must_use]
    pub(crate) fn with_deadline(mut self, deadline: Instant) -> Resolver {
        self.deadline = Some(deadline);
        self
    }

    /// Answers each query in its place.
    pub(crate) fn resolve(&self, queries: &[Query<'_>]) -> Vec<Resolved> {
        let files = || queries.iter().map(|query| self.answer(query)).collect();
        if !queries.iter().any(is_kernel) {
            return files();
        }
        // The kernel takes its time to write kallsyms: files are read meanwhile.
        let (mut answers, kernel): (Vec<Resolved>, _) = thread::scope(|scope| {
            let kernel = scope.spawn(|| self.kernel_names(queries));
            (files(), kernel.join().unwrap_or_default())
        });
        for (index, answer) in kernel {
            answers[index] = answer;
        }
        answers
    }

    fn answer(&self, query: &Query<'_>) -> Resolved {
        let failed = |error| Resolved::nameless(query, Some(error));
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return failed(Error::OutOfTime);
        }
        match query.kind {
            module_kind::FILE => {
                let wish = Wish {
                    path: Path::new(std::ffi::OsStr::from_bytes(query.path)),
                    pid: query.pid,
                    inode: query.inode,
                };
                open_module(wish)
                    .and_then(|file| in_elf(file, query.offsets))
                    .unwrap_or_else(failed)
            }
            module_kind::VDSO => {
                own_vdso().and_then(|image| in_elf(image, query.offsets)).unwrap_or_else(failed)
            }
            // The program is its own only function.
            module_kind::BPF => {
                let text = demangle(query.path);
                let name = |&offset| Some(Name { text: text.clone(), offset });
                Resolved { names: query.offsets.iter().map(name).collect(), ..Resolved::default() }
            }
            _ => Resolved::nameless(query, None),
        }
    }

    /// Answers all queries about the kernel in one pass over kallsyms.
    fn kernel_names(&self, queries: &[Query<'_>]) -> Vec<(usize, Resolved)> {
        let mut answers = Vec::new();
        let mut wanted: Vec<(u64, usize, usize)> = Vec::new();
        for (index, query) in queries.iter().enumerate() {
            if !is_kernel(query) {
                continue;
            }
            let mut answer = Resolved::nameless(query, None);
            match self.base_of(query) {
                Some(base) => {
                    let addresses = query.offsets.iter().map(|offset| base.wrapping_add(*offset));
                    let here = answers.len();
                    wanted.extend(addresses.zip(0..).map(|(address, at)| (address, here, at)));
                }
                None => answer.failure = Some(Error::NoKernelBase),
            }
            answers.push((index, answer));
        }
        let Some(layout) = self.layout.as_ref().filter(|_| !wanted.is_empty()) else {
            return answers;
        };
        wanted.sort_unstable();
        let addresses: Vec<u64> = wanted.iter().map(|&(address, ..)| address).collect();
        match kallsyms::open().and_then(|text| resolve_kernel(text, layout, &addresses)) {
            Ok(found) => {
                for ((_, index, at), symbol) in wanted.into_iter().zip(found) {
                    answers[index].1.names[at] = symbol.map(|symbol| Name {
                        text: demangle(symbol.name.as_bytes()),
                        offset: symbol.offset,
                    });
                }
            }
            // One error for them all: the first gets it.
            Err(error) => answers[0].1.failure = Some(error),
        }
        answers
    }

    fn base_of(&self, query: &Query<'_>) -> Option<u64> {
        let layout = self.layout.as_ref()?;
        if query.kind == module_kind::KERNEL {
            return Some(layout.stext);
        }
        let name = query.path.strip_prefix(b"[")?.strip_suffix(b"]")?;
        Some(layout.module(std::str::from_utf8(name).ok()?)?.base)
    }
}

impl Resolved {
    fn nameless(query: &Query<'_>, failure: Option<Error>) -> Resolved {
        Resolved { build_id: None, names: vec![None; query.offsets.len()], failure }
    }
}

fn is_kernel(query: &Query<'_>) -> bool {
    matches!(query.kind, module_kind::KERNEL | module_kind::KERNEL_MODULE)
}

fn in_elf(source: impl Source, offsets: &[u64]) -> Result<Resolved> {
    let elf = Elf::open(source)?;
    let name = |place: Place| Name { text: demangle(&place.name), offset: place.offset };
    Ok(Resolved {
        build_id: elf.build_id(),
        names: elf.places(offsets).into_iter().map(|place| place.map(name)).collect(),
        failure: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resolver: &Resolver, path: &str, kind: u32, expected: &[Option<(&str, u64)>]) {
        let offsets: Vec<u64> = (0..expected.len() as u64).map(|at| at * 8).collect();
        let query =
            Query { path: path.as_bytes(), kind, pid: None, inode: None, offsets: &offsets };
        let found = resolver.resolve(&[query]).remove(0);
        let names: Vec<_> = found
            .names
            .iter()
            .map(|name| name.as_ref().map(|name| (name.text.as_str(), name.offset)))
            .collect();
        assert_eq!(names, expected, "{path} {:?}", found.failure);
        let named = expected.iter().any(Option::is_some);
        let fails = kind != module_kind::ANONYMOUS;
        assert_eq!(found.failure.is_some(), !named && fails, "{path} {:?}", found.failure);
    }

    #[test]
    fn kinds() {
        let resolver = Resolver::new();
        let bpf = "bpf_prog_6deef7357e7b4530_x";
        check(&resolver, bpf, module_kind::BPF, &[Some((bpf, 0)), Some((bpf, 8))]);
        check(&resolver, "[anon]", module_kind::ANONYMOUS, &[None, None]);
        check(&resolver, "/no/such/file", module_kind::FILE, &[None]);
        check(&resolver, "/dev/zero", module_kind::FILE, &[None]);
        check(&resolver, "[kernel]", module_kind::KERNEL, &[None]);
        check(&resolver, "[nfs]", module_kind::KERNEL_MODULE, &[None]);
        let late = Resolver::new().with_deadline(Instant::now());
        check(&late, bpf, module_kind::BPF, &[None]);
    }

    #[test]
    fn kernel_and_files_at_once() {
        let layout = match KernelLayout::of_host() {
            Ok(layout) => layout,
            Err(error) => {
                let test = "kernel_and_files_at_once";
                return crate::symbols::compiled_tests::not_run(test, &error.to_string());
            }
        };
        let exe = std::env::current_exe().unwrap();
        let query =
            |path, kind| Query { path, kind, pid: None, inode: None, offsets: &[0x100_000] };
        let queries = [
            query(exe.as_os_str().as_bytes(), module_kind::FILE),
            query(b"[kernel]", module_kind::KERNEL),
            query(b"[anon]", module_kind::ANONYMOUS),
            query(b"[kernel]", module_kind::KERNEL),
        ];
        let found = Resolver::new().with_kernel(layout).resolve(&queries);
        assert!(found.iter().all(|answer| answer.failure.is_none()), "{found:?}");
        assert!(found[1].names[0].is_some() && found[1].names == found[3].names);
        assert_eq!((found[2].names.len(), &found[2].names[0]), (1, &None));
    }
}

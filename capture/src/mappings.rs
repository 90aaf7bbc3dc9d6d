//! Which file lies at an address of a process, at any time of the recording.

use crate::proc::{Backing, executable, read_maps};
use crate::sideband::Mapped;
use crate::symbols::{Query, Resolver};
use crate::tape::Tape;
use ktape_format::schema::{Mapping, Module, module_kind};
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// A file that some process has mapped executable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    path: Vec<u8>,
    device: (u32, u32),
    inode: u64,
}

/// What is known of an origin.
struct File {
    origin: Origin,
    kind: u32,
    /// A process that has it mapped: its root folder is where the path leads to the file.
    tgid: u32,
    /// Its id in the trace, once some stack passed through it.
    module: u32,
    build_id: String,
    /// The segment in which it was defined last.
    told: Option<u32>,
}

/// A part of the kernel in the trace.
struct KernelModule {
    name: String,
    build_id: String,
    kind: u32,
    told: u32,
}

/// What a module id of the trace stands for: an index.
#[derive(Clone, Copy)]
enum ModuleOf {
    File(u32),
    Kernel(usize),
}

/// An executable range of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u64,
    end: u64,
    offset: u64,
    file: u32,
    since: u64,
}

/// How the path of a file begins that is in memory only; code that runs from one has offsets in it
/// like any other.
const MEMFD: &[u8] = b"memfd:";

/// The executable memory of all processes.
#[derive(Default)]
pub(crate) struct Mappings {
    processes: FxHashMap<u32, Rc<Vec<Range>>>,
    files: Vec<File>,
    by_origin: FxHashMap<Origin, u32>,
    /// Processes whose mappings are in the trace.
    told: FxHashSet<u32>,
    /// When the first thread of a process last took another name.
    renamed: FxHashMap<u32, u64>,
    /// By module id less one.
    modules: Vec<ModuleOf>,
    kernel: Vec<KernelModule>,
    buffer: Vec<u8>,
}

/// A module of the trace, to be asked for names at the end.
#[derive(Clone, Debug)]
pub(crate) struct NamedModule {
    pub(crate) module: u32,
    pub(crate) kind: u32,
    pub(crate) path: Vec<u8>,
    pub(crate) tgid: u32,
    pub(crate) inode: u64,
}

impl NamedModule {
    /// The question for the names at these offsets.
    pub(crate) fn query<'a>(&'a self, offsets: &'a [u64]) -> Query<'a> {
        Query {
            path: &self.path,
            kind: self.kind,
            pid: (self.tgid != 0).then_some(self.tgid),
            inode: (self.inode != 0).then_some(self.inode),
            offsets,
        }
    }
}

impl Mappings {
    /// Reads a process's maps file, if it is still there; `since` is the time they count from.
    pub(crate) fn read(&mut self, tgid: u32, since: u64) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if read_maps(tgid, &mut buffer).is_ok() {
            let mut ranges = Vec::new();
            for mapping in executable(&buffer) {
                let (path, kind): (Vec<u8>, u32) = match mapping.backing {
                    Backing::File { path, .. } => (path.into_owned(), module_kind::FILE),
                    Backing::Vdso => (b"[vdso]".to_vec(), module_kind::VDSO),
                    Backing::Memfd(name) => ([MEMFD, &name].concat(), module_kind::FILE),
                    Backing::Named(name) | Backing::Special(name) => {
                        (name.to_vec(), module_kind::ANONYMOUS)
                    }
                    Backing::Vsyscall => continue,
                    _ => (b"[anon]".to_vec(), module_kind::ANONYMOUS),
                };
                let origin = Origin {
                    path,
                    device: (mapping.device.major, mapping.device.minor),
                    inode: mapping.inode,
                };
                let file = self.file(origin, kind, tgid);
                ranges.push(Range {
                    start: mapping.start,
                    end: mapping.end,
                    offset: if kind == module_kind::ANONYMOUS {
                        mapping.start
                    } else {
                        mapping.offset
                    },
                    file,
                    since,
                });
            }
            ranges.sort_unstable_by_key(|range| range.start);
            self.processes.insert(tgid, Rc::new(ranges));
        }
        self.buffer = buffer;
    }

    fn file(&mut self, origin: Origin, kind: u32, tgid: u32) -> u32 {
        if let Some(&file) = self.by_origin.get(&origin) {
            return file;
        }
        let file = self.files.len() as u32;
        self.by_origin.insert(origin.clone(), file);
        let build_id = String::new();
        self.files.push(File { origin, kind, tgid, module: 0, build_id, told: None });
        file
    }

    /// A process has what its parent has.
    pub(crate) fn fork(&mut self, tgid: u32, parent: u32) {
        if let Some(ranges) = self.processes.get(&parent) {
            let ranges = Rc::clone(ranges);
            self.processes.insert(tgid, ranges);
        }
        self.told.remove(&tgid);
    }

    /// The first thread of a process took another name. execve(2) does so right after it dropped
    /// the old memory and before it maps the program (`begin_new_exec` in fs/exec.c).
    pub(crate) fn renamed(&mut self, tgid: u32, time: u64) {
        self.renamed.insert(tgid, time);
    }

    /// A process runs another program: what was mapped before its exec began is gone. The event
    /// comes after the program is mapped.
    pub(crate) fn exec(&mut self, tgid: u32, time: u64) {
        let began = self.renamed.remove(&tgid).unwrap_or(time);
        if let Some(ranges) = self.processes.get_mut(&tgid) {
            Rc::make_mut(ranges).retain(|range| range.since >= began);
        }
        self.told.remove(&tgid);
    }

    /// A process ended.
    pub(crate) fn exit(&mut self, tgid: u32) {
        self.processes.remove(&tgid);
        self.renamed.remove(&tgid);
        self.told.remove(&tgid);
    }

    /// A process mapped something.
    pub(crate) fn map(&mut self, mapped: &Mapped, tape: &mut Tape) {
        let kind = match mapped.path.as_slice() {
            b"[vdso]" => module_kind::VDSO,
            path if path.starts_with(b"//anon") || path.starts_with(b"[") => module_kind::ANONYMOUS,
            _ => module_kind::FILE,
        };
        let memfd = mapped.path.strip_prefix(b"/").filter(|path| path.starts_with(MEMFD));
        let path = match memfd {
            Some(path) => path.strip_suffix(b" (deleted)").unwrap_or(path).to_vec(),
            None => mapped.path.clone(),
        };
        let origin = Origin { path, device: mapped.device, inode: mapped.inode };
        let file = self.file(origin, kind, mapped.tgid);
        let new = Range {
            start: mapped.start,
            end: mapped.start.saturating_add(mapped.len),
            offset: if kind == module_kind::ANONYMOUS { mapped.start } else { mapped.file_offset },
            file,
            since: mapped.time,
        };
        let ranges = Rc::make_mut(self.processes.entry(mapped.tgid).or_default());
        insert(ranges, new);
        if self.told.contains(&mapped.tgid) {
            self.tell(mapped.tgid, new, tape);
        }
    }

    /// The module (its id in the trace) and the offset in it of an address; `None` where nothing
    /// executable is mapped.
    pub(crate) fn resolve(
        &mut self,
        tgid: u32,
        address: u64,
        tape: &mut Tape,
    ) -> Option<(u32, u64)> {
        let ranges = match self.processes.get(&tgid) {
            Some(ranges) => Rc::clone(ranges),
            None => {
                // Older than the recording, or its fork was lost.
                self.read(tgid, 0);
                Rc::clone(self.processes.get(&tgid)?)
            }
        };
        if self.told.insert(tgid) {
            for range in ranges.iter() {
                self.tell(tgid, *range, tape);
            }
        }
        let at = ranges.partition_point(|range| range.start <= address).checked_sub(1)?;
        let range = ranges[at];
        if address >= range.end {
            return None;
        }
        let module = self.module(range.file, tape);
        Some((module, address - range.start + range.offset))
    }

    /// Writes a mapping into the trace.
    fn tell(&mut self, tgid: u32, range: Range, tape: &mut Tape) {
        let row = Mapping {
            time: range.since,
            start: range.start,
            len: range.end - range.start,
            file_offset: range.offset,
            tgid,
            module: self.module(range.file, tape),
        };
        tape.define(Mapping::DESC, &row.encode());
    }

    fn module(&mut self, file: u32, tape: &mut Tape) -> u32 {
        let entry = &mut self.files[file as usize];
        if entry.module == 0 {
            self.modules.push(ModuleOf::File(file));
            entry.module = self.modules.len() as u32;
            let mut answer = Resolver::new().resolve(&[named(entry).query(&[])]);
            entry.build_id = answer.pop().and_then(|answer| answer.build_id).unwrap_or_default();
        }
        if entry.told != Some(tape.segment()) {
            entry.told = Some(tape.segment());
            let row = Module {
                id: entry.module,
                path: tape.text(&entry.origin.path),
                build_id: tape.text(entry.build_id.as_bytes()),
                kind: entry.kind,
            };
            tape.define(Module::DESC, &row.encode());
        }
        entry.module
    }

    /// A module that no process maps: the kernel or a part of it.
    pub(crate) fn kernel_module(
        &mut self,
        name: &str,
        build_id: &str,
        kind: u32,
        tape: &mut Tape,
    ) -> u32 {
        let (name, build_id) = (name.to_owned(), build_id.to_owned());
        self.modules.push(ModuleOf::Kernel(self.kernel.len()));
        self.kernel.push(KernelModule { name, build_id, kind, told: tape.segment() });
        let id = self.modules.len() as u32;
        self.kernel[self.kernel.len() - 1].define(id, tape);
        id
    }

    /// Sees to it that a module is defined in this segment.
    pub(crate) fn tell_module(&mut self, id: u32, tape: &mut Tape) {
        let Some(at) = (id as usize).checked_sub(1) else { return };
        match self.modules.get(at) {
            Some(&ModuleOf::File(file)) => {
                self.module(file, tape);
            }
            Some(&ModuleOf::Kernel(part)) => {
                let part = &mut self.kernel[part];
                if part.told != tape.segment() {
                    part.told = tape.segment();
                    part.define(id, tape);
                }
            }
            None => {}
        }
    }

    /// Sees to it that what a process has mapped is in this segment.
    pub(crate) fn tell_process(&mut self, tgid: u32, tape: &mut Tape) {
        if let Some(ranges) = self.processes.get(&tgid)
            && self.told.insert(tgid)
        {
            for range in Rc::clone(ranges).iter() {
                self.tell(tgid, *range, tape);
            }
        }
    }

    /// A new segment knows nothing of any process.
    pub(crate) fn retell(&mut self) {
        self.told.clear();
    }

    /// The modules of the trace that have names to give.
    pub(crate) fn named_modules(&self) -> Vec<NamedModule> {
        self.files
            .iter()
            .filter(|file| file.module != 0 && file.kind != module_kind::ANONYMOUS)
            .map(named)
            .collect()
    }
}

impl KernelModule {
    fn define(&self, id: u32, tape: &mut Tape) {
        let path = tape.text(self.name.as_bytes());
        let build_id = tape.text(self.build_id.as_bytes());
        tape.define(Module::DESC, &Module { id, path, build_id, kind: self.kind }.encode());
    }
}

fn named(file: &File) -> NamedModule {
    NamedModule {
        module: file.module,
        kind: file.kind,
        path: file.origin.path.clone(),
        tgid: file.tgid,
        inode: file.origin.inode,
    }
}

/// Puts a range in, cutting away what it covers.
fn insert(ranges: &mut Vec<Range>, new: Range) {
    let mut kept = Vec::with_capacity(ranges.len() + 2);
    for range in ranges.drain(..) {
        if range.end <= new.start || range.start >= new.end {
            kept.push(range);
            continue;
        }
        if range.start < new.start {
            kept.push(Range { end: new.start, ..range });
        }
        if range.end > new.end {
            kept.push(Range {
                start: new.end,
                offset: range.offset + (new.end - range.start),
                ..range
            });
        }
    }
    kept.push(new);
    kept.sort_unstable_by_key(|range| range.start);
    *ranges = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64, offset: u64, file: u32) -> Range {
        Range { start, end, offset, file, since: 0 }
    }

    #[test]
    fn a_new_mapping_cuts_the_old_ones() {
        let mut ranges = vec![range(10, 50, 0, 1)];
        insert(&mut ranges, range(20, 30, 7, 2));
        assert_eq!(ranges, [range(10, 20, 0, 1), range(20, 30, 7, 2), range(30, 50, 20, 1)]);
        insert(&mut ranges, range(0, 100, 0, 3));
        assert_eq!(ranges, [range(0, 100, 0, 3)]);
    }
}

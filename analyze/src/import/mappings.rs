//! Which file lies at an address of a process.

use std::rc::Rc;

use ktape_schema::{Mapping, Module, module_kind};
use rustc_hash::{FxHashMap, FxHashSet};

use super::bytes::Bytes;
use super::features::hex;
use super::tape::Tape;

/// Executable mappings that are kept of a process.
const MAX_RANGES: usize = 8192;
/// Mappings that processes have taken over from others and then changed, in all: 128 MB of them.
const MAX_COPIED: usize = 1 << 22;

#[derive(Clone, Copy, Debug)]
struct Range {
    start: u64,
    end: u64,
    offset: u64,
    file: u32,
    since: u64,
}

struct File {
    path: Vec<u8>,
    build_id: String,
    kind: u32,
    told: bool,
}

/// The executable memory of all processes. Module ids are those of files, from 1; the kernel's come
/// from here, too.
#[derive(Default)]
pub(super) struct Mappings {
    processes: FxHashMap<u32, Rc<Vec<Range>>>,
    files: Vec<File>,
    by_path: FxHashMap<(Vec<u8>, String), u32>,
    build_ids: FxHashMap<Vec<u8>, String>,
    told: FxHashSet<(u32, u64, u32)>,
    copied: usize,
    /// Mappings that found no room.
    pub(super) left_out: u64,
}

/// A mapping as a record tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped<'a> {
    pub(super) pid: u32,
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) offset: u64,
    pub(super) build_id: String,
    pub(super) path: &'a [u8],
}

impl<'a> Mapped<'a> {
    /// Of PERF_RECORD_MMAP (`second` false) or MMAP2; `None` when it is cut off, or not executable.
    pub(super) fn parse(body: &'a [u8], misc: u16, second: bool) -> Option<Self> {
        const DATA: u16 = 1 << 13;
        const HAS_BUILD_ID: u16 = 1 << 14;
        const EXECUTABLE: u32 = 4;
        let mut bytes = Bytes(body);
        let pid = bytes.u32()?;
        bytes.u32()?;
        let (start, len, offset) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
        let mut build_id = String::new();
        if second {
            let id = bytes.take(24)?;
            if misc & HAS_BUILD_ID != 0 {
                build_id = hex(&id[4..4 + usize::from(id[0]).min(20)]);
            }
            let protection = bytes.u32()?;
            bytes.u32()?;
            // The kernel's own have none.
            if pid != u32::MAX && protection & EXECUTABLE == 0 {
                return None;
            }
        } else if misc & DATA != 0 {
            return None;
        }
        Some(Self { pid, start, len, offset, build_id, path: bytes.text() })
    }
}

impl Mappings {
    /// Build-ids by path, for mappings that come without one.
    pub(super) fn new(build_ids: FxHashMap<Vec<u8>, String>) -> Self {
        Self { build_ids, ..Self::default() }
    }

    /// The build-id of a path.
    pub(super) fn build_id(&self, path: &[u8]) -> String {
        self.build_ids.get(path).cloned().unwrap_or_default()
    }

    /// Takes a mapping of a process, instead of what lay there before.
    pub(super) fn add(&mut self, mapped: &Mapped<'_>, time: u64) {
        let end = mapped.start.saturating_add(mapped.len);
        let (path, kind): (&[u8], u32) = match mapped.path {
            b"[vdso]" => (mapped.path, module_kind::VDSO),
            b"[vsyscall]" => return,
            b"" | b"//anon" => (b"[anon]", module_kind::ANONYMOUS),
            path if path.starts_with(b"[") => (path, module_kind::ANONYMOUS),
            path if path.starts_with(b"/") => (path, module_kind::FILE),
            path => (path, module_kind::ANONYMOUS),
        };
        let build_id = match mapped.build_id.as_str() {
            "" => self.build_id(path),
            known => known.to_owned(),
        };
        let file = self.file(path, build_id, kind);
        let ranges = self.processes.entry(mapped.pid).or_default();
        if Rc::strong_count(ranges) > 1 {
            self.copied = self.copied.saturating_add(ranges.len());
            if self.copied > MAX_COPIED {
                self.left_out += ranges.len() as u64;
                *ranges = Rc::default();
            }
        }
        let ranges = Rc::make_mut(ranges);
        let from = ranges.partition_point(|range| range.end <= mapped.start);
        let to = ranges.partition_point(|range| range.start < end);
        let new = Range { start: mapped.start, end, offset: mapped.offset, file, since: time };
        let mut pieces = Vec::with_capacity(3);
        if let Some(first) = ranges.get(from).filter(|range| range.start < mapped.start) {
            pieces.push(Range { end: mapped.start, ..*first });
        }
        pieces.push(new);
        let last = to.checked_sub(1).and_then(|last| ranges.get(last));
        if let Some(last) = last.filter(|range| range.end > end && to > from) {
            let offset = last.offset.wrapping_add(end - last.start);
            pieces.push(Range { start: end, offset, ..*last });
        }
        if from > to || ranges.len() + pieces.len() > MAX_RANGES {
            self.left_out += 1;
            return;
        }
        ranges.splice(from..to, pieces);
    }

    /// A process was made by another one.
    pub(super) fn fork(&mut self, pid: u32, parent: u32) {
        match self.processes.get(&parent).cloned() {
            Some(ranges) => self.processes.insert(pid, ranges),
            None => self.processes.remove(&pid),
        };
    }

    /// A process became another program.
    pub(super) fn exec(&mut self, pid: u32) {
        self.processes.remove(&pid);
    }

    /// Module and offset of an address of a process.
    pub(super) fn resolve(
        &mut self,
        pid: u32,
        address: u64,
        tape: &mut Tape<'_>,
    ) -> Option<(u32, u64)> {
        let ranges = self.processes.get(&pid)?;
        let after = ranges.partition_point(|range| range.start <= address);
        let range = *ranges.get(after.checked_sub(1)?)?;
        if address >= range.end {
            return None;
        }
        let kind = self.files.get(range.file as usize)?.kind;
        let module = self.tell(range.file, tape);
        if self.told.insert((pid, range.start, module)) {
            let row = Mapping {
                time: range.since,
                start: range.start,
                len: range.end - range.start,
                file_offset: range.offset,
                tgid: pid,
                module,
            };
            tape.define(Mapping::DESC, &row.encode());
        }
        let offset = match kind {
            module_kind::ANONYMOUS => address,
            _ => (address - range.start).wrapping_add(range.offset),
        };
        Some((module, offset))
    }

    /// The id of a module, defined.
    pub(super) fn module(
        &mut self,
        path: &[u8],
        build_id: String,
        kind: u32,
        tape: &mut Tape<'_>,
    ) -> u32 {
        let file = self.file(path, build_id, kind);
        self.tell(file, tape)
    }

    fn file(&mut self, path: &[u8], build_id: String, kind: u32) -> u32 {
        let next = self.files.len() as u32;
        let key = (path.to_vec(), build_id);
        let files = &mut self.files;
        *self.by_path.entry(key).or_insert_with_key(|(path, build_id)| {
            files.push(File { path: path.clone(), build_id: build_id.clone(), kind, told: false });
            next
        })
    }

    fn tell(&mut self, file: u32, tape: &mut Tape<'_>) -> u32 {
        let id = file + 1;
        if let Some(known) = self.files.get_mut(file as usize)
            && !known.told
        {
            known.told = true;
            let path = tape.text(&known.path);
            let build_id = tape.text(known.build_id.as_bytes());
            tape.define(Module::DESC, &Module { id, path, build_id, kind: known.kind }.encode());
        }
        id
    }
}

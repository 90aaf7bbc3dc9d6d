//! `ElfFile`: what the search needs to know of a file.

use std::fs::File;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, ReadCache};

/// A loadable part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) file_size: u64,
    pub(super) address: u64,
    pub(super) size: u64,
}

/// An ELF file, read in pieces: a kernel image with debug information takes hundreds of megabytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ElfFile {
    /// Lower-case hexadecimal.
    pub(super) build_id: Option<String>,
    pub(super) segments: Vec<Segment>,
    pub(super) has_dwarf: bool,
    /// Whether it has a symbol table, be it the dynamic one.
    pub(super) has_symbols: bool,
    /// Where a shared part of the debug information lies (`.gnu_debugaltlink`), and its build-id.
    pub(super) supplement: Option<(PathBuf, String)>,
    /// Address of `_stext`, in kernel images.
    pub(super) stext: Option<u64>,
}

impl ElfFile {
    /// Reads what is needed; why not, in words, when that does not work. Opens regular files only: a
    /// path from a trace may name anything.
    pub(super) fn read(path: &Path, kernel: bool) -> Result<Self, String> {
        let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            _ => error.to_string(),
        })?;
        if !meta.is_file() {
            return Err("no regular file".to_owned());
        }
        let file = File::open(path).map_err(|error| error.to_string())?;
        let data = ReadCache::new(file);
        let object = object::File::parse(&data).map_err(|error| error.to_string())?;
        let segments = object
            .segments()
            .map(|segment| {
                let (offset, file_size) = segment.file_range();
                Segment { offset, file_size, address: segment.address(), size: segment.size() }
            })
            .collect();
        let has_dwarf = [".debug_info", ".zdebug_info"]
            .iter()
            .any(|name| object.section_by_name(name).is_some_and(|section| section.size() > 0));
        let has_symbols =
            object.symbols().chain(object.dynamic_symbols()).any(|symbol| symbol.size() > 0);
        let supplement =
            object.gnu_debugaltlink().ok().flatten().map(|(path, id)| {
                (PathBuf::from(String::from_utf8_lossy(path).into_owned()), hex(id))
            });
        let stext = kernel.then(|| {
            let mut symbols = object.symbols();
            symbols.find(|symbol| symbol.name_bytes() == Ok(b"_stext")).map(|found| found.address())
        });
        Ok(Self {
            build_id: object.build_id().ok().flatten().map(hex),
            segments,
            has_dwarf,
            has_symbols,
            supplement,
            stext: stext.flatten(),
        })
    }

    /// Whether its segments say where in the file they lie: those of a file that was made to hold
    /// debug information alone do not.
    pub(super) fn has_layout(&self) -> bool {
        !self.segments.is_empty()
            && self.segments.iter().all(|part| part.file_size > 0 || part.size == 0)
    }

    /// Its segments as they were in the file that debug information was split from, if the linker laid
    /// them out as GNU ld does: each as far from the first one in the file as in memory.
    pub(super) fn assumed_layout(&self) -> Vec<Segment> {
        let base = self.segments.first().map_or(0, |first| first.address);
        let placed = self.segments.iter().map(|part| Segment {
            offset: part.address.saturating_sub(base),
            file_size: part.size,
            ..*part
        });
        placed.collect()
    }
}

/// The address at which a part of a file is linked.
pub(super) fn address_of(segments: &[Segment], offset: u64) -> Option<u64> {
    let part = segments
        .iter()
        .find(|part| offset >= part.offset && offset - part.offset < part.file_size)?;
    part.address.checked_add(offset - part.offset)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Segment, address_of};

    #[test]
    fn offsets_become_addresses() {
        let part =
            |offset, file_size, address| Segment { offset, file_size, address, size: file_size };
        let parts = [part(0, 0x618, 0x40_0000), part(0x1000, 0x17d, 0x40_2000)];
        let check =
            |offset, expected| assert_eq!(address_of(&parts, offset), expected, "{offset:#x}");
        check(0, Some(0x40_0000));
        check(0x617, Some(0x40_0617));
        check(0x618, None);
        check(0x1004, Some(0x40_2004));
        check(0x117d, None);
        assert_eq!(address_of(&[part(0, 10, u64::MAX)], 5), None);
    }
}

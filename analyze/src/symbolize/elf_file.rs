//! `ElfFile`: what the search needs to know of a file.

use std::fs::File;
use std::path::{Path, PathBuf};

use object::{CompressionFormat, Object, ObjectSection, ObjectSegment, ObjectSymbol, ReadCache};

/// Bytes that the compressed sections of any file may have when they are unpacked, and how many more
/// for each byte of the file in them: those of compilers have 2 to 6.
const UNPACKED: u64 = 64 << 20;
const UNPACKED_PER_BYTE: u64 = 32;

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
        check_unpacked(&object, meta.len())?;
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

/// Refuses compressed sections that claim more than they can hold: memory is taken by the claim.
fn check_unpacked<'data>(object: &impl Object<'data>, size: u64) -> Result<(), String> {
    let (mut stored, mut unpacked) = (0u64, 0u64);
    for section in object.sections() {
        let Ok(range) = section.compressed_file_range() else { continue };
        if range.format != CompressionFormat::None {
            stored = stored.saturating_add(range.compressed_size);
            unpacked = unpacked.saturating_add(range.uncompressed_size);
        }
    }
    let most = UNPACKED.saturating_add(stored.min(size).saturating_mul(UNPACKED_PER_BYTE));
    match unpacked > most {
        true => Err(format!("its compressed sections claim {unpacked} bytes")),
        false => Ok(()),
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
    use std::io::Write;

    use super::{ElfFile, Segment, UNPACKED, address_of};

    /// An ELF file of one compressed section, `.debug_info`, that claims so many bytes.
    fn compressed(claim: u64) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(64, 0);
        file[16..20].copy_from_slice(b"\x01\0\x3e\0");
        let names = b"\0.shstrtab\0.debug_info\0";
        file.extend(names);
        let section_at = file.len() as u64;
        // Type 1 is zlib.
        for word in [1, claim, 1] {
            file.extend(u64::to_le_bytes(word));
        }
        let headers_at = file.len();
        file.extend([0; 64]);
        for (name, kind, flags, offset, size) in
            [(1u32, 3u32, 0u64, 64, names.len() as u64), (11, 1, 1 << 11, section_at, 24)]
        {
            file.extend(name.to_le_bytes());
            file.extend(kind.to_le_bytes());
            for word in [flags, 0, offset, size, 0, 1, 0] {
                file.extend(word.to_le_bytes());
            }
        }
        file[40..48].copy_from_slice(&(headers_at as u64).to_le_bytes());
        file[58..64].copy_from_slice(b"\x40\0\x03\0\x01\0");
        file
    }

    #[test]
    fn a_claim_is_refused_before_memory_is_taken() {
        let read = |claim: u64| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&compressed(claim)).unwrap();
            ElfFile::read(file.path(), false)
        };
        assert!(read(UNPACKED).unwrap().has_dwarf);
        for claim in [UNPACKED + (32 << 10), 1 << 40, u64::MAX] {
            let error = read(claim).unwrap_err();
            assert_eq!(error, format!("its compressed sections claim {claim} bytes"));
        }
    }

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

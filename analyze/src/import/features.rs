//! What the feature sections of a perf.data file tell of the host and of the recording.
//!
//! Their numbers and layouts are those of tools/perf/Documentation/perf.data-file-format.txt.

use rustc_hash::FxHashMap;

use super::bytes::Bytes;
use super::file::PerfFile;
use super::formats::{self, Format};
use super::header::Header;
use crate::error::Result;

const TRACING_DATA: u32 = 1;
const BUILD_ID: u32 = 2;
const HOSTNAME: u32 = 3;
const OSRELEASE: u32 = 4;
const VERSION: u32 = 5;
const ARCH: u32 = 6;
const NRCPUS: u32 = 7;
const TOTAL_MEM: u32 = 10;
const CMDLINE: u32 = 11;
const CLOCK_DATA: u32 = 29;

/// Most bytes of a section that is read. That of tracepoints can have the kernel's symbols in it.
const MAX_SECTION: u64 = 64 << 20;
/// Most bytes of texts that go into the header of the trace.
const MAX_HOST_TEXT: usize = 4096;
const MAX_ARGUMENTS: usize = 64 << 10;

/// What is told of a host and a recording.
#[derive(Debug, Default)]
pub(super) struct Features {
    pub(super) hostname: String,
    pub(super) release: String,
    pub(super) perf_version: String,
    pub(super) arch: String,
    pub(super) cpus: u32,
    pub(super) possible_cpus: u32,
    pub(super) mem_bytes: u64,
    pub(super) command_line: Vec<String>,
    /// Tracepoints, with the places of their fields.
    pub(super) formats: Vec<Format>,
    /// In lower-case hexadecimal, by path.
    pub(super) build_ids: FxHashMap<Vec<u8>, String>,
    /// The same moment on the calendar's clock and on that of the records, in ns.
    pub(super) clocks: Option<(u64, u64)>,
}

impl Features {
    pub(super) fn read(file: &PerfFile, header: &Header) -> Result<Self> {
        let mut features = Self::default();
        for &(number, section) in &header.features {
            let what = match number {
                TRACING_DATA => "list of tracepoints",
                BUILD_ID => "list of build-ids",
                HOSTNAME | OSRELEASE | VERSION | ARCH | NRCPUS | TOTAL_MEM | CMDLINE
                | CLOCK_DATA => "section about the host",
                _ => continue,
            };
            let bytes = file.section(what, section, MAX_SECTION)?;
            let read = features.take(number, &mut Bytes(&bytes));
            read.ok_or_else(|| file.fail(format!("damaged: its {what} is cut off")))?;
        }
        Ok(features)
    }

    fn take(&mut self, number: u32, bytes: &mut Bytes<'_>) -> Option<()> {
        match number {
            TRACING_DATA => self.formats = formats::read(bytes)?,
            BUILD_ID => self.build_ids = build_ids(bytes),
            HOSTNAME => self.hostname = string(bytes)?,
            OSRELEASE => self.release = string(bytes)?,
            VERSION => self.perf_version = string(bytes)?,
            ARCH => self.arch = string(bytes)?,
            NRCPUS => (self.possible_cpus, self.cpus) = (bytes.u32()?, bytes.u32()?),
            TOTAL_MEM => self.mem_bytes = bytes.u64()?.saturating_mul(1024),
            CMDLINE => self.command_line = arguments(bytes)?,
            CLOCK_DATA => {
                // Version, clock; then the calendar and that clock.
                bytes.take(8)?;
                self.clocks = Some((bytes.u64()?, bytes.u64()?));
            }
            _ => {}
        }
        Some(())
    }
}

/// A text with its length, padded with zeros.
fn string(bytes: &mut Bytes<'_>) -> Option<String> {
    let len = bytes.u32()? as usize;
    let text = Bytes(bytes.take(len)?).text();
    Some(String::from_utf8_lossy(&text[..text.len().min(MAX_HOST_TEXT)]).into_owned())
}

/// The command line, as far as a trace has room for it.
fn arguments(bytes: &mut Bytes<'_>) -> Option<Vec<String>> {
    let mut room = MAX_ARGUMENTS;
    let mut arguments = Vec::new();
    for _ in 0..bytes.u32()? {
        let argument = string(bytes)?;
        // What an empty one takes counts as well.
        room = match room.checked_sub(argument.len() + 32) {
            Some(room) => room,
            None => break,
        };
        arguments.push(argument);
    }
    Some(arguments)
}

/// A list of `struct perf_record_header_build_id`; ends at the first that is not whole.
fn build_ids(bytes: &mut Bytes<'_>) -> FxHashMap<Vec<u8>, String> {
    const HAS_SIZE: u16 = 1 << 15;
    let mut found = FxHashMap::default();
    let mut entry = || {
        bytes.u32()?;
        let (misc, size) = (bytes.u16()?, bytes.u16()?);
        let mut entry = Bytes(bytes.take(usize::from(size).checked_sub(8)?)?);
        entry.u32()?;
        let id = entry.take(24)?;
        let len = if misc & HAS_SIZE != 0 { usize::from(id[20]).min(20) } else { 20 };
        Some((entry.text().to_vec(), hex(&id[..len])))
    };
    while let Some((path, id)) = entry() {
        found.insert(path, id);
    }
    found
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Executable mappings as they appear, from the kernel's own side band (PERF_RECORD_MMAP2).
//!
//! A software event that never fires is opened on every CPU; the kernel then reports each
//! executable mmap(2), execve(2) included, to its ring. This works on every kernel, sees processes
//! that live for milliseconds, and costs nothing while nothing is mapped. The layouts are those of
//! include/uapi/linux/perf_event.h.

use crate::error::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping that a process made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) time: u64,
    pub(crate) tgid: u32,
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) file_offset: u64,
    pub(crate) device: (u32, u32),
    pub(crate) inode: u64,
    /// Counts how often the number of the inode has been used.
    pub(crate) generation: u64,
    pub(crate) path: Vec<u8>,
}

pub(crate) const PERF_TYPE_SOFTWARE: u32 = 1;
pub(crate) const PERF_TYPE_HARDWARE: u32 = 0;
const PERF_COUNT_SW_DUMMY: u64 = 9;
const ATTR_WORDS: usize = 14; // PERF_ATTR_SIZE_VER5: 112 bytes
const SAMPLE_TID: u64 = 1 << 1;
const SAMPLE_TIME: u64 = 1 << 2;
const FLAG_MMAP: u64 = 1 << 8;
const FLAG_WATERMARK: u64 = 1 << 14;
const FLAG_SAMPLE_ID_ALL: u64 = 1 << 18;
const FLAG_MMAP2: u64 = 1 << 23;
const FLAG_USE_CLOCKID: u64 = 1 << 25;
const RECORD_LOST: u32 = 2;
const RECORD_MMAP2: u32 = 10;
const FD_CLOEXEC: libc::c_ulong = 8;

/// Data bytes of each CPU's ring: a power of two.
const RING_BYTES: usize = 256 * 1024;

/// Offsets in struct perf_event_mmap_page.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

#[expect(unsafe_code, reason = "perf_event_open(2) has no safe wrapper here")]
fn perf_event_open(attr: &[u64; ATTR_WORDS], cpu: u32) -> std::io::Result<OwnedFd> {
    // SAFETY: `attr` outlives the call and states its own size; -1 is "every process".
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            attr.as_ptr(),
            -1 as libc::c_long,
            libc::c_long::from(cpu),
            -1 as libc::c_long,
            FD_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Counts an event on a CPU, whatever runs there.
pub(crate) fn open_counter(kind: u32, config: u64, cpu: u32) -> std::io::Result<OwnedFd> {
    let mut attr = [0; ATTR_WORDS];
    attr[0] = u64::from(kind) | (size_of_val(&attr) as u64) << 32;
    attr[1] = config;
    perf_event_open(&attr, cpu)
}

/// Whether this host counts cycles in hardware: most virtual machines do not.
pub(crate) fn has_hardware_cycles() -> bool {
    open_counter(PERF_TYPE_HARDWARE, 0, 0).is_ok()
}

/// The rings of all CPUs.
pub(crate) struct Sideband {
    rings: Vec<PerfRing>,
    taken: u64,
    lost: u64,
}

struct PerfRing {
    fd: OwnedFd,
    base: *mut u8,
    page: usize,
}

impl Sideband {
    /// Opens the side band on these CPUs.
    pub(crate) fn open(cpus: &[u32], page: usize) -> Result<Sideband> {
        let mut rings = Vec::new();
        for &cpu in cpus {
            rings.push(
                PerfRing::open(cpu, page)
                    .map_err(Error::io("watch mappings on", format!("CPU {cpu}")))?,
            );
        }
        Ok(Sideband { rings, taken: 0, lost: 0 })
    }

    /// Takes all records that lie in the rings.
    pub(crate) fn drain(&mut self, mapped: &mut Vec<Mapped>) {
        for ring in &mut self.rings {
            let before = mapped.len();
            self.lost += ring.drain(mapped);
            self.taken += (mapped.len() - before) as u64;
        }
    }

    /// Mappings so far, and how many of them found their ring full.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.taken + self.lost, self.lost)
    }

    /// Descriptors that become readable when a ring is a quarter full.
    pub(crate) fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.rings.iter().map(|ring| ring.fd.as_raw_fd())
    }
}

impl PerfRing {
    #[expect(unsafe_code, reason = "the ring is shared memory")]
    fn open(cpu: u32, page: usize) -> std::io::Result<PerfRing> {
        let mut attr = [0; ATTR_WORDS];
        attr[0] = u64::from(PERF_TYPE_SOFTWARE) | (size_of_val(&attr) as u64) << 32;
        attr[1] = PERF_COUNT_SW_DUMMY;
        attr[3] = SAMPLE_TID | SAMPLE_TIME;
        attr[5] = FLAG_MMAP | FLAG_MMAP2 | FLAG_WATERMARK | FLAG_SAMPLE_ID_ALL | FLAG_USE_CLOCKID;
        attr[6] = RING_BYTES as u64 / 4; // wakeup_watermark, bp_type 0
        attr[11] = (libc::CLOCK_MONOTONIC as u64) << 32; // sample_stack_user 0, clockid
        let fd = perf_event_open(&attr, cpu)?;
        // SAFETY: a fresh shared mapping of the event's ring: one control page and the data.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                page + RING_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        Ok(PerfRing { fd, base: base.cast(), page })
    }

    #[expect(unsafe_code, reason = "the ring is shared memory")]
    fn position(&self, at: usize) -> &AtomicU64 {
        // SAFETY: `at` is one of the two aligned words of the control page, which lives as long as
        // `self`; the kernel accesses them atomically, too.
        unsafe { AtomicU64::from_ptr(self.base.add(at).cast()) }
    }

    /// Copies `out.len()` bytes at `position` of the data, which wraps.
    #[expect(unsafe_code, reason = "the ring is shared memory")]
    fn copy(&self, position: u64, out: &mut [u8]) {
        for (index, byte) in out.iter_mut().enumerate() {
            let at = (position as usize).wrapping_add(index) & (RING_BYTES - 1);
            // SAFETY: `at` is below RING_BYTES, and the data starts behind the control page; the
            // kernel does not write between tail and head.
            *byte = unsafe { self.base.add(self.page + at).read_volatile() };
        }
    }

    /// Parses what lies between tail and head; returns how many records the kernel dropped.
    fn drain(&mut self, mapped: &mut Vec<Mapped>) -> u64 {
        let head = self.position(DATA_HEAD).load(Ordering::Acquire);
        let mut tail = self.position(DATA_TAIL).load(Ordering::Relaxed);
        let mut lost = 0;
        let mut record = Vec::new();
        while tail < head {
            let mut header = [0; 8];
            self.copy(tail, &mut header);
            let size = usize::from(u16::from_ne_bytes([header[6], header[7]]));
            if size < 8 || tail + size as u64 > head {
                break;
            }
            record.resize(size, 0);
            self.copy(tail, &mut record);
            match u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) {
                RECORD_MMAP2 => mapped.extend(parse_mmap2(&record)),
                RECORD_LOST => lost += word(&record, 16).unwrap_or(0),
                _ => {}
            }
            tail += size as u64;
        }
        self.position(DATA_TAIL).store(head, Ordering::Release);
        lost
    }
}

impl Drop for PerfRing {
    #[expect(unsafe_code, reason = "the ring is shared memory")]
    fn drop(&mut self) {
        // SAFETY: `base` came from mmap with this length, and nothing else refers to it.
        unsafe { libc::munmap(self.base.cast(), self.page + RING_BYTES) };
    }
}

fn word(record: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(record.get(at..at + 8)?.try_into().ok()?))
}

fn half(record: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?))
}

/// header 8, pid 4, tid 4, addr 8, len 8, pgoff 8, maj 4, min 4, ino 8, generation 8, prot 4,
/// flags 4, filename (padded to 8), then the sample id: pid 4, tid 4, time 8.
fn parse_mmap2(record: &[u8]) -> Option<Mapped> {
    const NAME: usize = 72;
    let end = record.len().checked_sub(16)?;
    let name = record.get(NAME..end)?;
    let path = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Some(Mapped {
        time: word(record, end + 8)?,
        tgid: half(record, 8)?,
        start: word(record, 16)?,
        len: word(record, 24)?,
        file_offset: word(record, 32)?,
        device: (half(record, 40)?, half(record, 44)?),
        inode: word(record, 48)?,
        generation: word(record, 56)?,
        path: path.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mmap2_record() {
        let mut record = vec![0; 72];
        record[8..12].copy_from_slice(&7u32.to_ne_bytes());
        record[16..24].copy_from_slice(&0x1000u64.to_ne_bytes());
        record[24..32].copy_from_slice(&0x2000u64.to_ne_bytes());
        record[32..40].copy_from_slice(&0x3000u64.to_ne_bytes());
        record[48..56].copy_from_slice(&42u64.to_ne_bytes());
        record.extend_from_slice(b"/bin/x\0\0");
        record.extend_from_slice(&[0; 8]);
        record.extend_from_slice(&99u64.to_ne_bytes());
        let mapped = parse_mmap2(&record).expect("whole record");
        assert_eq!((mapped.time, mapped.tgid, mapped.inode), (99, 7, 42));
        assert_eq!((mapped.start, mapped.len, mapped.file_offset), (0x1000, 0x2000, 0x3000));
        assert_eq!(mapped.path, b"/bin/x");
        assert_eq!(parse_mmap2(&record[..60]), None);
    }
}

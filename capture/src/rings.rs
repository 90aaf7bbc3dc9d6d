//! Ring buffers: one of facts per CPU, one of definitions.

use crate::error::{Error, Result};
use aya::maps::{ArrayOfMaps, Map, MapData, RingBuf};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A ring that this process reads.
pub(crate) struct Ring {
    ring: RingBuf<MapData>,
    /// Whose facts it holds; of no meaning for definitions.
    pub(crate) cpu: u16,
}

/// In front of each item: the record's id and a spare word (`struct item` of ktape.bpf.h).
pub(crate) const ITEM_BYTES: usize = 8;

impl Ring {
    /// Gives each item that lies in the ring to `each`: its record's id and its bytes. Returns how
    /// many there were. Stops after `limit`, so that a flood cannot keep the reader here forever.
    pub(crate) fn drain(&mut self, limit: usize, mut each: impl FnMut(u16, &[u8])) -> usize {
        let mut count = 0;
        while count < limit {
            let Some(item) = self.ring.next() else { break };
            count += 1;
            if let Some((head, body)) = item.split_at_checked(ITEM_BYTES) {
                each(u16::from_ne_bytes([head[0], head[1]]), body);
            }
        }
        count
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

/// The array through which the programs find their CPU's ring.
pub(crate) type RingArray = ArrayOfMaps<MapData, RingBuf<MapData>>;

/// Makes a fact ring for each of these CPUs and puts it into the array of rings.
///
/// The array comes back, too: the programs name it by its descriptor until they are loaded.
pub(crate) fn per_cpu(array: Map, cpus: &[u32], bytes: u32) -> Result<(RingArray, Vec<Ring>)> {
    let what = "make a ring";
    let mut array: RingArray = array.try_into().map_err(Error::kernel(what))?;
    let mut rings = Vec::new();
    for &cpu in cpus {
        let fd = create(bytes).map_err(|error| Error::Kernel {
            action: what,
            message: format!("{error} (ring of {bytes} bytes; -m sets it)"),
        })?;
        let data = MapData::from_fd(fd).map_err(Error::kernel(what))?;
        let ring = RingBuf::try_from(Map::RingBuf(data)).map_err(Error::kernel(what))?;
        array.set(cpu, &ring, 0).map_err(Error::kernel(what))?;
        rings.push(Ring { ring, cpu: cpu as u16 });
    }
    Ok((array, rings))
}

/// A ring of which it matters that all was taken that had been put in by some moment.
pub(crate) struct WholeRing {
    ring: Ring,
    positions: Positions,
}

/// The longest that the reader waits for a program that has taken room in the ring and not filled it.
const PATIENCE: Duration = Duration::from_millis(100);

impl WholeRing {
    /// Gives each item that was put into the ring before this call to `each`.
    ///
    /// A reader stops at room that a program has taken and not yet filled, and what others put behind
    /// it cannot be seen: the program's CPU may have been taken away, by the scheduler (from kernel 7.0
    /// on) or by the host of a virtual machine. It is waited for.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(u16, &[u8])) {
        let until = self.positions.put();
        let begin = Instant::now();
        loop {
            self.ring.drain(usize::MAX, &mut each);
            if self.positions.taken() >= until || begin.elapsed() > PATIENCE {
                return;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl AsRawFd for WholeRing {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

/// How far a ring was read and written: its first two pages (kernel/bpf/ringbuf.c,
/// `struct bpf_ringbuf`), each of which begins with a position that only grows.
struct Positions {
    pages: NonNull<libc::c_void>,
    page: usize,
}

#[expect(unsafe_code, reason = "shared memory of the kernel")]
impl Positions {
    fn of(ring: RawFd) -> std::io::Result<Positions> {
        // SAFETY: a plain system call without pointers.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let (read, shared) = (libc::PROT_READ, libc::MAP_SHARED);
        // SAFETY: a new mapping; the kernel checks length and offset.
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), 2 * page, read, shared, ring, 0) };
        match NonNull::new(pages) {
            Some(pages) if pages.as_ptr() != libc::MAP_FAILED => Ok(Positions { pages, page }),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    fn at(&self, offset: usize) -> u64 {
        // SAFETY: both positions lie at the start of a mapped page, aligned, and are only ever
        // accessed as whole words.
        let position = unsafe { &*self.pages.as_ptr().byte_add(offset).cast::<AtomicU64>() };
        position.load(Ordering::Acquire)
    }

    /// Bytes read so far.
    fn taken(&self) -> u64 {
        self.at(0)
    }

    /// Bytes for which room was taken so far.
    fn put(&self) -> u64 {
        self.at(self.page)
    }
}

impl Drop for Positions {
    #[expect(unsafe_code, reason = "munmap(2)")]
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nothing borrows from it.
        unsafe { libc::munmap(self.pages.as_ptr(), 2 * self.page) };
    }
}

/// The one ring in this map.
pub(crate) fn single(map: Map) -> Result<WholeRing> {
    let ring = RingBuf::try_from(map).map_err(Error::kernel("open a ring"))?;
    let positions = Positions::of(ring.as_raw_fd()).map_err(Error::io("map", "a ring"))?;
    Ok(WholeRing { ring: Ring { ring, cpu: 0 }, positions })
}

/// bpf(BPF_MAP_CREATE) of a ring buffer; aya 0.14 makes rings only from an object.
#[expect(unsafe_code, reason = "bpf(2) has no safe wrapper for this map type")]
fn create(bytes: u32) -> std::io::Result<OwnedFd> {
    const BPF_MAP_CREATE: libc::c_long = 0;
    const BPF_MAP_TYPE_RINGBUF: u32 = 27;
    // The head of union bpf_attr: map_type, key_size, value_size, max_entries.
    let attr: [u32; 18] = {
        let mut attr = [0; 18];
        attr[0] = BPF_MAP_TYPE_RINGBUF;
        attr[3] = bytes;
        attr
    };
    // SAFETY: `attr` outlives the call, its size is given, unused fields are zero.
    let fd =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, attr.as_ptr(), size_of_val(&attr)) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

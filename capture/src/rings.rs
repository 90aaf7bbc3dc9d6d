//! Ring buffers: one of facts per CPU, one of definitions.

use crate::error::{Error, Result};
use crate::ring_memory::Memory;
use aya::maps::{ArrayOfMaps, Map, MapData, RingBuf};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// A ring that this process reads.
pub(crate) struct Ring {
    map: MapData,
    memory: Memory,
    /// Whose facts it holds; of no meaning for definitions.
    pub(crate) cpu: u16,
}

/// In front of each item: the record's id and a spare word (`struct item` of ktape.bpf.h).
pub(crate) const ITEM_BYTES: usize = 8;

impl Ring {
    fn new(map: MapData, bytes: u32, cpu: u16) -> Result<Ring> {
        let memory = Memory::of(map.fd().as_fd().as_raw_fd(), bytes as usize);
        Ok(Ring { map, memory: memory.map_err(Error::io("map", "a ring"))?, cpu })
    }

    /// Gives each item that lies in the ring to `each`: its record's id and its bytes. Returns how
    /// many there were. Stops after `limit`, so that a flood cannot keep the reader here forever.
    pub(crate) fn drain(&mut self, limit: usize, mut each: impl FnMut(u16, &[u8])) -> usize {
        self.memory.drain(limit, |item| {
            if let Some((head, body)) = item.split_at_checked(ITEM_BYTES) {
                each(u16::from_ne_bytes([head[0], head[1]]), body);
            }
        })
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.map.fd().as_fd().as_raw_fd()
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
        let own = fd.try_clone().map_err(Error::io("copy", "a ring's descriptor"))?;
        {
            // The loader maps a ring whole (8 MiB of one of 4): not at the same time as we do.
            let data = MapData::from_fd(fd).map_err(Error::kernel(what))?;
            let ring = RingBuf::try_from(Map::RingBuf(data)).map_err(Error::kernel(what))?;
            array.set(cpu, &ring, 0).map_err(Error::kernel(what))?;
        }
        let own = MapData::from_fd(own).map_err(Error::kernel(what))?;
        rings.push(Ring::new(own, bytes, cpu as u16)?);
    }
    Ok((array, rings))
}

/// A ring of which it matters that all was taken that had been put in by some moment.
pub(crate) struct WholeRing(Ring);

/// The longest that the reader waits for a program that has taken room in the ring and not filled it.
const PATIENCE: Duration = Duration::from_millis(100);

impl WholeRing {
    /// Gives each item that was put into the ring before this call to `each`.
    ///
    /// A reader stops at room that a program has taken and not yet filled, and what others put behind
    /// it cannot be seen: the program's CPU may have been taken away, by the scheduler (from kernel 7.0
    /// on) or by the host of a virtual machine. It is waited for.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(u16, &[u8])) {
        let until = self.0.memory.put();
        let begin = Instant::now();
        loop {
            self.0.drain(usize::MAX, &mut each);
            if self.0.memory.taken() >= until || begin.elapsed() > PATIENCE {
                return;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl AsRawFd for WholeRing {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The one ring in this map.
pub(crate) fn single(map: Map, bytes: u32) -> Result<WholeRing> {
    let Map::RingBuf(data) = map else {
        let message = "it is another kind of map".to_owned();
        return Err(Error::Kernel { action: "open a ring", message });
    };
    // The programs name it by this descriptor until they are loaded.
    Ok(WholeRing(Ring::new(data, bytes, 0)?))
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

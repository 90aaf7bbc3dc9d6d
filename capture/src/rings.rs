//! Ring buffers: one of facts per CPU, one of definitions.

use crate::error::{Error, Result};
use aya::maps::{ArrayOfMaps, Map, MapData, RingBuf};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

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

/// The one ring in this map.
pub(crate) fn single(map: Map) -> Result<Ring> {
    let ring = RingBuf::try_from(map).map_err(Error::kernel("open a ring"))?;
    Ok(Ring { ring, cpu: 0 })
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

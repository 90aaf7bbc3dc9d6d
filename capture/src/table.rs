//! Hash maps of the kernel programs, read many rows at a time: a row by itself costs two system calls,
//! a second of a busy host thousands.

use crate::error::{Error, Result};
use aya::maps::{Map, MapData};
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Commands and attributes of bpf(2): include/uapi/linux/bpf.h. Batches came with 5.6.
const BPF_MAP_DELETE_ELEM: libc::c_long = 3;
const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;

/// `bpf_attr.batch`.
#[repr(C)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// The beginning of `bpf_attr` for single elements.
#[repr(C)]
struct Element {
    map_fd: u32,
    spare: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Bytes of values that are asked for at once, at first, and the fewest rows.
const ROOM_BYTES: usize = 1 << 18;
const LEAST_ROOM: usize = 16;

/// How often a bucket that is being changed is met in one reading.
const TRIES: u32 = 1000;

/// More rows than a bucket of any of our maps can hold.
const MOST_ROOM: usize = 1 << 20;

/// A hash map, or one per CPU, with keys of `K` 32-bit and values of `V` 64-bit words.
pub(crate) struct Table<const K: usize, const V: usize> {
    fd: OwnedFd,
    /// Values of a row: one per possible CPU, or just one.
    values: usize,
}

impl<const K: usize, const V: usize> Table<K, V> {
    /// Takes a map of the object; it stays in the kernel as long as this.
    pub(crate) fn new(map: &Map) -> Result<Self> {
        let what = "open a map";
        let (data, values) = match map {
            Map::HashMap(data) | Map::LruHashMap(data) => (data, 1),
            Map::PerCpuHashMap(data) => {
                let cpus = aya::util::nr_cpus().map_err(|(_, error)| error);
                (data, cpus.map_err(Error::io(what, "/sys/devices/system/cpu/possible"))?)
            }
            _ => return Err(wrong("it is no hash map")),
        };
        let info = data.info().map_err(Error::kernel(what))?;
        let sizes = (info.key_size() as usize, info.value_size() as usize);
        if sizes != (4 * K, 8 * V) {
            return Err(wrong(&format!("its keys and values have {sizes:?} bytes")));
        }
        Ok(Self { fd: owned(data)?, values })
    }

    /// Hands over each key with its values, one per CPU or just one. What comes or goes meanwhile may be
    /// among them or not; the rest is there, and once. What cannot be read is missing.
    pub(crate) fn each(&self, mut row: impl FnMut([u32; K], &[[u64; V]])) {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        let (mut next, mut from) = (0, None);
        let mut tries = TRIES;
        let mut room = (ROOM_BYTES / (8 * V * self.values)).max(LEAST_ROOM);
        loop {
            keys.resize(room, [0; K]);
            values.resize(room * self.values, [0; V]);
            let (read, more) = match self.batch(from.as_ref(), &mut next, &mut keys, &mut values) {
                Ok(read) => (read, true),
                // The next bucket has more rows than there is room for: none was read.
                Err((_, libc::ENOSPC)) if room < MOST_ROOM => {
                    room *= 2;
                    continue;
                }
                Err((read, libc::ENOENT)) => (read, false),
                // A bucket is being changed at this moment: from there on.
                Err((read, libc::EBUSY | libc::EDEADLK | libc::ETIMEDOUT | libc::EINTR))
                    if tries > 0 =>
                {
                    tries -= 1;
                    (read, true)
                }
                Err(_) => (0, false),
            };
            for (key, values) in keys.iter().zip(values.chunks_exact(self.values)).take(read) {
                row(*key, values);
            }
            if !more {
                return;
            }
            from = Some(next);
        }
    }

    /// Reads the rows that come after `from` (the kernel's own idea of a place), and says how many, and
    /// where the next ones are. With ENOENT, they were the last.
    #[expect(unsafe_code, reason = "bpf(2) has no safe wrapper for batches here")]
    fn batch(
        &self,
        from: Option<&u32>,
        next: &mut u32,
        keys: &mut [[u32; K]],
        values: &mut [[u64; V]],
    ) -> std::result::Result<usize, (usize, i32)> {
        let count = keys.len().min(values.len() / self.values);
        let mut attr = Batch {
            in_batch: from.map_or(0, |from| std::ptr::from_ref(from) as u64),
            out_batch: std::ptr::from_mut(next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: count as u32,
            map_fd: self.fd.as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: the kernel writes at most `count` keys and rows of values, whose sizes have been
        // compared with the map's, and the number of a bucket, which for hash maps is a u32.
        let status = unsafe {
            libc::syscall(libc::SYS_bpf, BPF_MAP_LOOKUP_BATCH, &raw mut attr, size_of_val(&attr))
        };
        let read = count.min(attr.count as usize);
        if status < 0 {
            return Err((read, io::Error::last_os_error().raw_os_error().unwrap_or_default()));
        }
        Ok(read)
    }

    /// Takes a row out; false when there was none.
    #[expect(unsafe_code, reason = "bpf(2) has no safe wrapper here")]
    pub(crate) fn remove(&self, key: &[u32; K]) -> bool {
        let attr = Element {
            map_fd: self.fd.as_raw_fd() as u32,
            spare: 0,
            key: key.as_ptr() as u64,
            value: 0,
            flags: 0,
        };
        // SAFETY: the key has the map's size, and the kernel reads it and `attr` only.
        let status = unsafe {
            libc::syscall(libc::SYS_bpf, BPF_MAP_DELETE_ELEM, &raw const attr, size_of_val(&attr))
        };
        status == 0
    }
}

fn owned(data: &MapData) -> Result<OwnedFd> {
    data.fd().as_fd().try_clone_to_owned().map_err(Error::io("open a map", "its descriptor"))
}

fn wrong(what: &str) -> Error {
    Error::Kernel { action: "open a map", message: what.to_owned() }
}

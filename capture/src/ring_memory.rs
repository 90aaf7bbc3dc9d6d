//! The memory that a ring buffer shares with the kernel, read without a system call.
//!
//! The layout is that of `struct bpf_ringbuf` (kernel/bpf/ringbuf.c): a page that begins with the
//! position up to which was read, a page that begins with the one up to which room was taken, then the
//! data, mapped twice in a row, so that an item that goes over the end lies in one piece. Positions
//! only grow.

use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// In front of each item: its length with two flags, and where its page lies (`struct
/// bpf_ringbuf_hdr`; include/uapi/linux/bpf.h: BPF_RINGBUF_HDR_SZ).
const HEAD: u64 = 8;

/// The item is being filled (BPF_RINGBUF_BUSY_BIT).
const BUSY: u32 = 1 << 31;

/// The item is to be passed over (BPF_RINGBUF_DISCARD_BIT).
const DISCARDED: u32 = 1 << 30;

/// Room is given back to the kernel when so much has been read, not for each item: the programs on
/// another CPU read that word for each fact.
const GIVE_BACK: u64 = 32 << 10;

/// A mapped ring.
pub(crate) struct Memory {
    /// The page with the position of the reader: the only one that is written.
    reader: NonNull<libc::c_void>,
    /// The page with the position of the programs, and the data behind it, twice.
    programs: NonNull<libc::c_void>,
    page: usize,
    bytes: usize,
}

#[expect(unsafe_code, reason = "the pointers are to a mapping")]
// SAFETY: nobody else in this process has the mapping, which is of all threads alike.
unsafe impl Send for Memory {}

impl Memory {
    /// Maps a ring of so many bytes.
    pub(crate) fn of(ring: RawFd, bytes: usize) -> std::io::Result<Memory> {
        let page = page_size();
        let reader = map(ring, page, libc::PROT_READ | libc::PROT_WRITE, 0)?;
        let programs = match map(ring, page + 2 * bytes, libc::PROT_READ, page) {
            Ok(programs) => programs,
            Err(error) => {
                unmap(reader, page);
                return Err(error);
            }
        };
        Ok(Memory { reader, programs, page, bytes })
    }

    #[expect(unsafe_code, reason = "shared memory of the kernel")]
    fn reader(&self) -> &AtomicU64 {
        // SAFETY: the word at the start of a mapped page, aligned, accessed as a whole by both sides.
        unsafe { &*self.reader.as_ptr().cast::<AtomicU64>() }
    }

    /// Bytes read so far.
    pub(crate) fn taken(&self) -> u64 {
        self.reader().load(Ordering::Acquire)
    }

    /// Bytes for which room was taken so far.
    #[expect(unsafe_code, reason = "shared memory of the kernel")]
    pub(crate) fn put(&self) -> u64 {
        // SAFETY: as for `reader`.
        unsafe { &*self.programs.as_ptr().cast::<AtomicU64>() }.load(Ordering::Acquire)
    }

    /// The length and flags of the item at a position.
    #[expect(unsafe_code, reason = "shared memory of the kernel")]
    fn head(&self, position: u64) -> u32 {
        let at = self.page + (position % self.bytes as u64) as usize;
        // SAFETY: `at` lies in the mapping and is a multiple of 8, as all positions are.
        let head = unsafe { &*self.programs.as_ptr().byte_add(at).cast::<AtomicU32>() };
        head.load(Ordering::Acquire)
    }

    /// Bytes of an item that the kernel has finished and that was not given back yet.
    #[expect(unsafe_code, reason = "shared memory of the kernel")]
    fn item(&self, position: u64, len: usize) -> &[u8] {
        let at = self.page + (position % self.bytes as u64) as usize + HEAD as usize;
        // SAFETY: `len` was checked to be within the part of the ring that is in use, at most
        // `bytes`; the data is mapped twice, so that the slice ends within the mapping. The kernel
        // does not touch it until the position of the reader passes it.
        unsafe { std::slice::from_raw_parts(self.programs.as_ptr().byte_add(at).cast(), len) }
    }

    /// Gives each item, at most `limit`, to `each`. Stops at one that is being filled.
    pub(crate) fn drain(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        let (mut taken, put) = (self.taken(), self.put());
        let mut given_back = taken;
        let mut count = 0;
        while taken < put && count < limit {
            let head = self.head(taken);
            if head & BUSY != 0 {
                break;
            }
            let len = u64::from(head & !(BUSY | DISCARDED));
            let next = taken + (HEAD + len).next_multiple_of(8);
            if next > put {
                break;
            }
            if head & DISCARDED == 0 {
                each(self.item(taken, len as usize));
                count += 1;
            }
            taken = next;
            if taken - given_back >= GIVE_BACK {
                self.reader().store(taken, Ordering::Release);
                given_back = taken;
            }
        }
        self.reader().store(taken, Ordering::Release);
        count
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        unmap(self.reader, self.page);
        unmap(self.programs, self.page + 2 * self.bytes);
    }
}

#[expect(unsafe_code, reason = "sysconf(3)")]
fn page_size() -> usize {
    // SAFETY: a plain call without pointers.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

#[expect(unsafe_code, reason = "mmap(2)")]
fn map(
    ring: RawFd,
    len: usize,
    access: libc::c_int,
    offset: usize,
) -> std::io::Result<NonNull<libc::c_void>> {
    let shared = libc::MAP_SHARED;
    // SAFETY: a new mapping; the kernel checks length, offset and access.
    let pages = unsafe {
        libc::mmap(std::ptr::null_mut(), len, access, shared, ring, offset as libc::off_t)
    };
    match NonNull::new(pages) {
        Some(pages) if pages.as_ptr() != libc::MAP_FAILED => Ok(pages),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[expect(unsafe_code, reason = "munmap(2)")]
fn unmap(pages: NonNull<libc::c_void>, len: usize) {
    // SAFETY: the mapping was made with this length, and nothing borrows from it any more.
    unsafe { libc::munmap(pages.as_ptr(), len) };
}

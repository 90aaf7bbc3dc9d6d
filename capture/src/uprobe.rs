//! Programs at places in the files of other programs.
//!
//! The loader's own way looks functions up in a file that it maps: its owner may truncate it
//! meanwhile, and the recorder would die of that (SIGBUS). So functions are looked up piece by piece
//! ([`crate::symbols`]), and a program is put at an offset of the very file that was read.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Its number as a source of perf events.
const TYPE: &str = "/sys/bus/event_source/devices/uprobe/type";

/// `config`: at the return of the function that begins there
/// (/sys/bus/event_source/devices/uprobe/format/retprobe).
const AT_RETURN: u64 = 1;

const ATTR_WORDS: usize = 14; // PERF_ATTR_SIZE_VER5: 112 bytes
const FD_CLOEXEC: libc::c_ulong = 8;
/// _IO('$', 0) and _IOW('$', 8, __u32) of include/uapi/linux/perf_event.h.
const ENABLE: libc::c_ulong = 0x2400;
const SET_BPF: libc::c_ulong = 0x4004_2408;

/// Puts a loaded program at an offset of a file, in all processes that map it, now or later, until the
/// descriptor is closed.
#[expect(unsafe_code, reason = "perf_event_open(2) and its ioctls have no wrapper")]
pub(crate) fn attach(
    program: BorrowedFd<'_>,
    file: &File,
    offset: u64,
    at_return: bool,
) -> io::Result<OwnedFd> {
    let kind: u32 = std::fs::read_to_string(TYPE)?
        .trim()
        .parse()
        .map_err(|_| io::Error::other("the number of uprobes is none"))?;
    // The kernel follows it to the open file, whatever its path leads to by now.
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let mut attr = [0_u64; ATTR_WORDS];
    attr[0] = u64::from(kind) | (size_of_val(&attr) as u64) << 32;
    attr[1] = if at_return { AT_RETURN } else { 0 };
    attr[7] = path.as_ptr() as u64;
    attr[8] = offset;
    // SAFETY: `attr` states its own size, and the path that it points to outlives the call. Of every
    // process (-1) there is one event, which the kernel wants to have a CPU.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            attr.as_ptr(),
            -1 as libc::c_long,
            0 as libc::c_long,
            -1 as libc::c_long,
            FD_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
    let event = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    // SAFETY: both take plain numbers.
    let enabled = unsafe {
        libc::ioctl(event.as_raw_fd(), SET_BPF, program.as_raw_fd()) == 0
            && libc::ioctl(event.as_raw_fd(), ENABLE, 0) == 0
    };
    if enabled { Ok(event) } else { Err(io::Error::last_os_error()) }
}

//! Giving up what the recorder does not need once its programs are attached.
//!
//! It keeps what the end of a recording takes: reading the maps and files of other users'
//! processes, the iterators and maps of its own programs, and ending the command that it launched.

use crate::error::{Error, Result};
use crate::proc::Capability;

/// CAP_KILL (include/uapi/linux/capability.h): the launched command may run as another user.
const CAP_KILL: u32 = 5;

/// Giving a file away, writing into any folder, and removing others' files from sticky ones.
const CAP_CHOWN: u32 = 0;
const CAP_DAC_OVERRIDE: u32 = 1;
const CAP_FOWNER: u32 = 3;

/// Version 3 of the capability system calls: two words for each set.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Drops all other capabilities of the calling thread, and of those that it starts, for good. A
/// command that was launched before is a process of its own and keeps its.
pub(crate) fn drop_unneeded() -> Result<()> {
    drop_all_but(1 << CAP_KILL)
}

/// The same for the thread that attaches programs to other programs (`attacher.rs`).
pub(crate) fn keep_for_attaching() -> Result<()> {
    drop_all_but(1 << Capability::SysAdmin.number())
}

/// The same for the thread that writes, where it makes files later: in the folder of another user, who
/// gets them (`output.rs`), with files there renamed and removed.
pub(crate) fn keep_for_files() -> Result<()> {
    drop_all_but(1 << CAP_CHOWN | 1 << CAP_DAC_OVERRIDE | 1 << CAP_FOWNER)
}

/// Keeps these and what any thread of the recorder may need.
#[expect(unsafe_code, reason = "capget(2), capset(2) and prctl(2) have no wrappers")]
fn drop_all_but(more: u64) -> Result<()> {
    let failed = |what| move |source| Error::Io { action: "drop", path: what, source };
    let header = Header { version: VERSION, pid: 0 };
    let mut sets = [Sets::default(); 2];
    // SAFETY: header and sets have the layout of version 3 and outlive the calls.
    let got = unsafe { libc::syscall(libc::SYS_capget, &raw const header, sets.as_mut_ptr()) };
    if got != 0 {
        return Err(failed("privileges".into())(std::io::Error::last_os_error()));
    }
    let mut keep = more;
    for capability in [
        Capability::Bpf,
        Capability::Perfmon,
        Capability::Syslog,
        Capability::SysPtrace,
        Capability::DacReadSearch,
    ] {
        keep |= 1 << capability.number();
    }
    // A kernel or a container that knows only CAP_SYS_ADMIN: the iterators need it.
    let has = |number: u32, sets: &[Sets; 2]| {
        sets[(number / 32) as usize].effective >> (number % 32) & 1 == 1
    };
    if !has(Capability::Bpf.number(), &sets) || !has(Capability::Perfmon.number(), &sets) {
        keep |= 1 << Capability::SysAdmin.number();
    }
    for (at, set) in sets.iter_mut().enumerate() {
        let mask = (keep >> (32 * at)) as u32;
        set.effective &= mask;
        set.permitted &= mask;
        set.inheritable &= mask;
    }
    // SAFETY: as above.
    let set = unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) };
    if set != 0 {
        return Err(failed("privileges".into())(std::io::Error::last_os_error()));
    }
    // SAFETY: a plain system call without pointers.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    Ok(())
}

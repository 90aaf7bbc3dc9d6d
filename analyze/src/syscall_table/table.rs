//! `SyscallTable`: from the numbers of the recorded machine to names.

use super::{aarch64, x86_64};

/// What `off_cpu.syscall` holds when the thread was in none.
pub const NO_SYSCALL: u32 = u16::MAX as u32;

/// What the number of a call of the 32-bit table has on top (see EVENTS.md).
const IA32_CALL: u32 = 0x8000_0000;

/// The system calls of one architecture.
#[derive(Clone, Copy, Debug)]
pub struct SyscallTable {
    names: &'static [(u16, &'static str)],
}

impl SyscallTable {
    /// The table of an architecture as `uname -m` names it. Of one that is not known here, every
    /// call goes by its number.
    pub fn of(arch: &str) -> Self {
        let names = match arch {
            "x86_64" => x86_64::NAMES,
            "aarch64" => aarch64::NAMES,
            _ => &[],
        };
        Self { names }
    }

    /// The name of a system call.
    pub fn get(&self, nr: u32) -> Option<&'static str> {
        let at = self.names.binary_search_by_key(&nr, |entry| u32::from(entry.0)).ok()?;
        Some(self.names[at].1)
    }

    /// The name of a system call, or `syscall_N`; `ia32_N` for one of the 32-bit table; `-` for
    /// [`NO_SYSCALL`].
    pub fn name(&self, nr: u32) -> String {
        match self.get(nr) {
            Some(name) => name.to_owned(),
            None if nr == NO_SYSCALL => "-".to_owned(),
            None if nr & IA32_CALL != 0 => format!("ia32_{}", nr & !IA32_CALL),
            None => format!("syscall_{nr}"),
        }
    }

    /// All of them, by number.
    pub fn all(&self) -> &'static [(u16, &'static str)] {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::SyscallTable;

    fn check(arch: &str, nr: u32, name: &str) {
        assert_eq!(SyscallTable::of(arch).name(nr), name, "{arch} {nr}");
    }

    #[test]
    fn numbers_differ_by_architecture() {
        check("x86_64", 0, "read");
        check("x86_64", 0x8000_0014, "ia32_20");
        check("x86_64", 202, "futex");
        check("x86_64", 230, "clock_nanosleep");
        check("x86_64", 232, "epoll_wait");
        check("x86_64", 451, "cachestat");
        check("aarch64", 63, "read");
        check("aarch64", 98, "futex");
        check("aarch64", 115, "clock_nanosleep");
        check("aarch64", 22, "epoll_pwait");
        check("aarch64", 79, "newfstatat");
        check("aarch64", 451, "cachestat");
        check("riscv64", 63, "syscall_63");
        check("x86_64", 65535, "-");
        check("x86_64", 9999, "syscall_9999");
    }

    #[test]
    fn tables_are_sorted_and_named_once() {
        for arch in ["x86_64", "aarch64"] {
            let all = SyscallTable::of(arch).all();
            assert!(all.len() > 300, "{arch} is short");
            assert!(all.is_sorted_by(|a, b| a.0 < b.0), "{arch} is not sorted");
            let mut names: Vec<_> = all.iter().map(|entry| entry.1).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all.len(), "{arch} names a call twice");
        }
    }
}

//! Names of system calls, by architecture.

mod aarch64;
mod table;
mod x86_64;

pub use table::{NO_SYSCALL, SyscallTable};

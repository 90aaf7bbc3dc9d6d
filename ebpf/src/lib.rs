//! The kernel programs of ktape, as committed objects.
//!
//! The sources are probes/*.bpf.c and shared/*.bpf.c; `cargo xtask bpf` compiles them into one object per
//! architecture, so that they share their maps, and for x86-64 a second one for kernels before 5.17.
//! Users need no clang; `cargo xtask bpf --check` proves that objects and sources agree.
#![forbid(unsafe_code)]

/// Bytes aligned as ELF readers want them.
#[repr(C, align(16))]
struct Aligned<T: ?Sized>(T);

macro_rules! object {
    ($path:literal) => {{
        static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
        &OBJECT.0
    }};
}

/// All programs, for kernels from 5.17 on: task storage, `bpf_task_pt_regs()`, `bpf_loop()`.
#[cfg(target_arch = "x86_64")]
pub fn object() -> &'static [u8] {
    object!("../prebuilt/ktape.x86_64.o")
}

/// All programs, for kernels from 5.10 on: hash maps and plain loops in their place.
#[cfg(target_arch = "x86_64")]
pub fn object_for_old_kernels() -> Option<&'static [u8]> {
    Some(object!("../prebuilt/ktape-old.x86_64.o"))
}

/// All programs, for kernels from 5.17 on: task storage, `bpf_task_pt_regs()`, `bpf_loop()`.
#[cfg(target_arch = "aarch64")]
pub fn object() -> &'static [u8] {
    object!("../prebuilt/ktape.aarch64.o")
}

/// There is none: older kernels tell no program where a thread's registers are.
#[cfg(target_arch = "aarch64")]
pub fn object_for_old_kernels() -> Option<&'static [u8]> {
    None
}

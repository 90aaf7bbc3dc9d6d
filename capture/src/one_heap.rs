//! One heap for all threads of the recorder.

/// Has the C library give every thread memory of the same heap: what one let go, another takes. Each
/// with a heap of its own, they took 12 MB more in a flood.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "mallopt(3)")]
pub(crate) fn share() {
    // SAFETY: a plain call without pointers; one that is refused changes nothing.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Other C libraries have one heap, or none that can be asked.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn share() {}

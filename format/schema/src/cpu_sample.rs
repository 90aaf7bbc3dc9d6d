//! `cpu_sample`: what a CPU was running when the sampling timer fired.

/// What a CPU sample was counted on (`cpu_sample.event`).
pub mod sample_event {
    /// The software clock of the CPU (PERF_COUNT_SW_CPU_CLOCK): `weight` is nanoseconds.
    pub const CPU_CLOCK: u8 = 1;
    /// Hardware cycles (PERF_COUNT_HW_CPU_CYCLES): `weight` is cycles.
    pub const CYCLES: u8 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(1, "cpu_clock"), (2, "cycles")];
}

/// Which half of the machine a sample interrupted (`cpu_sample.mode`).
pub mod sample_mode {
    /// User code.
    pub const USER: u8 = 1;
    /// The kernel.
    pub const KERNEL: u8 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(1, "user"), (2, "kernel")];
}

crate::record! {
    /// A thread was running on a CPU when the sampling event fired.
    CpuSample = 2 as "cpu_sample", Fact {
        /// When the sample was taken.
        time: u64 [TimeNs],
        /// How much of the sampled event it stands for: `bpf_perf_event_data.sample_period`, nanoseconds for cpu_clock, cycles otherwise.
        weight: u64 [Count],
        /// The running thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Kernel stack; 0 when it ran user code or none was taken.
        kstack: u32 [StackId],
        /// User stack; 0 for kernel threads or when none was taken.
        ustack: u32 [StackId],
        /// The CPU.
        cpu: u32 [Cpu],
        /// What the weight counts.
        event: u8 [Enum(sample_event::NAMES)],
        /// What was interrupted.
        mode: u8 [Enum(sample_mode::NAMES)],
        /// None is defined yet.
        flags: u16 [Flags(&[])],
    }
}

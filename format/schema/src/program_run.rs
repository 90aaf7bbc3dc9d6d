//! `program_run`: what the recording itself cost in the kernel.

crate::record! {
    /// How often a kernel program ran in the recording, and for how long: `run_cnt` and `run_time_ns` of `struct bpf_prog_info` (include/uapi/linux/bpf.h), which the kernel keeps only while its BPF statistics are on (`record --bpf-stats`, or kernel.bpf_stats_enabled); and how often it was not run.
    ProgramRun = 97 as "program_run", Definition {
        /// When it was read: after the program was detached.
        time: u64 [TimeNs],
        /// How often it ran.
        runs: u64 [Count],
        /// How long it ran in all, of it perhaps 20 ns of each run for the reading of the clock.
        run: u64 [DurNs],
        /// How often the kernel passed it over because it ran already on that CPU (`recursion_misses`, since 5.12): interrupted, or from 7.0 on preempted. What it would have recorded is missing, if it was wanted at all.
        missed: u64 [Count],
        /// Its name in the object.
        program: u32 [StringId],
        /// The probe that it belongs to.
        probe: u32 [StringId],
    }
}

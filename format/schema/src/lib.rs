//! The records of a ktape trace, each defined once.
//!
//! One [`record!`] yields the struct that kernel programs fill, its description, the decoder, the
//! columns of the file, the C header, EVENTS.md and the JSON field names. Nothing else in the
//! project states a field twice.
//!
//! A *fact* is something that happened, whole: it carries its start and its duration, so no reader
//! ever pairs rows. A *definition* gives facts their meaning (processes, mappings, stacks, strings,
//! symbols, losses, clocks). A *wire* message goes from a kernel program to the recorder, which
//! turns it into definitions; it is never stored.
//!
//! Times are nanoseconds of CLOCK_MONOTONIC of the recorded host. Ids and names are never reused:
//! `ids.lock` keeps them.
#![no_std]
#![forbid(unsafe_code)]

mod desc;
mod record;

pub use desc::{Class, Desc, Field, Kind, Sums, Type};

records! {
    off_cpu::OffCpu,
    cpu_sample::CpuSample,
    counter_total::CounterTotal,
    counter_sample::CounterSample,
    syscall_count::SyscallCount,
    syscall_latency::SyscallLatency,
    syscall_slow::SyscallSlow,
    io::Io,
    block_io::BlockIo,
    tcp_connection::TcpConnection,
    tcp_state::TcpState,
    tcp_retransmit::TcpRetransmit,
    tcp_reset::TcpReset,
    tcp_sample::TcpSample,
    tcp_counters::TcpCounters,
    h2_connection::H2Connection,
    h2_stream::H2Stream,
    h2_control::H2Control,
    futex_wait::FutexWait,
    lock_contention::LockContention,
    page_fault::PageFault,
    fault_total::FaultTotal,
    alloc_total::AllocTotal,
    memory_use::MemoryUse,
    heap_total::HeapTotal,
    string::StringText,
    task_start::TaskStart,
    task_exec::TaskExec,
    task_comm::TaskComm,
    task_exit::TaskExit,
    task_run::TaskRun,
    module::Module,
    mapping::Mapping,
    frame::Frame,
    stack_node::StackNode,
    stack::Stack,
    symbol::Symbol,
    loss::Loss,
    clock::Clock,
    stack_coverage::StackCoverage,
    program_run::ProgramRun,
    device::Device,
    wire_stack::WireStack,
    wire_fork::WireFork,
    wire_exec::WireExec,
    wire_comm::WireComm,
    wire_exit::WireExit,
    wire_text::WireText,
}

/// The record with this id.
pub fn by_id(id: u16) -> Option<&'static Desc> {
    RECORDS.iter().copied().find(|desc| desc.id == id)
}

/// The record with this name.
pub fn by_name(name: &str) -> Option<&'static Desc> {
    RECORDS.iter().copied().find(|desc| desc.name == name)
}

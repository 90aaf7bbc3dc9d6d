//! `Subject`: what is compared, and by what it is told apart.

use ktape_schema::{
    BlockIo, CpuSample, FutexWait, H2Stream, Io, LockContention, OffCpu, SyscallCount,
    TcpConnection,
};

use crate::run::Read;

/// Which times are compared. Each has the name of the report that tells more about it.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Waits off the CPU.
    Offcpu,
    /// CPU time, from samples.
    Cpu,
    /// Time in system calls.
    Syscalls,
    /// Slow operations on files.
    Io,
    /// Disk requests.
    Block,
    /// Waits for locks.
    Locks,
    /// Waits for a CPU.
    Runqlat,
    /// Time to connect.
    Tcp,
    /// Requests of HTTP/2 and gRPC.
    H2,
}

/// What one row is. Nothing of it is a number that another recording would not have.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The name of a thread with its stack, by the names of functions.
    Stack,
    /// The function that ran, or waited.
    Function,
    /// The name of a process.
    Process,
    /// The name of a thread.
    Thread,
    /// A system call of a process.
    Call,
    /// What a process does with a file.
    File,
    /// What a process does with a disk.
    Disk,
    /// The address that a process connects to, or listens on.
    Peer,
    /// A method or path of a process.
    Method,
}

impl Subject {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Subject; 9] = [
        Subject::Offcpu,
        Subject::Cpu,
        Subject::Locks,
        Subject::Syscalls,
        Subject::Io,
        Subject::Block,
        Subject::Runqlat,
        Subject::Tcp,
        Subject::H2,
    ];

    /// Its name on the command line, and its key in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Offcpu => "offcpu",
            Subject::Cpu => "cpu",
            Subject::Syscalls => "syscalls",
            Subject::Io => "io",
            Subject::Block => "block",
            Subject::Locks => "locks",
            Subject::Runqlat => "runqlat",
            Subject::Tcp => "tcp",
            Subject::H2 => "h2",
        }
    }

    /// What it is about, as a title.
    pub(super) fn title(self) -> &'static str {
        match self {
            Subject::Offcpu => "Off-CPU time",
            Subject::Cpu => "CPU time",
            Subject::Syscalls => "Time in system calls",
            Subject::Io => "Slow operations on files",
            Subject::Block => "Disk requests",
            Subject::Locks => "Waits for locks",
            Subject::Runqlat => "Waits for a CPU",
            Subject::Tcp => "Time to connect",
            Subject::H2 => "Requests of HTTP/2",
        }
    }

    /// What its rows may be, the usual one first.
    pub(super) fn ways(self) -> &'static [By] {
        match self {
            Subject::Offcpu => &[By::Stack, By::Process, By::Thread],
            Subject::Cpu => &[By::Function, By::Stack, By::Process, By::Thread],
            Subject::Syscalls => &[By::Call, By::Process],
            Subject::Io => &[By::File, By::Stack, By::Process, By::Thread],
            Subject::Block => &[By::Disk, By::Stack, By::Process],
            Subject::Locks => &[By::Stack, By::Process, By::Thread],
            Subject::Runqlat => &[By::Process, By::Thread],
            Subject::Tcp => &[By::Peer, By::Process],
            Subject::H2 => &[By::Method, By::Process],
        }
    }

    /// The records that it lives on.
    pub(super) fn reads(self) -> Vec<Read> {
        let stacks = ["tid", "tgid", "kstack", "ustack"];
        let read = |record: &'static str, own: &[&'static str], more: &[&'static str]| {
            Read::of(record, &[own, more].concat())
        };
        match self {
            Subject::Offcpu => {
                let own = ["end", "duration", "runq", "syscall", "state", "flags"];
                vec![read(OffCpu::DESC.name, &own, &stacks)]
            }
            Subject::Cpu => {
                vec![read(CpuSample::DESC.name, &["time", "weight", "event"], &stacks)]
            }
            Subject::Syscalls => {
                vec![read(SyscallCount::DESC.name, &["end", "count", "total", "tgid", "nr"], &[])]
            }
            Subject::Io => vec![read(Io::DESC.name, &["end", "duration", "path", "op"], &stacks)],
            Subject::Block => {
                let own = ["end", "duration", "device", "op", "flags"];
                vec![read(BlockIo::DESC.name, &own, &stacks)]
            }
            Subject::Locks => {
                let futex = ["end", "duration", "tid", "tgid", "ustack", "flags"];
                let kernel = ["end", "duration", "tid", "tgid", "kstack"];
                vec![
                    read(FutexWait::DESC.name, &futex, &[]),
                    Read::maybe(LockContention::DESC.name, &kernel),
                ]
            }
            Subject::Runqlat => {
                vec![read(OffCpu::DESC.name, &["end", "runq", "tid", "tgid"], &[])]
            }
            Subject::Tcp => {
                let own = ["end", "connect", "tgid", "local", "remote", "direction"];
                vec![read(TcpConnection::DESC.name, &own, &[])]
            }
            Subject::H2 => {
                let own = ["end", "duration", "tgid", "path", "role"];
                vec![read(H2Stream::DESC.name, &own, &[])]
            }
        }
    }

    /// The shortest slice of a window that says something, ns: sums are read once a second.
    pub(super) fn least_slice(self) -> u64 {
        if self == Subject::Syscalls { 1_000_000_000 } else { 1 }
    }
}

impl By {
    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            By::Stack => "stack",
            By::Function => "function",
            By::Process => "process",
            By::Thread => "thread",
            By::Call => "call",
            By::File => "file",
            By::Disk => "disk",
            By::Peer => "peer",
            By::Method => "method",
        }
    }

    /// Whether its rows are told from stacks.
    pub(super) fn is_of_stacks(self) -> bool {
        matches!(self, By::Stack | By::Function)
    }

    /// The columns that name a row; none for a stack.
    pub(super) fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            By::Stack => &[],
            By::Function => &[("function", "function")],
            By::Process => &[("comm", "process")],
            By::Thread => &[("comm", "thread")],
            By::Call => &[("comm", "process"), ("syscall", "call")],
            By::File => &[("comm", "process"), ("operation", "operation"), ("path", "file")],
            By::Disk => &[("comm", "process"), ("operation", "operation"), ("device", "disk")],
            By::Peer => &[("comm", "process"), ("direction", "way"), ("address", "address")],
            By::Method => &[("comm", "process"), ("role", "role"), ("path", "path")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Subject;

    #[test]
    fn what_is_read_is_in_the_schema() {
        for read in Subject::ALL.into_iter().flat_map(Subject::reads) {
            let desc = ktape_schema::by_name(read.record).expect("a record");
            for column in read.columns {
                let known = desc.fields.iter().any(|field| field.name == column);
                assert!(known, "{}.{column}", desc.name);
            }
        }
    }
}

//! The probe `tcp`: connections, their states, retransmits, resets, samples, counters.

use crate::error::Result;
use crate::probe::{Attach, AttachPoint, Collect, Knob, KnobKind, Optional, not_preempted, Probe, Totals, Walk};
use crate::proc::TcpCounts;
use crate::table::Table;
use aya::maps::Map;
use ktape_format::schema::{
    Desc, TcpConnection, TcpCounters, TcpReset, TcpRetransmit, TcpSample, TcpState,
};
use std::collections::BTreeMap;

/// `tcp/accept=on/`.
const ON: u64 = 1;

pub(super) const PROBE: Probe = Probe {
    name: "tcp",
    about: "TCP connections from birth to end with process, latency and outcome, their states, retransmits, resets, and samples of what each is like",
    cost: "7 us per connection (both sides), 0.6 ms per sampling, nothing per packet; without fentry and kprobes 50 to 100 ns per system call (accept=off: none)",
    default: false,
    always: false,
    records: &[
        TcpConnection::DESC,
        TcpState::DESC,
        TcpRetransmit::DESC,
        TcpReset::DESC,
        TcpSample::DESC,
        TcpCounters::DESC,
    ],
    attach: &[
        AttachPoint {
            what: "a TCP socket changes its state",
            alternatives: &[
                not_preempted(&Attach::TpBtf {
                        program: "tcp_set_state",
                        tracepoint: "inet_sock_set_state",
                    }),
                Attach::Tracepoint {
                    program: "tcp_set_state_event",
                    category: "sock",
                    name: "inet_sock_set_state",
                },
            ],
        },
        AttachPoint {
            what: "TCP sends something again",
            alternatives: &[Attach::TpBtf {
                program: "tcp_retransmit",
                tracepoint: "tcp_retransmit_skb",
            }],
        },
        AttachPoint {
            what: "TCP sends a SYN-ACK again",
            alternatives: &[Attach::TpBtf {
                program: "tcp_retransmit_synack",
                tracepoint: "tcp_retransmit_synack",
            }],
        },
        AttachPoint {
            what: "TCP sends a reset",
            alternatives: &[Attach::TpBtf {
                program: "tcp_send_reset",
                tracepoint: "tcp_send_reset",
            }],
        },
        AttachPoint {
            what: "TCP gets a reset",
            alternatives: &[Attach::TpBtf {
                program: "tcp_receive_reset",
                tracepoint: "tcp_receive_reset",
            }],
        },
    ],
    optional: &[Optional {
        knob: ("accept", &[ON]),
        point: AttachPoint {
            what: "a process accepts a connection",
            alternatives: &[
                super::syscalls::TOGETHER,
                Attach::Fentry { program: "tcp_graft_fentry", function: "security_sock_graft" },
                Attach::Kprobe { program: "tcp_graft_kprobe", function: "security_sock_graft" },
                Attach::All(&[
                    Attach::Tracepoint {
                        program: "tcp_accept_call",
                        category: "syscalls",
                        name: "sys_exit_accept",
                    },
                    Attach::Tracepoint {
                        program: "tcp_accept_call",
                        category: "syscalls",
                        name: "sys_exit_accept4",
                    },
                ]),
            ],
        },
    }],
    walks: &[
        Walk {
            program: "tcp_files",
            over: "task_file",
            record: TcpSample::DESC,
            at_start: true,
            every: None,
        },
        Walk {
            program: "tcp_others",
            over: "tcp",
            record: TcpSample::DESC,
            at_start: true,
            every: None,
        },
        Walk {
            program: "tcp_samples",
            over: "task|tcp",
            record: TcpSample::DESC,
            at_start: true,
            every: Some("every"),
        },
    ],
    maps: &["tcp_sockets", "tcp_aborted", "tcp_namespaces"],
    needs: &[],
    knobs: &[
        Knob {
            name: "every",
            about: "how often each socket is sampled (default 1s)",
            symbol: "",
            kind: KnobKind::Duration,
            default: 1_000_000_000,
        },
        Knob {
            name: "accept",
            about: "see who accepts a connection: `on` (default), or `off`, then it is who closes it",
            symbol: "tcp_accept",
            kind: KnobKind::Choice(&[("off", 0), ("on", ON)]),
            default: ON,
        },
    ],
    totals: &[Totals { maps: &["tcp_namespaces"], collector }],
};

/// Network namespaces, and what their counters said last.
struct Counters {
    /// A process of each: `tcp_namespaces` of tcp.bpf.h.
    processes: Table<1, 1>,
    last: BTreeMap<u32, (u64, TcpCounts)>,
}

/// Namespaces that are followed.
const MOST: usize = 256;

fn collector(maps: &[Map]) -> Result<Box<dyn Collect>> {
    let mut counters = Counters { processes: Table::new(&maps[0])?, last: BTreeMap::new() };
    counters.read(crate::clock::monotonic(), &mut |_, _| {});
    Ok(Box::new(counters))
}

impl Counters {
    fn read(&mut self, now: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        let own = "thread-self".to_owned();
        let mut others = Vec::new();
        self.processes.each(|_, tgid| others.push(tgid[0][0].to_string()));
        let mut read = Vec::new();
        for process in std::iter::once(own).chain(others) {
            // It may have ended, or moved to another namespace.
            let Some(netns) = TcpCounts::namespace(&process) else { continue };
            if read.contains(&netns) {
                continue;
            }
            let Some(counts) = TcpCounts::read(&process) else { continue };
            read.push(netns);
            if let Some((before, last)) = self.last.get(&netns) {
                // Where nothing was counted there is no row.
                if counts == *last {
                    continue;
                }
                let row = counts.since(last, netns, now, now.saturating_sub(*before));
                rows(TcpCounters::DESC, &row.encode());
            } else if self.last.len() >= MOST {
                continue;
            }
            self.last.insert(netns, (now, counts));
        }
    }
}

impl Collect for Counters {
    fn collect(&mut self, now: u64, _: &[u32], rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        self.read(now, rows);
    }
}

//! The probe `lifecycle`: threads come, take other names, run other programs, go.

use crate::probe::{Attach, AttachPoint, not_preempted, Probe};

pub(super) const PROBE: Probe = Probe {
    name: "lifecycle",
    about: "fork, exec, exit and name changes of every thread, so that each fact has a name",
    cost: "below 1 us per fork, exec or exit",
    default: true,
    always: true,
    records: &[],
    attach: &[
        AttachPoint {
            what: "a thread is created",
            alternatives: &[
                not_preempted(&Attach::TpBtf { program: "lifecycle_fork", tracepoint: "sched_process_fork" }),
                Attach::TpBtf { program: "lifecycle_fork_woken", tracepoint: "sched_wakeup_new" },
                Attach::TpBtf { program: "lifecycle_fork", tracepoint: "sched_process_fork" },
            ],
        },
        AttachPoint {
            what: "a process runs another program",
            alternatives: &[
                not_preempted(&Attach::TpBtf { program: "lifecycle_exec", tracepoint: "sched_process_exec" }),
                Attach::Tracepoint { program: "lifecycle_exec_event", category: "sched", name: "sched_process_exec" },
                Attach::TpBtf { program: "lifecycle_exec", tracepoint: "sched_process_exec" },
            ],
        },
        AttachPoint {
            what: "a thread ends",
            alternatives: &[
                not_preempted(&Attach::TpBtf { program: "lifecycle_exit", tracepoint: "sched_process_exit" }),
                Attach::All(&[
                    Attach::TpBtf { program: "lifecycle_exit", tracepoint: "sched_process_exit" },
                    Attach::Tracepoint { program: "lifecycle_exit_event", category: "sched", name: "sched_process_exit" },
                ]),
                Attach::TpBtf { program: "lifecycle_exit", tracepoint: "sched_process_exit" },
            ],
        },
        AttachPoint {
            what: "a thread takes another name",
            alternatives: &[Attach::TpBtf {
                program: "lifecycle_comm",
                tracepoint: "task_rename",
            }],
        },
    ],
    optional: &[],
    walks: &[],
    maps: &[],
    needs: &[],
    knobs: &[],
    totals: &[],
};

//! The probe `cpu`: what each CPU runs, sampled.

use crate::probe::{Attach, AttachPoint, Knob, KnobKind, Probe};
use ktape_format::schema::CpuSample;

pub(super) const PROBE: Probe = Probe {
    name: "cpu",
    about: "samples of what each CPU runs, with user and kernel stack",
    cost: "4 us per sample",
    default: true,
    always: false,
    records: &[CpuSample::DESC],
    attach: &[AttachPoint {
        what: "the sampling event of a CPU fires",
        alternatives: &[Attach::Sampling { program: "cpu_sample" }],
    }],
    optional: &[],
    walks: &[],
    maps: &[],
    needs: &[],
    knobs: &[
        Knob {
            name: "freq",
            about: "samples per second and CPU (default 99)",
            symbol: "",
            kind: KnobKind::Number(1, 20_000),
            default: 99,
        },
        Knob {
            name: "stacks",
            about: "take stacks: `all` (default) or `none`",
            symbol: "cpu_stacks",
            kind: KnobKind::Choice(&[("none", 0), ("all", 1)]),
            default: 1,
        },
    ],
    totals: &[],
};

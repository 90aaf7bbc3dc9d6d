//! The fields that denet gives for system calls, as a subset of this report's JSON: denet is a monitor
//! of processes, and what reads its output can read this.
//!
//! denet 0.7 (`ebpf.syscalls`): total, by_category, top_syscalls, analysis. Its intensities are shares
//! of the calls; all of its analysis is 0 below one call or a tenth of a second.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::sums::Group;
use crate::answer::{Block, Cell, Facts, Show, Table};
use crate::context::Context;
use crate::syscall_class::SyscallClass;

/// Calls listed in `top_syscalls`.
const TOP: usize = 10;
/// Windows shorter than this are not analysed, ns.
const SHORTEST: u64 = 100_000_000;

pub(super) fn blocks(
    cx: &Context<'_>,
    names: &BTreeMap<u32, Group>,
    classes: &BTreeMap<SyscallClass, Group>,
    window: u64,
) -> Vec<Block> {
    let total = classes.values().map(|group| group.sums.count).fold(0, u64::saturating_add);
    let of = |class| classes.get(&class).map_or(0, |group| group.sums.count);
    let by_category = Facts {
        key: "by_category",
        rows: classes
            .iter()
            .map(|(class, group)| (class.name(), class.name(), Cell::Count(group.sums.count)))
            .collect(),
        show: Show::Json,
    };
    let mut order: Vec<_> = names.iter().collect();
    order.sort_by_key(|(nr, group)| (Reverse(group.sums.count), **nr));
    let mut top = Table::plain("top_syscalls", &[("name", ""), ("count", "")]);
    top.show = Show::Json;
    top.rows = order
        .into_iter()
        .take(TOP)
        .map(|(nr, group)| {
            vec![Cell::text(cx.syscalls().name(*nr)), Cell::Count(group.sums.count)]
        })
        .collect();
    let told = total > 0 && window >= SHORTEST;
    let share = |class| Cell::Quotient { part: of(class), whole: if told { total } else { 0 } };
    // In microseconds, since a count of calls times 10^9 would not fit.
    let per_second = Cell::Quotient {
        part: total.saturating_mul(1_000_000),
        whole: if told { window / 1000 } else { 0 },
    };
    let analysis = Facts {
        key: "analysis",
        rows: vec![
            ("syscall_rate_per_sec", "", per_second),
            ("io_intensity", "", share(SyscallClass::FileIo)),
            ("memory_intensity", "", share(SyscallClass::Memory)),
            ("cpu_intensity", "", share(SyscallClass::Process)),
            ("network_intensity", "", share(SyscallClass::Network)),
        ],
        show: Show::Json,
    };
    vec![Block::Facts(by_category), Block::Table(top), Block::Facts(analysis)]
}

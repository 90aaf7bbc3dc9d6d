//! What the header of a trace says: the host, the options, the probes.

use crate::clock;
use crate::options::Options;
use crate::proc::{Anchor, HostFacts};
use ktape_format::{Host, Meta, ProbeMeta, filter_name};

/// The header of a recording that started at `start` with these probes.
pub(crate) fn meta(
    options: &Options,
    host: &HostFacts,
    start: &Anchor,
    probes: &[ProbeMeta],
) -> Meta {
    let targets = &options.targets;
    let list = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut filters = Vec::new();
    let mut note = |name: &str, value: String| {
        if !value.is_empty() {
            filters.push((name.to_owned(), value));
        }
    };
    note(filter_name::PID, list(&targets.pids));
    note(filter_name::TID, list(&targets.tids));
    note(filter_name::CPU, list(&targets.cpus));
    note(filter_name::UID, targets.uid.map_or(String::new(), |uid| uid.to_string()));
    note(
        filter_name::CGROUP,
        targets.cgroup.as_ref().map_or(String::new(), |path| path.display().to_string()),
    );
    note(filter_name::COMM, targets.comm.join(","));
    note(filter_name::NOT_COMM, targets.not_comm.join(","));
    if !options.command.is_empty() && !options.system_wide {
        note(filter_name::COMMAND, "the launched command and its children".into());
    }
    Meta {
        ktape_version: env!("CARGO_PKG_VERSION").into(),
        host: Host {
            hostname: host.hostname.clone(),
            kernel: host.release.clone(),
            version: host.version.clone(),
            arch: host.arch.clone(),
            cpus: host.online.count(),
            possible_cpus: host.possible.bound(),
            page_size: host.page_size,
            mem_bytes: host.mem_bytes,
            boot_id: host.boot_id.clone(),
        },
        command_line: options.command_line.clone(),
        filters,
        probes: probes.to_vec(),
        start: clock::pair(start),
        ..Meta::default()
    }
}

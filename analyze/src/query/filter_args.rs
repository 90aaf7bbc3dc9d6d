//! `FilterArgs`: the filters as the command line has them.

use super::{Filter, Glob, Moment, cpu_range, parse_duration};
use crate::context::{Context, ThreadKey};
use crate::error::{Error, Result};

/// Which facts to look at.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct FilterArgs {
    /// Only what ended from A to B.
    ///
    /// Each is an offset from the start of the recording (1.5s, 250ms), a UTC clock time of the
    /// recorded day (14:03:05.25) or an RFC 3339 time. Either may be left out.
    #[arg(long, global = true, help_heading = "Filters", value_name = "A,B")]
    pub time: Option<String>,
    /// Only these processes.
    #[arg(
        long,
        global = true,
        help_heading = "Filters",
        value_name = "PID,..",
        value_delimiter = ','
    )]
    pub pid: Vec<u32>,
    /// Only these threads.
    #[arg(
        long,
        global = true,
        help_heading = "Filters",
        value_name = "TID,..",
        value_delimiter = ','
    )]
    pub tid: Vec<u32>,
    /// Only threads whose name at the time matched GLOB; !GLOB leaves them out.
    #[arg(
        long,
        global = true,
        help_heading = "Filters",
        value_name = "GLOB,..",
        value_delimiter = ','
    )]
    pub comm: Vec<String>,
    /// Only what happened on these CPUs, like 0,2-3.
    #[arg(
        long,
        global = true,
        help_heading = "Filters",
        value_name = "CPU,..",
        value_delimiter = ','
    )]
    pub cpu: Vec<String>,
    /// Only what happened on the hosts with such a name, in a trace of several (ktape merge).
    #[arg(
        long,
        global = true,
        help_heading = "Filters",
        value_name = "GLOB,..",
        value_delimiter = ','
    )]
    pub host: Vec<String>,
    /// Only what took at least this long, like 10ms.
    #[arg(long, global = true, help_heading = "Filters", value_name = "TIME")]
    pub min_duration: Option<String>,
}

impl FilterArgs {
    /// Places the filters in a trace.
    pub fn resolve(&self, cx: &Context<'_>) -> Result<Filter> {
        let (mut from, mut to) = match &self.time {
            Some(text) => window(text, cx)?,
            None => (0, u64::MAX),
        };
        let mut cpus =
            self.cpu.iter().map(|text| cpus(text)).collect::<Result<Vec<(u32, u32)>>>()?;
        cpus.sort_unstable();
        let min_duration = match &self.min_duration {
            Some(text) => {
                // 0 asks for all, and not for what a report leaves out by itself.
                let least = parse_duration(text);
                least.map_err(|reason| option("--min-duration", text, reason))?.max(1)
            }
            None => 0,
        };
        let globs: Vec<Glob> = self.comm.iter().map(|text| Glob::new(text)).collect();
        let (mut pids, mut tids) = (sorted(&self.pid), sorted(&self.tid));
        let mut min_duration = min_duration;
        if let Some(part) = cx.part() {
            // A trimmed trace answers as the whole one would with the filters that it was trimmed with.
            let (first, last) = part.hull();
            from = from.max(first);
            to = to.min(last).max(from);
            min_duration = min_duration.max(part.min_duration);
            instead_of_none(&mut pids, &part.pids);
            instead_of_none(&mut tids, &part.tids);
            instead_of_none(&mut cpus, &part.cpus);
        }
        let names = names(&globs, cx);
        let hosts = self.hosts(cx)?;
        let numbers = cx.hosts().clone();
        Ok(Filter { from, to, pids, tids, names, globs, cpus, min_duration, hosts, numbers })
    }
}

impl FilterArgs {
    /// Per host of the trace whether --host lets it pass; empty when all do.
    fn hosts(&self, cx: &Context<'_>) -> Result<Vec<bool>> {
        if self.host.is_empty() {
            return Ok(Vec::new());
        }
        let globs: Vec<Glob> = self.host.iter().map(|text| Glob::new(text)).collect();
        let list = cx.hosts().list();
        let passing: Vec<bool> =
            list.iter().map(|host| Glob::pass(&globs, host.name.as_bytes())).collect();
        if passing.contains(&true) {
            return Ok(passing);
        }
        let known: Vec<&str> = list.iter().map(|host| &*host.name).collect();
        let reason = format!("the trace has no such host; there are {}", known.join(", "));
        Err(option("--host", &self.host.join(","), reason))
    }
}

fn instead_of_none<T: Clone>(chosen: &mut Vec<T>, otherwise: &[T]) {
    if chosen.is_empty() {
        chosen.extend_from_slice(otherwise);
    }
}

fn option(option: &'static str, value: &str, reason: String) -> Error {
    Error::Option { option, value: value.to_owned(), reason }
}

fn sorted(numbers: &[u32]) -> Vec<u32> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// `A,B`, `A,` or `,B`, in monotonic ns.
fn window(text: &str, cx: &Context<'_>) -> Result<(u64, u64)> {
    let wrong = |reason: String| option("--time", text, reason);
    let (from, to) = text.split_once(',').ok_or_else(|| {
        wrong("write two times with a comma between, like 1s,3s or 1s,".to_owned())
    })?;
    let place = |text: &str, open: u64| -> Result<u64> {
        if text.trim().is_empty() {
            return Ok(open);
        }
        let moment = Moment::parse(text.trim()).map_err(&wrong)?;
        Ok(moment.mono(cx.start(), cx.clocks()))
    };
    let (from, to) = (place(from, 0)?, place(to, u64::MAX)?);
    if from > to {
        return Err(wrong("the end lies before the beginning".to_owned()));
    }
    Ok((from, to))
}

fn cpus(text: &str) -> Result<(u32, u32)> {
    let reason = "write CPU numbers and ranges, like 0,2-3";
    cpu_range(text).ok_or_else(|| option("--cpu", text, reason.to_owned()))
}

/// Per thread of the trace: which of its names pass.
fn names(globs: &[Glob], cx: &Context<'_>) -> Vec<super::filter::Names> {
    use super::filter::Names;
    if globs.is_empty() {
        return Vec::new();
    }
    let pass = |id: u32| Glob::pass(globs, cx.strings().get(id));
    (0..cx.tasks().threads().len() as u64)
        .map(|index| {
            let thread = cx.tasks().thread(ThreadKey(index));
            let names = thread.map_or(&[][..], |thread| &thread.names);
            let passing = names.iter().filter(|name| pass(name.1)).count();
            match passing {
                0 => Names::None,
                all if all == names.len() => Names::All,
                _ => Names::Some,
            }
        })
        .collect()
}

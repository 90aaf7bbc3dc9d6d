//! `ktape record`: record this host, some processes, or a command into a trace.

use anyhow::{Result, anyhow};
use clap::Parser;
use ktape_analyze::query::cpu_range;
use ktape_capture::{
    DEFAULT_RING_BYTES, Ended, Files, KnobKind, Options, Output, Overwrite, ProbeChoice, Targets,
    WAYS, probes, units,
};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::record_files::{files, is_file, overwrite};
use super::record_notes::{print_summary, progress_bar, tell};
use super::usage::Usage;

/// Record what the host does into a trace file, until Ctrl-C, a limit, or the command's end.
///
/// Without a command and without a filter the whole host is recorded. With a command, the command
/// and its children are, unless -a is given.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Record the whole host, also when a command is run
    #[arg(short = 'a', long)]
    all_cpus: bool,
    /// Record these processes
    #[arg(short = 'p', long, value_delimiter = ',', value_name = "PID")]
    pid: Vec<u32>,
    /// Record these threads
    #[arg(short = 't', long, value_delimiter = ',', value_name = "TID")]
    tid: Vec<u32>,
    /// With -p: the children that these processes start meanwhile, too
    #[arg(long, requires = "pid")]
    children: bool,
    /// Record what happens on these CPUs: 0,2-3
    #[arg(short = 'C', long, value_name = "CPUS")]
    cpu: Option<String>,
    /// Record this cgroup (v2) and those below it
    #[arg(short = 'G', long, value_name = "CGROUP")]
    cgroup: Option<PathBuf>,
    /// Record threads of this user, by name or real user id
    #[arg(short = 'u', long, value_name = "USER", value_parser = user_id)]
    uid: Option<u32>,
    /// Record threads whose name matches this shell pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    comm: Vec<String>,
    /// Do not record threads whose name matches this shell pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    not_comm: Vec<String>,
    /// Probes or presets, with settings: sched,syscalls/slow=1ms/ (see `ktape probes`) [default: default]
    #[arg(short = 'e', long = "probe", value_name = "LIST")]
    probe: Vec<String>,
    /// CPU samples per second and CPU
    #[arg(short = 'F', long, value_name = "HZ")]
    freq: Option<u32>,
    /// Take stacks of waits that promise to be long (long), of all, or of none; of CPU samples unless none
    #[arg(long, value_name = "WHEN")]
    stacks: Option<String>,
    /// Take stacks, as happens anyway: an error when something else asks for none
    #[arg(short = 'g', overrides_with = "g")]
    g: bool,
    /// The same as -g; fp, by frame pointers, is the only way of unwinding yet
    #[arg(long, value_name = "MODE", value_parser = ["fp"])]
    call_graph: Option<String>,
    /// Leave out facts of a probe shorter than this: sched=10us
    #[arg(long, value_name = "PROBE=DURATION")]
    min_duration: Vec<String>,
    /// Write the trace here; - is standard output. A trace that is there is kept as FILE.old;
    /// anything else that is there, also as FILE.old, and block devices are refused
    #[arg(short = 'o', long, value_name = "FILE", default_value = "trace.ktape")]
    output: PathBuf,
    /// Size of the fact ring of each CPU: 4M
    #[arg(short = 'm', long, value_name = "SIZE")]
    ring_size: Option<String>,
    /// Start recording this much later (a bare number is milliseconds, as for perf)
    #[arg(short = 'D', long, value_name = "DELAY")]
    delay: Option<String>,
    /// Compression level of zstd, 1 to 19
    #[arg(short = 'z', long, value_name = "LEVEL", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=19))]
    compression_level: i32,
    /// Stop after this long: 30s, 5m; a launched command is ended, too (SIGTERM), and the time
    /// counts from its start
    #[arg(short = 'd', long, value_name = "TIME")]
    duration: Option<String>,
    /// Stop when all files that were written are this large together: 500M; what is pending then
    /// comes on top
    #[arg(long, value_name = "SIZE")]
    max_size: Option<String>,
    /// Write one file after another, FILE.TIME, each a whole trace. A new one begins when this one
    /// has grown this large (100M), after this long (10m), or at a SIGUSR2, which the others heed, too
    #[arg(long, value_name = "SIZE|TIME|signal", num_args = 0..=1, require_equals = true, default_missing_value = "signal", conflicts_with = "overwrite")]
    switch_output: Option<String>,
    /// With --switch-output: keep this many files, the newest. With --overwrite: so many dumps
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    switch_max_files: Option<u32>,
    /// Keep the last moments in memory and write nothing [default: 30s,32M]. SIGUSR2 dumps them to
    /// FILE.TIME; the end does to FILE, unless it is that of a command that succeeded
    #[arg(long, value_name = "TIME|SIZE,..", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    overwrite: Option<String>,
    /// With --overwrite: dump also when a thread was blocked (not asleep), or waited for a disk or a
    /// CPU, for this long: 200ms. At most once in the time that a dump holds
    #[arg(long, value_name = "TIME", requires = "overwrite")]
    dump_on_stall: Option<String>,
    /// With --overwrite: dump at the end also when the command has succeeded
    #[arg(long, requires = "overwrite")]
    dump_at_end: bool,
    /// Have what is written reach the disk (fdatasync), each time or at most this often: a power cut
    /// then costs little more than a crash, some 0.6 s
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "0s")]
    sync: Option<String>,
    /// Have the kernel count how often each of its programs runs and how long; `ktape info` shows it
    #[arg(long)]
    bpf_stats: bool,
    /// Attach in none of these ways, the next one in their place: to compare them
    #[arg(long, value_delimiter = ',', value_name = "WAYS", hide = true, value_parser = WAYS)]
    without: Vec<String>,
    /// Say nothing but errors
    #[arg(short = 'q', long)]
    quiet: bool,
    /// A command to run and record, and its arguments. Its exit status is that of ktape; 0 if it
    /// was ktape that ended it, at the end of the recording
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs it. The status is the command's, when one was run and it is not the recorder that ended it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let quiet = args.quiet;
    let options = options(args)?;
    if options.output == Output::Stdout && std::io::stdout().is_terminal() {
        return Err(
            Usage("a trace is no text for a terminal: give -o a file or a pipe".into()).into()
        );
    }
    let bar = progress_bar(quiet);
    let (summary, command) =
        ktape_capture::record(&options, &mut |news| tell(&bar, news, &options, quiet))?;
    bar.finish_and_clear();
    // Before the command: it may take its time.
    let failed = summary.failure.as_ref().map(|failure| crate::fail(&anyhow!("{failure}")));
    if failed.is_none() && !quiet {
        print_summary(&summary, &options);
    }
    let ended = command.map(|command| command.end(&mut print_still_runs)).transpose()?;
    let status = match ended {
        Some(Ended::Itself(status)) => status,
        Some(Ended::Asked | Ended::Left) | None => 0,
    };
    if ended == Some(Ended::Asked) && !quiet {
        print_asked();
    }
    Ok(failed.unwrap_or(ExitCode::from(u8::try_from(status).unwrap_or(1))))
}

#[expect(clippy::print_stderr, reason = "a note goes to stderr")]
fn print_still_runs(pid: u32) {
    eprintln!(
        "ktape: the recording is over, but the command (process {pid}) still runs: Ctrl-C leaves it"
    );
}

#[expect(clippy::print_stderr, reason = "a note goes to stderr")]
fn print_asked() {
    eprintln!("ktape: the command was ended with the recording (SIGTERM)");
}

/// Reads a user's number, or a name of /etc/passwd.
fn user_id(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let uid = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == text).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    uid.ok_or_else(|| "there is no such user in /etc/passwd".to_owned())
}

fn options(args: Args) -> Result<Options> {
    let usage = |message: String| Usage(message);
    let duration = |text: Option<String>| -> Result<Option<Duration>> {
        Ok(text.map(|text| units::parse_duration(&text)).transpose().map_err(usage)?)
    };
    let bytes = |text: Option<String>| -> Result<Option<u64>> {
        Ok(text.map(|text| units::parse_bytes(&text)).transpose().map_err(usage)?)
    };
    let limit = duration(args.duration)?;
    if limit.is_some_and(|limit| limit.is_zero()) {
        return Err(usage("-d takes a time above 0".into()).into());
    }
    let delay = match args.delay {
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(format!("{text}ms")),
        delay => delay,
    };
    let ring = bytes(args.ring_size)?.unwrap_or(DEFAULT_RING_BYTES.into());
    if !ring.is_power_of_two() || !(4096..=1 << 30).contains(&ring) {
        return Err(usage(format!("-m takes a power of two from 4K to 1G, not {ring}")).into());
    }
    let overwrite = match &args.overwrite {
        Some(text) => Some(Overwrite {
            on_stall: duration(args.dump_on_stall.clone())?,
            at_end: args.dump_at_end,
            ..overwrite(text)?
        }),
        None => None,
    };
    let mut probes = probe_choices(&args.probe)?;
    if let Some(freq) = args.freq {
        set(&mut probes, "cpu", "freq", &freq.to_string())?;
    }
    if let Some(stacks) = &args.stacks {
        set_stacks(&mut probes, stacks)?;
    }
    if args.g || args.call_graph.is_some() {
        expect_stacks(&probes)?;
    }
    for choice in &args.min_duration {
        let (probe, value) = choice
            .split_once('=')
            .ok_or_else(|| usage(format!("--min-duration takes PROBE=DURATION, not {choice}")))?;
        set(&mut probes, probe, "min", value)?;
    }
    let files = files(&args.switch_output, args.switch_max_files, overwrite)?;
    if let Files::Switched { .. } | Files::Overwritten(_) = files {
        let flag = if args.overwrite.is_some() { "--overwrite" } else { "--switch-output" };
        let wrong = |why: &str| Err(usage(format!("{flag} {why}")).into());
        if !is_file(&args.output) {
            return wrong("makes files: give -o the name of one");
        }
        if args.overwrite.is_some() && args.max_size.is_some() {
            return wrong(
                "writes nothing that could grow to --max-size: give it the size, --overwrite=64M",
            );
        }
    }
    if args.dump_on_stall.is_some() && !probes.iter().any(|choice| choice.name == "sched") {
        return Err(
            usage("--dump-on-stall looks at waits: record them with -e sched".into()).into()
        );
    }
    Ok(Options {
        output: if args.output.as_os_str() == "-" {
            Output::Stdout
        } else {
            Output::File(args.output)
        },
        probes,
        targets: Targets {
            pids: args.pid,
            tids: args.tid,
            children: args.children,
            cpus: args.cpu.as_deref().map(cpu_list).transpose()?.unwrap_or_default(),
            uid: args.uid,
            cgroup: args.cgroup,
            comm: args.comm,
            not_comm: args.not_comm,
        },
        bpf_stats: args.bpf_stats,
        without: args.without,
        command: args.command,
        system_wide: args.all_cpus,
        ring_bytes: ring as u32,
        level: args.compression_level,
        duration: limit,
        delay: duration(delay)?,
        max_size: bytes(args.max_size)?,
        files,
        sync: duration(args.sync)?,
        command_line: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
    })
}

/// Reads `sched,cpu/freq=997/` and the presets `default` and `all`.
fn probe_choices(lists: &[String]) -> Result<Vec<ProbeChoice>> {
    let mut choices: Vec<ProbeChoice> = Vec::new();
    let mut add = |name: &str, knobs: Vec<(String, String)>, explicit: bool| {
        choices.push(ProbeChoice { name: name.to_owned(), knobs, explicit });
    };
    let presets = |all: bool| {
        probes::PROBES.iter().filter(move |probe| !probe.always && (all || probe.default))
    };
    let default = ["default".to_owned()];
    for list in if lists.is_empty() { &default } else { lists } {
        for item in split_list(list) {
            let (name, settings) = match item.split_once('/') {
                Some((name, rest)) => (name, rest.strip_suffix('/').unwrap_or(rest)),
                None => (item, ""),
            };
            let mut knobs = Vec::new();
            for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
                let (knob, value) = setting.split_once('=').ok_or_else(|| {
                    Usage(format!("-e {item}: a setting is NAME=VALUE, not {setting}"))
                })?;
                knobs.push((knob.to_owned(), value.to_owned()));
            }
            match name {
                "default" | "all" => {
                    for probe in presets(name == "all") {
                        add(probe.name, Vec::new(), false);
                    }
                }
                _ => add(name, knobs, true),
            }
        }
    }
    Ok(choices)
}

/// Splits at commas that are not between slashes.
fn split_list(list: &str) -> Vec<&str> {
    let (mut items, mut from, mut inside) = (Vec::new(), 0, false);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'/' => inside = !inside,
            b',' if !inside => {
                items.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[from..]);
    items.retain(|item| !item.is_empty());
    items
}

/// Sets a knob of a probe that is recorded.
fn set(choices: &mut [ProbeChoice], probe: &str, knob: &str, value: &str) -> Result<()> {
    match choices.iter_mut().rev().find(|choice| choice.name == probe) {
        Some(choice) => {
            choice.knobs.push((knob.to_owned(), value.to_owned()));
            Ok(())
        }
        None => Err(Usage(format!("probe {probe} is not recorded: add it with -e")).into()),
    }
}

/// `--stacks WHEN` for every probe that has stacks: those that know no such choice take all.
fn set_stacks(choices: &mut [ProbeChoice], when: &str) -> Result<()> {
    if !["long", "all", "none"].contains(&when) {
        return Err(Usage(format!("--stacks takes long, all or none, not {when}")).into());
    }
    for choice in choices {
        let knob = probes::by_name(&choice.name)
            .and_then(|probe| probe.knobs.iter().find(|knob| knob.name == "stacks"));
        let Some(knob) = knob else { continue };
        let KnobKind::Choice(known) = knob.kind else { continue };
        let value = if known.iter().any(|(name, _)| *name == when) { when } else { "all" };
        choice.knobs.push(("stacks".to_owned(), value.to_owned()));
    }
    Ok(())
}

/// `-g` and `--call-graph`: every probe that has stacks takes them.
fn expect_stacks(choices: &[ProbeChoice]) -> Result<()> {
    for choice in choices {
        let last = choice.knobs.iter().rev().find(|(name, _)| name == "stacks");
        if last.is_some_and(|(_, value)| value == "none") {
            let probe = &choice.name;
            return Err(
                Usage(format!("-g takes stacks, and {probe}/stacks=none/ takes none")).into()
            );
        }
    }
    Ok(())
}

/// Reads `0,2-3`.
fn cpu_list(text: &str) -> Result<Vec<u32>> {
    let bad = || Usage(format!("-C takes CPUs such as 0,2-3, not {text}"));
    let mut cpus = Vec::new();
    for range in text.split(',') {
        let (first, last) = cpu_range(range).filter(|range| range.1 <= 65535).ok_or_else(bad)?;
        cpus.extend(first..=last);
    }
    Ok(cpus)
}

//! The kernel programs: loaded, and their maps.

mod ways;

use crate::attach::{Link, text};
use crate::attacher::{NamesInUse, UseOfNames, UserFunction, UserPlace};
use crate::counting::Counting;
use crate::error::{Error, Result};
use crate::probe::{Attach, Collect, Probe, Walk};
use crate::probes::PROBES;
use crate::reduce;
use crate::rings::{self, Ring, RingArray, WholeRing};
use aya::maps::{Array, Map, MapData, PerCpuArray};
use aya::programs::{Iter, Program};
use aya::{Btf, Ebpf, EbpfLoader};
use rustc_hash::FxHashSet;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Mutex;
use std::time::Duration;

/// Addresses that are asked for at once: entries of `ksym_queries`.
const KSYM_BATCH: usize = 200;

/// The program of ksyms.bpf.h.
const KSYM_PROGRAM: &str = "ksym_names";

/// Record ids that have loss counters: `MAX_RECORDS` of ktape.bpf.h.
const MAX_RECORDS: usize = 128;

/// `struct cpu_state`: a counter pair per record, then four words of the programs' own.
type CpuState = [u64; 2 * MAX_RECORDS + 4];

/// System calls of processes whose counts are kept, on each CPU that makes them; with many CPUs, most
/// processes use a few.
const CALLS: u32 = 16384;
const MORE_CALLS: u32 = 256;
const MOST_CALL_CPUS: u32 = 64;

/// A `const volatile` variable of the programs and its bytes.
pub(crate) struct Global {
    pub(crate) symbol: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Everything of this recording that lives in the kernel.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    links: Vec<Link>,
    /// Those of them that go into files as they come.
    user: Vec<Attach>,
    states: PerCpuArray<MapData, CpuState>,
    moments: Array<MapData, u64>,
    targets: aya::maps::HashMap<MapData, u64, u8>,
    ksym_queries: Array<MapData, u64>,
    ksym_cursor: Array<MapData, u32>,
    /// Open until the programs are loaded; dropped with them.
    _ring_array: RingArray,
    /// One fact ring per CPU that was online at the start. What another one makes is lost, and counted.
    pub(crate) facts: Vec<Ring>,
    /// The ring of definitions.
    pub(crate) definitions: WholeRing,
    /// Whether the programs are those for recent kernels.
    recent: bool,
    /// Ways to attach that are passed over.
    without: Vec<String>,
    /// The probes of this recording, for [`Attach::Together`]. None where each is tried for itself.
    recorded: Vec<&'static str>,
    /// Attached programs that serve several probes.
    shared: Vec<&'static str>,
}

/// What a CPU made of a record, and what of it was lost, since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counter {
    pub(crate) cpu: u32,
    pub(crate) record: u16,
    pub(crate) produced: u64,
    pub(crate) lost: u64,
}

/// What a program cost.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) probe: &'static str,
    pub(crate) program: &'static str,
    pub(crate) runs: u64,
    pub(crate) took: Duration,
    pub(crate) missed: u64,
}

/// Moments that the programs know of: MOMENT_* of ktape.bpf.h.
#[derive(Clone, Copy)]
pub(crate) enum Moment {
    /// The recording stopped: iterators give what is open.
    Stop = 0,
    /// The launched command may run: from here on it is recorded.
    Release = 1,
    /// The recording started: what is off the CPU then has been so since before.
    Start = 2,
}

impl Kernel {
    /// Loads the programs of these probes, with fact rings for the given CPUs, and reads the BTF to
    /// attach by. Nothing is attached yet.
    ///
    /// The loader parses the kernel's BTF (15 MB in memory), and so does the attachment: one after
    /// the other, never both. Each ring that is put into the array of rings waits for an RCU grace
    /// period (`maybe_wait_bpf_programs()` of kernel/bpf/syscall.c), some milliseconds: meanwhile
    /// the BTF is read.
    pub(crate) fn load(
        probes: &[&'static Probe],
        globals: &[Global],
        possible_cpus: u32,
        cpus: &[u32],
        ring_bytes: u32,
        definition_bytes: u32,
        recent: bool,
    ) -> Result<(Kernel, Btf)> {
        let object = if recent {
            ktape_ebpf::object()
        } else {
            ktape_ebpf::object_for_old_kernels().ok_or_else(|| {
                Error::Load("on this architecture they need kernel 5.17 or later".into(), "")
            })?
        };
        let mut loader = EbpfLoader::new();
        loader.allow_unsupported_maps();
        loader.map_max_entries("facts", possible_cpus);
        loader.map_max_entries("definitions", definition_bytes);
        let call_cpus = possible_cpus.min(MOST_CALL_CPUS);
        loader.map_max_entries("calls", CALLS * call_cpus);
        loader.map_max_entries("more_calls", MORE_CALLS * call_cpus);
        for global in globals {
            loader.override_global(global.symbol, global.bytes.as_slice(), true);
        }
        for probe in
            PROBES.iter().filter(|known| !probes.iter().any(|probe| probe.name == known.name))
        {
            for map in probe.maps {
                loader.map_max_entries(map, 1);
            }
        }
        let mut programs: FxHashSet<&str> =
            probes.iter().flat_map(|probe| probe.programs_beside(probes)).collect();
        programs.insert(KSYM_PROGRAM);
        let object = reduce::reduce(object, &programs);
        let mut ebpf = loader.load(&object).map_err(|error| load_error(&error))?;
        drop(loader);

        let ring_array = take(&mut ebpf, "facts")?;
        let (rings, btf) = std::thread::scope(|scope| {
            let rings = std::thread::Builder::new()
                .spawn_scoped(scope, || rings::per_cpu(ring_array, cpus, ring_bytes))
                .map_err(Error::io("start", "a thread that makes the rings"))?;
            let btf = Btf::from_sys_fs().map_err(|error| Error::NoBtf(text(&error)));
            Ok((rings.join(), btf))
        })?;
        let (ring_array, facts) = rings.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let btf = btf?;
        let definitions = rings::single(take(&mut ebpf, "definitions")?, definition_bytes)?;
        let states = PerCpuArray::try_from(take(&mut ebpf, "cpu_states")?)
            .map_err(Error::kernel("open the map `cpu_states`"))?;
        let moments = Array::try_from(take(&mut ebpf, "moments")?)
            .map_err(Error::kernel("open the map `moments`"))?;
        let targets = aya::maps::HashMap::try_from(take(&mut ebpf, "targets")?)
            .map_err(Error::kernel("open the map `targets`"))?;
        let ksym_queries = Array::try_from(take(&mut ebpf, "ksym_queries")?)
            .map_err(Error::kernel("open the map `ksym_queries`"))?;
        let ksym_cursor = Array::try_from(take(&mut ebpf, "ksym_cursor")?)
            .map_err(Error::kernel("open the map `ksym_cursor`"))?;
        let kernel = Kernel {
            ksym_queries,
            ksym_cursor,
            ebpf,
            links: Vec::new(),
            user: Vec::new(),
            states,
            moments,
            targets,
            _ring_array: ring_array,
            facts,
            definitions,
            recent,
            without: Vec::new(),
            recorded: Vec::new(),
            shared: Vec::new(),
        };
        Ok((kernel, btf))
    }

    /// Has these ways to attach passed over from now on.
    pub(crate) fn do_without(&mut self, ways: &[String]) {
        self.without = ways.to_vec();
    }

    /// Has programs that serve several of these probes attached for them.
    pub(crate) fn share(&mut self, probes: Vec<&'static str>) {
        self.recorded = probes;
    }

    /// Adds a process (or, with `thread`, a thread) to those that are recorded.
    pub(crate) fn add_target(&mut self, id: u32, thread: bool) -> Result<()> {
        let added = self.targets.insert(target_key(id, thread), 1, 0);
        added.map_err(Error::kernel("add a target"))
    }

    /// Takes out one that has ended before the kernel programs could see that.
    pub(crate) fn remove_target(&mut self, id: u32, thread: bool) {
        // If they have seen it after all, it is out already.
        self.targets.remove(&target_key(id, thread)).ok();
    }

    /// Whether any of them is left: an exit takes its own out.
    pub(crate) fn has_targets(&self) -> bool {
        self.targets.keys().next().is_some()
    }

    /// Lets the programs read these counters, as long as they are attached.
    pub(crate) fn count(&mut self, counting: Counting) -> Result<()> {
        counting.hand_over(|name| match self.ebpf.map(name) {
            Some(Map::PerfEventArray(map)) => Some(map.fd().as_fd()),
            _ => None,
        })?;
        self.links.push(Box::new(counting));
        Ok(())
    }

    /// The attached programs that go into files of other programs as these come.
    pub(crate) fn user_functions(&mut self) -> Result<Vec<UserFunction>> {
        let what = "attach to programs as they come";
        let user = std::mem::take(&mut self.user);
        user.into_iter()
            .filter_map(|way| {
                let (program, function, place) = match way {
                    Attach::Uprobe { program, library: name, function, at_return } => {
                        (program, function, UserPlace::Library { name, at_return })
                    }
                    Attach::Go { program, function, learned } => {
                        (program, function, UserPlace::Go { learned })
                    }
                    Attach::GoCall { program, inside, function } => {
                        (program, function, UserPlace::GoCall { inside })
                    }
                    _ => return None,
                };
                Some((program, function, place))
            })
            .map(|(program, function, place)| {
                let program = self
                    .program(program)
                    .map_err(|message| Error::Kernel { action: what, message })?;
                let program = program.fd().map_err(Error::kernel(what))?.as_fd();
                let program =
                    program.try_clone_to_owned().map_err(Error::io("copy", "a program"))?;
                Ok(UserFunction { program, function, place })
            })
            .collect()
    }

    /// The map by which programs in gRPC-Go say of what use they are.
    pub(crate) fn names_in_use(&mut self) -> Result<Box<dyn NamesInUse>> {
        let map = Array::try_from(take(&mut self.ebpf, "h2_go_uses")?);
        Ok(Box::new(GoNames(map.map_err(Error::kernel("open the map `h2_go_uses`"))?)))
    }

    /// Whether a process is one of those that are recorded by number.
    pub(crate) fn is_target(&self, tgid: u32) -> bool {
        self.targets.get(&target_key(tgid, false), 0).is_ok()
    }

    /// The processes and threads that are recorded by number.
    pub(crate) fn target_ids(&self) -> Vec<u32> {
        self.targets.keys().filter_map(|key| Some((key.ok()? >> 1) as u32)).collect()
    }

    fn program(&mut self, name: &str) -> std::result::Result<&mut Program, String> {
        self.ebpf.program_mut(name).ok_or_else(|| format!("the object has no program {name}"))
    }

    /// Walks an iterator: rows of its record, back to back.
    pub(crate) fn walk(&mut self, walk: &Walk) -> Result<Vec<u8>> {
        self.read_iter(walk.program)
    }

    /// Everything that a loaded iterator writes.
    fn read_iter(&mut self, name: &'static str) -> Result<Vec<u8>> {
        let what = "read the iterator";
        let program =
            self.program(name).map_err(|message| Error::Kernel { action: what, message })?;
        let iter: &mut Iter = program.try_into().map_err(Error::kernel(what))?;
        let id = iter.attach().map_err(Error::kernel(what))?;
        let link = iter.take_link(id).map_err(Error::kernel(what))?;
        let mut file = link.into_file().map_err(Error::kernel(what))?;
        let mut rows = Vec::new();
        file.read_to_end(&mut rows).map_err(Error::io(what, name))?;
        Ok(rows)
    }

    /// The collectors of a probe's totals.
    pub(crate) fn totals(&mut self, probe: &Probe) -> Result<Vec<Box<dyn Collect>>> {
        let mut collectors = Vec::new();
        for totals in probe.totals {
            let maps = totals.maps.iter().map(|map| take(&mut self.ebpf, map));
            collectors.push((totals.collector)(&maps.collect::<Result<Vec<Map>>>()?)?);
        }
        Ok(collectors)
    }

    /// Loads the program that [`Kernel::kernel_names`] asks.
    pub(crate) fn load_names(&mut self, btf: &Btf) -> std::result::Result<(), String> {
        let program = self.program(KSYM_PROGRAM)?;
        let iter: &mut Iter = program.try_into().map_err(|error| text(&error))?;
        iter.load("task", btf).map_err(|error| text(&error))
    }

    /// Names of kernel addresses, told by the kernel itself: `name+0xoffset/0xsize [module]` for
    /// each, in order. Microseconds each, where /proc/kallsyms takes 40 ms to read.
    pub(crate) fn kernel_names(&mut self, addresses: &[u64]) -> Result<Vec<String>> {
        let what = "ask for kernel symbols";
        let mut names = Vec::new();
        for part in addresses.chunks(KSYM_BATCH) {
            for (at, address) in part.iter().enumerate() {
                self.ksym_queries.set(at as u32, address, 0).map_err(Error::kernel(what))?;
            }
            self.ksym_cursor.set(0, part.len() as u32, 0).map_err(Error::kernel(what))?;
            let mut answers = Vec::new();
            while answers.len() < part.len() {
                let text = self.read_iter(KSYM_PROGRAM)?;
                if text.is_empty() {
                    return Err(Error::Kernel { action: what, message: "no answer".into() });
                }
                answers.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
            }
            // They were answered from the last to the first.
            names.extend(answers.into_iter().take(part.len()).rev());
        }
        Ok(names)
    }

    /// Has the kernel count how often programs run and for how long, as long as the descriptor is
    /// open: some 20 ns for each run of each program of the host.
    pub(crate) fn count_runs() -> Result<OwnedFd> {
        aya::sys::enable_stats(aya::sys::Stats::RunTime)
            .map_err(Error::kernel("switch the kernel's BPF statistics on"))
    }

    /// What each program of a probe cost, if the kernel counted that, and how often it was passed over.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut told = FxHashSet::default();
        for probe in PROBES {
            for name in probe.programs().filter(|&name| told.insert(name)) {
                let Some(program) = self.ebpf.program(name) else { continue };
                let (Ok(info), Ok(fd)) = (program.info(), program.fd()) else { continue };
                let missed = missed(fd.as_fd().as_raw_fd());
                let (made, took) = (info.run_count(), info.run_time());
                if made > 0 || missed > 0 {
                    runs.push(Run { probe: probe.name, program: name, runs: made, took, missed });
                }
            }
        }
        runs
    }

    /// Detaches all programs, `more` included: no fact is made after this.
    ///
    /// The kernel lets all CPUs pass a quiescent state for each program that it detaches from a
    /// uprobe: a tenth of a second, and much longer on a busy host. Some together wait a sixth less.
    pub(crate) fn detach(&mut self, more: Vec<OwnedFd>) {
        const WORKERS: usize = 8;
        let mut links = std::mem::take(&mut self.links);
        links.extend(more.into_iter().map(|link| Box::new(link) as Link));
        let links = Mutex::new(links);
        let take = || links.lock().ok().and_then(|mut links| links.pop());
        let work = || while take().map(drop).is_some() {};
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                std::thread::Builder::new().spawn_scoped(scope, work).ok();
            }
        });
        // Without a thread they are dropped here.
        work();
    }

    /// Tells the programs when something happened.
    pub(crate) fn set_moment(&mut self, moment: Moment, now: u64) -> Result<()> {
        self.moments.set(moment as u32, now, 0).map_err(Error::kernel("set a moment"))
    }

    /// The counters of each CPU where something was produced, and the number of stacks taken on all.
    pub(crate) fn counters(&self) -> Result<(Vec<Counter>, u64)> {
        let values = self.states.get(&0, 0).map_err(Error::kernel("read the loss counters"))?;
        let mut counters = Vec::new();
        let mut stacks = 0;
        for (cpu, state) in values.iter().enumerate() {
            stacks += state[2 * MAX_RECORDS + 2];
            for record in 0..MAX_RECORDS {
                let (produced, lost) = (state[2 * record], state[2 * record + 1]);
                if produced > 0 {
                    counters.push(Counter {
                        cpu: cpu as u32,
                        record: record as u16,
                        produced,
                        lost,
                    });
                }
            }
        }
        Ok((counters, stacks))
    }
}

/// `struct h2_go_use`: whether programs are attached, how often one was of use, streams that ended, and
/// those without names.
struct GoNames(Array<MapData, [u64; 4]>);

impl NamesInUse for GoNames {
    fn set_attached(&mut self, attached: bool) {
        // The programs only add to the rest, and what is lost of it is noticed a little later.
        let [_, used, ended, nameless] = self.0.get(&0, 0).unwrap_or_default();
        self.0.set(0, [u64::from(attached), used, ended, nameless], 0).ok();
    }

    fn use_of_names(&self) -> UseOfNames {
        let [_, used, ended, nameless] = self.0.get(&0, 0).unwrap_or_default();
        UseOfNames { used, ended, nameless }
    }
}

/// How often the kernel passed a program over because it ran already on that CPU; 0 where it does
/// not tell (before 5.12).
fn missed(program: RawFd) -> u64 {
    let told = std::fs::read_to_string(format!("/proc/self/fdinfo/{program}")).unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// The key of a target in the map of filter.bpf.h.
fn target_key(id: u32, thread: bool) -> u64 {
    u64::from(id) << 1 | u64::from(thread)
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<aya::maps::Map> {
    ebpf.take_map(name).ok_or_else(|| Error::Kernel {
        action: "open a map",
        message: format!("the object has no map {name}"),
    })
}

fn load_error(error: &aya::EbpfError) -> Error {
    let hint = match error {
        aya::EbpfError::BtfError(_) | aya::EbpfError::NoBTF => {
            return Error::NoBtf(text(error));
        }
        aya::EbpfError::MapError(_) => {
            "; a lower -m makes the rings smaller, and before kernel 5.11 `ulimit -l` bounds them"
        }
        _ => "",
    };
    Error::Load(text(error), hint)
}

/// Whether a kernel can run the object for recent kernels (see `ktape_ebpf::object`).
pub(crate) fn is_recent(version: (u32, u32)) -> bool {
    version >= (5, 17)
}

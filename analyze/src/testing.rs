//! Small traces for tests, cut into chunks in any way.

use ktape_format::{ClockPair, Host, Meta, Options, Trace, Writer};
use ktape_schema::{
    CpuSample, Desc, Frame, Loss, Module, OffCpu, Stack, StackNode, Symbol, TaskStart, module_kind,
    stack_end, stack_side, stack_unwind,
};

/// A pseudo-random sequence (xorshift64*), the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// When the recordings of tests start.
pub(crate) const START: u64 = 1_000_000_000_000;
/// 2026-11-20T12:00:00Z, the same moment.
pub(crate) const START_REALTIME: u64 = 1_795_176_000_000_000_000;

/// A trace in the making: rows in memory, cut into chunks when it is written.
pub(crate) struct Tape {
    pub(crate) meta: Meta,
    strings: Vec<(u32, Vec<u8>)>,
    definitions: Vec<(&'static Desc, Vec<u8>)>,
    facts: Vec<(&'static Desc, u16, Vec<u8>)>,
    nodes: u32,
    frames: u32,
    stacks: u32,
}

impl Tape {
    /// A host with two CPUs of x86-64.
    pub(crate) fn new() -> Self {
        let host = Host {
            hostname: "host".into(),
            kernel: "6.18.0".into(),
            arch: "x86_64".into(),
            cpus: 2,
            possible_cpus: 2,
            page_size: 4096,
            mem_bytes: 8 << 30,
            ..Host::default()
        };
        let start = ClockPair { mono: START, realtime: START_REALTIME, boottime: START };
        let meta = Meta {
            ktape_version: "0.1.0".into(),
            host,
            command_line: vec!["ktape".into(), "record".into()],
            start,
            ..Meta::default()
        };
        Self {
            meta,
            strings: Vec::new(),
            definitions: Vec::new(),
            facts: Vec::new(),
            nodes: 0,
            frames: 0,
            stacks: 0,
        }
    }

    /// Defines a text.
    pub(crate) fn string(&mut self, text: impl AsRef<[u8]>) -> u32 {
        let text = text.as_ref();
        if let Some(known) = self.strings.iter().find(|known| known.1 == text) {
            return known.0;
        }
        let id = self.strings.len() as u32 + 1;
        self.strings.push((id, text.to_vec()));
        id
    }

    /// Adds a definition row.
    pub(crate) fn define(&mut self, desc: &'static Desc, row: &[u8]) {
        self.definitions.push((desc, row.to_vec()));
    }

    /// A thread that was there when the recording started.
    pub(crate) fn thread(&mut self, tid: u32, tgid: u32, comm: impl AsRef<[u8]>) {
        self.thread_from(START - 1_000_000_000, tid, tgid, comm);
    }

    /// A thread that started at a time.
    pub(crate) fn thread_from(&mut self, time: u64, tid: u32, tgid: u32, comm: impl AsRef<[u8]>) {
        let comm = self.string(comm);
        let start =
            TaskStart { time, seen: time.max(START), tid, tgid, comm, ..Default::default() };
        self.define(TaskStart::DESC, &start.encode());
    }

    /// A stack of functions, root first, all of one module.
    pub(crate) fn stack(&mut self, side: u8, end: u8, functions: &[&str]) -> u32 {
        if self.nodes == 0 {
            let (user, kernel) = (self.string("/usr/bin/app"), self.string("[kernel]"));
            let module = |id, path, kind| Module { id, path, build_id: 0, kind };
            self.define(Module::DESC, &module(1, user, module_kind::FILE).encode());
            self.define(Module::DESC, &module(2, kernel, module_kind::KERNEL).encode());
        }
        let module = if side == stack_side::KERNEL { 2 } else { 1 };
        let mut parent = 0;
        for name in functions {
            self.frames += 1;
            let frame = Frame { offset: 16 * u64::from(self.frames), id: self.frames, module };
            self.define(Frame::DESC, &frame.encode());
            if !name.is_empty() {
                // `outer|inlined` is two functions at one frame.
                for (depth, name) in (0..).zip(name.split('|')) {
                    let symbol = Symbol {
                        frame: self.frames,
                        depth,
                        name: self.string(name),
                        ..Symbol::default()
                    };
                    self.define(Symbol::DESC, &symbol.encode());
                }
            }
            self.nodes += 1;
            let node = StackNode { id: self.nodes, parent, frame: self.frames, flags: 0 };
            self.define(StackNode::DESC, &node.encode());
            parent = self.nodes;
        }
        self.stacks += 1;
        let stack = Stack {
            id: self.stacks,
            node: parent,
            tgid: 0,
            side,
            unwind: stack_unwind::FRAME_POINTER,
            end,
            flags: 0,
        };
        self.define(Stack::DESC, &stack.encode());
        self.stacks
    }

    pub(crate) fn user_stack(&mut self, functions: &[&str]) -> u32 {
        self.stack(stack_side::USER, stack_end::COMPLETE, functions)
    }

    pub(crate) fn kernel_stack(&mut self, functions: &[&str]) -> u32 {
        self.stack(stack_side::KERNEL, stack_end::COMPLETE, functions)
    }

    /// A reading of loss counters.
    pub(crate) fn loss(&mut self, record: u16, cpu: u32, time: u64, produced: u64, lost: u64) {
        let loss = Loss { time, produced, lost, record: record.into(), cpu };
        self.define(Loss::DESC, &loss.encode());
    }

    /// Adds a fact.
    pub(crate) fn fact(&mut self, desc: &'static Desc, ring: u16, row: &[u8]) {
        self.facts.push((desc, ring, row.to_vec()));
    }

    /// How many facts it has.
    pub(crate) fn fact_count(&self) -> usize {
        self.facts.len()
    }

    pub(crate) fn off_cpu(&mut self, row: OffCpu) {
        self.fact(OffCpu::DESC, row.cpu, &row.encode());
    }

    pub(crate) fn sample(&mut self, row: CpuSample) {
        self.fact(CpuSample::DESC, row.cpu as u16, &row.encode());
    }

    /// The trace with one chunk per record and ring.
    pub(crate) fn trace(&self) -> Trace {
        self.open(&self.bytes(None))
    }

    /// The trace with its facts cut into chunks, and the chunks ordered, by a seed.
    pub(crate) fn cut(&self, seed: u64) -> Trace {
        self.open(&self.bytes(Some(seed)))
    }

    fn open(&self, bytes: &[u8]) -> Trace {
        Trace::from_stream(bytes).expect("a trace that was just written")
    }

    /// The bytes of the trace.
    pub(crate) fn bytes(&self, seed: Option<u64>) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), self.meta.clone(), Options::default()).unwrap();
        writer.texts(&self.strings).unwrap();
        let groups = |rows: &mut dyn Iterator<Item = (&'static Desc, u16, &Vec<u8>)>| {
            let mut groups: Vec<(&'static Desc, u16, Vec<u8>)> = Vec::new();
            for (desc, ring, row) in rows {
                match groups.iter_mut().find(|group| (group.0.id, group.1) == (desc.id, ring)) {
                    Some(group) => group.2.extend(row),
                    None => groups.push((desc, ring, row.clone())),
                }
            }
            groups
        };
        for (desc, ring, rows) in
            groups(&mut self.definitions.iter().map(|(desc, row)| (*desc, 0, row)))
        {
            writer.rows(desc, ring, &rows).unwrap();
        }
        let mut chunks =
            groups(&mut self.facts.iter().map(|(desc, ring, row)| (*desc, *ring, row)));
        if let Some(seed) = seed {
            chunks = shuffle(chunks, seed);
        }
        for (desc, ring, rows) in chunks {
            writer.rows(desc, ring, &rows).unwrap();
        }
        writer.finish().unwrap().0
    }
}

type Chunk = (&'static Desc, u16, Vec<u8>);

/// Cuts chunks at random rows and puts the parts in a random order.
fn shuffle(chunks: Vec<Chunk>, seed: u64) -> Vec<Chunk> {
    let mut random = Random::new(seed);
    let mut parts = Vec::new();
    for (desc, ring, rows) in chunks {
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let most = (rest.len() / desc.size) as u64;
            let len = (random.below(most.min(40)) + 1) as usize * desc.size;
            let (part, after) = rest.split_at(len);
            parts.push((desc, ring, part.to_vec()));
            rest = after;
        }
    }
    for at in (1..parts.len()).rev() {
        parts.swap(at, random.below(at as u64 + 1) as usize);
    }
    parts
}

/// A trace with everything in it: reused thread numbers, threads that nobody defined, all states,
/// stacks with and without names, losses, system calls.
pub(crate) fn busy(seed: u64, rows: usize) -> Tape {
    let mut random = Random::new(seed);
    let mut tape = Tape::new();
    for index in 0..12u32 {
        tape.thread(100 + index, 100 + index / 4 * 4, format!("thread-{}", index % 5));
    }
    tape.thread_from(START + 500_000, 105, 104, "reborn");
    tape.loss(OffCpu::DESC.id, 0, START + 400_000, 1000, 0);
    tape.loss(OffCpu::DESC.id, 0, START + 900_000, 2000, 17);
    let users: Vec<u32> = [&["main", "work"][..], &["main", "work|inner", ""], &["start"]]
        .into_iter()
        .map(|functions| tape.user_stack(functions))
        .collect();
    let cut = tape.stack(stack_side::USER, stack_end::TRUNCATED, &["leaf"]);
    let users = [&users[..], &[cut, 0, 77]].concat();
    let kernels = [tape.kernel_stack(&["entry", "schedule"]), tape.kernel_stack(&["irq"]), 0];
    for _ in 0..rows {
        let pick =
            |random: &mut Random, from: &[u32]| from[random.below(from.len() as u64) as usize];
        // Two of the numbers belong to nobody.
        let tid = 100 + random.below(14) as u32;
        let (tgid, cpu) = (100 + (tid - 100) / 4 * 4, random.below(2) as u16);
        let end = START + random.below(1_000_000);
        let size = random.below(34);
        let duration = random.below(1 << size);
        let (kstack, ustack) = (pick(&mut random, &kernels), pick(&mut random, &users));
        let row = OffCpu {
            end,
            duration,
            runq: random.below(duration + 1),
            // Some are woken by an interrupt, some by somebody unknown.
            waker: [0, 100, 101, 105, 109, 113][(end % 6) as usize],
            waker_tgid: [0, 100, 100, 104, 108, 112][(end % 6) as usize],
            tid,
            tgid,
            kstack,
            ustack,
            cpu,
            prev_cpu: cpu,
            syscall: [0, 7, 35, 61, 202, 65535][random.below(6) as usize],
            state: random.below(9) as u8,
            flags: random.below(3) as u8,
        };
        tape.off_cpu(row);
        tape.sample(CpuSample {
            time: end,
            weight: 10_101_010,
            tid,
            tgid,
            kstack,
            ustack,
            cpu: cpu.into(),
            event: 1,
            mode: 1,
            flags: 0,
        });
        crate::noise::facts(&mut tape, &mut random, end, tid, tgid);
        crate::tests::locks::noise(&mut tape, &mut random, end, tid, tgid);
        crate::tests::mem::noise(&mut tape, &mut random, end, tid, tgid);
        crate::tests::counters::noise(&mut tape, &mut random, end, tid, tgid);
    }
    tape
}

/// The answer of a report as JSON.
pub(crate) fn answer<R: crate::run::Report>(
    report: &R,
    tape: &Tape,
    filter: crate::query::FilterArgs,
) -> serde_json::Value {
    let query = crate::run::Query { filter, threads: 1 };
    let answer = crate::run::run(report, &tape.trace(), &query).expect("an answer");
    serde_json::from_slice(&crate::render::json(&answer)).expect("valid JSON")
}

//! Stacks: from addresses of this boot to module and offset, shared frame by frame.
//!
//! The kernel programs intern stacks by their raw addresses. Here they are interned once more by
//! content, so that eight processes of one program share theirs, and one that the kernel's
//! dictionary forgot and sent again gets its old id.

use crate::ids::{Ids, Told};
use crate::kernel_code::{KernelCode, Part};
use crate::mappings::Mappings;
use crate::tape::Tape;
use ktape_format::schema::{
    Frame, Stack, StackNode, WireStack, stack_end, stack_side, wire_stack_flag,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// Everything known of stacks.
pub(crate) struct Stacks {
    /// Ids in the trace by those of the kernel programs: those that came or were asked for since
    /// there were last [`MAX_IDS`] of them, and those of the time before. The programs forget more
    /// than that, and send what they meet again under another id.
    ids: FxHashMap<u32, Told>,
    old_ids: FxHashMap<u32, Told>,
    frames: Ids<(u32, u64)>,
    nodes: Ids<(u32, u32)>,
    stacks: Ids<StackKey>,
    /// The processes that stacks were seen in first, where segments follow that define them again.
    tgids: FxHashMap<u32, u32>,
    /// The innermost nodes of threads that were seen to leave the CPU, by those further out.
    left: FxHashMap<u32, u32>,
    /// Stacks of sleeping threads that could not be completed yet, by innermost node: the programs'
    /// ids, and how far the walks came.
    incomplete: FxHashMap<u32, Vec<(u32, u8)>>,
    kernel: KernelCode,
    /// Frames in the kernel whose names are not written yet: place and frame.
    unnamed: Vec<(Part, u64, u32)>,
    /// Ids of the kernel's modules in the trace.
    kernel_modules: FxHashMap<Part, u32>,
    /// The same the other way round.
    parts: FxHashMap<u32, Part>,
    /// Kernel addresses met in the first frames of stacks, and whether they are the tracing's own.
    tracing: FxHashMap<u64, bool>,
}

/// Nodes that are remembered: with frames and stacks some 20 MB.
const MAX_NODES: usize = 1 << 18;

/// What a stack is: innermost node, side, how it was unwound, how the walk ended.
type StackKey = (u32, u8, u8, u8);

/// A kernel stack taken by a program starts with at most so many frames of the program and of what
/// called it.
const PREFIX: usize = 5;

/// The scheduler and the slow path of a lock are at most so many frames, from `__schedule` to
/// whoever called `mutex_lock`.
const SCHEDULER: usize = 8;

/// Ids of one stack that wait for its completion.
const MAX_INCOMPLETE: usize = 8;

/// Four times as many as the programs' dictionary holds (`stack_ids` of stack.bpf.h).
const MAX_IDS: usize = 1 << 17;

impl Stacks {
    /// `keeps`: there will be segments, in which stacks have to be told again.
    pub(crate) fn new(kernel: KernelCode, keeps: bool) -> Stacks {
        Stacks {
            ids: FxHashMap::default(),
            old_ids: FxHashMap::default(),
            frames: Ids::new(keeps),
            nodes: Ids::new(keeps),
            stacks: Ids::new(keeps),
            tgids: FxHashMap::default(),
            parts: FxHashMap::default(),
            left: FxHashMap::default(),
            incomplete: FxHashMap::default(),
            kernel,
            unnamed: Vec::new(),
            kernel_modules: FxHashMap::default(),
            tracing: FxHashMap::default(),
        }
    }

    /// The id in the trace of a stack that the kernel programs call `id`; 0 if it never came.
    pub(crate) fn translate(&mut self, id: u32, mappings: &mut Mappings, tape: &mut Tape) -> u32 {
        let (known, old) = match self.ids.get(&id) {
            Some(&known) => (known, false),
            None => match self.old_ids.get(&id) {
                Some(&known) => (known, true),
                None => return 0,
            },
        };
        if known.segment != tape.segment() {
            if !self.retell(known.id, mappings, tape) {
                return 0;
            }
            self.remember(id, known.id, tape);
        } else if old {
            self.remember(id, known.id, tape);
        }
        known.id
    }

    fn remember(&mut self, id: u32, known: u32, tape: &Tape) {
        if self.ids.len() >= MAX_IDS {
            self.old_ids = std::mem::take(&mut self.ids);
        }
        self.ids.insert(id, Told { id: known, segment: tape.segment() });
    }

    /// Sees to it that a stack is defined in this segment; false when it was forgotten.
    fn retell(&mut self, id: u32, mappings: &mut Mappings, tape: &mut Tape) -> bool {
        let segment = tape.segment();
        if id == 0 {
            return true;
        }
        let Some((key, new)) = self.stacks.again(id, segment) else { return false };
        if !new {
            return true;
        }
        let (node, side, unwind, end) = key;
        let tgid = self.tgids.get(&id).copied().unwrap_or(0);
        let row = Stack { id, node, tgid, side, unwind, end, flags: 0 };
        tape.define(Stack::DESC, &row.encode());
        if side == stack_side::USER {
            mappings.tell_process(tgid, tape);
        }
        self.tell_path(node, mappings, tape);
        true
    }

    /// Takes a stack that the kernel programs sent; `addresses` are innermost first.
    pub(crate) fn add(
        &mut self,
        wire: &WireStack,
        addresses: &[u64],
        mappings: &mut Mappings,
        tape: &mut Tape,
    ) {
        let mut end = wire.end;
        let frames = if wire.side == stack_side::KERNEL {
            let program = wire.flags & wire_stack_flag::PROGRAM != 0;
            let addresses = if program { self.trim(addresses) } else { addresses };
            let called = wire.flags & wire_stack_flag::WAITING != 0;
            self.kernel_frames(addresses, called, mappings, tape)
        } else {
            let mut frames = Vec::with_capacity(addresses.len());
            for (depth, &address) in addresses.iter().enumerate() {
                let place = address - u64::from(depth > 0);
                match mappings.resolve(wire.tgid, place, tape) {
                    Some((module, offset)) => frames.push(self.frame(module, offset, tape)),
                    None if depth == 0 => frames.push(self.frame(0, place, tape)),
                    // Not code: the walk had lost its way, from the start if this is the first step.
                    None => {
                        if end != stack_end::COMPLETE || depth == 1 {
                            end = stack_end::TRUNCATED;
                        }
                        break;
                    }
                }
            }
            frames
        };
        let mut node = 0;
        let mut path = Vec::with_capacity(frames.len());
        for &frame in frames.iter().rev() {
            node = self.node(node, frame, tape);
            path.push(node);
        }
        if wire.flags & wire_stack_flag::LEAVING != 0 {
            for &outer in path.iter().rev().skip(1).take(SCHEDULER) {
                self.left.entry(outer).or_insert(node);
                for (id, end) in self.incomplete.remove(&outer).unwrap_or_default() {
                    let completed = self.stack(node, wire, end, tape);
                    self.remember(id, completed, tape);
                }
            }
        }
        // What was called from the same place by the same way was the same part of the scheduler.
        if wire.flags & wire_stack_flag::WAITING != 0 {
            match self.left.get(&node) {
                Some(&inner) => node = inner,
                None => {
                    let ids = self.incomplete.entry(node).or_default();
                    // What the programs forget comes again under another id.
                    if ids.len() < MAX_INCOMPLETE {
                        ids.push((wire.id, end));
                    }
                }
            }
        }
        // A node of another segment may be among them.
        let id = self.stack(node, wire, end, tape);
        self.tell_path(node, mappings, tape);
        self.remember(wire.id, id, tape);
    }

    /// The addresses of a kernel stack's first frames that nobody has told the name of yet.
    pub(crate) fn unknown_prefix(&self, addresses: &[u64], unknown: &mut Vec<u64>) {
        let known = |address: u64| {
            self.tracing.contains_key(&address) || self.kernel.place(address).0 == Part::Generated
        };
        let first = addresses.iter().copied().take(PREFIX);
        // What the first frame that is not the machinery's own calls is of no interest.
        let own = |address: &u64| self.tracing.get(address) != Some(&false);
        unknown.extend(first.take_while(own).filter(|&address| !known(address)));
    }

    /// Learns whether an address belongs to the machinery that runs kernel programs.
    pub(crate) fn learn_prefix(&mut self, address: u64, name: &str) {
        let own = ["bpf_", "__bpf_", "__traceiter_", "trace_call_bpf", "perf_trace_"];
        self.tracing.insert(address, own.iter().any(|prefix| name.starts_with(prefix)));
    }

    /// The frames below the kernel program that took the stack.
    fn trim<'a>(&self, addresses: &'a [u64]) -> &'a [u64] {
        let own = |address: &u64| {
            self.tracing.get(address).copied().unwrap_or(false)
                || self.kernel.place(*address).0 == Part::Generated
        };
        let count = addresses.iter().take(PREFIX).take_while(|address| own(address)).count();
        &addresses[count..]
    }

    /// `called`: also the first address is where a call returns to.
    fn kernel_frames(
        &mut self,
        addresses: &[u64],
        called: bool,
        mappings: &mut Mappings,
        tape: &mut Tape,
    ) -> Vec<u32> {
        let mut frames = Vec::with_capacity(addresses.len());
        for (depth, &address) in addresses.iter().enumerate() {
            let place = address.wrapping_sub(u64::from(called || depth > 0));
            let (part, offset) = self.kernel.place(place);
            let module = match self.kernel_modules.get(&part) {
                Some(&module) => module,
                None => {
                    let (name, build_id, kind) = self.kernel.describe(part);
                    let module = mappings.kernel_module(&name, build_id, kind, tape);
                    self.kernel_modules.insert(part, module);
                    self.parts.insert(module, part);
                    module
                }
            };
            mappings.tell_module(module, tape);
            frames.push(self.frame(module, offset, tape));
        }
        frames
    }

    /// The frames in the kernel that came since the last call. Those that cannot be named yet are
    /// to be given back.
    pub(crate) fn take_unnamed(&mut self) -> Vec<(Part, u64, u32)> {
        std::mem::take(&mut self.unnamed)
    }

    /// Takes frames back.
    pub(crate) fn give_back(&mut self, unnamed: Vec<(Part, u64, u32)>) {
        self.unnamed.extend(unnamed);
    }

    fn frame(&mut self, module: u32, offset: u64, tape: &mut Tape) -> u32 {
        let (id, new) = self.frames.id((module, offset), tape.segment());
        if new {
            self.tell_frame(id, module, offset, tape);
        }
        id
    }

    fn tell_frame(&mut self, id: u32, module: u32, offset: u64, tape: &mut Tape) {
        tape.define(Frame::DESC, &Frame { offset, id, module }.encode());
        if let Some(&part) = self.parts.get(&module)
            && part != Part::Generated
        {
            self.unnamed.push((part, offset, id));
        }
    }

    fn node(&mut self, parent: u32, frame: u32, tape: &mut Tape) -> u32 {
        let (id, new) = self.nodes.id((parent, frame), tape.segment());
        if new {
            tape.define(StackNode::DESC, &StackNode { id, parent, frame, flags: 0 }.encode());
        }
        id
    }

    /// Sees to it that a node and those further out are defined in this segment: one that was found
    /// in [`Stacks::left`] may not be.
    fn tell_path(&mut self, mut node: u32, mappings: &mut Mappings, tape: &mut Tape) {
        let segment = tape.segment();
        while let Some(((parent, frame), true)) = self.nodes.again(node, segment) {
            tape.define(StackNode::DESC, &StackNode { id: node, parent, frame, flags: 0 }.encode());
            if let Some(((module, offset), true)) = self.frames.again(frame, segment) {
                mappings.tell_module(module, tape);
                self.tell_frame(frame, module, offset, tape);
            }
            node = parent;
        }
    }

    fn stack(&mut self, node: u32, wire: &WireStack, end: u8, tape: &mut Tape) -> u32 {
        if node == 0 {
            return 0;
        }
        let key = (node, wire.side, wire.unwind, end);
        let (id, new) = self.stacks.id(key, tape.segment());
        if new {
            let row = Stack {
                id,
                node,
                tgid: wire.tgid,
                side: wire.side,
                unwind: wire.unwind,
                end,
                flags: 0,
            };
            tape.define(Stack::DESC, &row.encode());
            if self.stacks.keeps() {
                self.tgids.insert(id, wire.tgid);
            }
        }
        id
    }

    /// Keeps memory bounded: when there are too many stacks, forgets them; what comes again gets a
    /// second id, and ids that the kernel programs still use stay valid. Returns whether the frames
    /// are too many, too, and must be named and forgotten: addresses of code that is made at run
    /// time, since no program has so much of its own.
    pub(crate) fn trim_memory(&mut self) -> bool {
        if self.nodes.len() > MAX_NODES {
            self.forget_stacks();
        }
        self.frames.len() > MAX_NODES
    }

    /// Forgets all frames, after their names were written.
    pub(crate) fn forget_frames(&mut self) {
        self.unnamed.clear();
        self.forget_stacks();
        let nodes = &self.nodes;
        let used: FxHashSet<u32> = nodes.keys().map(|&(_, frame)| frame).collect();
        self.frames.retain(|frame| used.contains(&frame));
    }

    /// Forgets the stacks, but for those that a later segment may have to tell again: those of the
    /// ids that the kernel programs have used of late. Where these are too many, they go as well,
    /// and facts that name them have no stack in later segments.
    fn forget_stacks(&mut self) {
        self.left = FxHashMap::default();
        self.incomplete = FxHashMap::default();
        self.keep_used();
        if self.nodes.len() > MAX_NODES / 2 {
            self.old_ids = FxHashMap::default();
            self.keep_used();
        }
        if self.nodes.len() > MAX_NODES / 2 {
            self.ids = FxHashMap::default();
            self.keep_used();
        }
    }

    fn keep_used(&mut self) {
        let ids = self.ids.values().chain(self.old_ids.values());
        let stacks: FxHashSet<u32> = ids.map(|told| told.id).collect();
        let keeps = self.stacks.keeps();
        self.stacks.retain(|id| keeps && stacks.contains(&id));
        self.tgids.retain(|id, _| stacks.contains(id));
        let mut nodes = FxHashSet::default();
        for &(innermost, ..) in self.stacks.keys() {
            let mut node = innermost;
            while node != 0 && nodes.insert(node) {
                node = self.nodes.key(node).map_or(0, |&(parent, _)| parent);
            }
        }
        self.nodes.retain(|id| nodes.contains(&id));
    }

    /// Every frame that was told in this segment and is remembered: `(module, offset, frame)`, sorted.
    pub(crate) fn frames(&self, segment: u32) -> Vec<(u32, u64, u32)> {
        let told = self.frames.told(segment);
        let mut frames: Vec<(u32, u64, u32)> =
            told.map(|(&(module, offset), frame)| (module, offset, frame)).collect();
        frames.sort_unstable();
        frames
    }

    /// The kernel's code.
    pub(crate) fn kernel(&self) -> &KernelCode {
        &self.kernel
    }

    /// The parts of the kernel in the trace, with their module ids.
    pub(crate) fn kernel_parts(&self) -> Vec<(Part, u32)> {
        let mut parts: Vec<(Part, u32)> =
            self.kernel_modules.iter().map(|(&part, &module)| (part, module)).collect();
        parts.sort_unstable();
        parts
    }
}

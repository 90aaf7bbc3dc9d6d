//! Call chains as stacks of a trace, shared frame by frame.

use ktape_schema::{Frame, Stack, StackNode, Symbol, stack_end, stack_side, stack_unwind};
use rustc_hash::FxHashMap;

use super::bytes::Bytes;
use super::kernel::Kernel;
use super::mappings::Mappings;
use super::tape::Tape;

/// Nodes that are remembered; with more, all is forgotten and told again under other ids.
const MAX_NODES: usize = 1 << 19;
/// Frames of a side that are kept: perf takes 127 unless told otherwise.
const MAX_FRAMES: usize = 1024;
/// What perf takes at most where nothing else was asked for (kernel.perf_event_max_stack).
const USUAL_LIMIT: usize = 127;

/// Marks in a call chain (`enum perf_callchain_context`).
const MARKS: u64 = -4095i64 as u64;
const KERNEL: u64 = -128i64 as u64;
const USER: u64 = -512i64 as u64;

/// Where the addresses of kernels begin.
const KERNEL_HALF: u64 = 1 << 63;

/// The two stacks of a sample; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Both {
    pub(super) kernel: u32,
    pub(super) user: u32,
}

/// What is defined already.
#[derive(Default)]
pub(super) struct Stacks {
    frames: FxHashMap<(u32, u64), u32>,
    nodes: FxHashMap<(u32, u32), u32>,
    stacks: FxHashMap<(u32, u8, u8), u32>,
    last: (u32, u32, u32),
}

/// What tells the places of addresses.
pub(super) struct Code<'a, 'w> {
    pub(super) kernel: &'a mut Kernel,
    pub(super) mappings: &'a mut Mappings,
    pub(super) tape: &'a mut Tape<'w>,
}

impl Stacks {
    /// The stacks of a call chain of a process. `called`: also the first address of the kernel's
    /// part is where a call returns to.
    pub(super) fn of_chain(
        &mut self,
        chain: &[u8],
        pid: u32,
        called: bool,
        code: &mut Code<'_, '_>,
    ) -> Both {
        if self.nodes.len() > MAX_NODES {
            self.frames = FxHashMap::default();
            self.nodes = FxHashMap::default();
            self.stacks = FxHashMap::default();
        }
        let (mut kernel, mut user) = (Vec::new(), Vec::new());
        let mut side = None;
        let limited = chain.len() / 8 >= USUAL_LIMIT;
        let mut addresses = Bytes(chain);
        while let Some(address) = addresses.u64() {
            match address {
                KERNEL => side = Some(&mut kernel),
                USER => side = Some(&mut user),
                MARKS.. => side = None,
                address => {
                    if let Some(side) = side.as_mut().filter(|side| side.len() < MAX_FRAMES) {
                        side.push(address);
                    }
                }
            }
        }
        let end = match limited && user.is_empty() {
            true => stack_end::DEPTH_LIMIT,
            false => stack_end::COMPLETE,
        };
        let frames = self.kernel_frames(&kernel, called, code);
        let kernel = self.stack(&frames, 0, stack_side::KERNEL, end, code.tape);
        let (frames, end) = self.user_frames(&user, pid, limited, code);
        let user = self.stack(&frames, pid, stack_side::USER, end, code.tape);
        Both { kernel, user }
    }

    fn kernel_frames(
        &mut self,
        addresses: &[u64],
        called: bool,
        code: &mut Code<'_, '_>,
    ) -> Vec<u32> {
        let mut frames = Vec::with_capacity(addresses.len());
        for (depth, &address) in addresses.iter().enumerate() {
            let address = address.wrapping_sub(u64::from(called || depth > 0));
            let Some(place) = code.kernel.place(address, code.mappings, code.tape) else { break };
            if called
                && depth < 2
                && place.function.as_ref().is_some_and(|known| is_tracing(&known.0))
            {
                continue;
            }
            let (frame, new) = self.frame(place.module, place.offset, code.tape);
            if let Some((name, offset)) = place.function.filter(|_| new) {
                let name = code.tape.text(&name);
                let row = Symbol { offset, frame, name, ..Symbol::default() };
                code.tape.define(Symbol::DESC, &row.encode());
            }
            frames.push(frame);
        }
        frames
    }

    fn user_frames(
        &mut self,
        addresses: &[u64],
        pid: u32,
        limited: bool,
        code: &mut Code<'_, '_>,
    ) -> (Vec<u32>, u8) {
        // perf does not say how a walk ended; one that did not leave its first frame met code
        // without frame pointers.
        let mut end = match addresses.len() {
            0 | 1 => stack_end::TRUNCATED,
            _ if limited => stack_end::DEPTH_LIMIT,
            _ => stack_end::COMPLETE,
        };
        let mut frames = Vec::with_capacity(addresses.len());
        for (depth, &address) in addresses.iter().enumerate() {
            let address = address.wrapping_sub(u64::from(depth > 0));
            let (module, offset) = match code.mappings.resolve(pid, address, code.tape) {
                Some(place) => place,
                // Whatever a file says: no address of the kernel goes into a trace.
                None if depth == 0 && address < KERNEL_HALF => (0, address),
                // Not code: the walk had lost its way.
                None => {
                    end = if depth == 1 { stack_end::TRUNCATED } else { end };
                    break;
                }
            };
            frames.push(self.frame(module, offset, code.tape).0);
        }
        (frames, end)
    }

    fn frame(&mut self, module: u32, offset: u64, tape: &mut Tape<'_>) -> (u32, bool) {
        if let Some(&id) = self.frames.get(&(module, offset)) {
            return (id, false);
        }
        self.last.0 += 1;
        let id = self.last.0;
        self.frames.insert((module, offset), id);
        tape.define(Frame::DESC, &Frame { offset, id, module }.encode());
        (id, true)
    }

    /// The id of a stack of frames, innermost first; 0 when there are none.
    fn stack(&mut self, frames: &[u32], tgid: u32, side: u8, end: u8, tape: &mut Tape<'_>) -> u32 {
        let mut node = 0;
        for &frame in frames.iter().rev() {
            let parent = node;
            node = match self.nodes.get(&(parent, frame)) {
                Some(&known) => known,
                None => {
                    self.last.1 += 1;
                    let id = self.last.1;
                    self.nodes.insert((parent, frame), id);
                    let row = StackNode { id, parent, frame, flags: 0 };
                    tape.define(StackNode::DESC, &row.encode());
                    id
                }
            };
        }
        if node == 0 {
            return 0;
        }
        if let Some(&known) = self.stacks.get(&(node, side, end)) {
            return known;
        }
        self.last.2 += 1;
        let id = self.last.2;
        self.stacks.insert((node, side, end), id);
        let unwind = match side {
            stack_side::KERNEL => stack_unwind::KERNEL,
            _ => stack_unwind::FRAME_POINTER,
        };
        tape.define(Stack::DESC, &Stack { id, node, tgid, side, unwind, end, flags: 0 }.encode());
        id
    }
}

/// Whether a function only leads from a tracepoint to perf, which is no part of what it interrupted.
fn is_tracing(function: &[u8]) -> bool {
    [&b"__traceiter_"[..], b"perf_trace_"].iter().any(|prefix| function.starts_with(prefix))
}

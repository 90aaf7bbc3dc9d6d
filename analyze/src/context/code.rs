//! `Code`: modules, frames, stacks and symbols of a trace.

use ktape_schema::{module_kind, stack_end, stack_side};

use super::id_table::IdTable;
use super::loader::Loader;

/// A file (or other origin) of code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// String id of its path.
    pub path: u32,
    /// String id of its build-id; 0 when unknown.
    pub build_id: u32,
    /// `module_kind`.
    pub kind: u32,
}

impl Module {
    /// Whether its code runs in the kernel.
    pub fn is_kernel(&self) -> bool {
        matches!(self.kind, module_kind::KERNEL | module_kind::KERNEL_MODULE | module_kind::BPF)
    }
}

/// A place in code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Offset in the module; an address when the module is unknown.
    pub offset: u64,
    /// Module id; 0 when unknown.
    pub module: u32,
}

/// The name of a frame at one inline depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// 0 is the function that the code lies in, higher ones were inlined into it.
    pub depth: u32,
    /// String id of the function's name.
    pub name: u32,
    /// Offset of the frame in the function.
    pub offset: u64,
    /// String id of the source file; 0 when unknown.
    pub file: u32,
    /// Source line; 0 when unknown.
    pub line: u32,
}

/// A frame called from its parent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Node {
    parent: u32,
    frame: u32,
}

/// A call stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its innermost node.
    pub node: u32,
    /// The process that it was seen in first; 0 for kernel stacks.
    pub tgid: u32,
    /// `stack_side`.
    pub side: u8,
    /// `stack_unwind`.
    pub unwind: u8,
    /// `stack_end`.
    pub end: u8,
}

impl Stack {
    /// Whether the walk ended before the thread's first frame.
    pub fn is_cut(&self) -> bool {
        self.end != stack_end::COMPLETE
    }

    /// Whether it has kernel frames.
    pub fn is_kernel(&self) -> bool {
        self.side == stack_side::KERNEL
    }
}

/// Frames of one stack beyond this many are not followed. The recorder takes at most 127; the limit
/// keeps hostile files cheap.
pub const MAX_FRAMES: usize = 512;

/// What stacks are made of. Empty until [`super::Needs::CODE`] asks for it.
#[derive(Debug, Default)]
pub struct Code {
    modules: IdTable<Module>,
    frames: IdTable<Frame>,
    nodes: IdTable<Node>,
    stacks: IdTable<Stack>,
    /// Sorted by (frame, depth).
    symbols: Vec<(u32, Symbol)>,
}

impl Code {
    pub(crate) fn load(loader: &mut Loader<'_>) -> Self {
        let mut modules = Vec::new();
        loader.each("module", &["id", "path", "build_id", "kind"], |batch| {
            modules.extend((0..batch.rows()).map(|row| {
                let module = Module {
                    path: batch.u32("path")[row],
                    build_id: batch.u32("build_id")[row],
                    kind: batch.u32("kind")[row],
                };
                (batch.u32("id")[row], module)
            }));
        });
        let mut frames = Vec::new();
        loader.each("frame", &["offset", "id", "module"], |batch| {
            let (ids, offsets) = (batch.u32("id"), batch.u64("offset"));
            let modules = batch.u32("module");
            frames.extend(
                (0..batch.rows())
                    .map(|row| (ids[row], Frame { offset: offsets[row], module: modules[row] })),
            );
        });
        let mut nodes = Vec::new();
        loader.each("stack_node", &["id", "parent", "frame"], |batch| {
            let (ids, parents) = (batch.u32("id"), batch.u32("parent"));
            let frames = batch.u32("frame");
            // An id at or below its parent's would let a walk go in circles.
            nodes.extend(
                (0..batch.rows())
                    .filter(|&row| ids[row] > parents[row])
                    .map(|row| (ids[row], Node { parent: parents[row], frame: frames[row] })),
            );
        });
        let mut stacks = Vec::new();
        loader.each("stack", &["id", "node", "tgid", "side", "unwind", "end"], |batch| {
            stacks.extend((0..batch.rows()).map(|row| {
                let stack = Stack {
                    node: batch.u32("node")[row],
                    tgid: batch.u32("tgid")[row],
                    side: batch.u8("side")[row],
                    unwind: batch.u8("unwind")[row],
                    end: batch.u8("end")[row],
                };
                (batch.u32("id")[row], stack)
            }));
        });
        let mut symbols = Vec::new();
        let columns = ["offset", "frame", "depth", "name", "file", "line"];
        loader.each("symbol", &columns, |batch| {
            symbols.extend((0..batch.rows()).map(|row| {
                let symbol = Symbol {
                    depth: batch.u32("depth")[row],
                    name: batch.u32("name")[row],
                    offset: batch.u64("offset")[row],
                    file: batch.u32("file")[row],
                    line: batch.u32("line")[row],
                };
                (batch.u32("frame")[row], symbol)
            }));
        });
        symbols.sort_unstable();
        symbols.dedup_by_key(|(frame, symbol)| (*frame, symbol.depth));
        Self {
            modules: IdTable::new(modules),
            frames: IdTable::new(frames),
            nodes: IdTable::new(nodes),
            stacks: IdTable::new(stacks),
            symbols,
        }
    }

    /// The module with this id.
    pub fn module(&self, id: u32) -> Option<&Module> {
        self.modules.get(id)
    }

    /// The frame with this id.
    pub fn frame(&self, id: u32) -> Option<&Frame> {
        self.frames.get(id)
    }

    /// The stack with this id.
    pub fn stack(&self, id: u32) -> Option<&Stack> {
        self.stacks.get(id)
    }

    /// The names of a frame, outermost function first, inlined ones after it. Empty when unknown.
    pub fn symbols(&self, frame: u32) -> impl Iterator<Item = &Symbol> {
        let from = self.symbols.partition_point(|entry| entry.0 < frame);
        self.symbols[from..].iter().take_while(move |entry| entry.0 == frame).map(|entry| &entry.1)
    }

    /// Fills `frames` with the frame ids of a stack, outermost first. At most [`MAX_FRAMES`]: of a
    /// longer one the outermost are missing, and the answer is `true`.
    pub fn frames_of(&self, stack: &Stack, frames: &mut Vec<u32>) -> bool {
        frames.clear();
        let mut id = stack.node;
        while let Some(node) = self.nodes.get(id) {
            if frames.len() == MAX_FRAMES {
                frames.reverse();
                return true;
            }
            frames.push(node.frame);
            id = node.parent;
        }
        if id != 0 {
            // The caller is not defined: frame 0 is nobody's and shows as unknown.
            frames.push(0);
        }
        frames.reverse();
        false
    }

    /// All stacks, by rising id.
    pub fn stacks(&self) -> impl Iterator<Item = (u32, &Stack)> {
        self.stacks.ids().zip(self.stacks.rows())
    }

    /// All frames, by rising id.
    pub fn frames(&self) -> impl Iterator<Item = (u32, &Frame)> {
        self.frames.ids().zip(self.frames.rows())
    }

    /// All modules, by rising id.
    pub fn modules(&self) -> impl Iterator<Item = (u32, &Module)> {
        self.modules.ids().zip(self.modules.rows())
    }

    /// All (frame id, symbol), sorted.
    pub fn all_symbols(&self) -> &[(u32, Symbol)] {
        &self.symbols
    }

    /// All nodes as (id, parent, frame), by rising id.
    pub fn nodes(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.nodes.ids().zip(self.nodes.rows()).map(|(id, node)| (id, node.parent, node.frame))
    }

    /// Whether a node id may be used: 0 or defined.
    pub fn defines_node(&self, id: u32) -> bool {
        id == 0 || self.nodes.get(id).is_some()
    }
}

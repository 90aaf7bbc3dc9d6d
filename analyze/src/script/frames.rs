//! `Frames`: the places of a stack, with all that the trace says of them.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::answer::FrameKind;
use crate::context::{Context, UNKNOWN};

/// A function on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: FrameKind,
    pub(super) name: Vec<u8>,
    /// Offset in the function; `None` when it has no name.
    pub(super) in_function: Option<u64>,
    /// Path of its module; empty when unknown.
    pub(super) module: Vec<u8>,
    /// Offset in the module.
    pub(super) offset: u64,
    /// Source file; empty when unknown.
    pub(super) file: Vec<u8>,
    pub(super) line: u32,
}

/// Looks frames up, each once.
pub(super) struct Frames<'a> {
    cx: &'a Context<'a>,
    known: FxHashMap<(u32, bool), Rc<[Place]>>,
    ids: Vec<u32>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(cx: &'a Context<'a>) -> Self {
        Self { cx, known: FxHashMap::default(), ids: Vec::new() }
    }

    /// The places of a stack, root first, inlined functions after what they were inlined into; a mark
    /// stands where the walk ended early. Empty for stack 0.
    pub(super) fn of(&mut self, stack: u32) -> Vec<Place> {
        if stack == 0 {
            return Vec::new();
        }
        let Some(stack) = self.cx.code().stack(stack) else { return vec![mark(UNKNOWN)] };
        let mut ids = std::mem::take(&mut self.ids);
        let cut = self.cx.code().frames_of(stack, &mut ids);
        let mut places = Vec::new();
        if cut || stack.is_cut() {
            places.push(mark(b"[truncated]"));
        }
        for &frame in &ids {
            places.extend_from_slice(&self.frame(frame, stack.is_kernel()));
        }
        self.ids = ids;
        places
    }

    fn frame(&mut self, id: u32, kernel: bool) -> Rc<[Place]> {
        let cx = self.cx;
        let places = self.known.entry((id, kernel)).or_insert_with(|| {
            let frame = cx.code().frame(id).copied().unwrap_or_default();
            let module = cx.code().module(frame.module);
            let place = Place {
                kind: if kernel { FrameKind::Kernel } else { FrameKind::User },
                name: UNKNOWN.to_vec(),
                in_function: None,
                module: module.map_or(Vec::new(), |module| cx.strings().get(module.path).to_vec()),
                offset: frame.offset,
                file: Vec::new(),
                line: 0,
            };
            let mut places: Vec<Place> = cx
                .code()
                .symbols(id)
                .map(|symbol| Place {
                    kind: if symbol.depth == 0 { place.kind } else { FrameKind::Inlined },
                    name: cx.strings().get(symbol.name).to_vec(),
                    in_function: (symbol.depth == 0).then_some(symbol.offset),
                    file: cx.strings().get(symbol.file).to_vec(),
                    line: symbol.line,
                    ..place.clone()
                })
                .collect();
            if places.is_empty() {
                places.push(place);
            }
            places.into()
        });
        Rc::clone(places)
    }
}

fn mark(name: &[u8]) -> Place {
    Place {
        kind: FrameKind::Mark,
        name: name.to_vec(),
        in_function: None,
        module: Vec::new(),
        offset: 0,
        file: Vec::new(),
        line: 0,
    }
}

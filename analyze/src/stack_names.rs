//! `StackNames`: stacks of a trace as lists of names.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::answer::FrameKind;
use crate::context::{Context, UNKNOWN};

/// One function on a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// What kind of code.
    pub kind: FrameKind,
    /// Index into `StackNames::names`.
    pub name: u32,
    /// String id of the path of its module; 0 when unknown.
    pub module: u32,
}

/// Names the frames of stacks, each frame once.
pub struct StackNames<'a> {
    cx: &'a Context<'a>,
    names: Vec<Vec<u8>>,
    ids: FxHashMap<Vec<u8>, u32>,
    frames: FxHashMap<(u32, bool), Rc<[Place]>>,
    scratch: Vec<u32>,
}

impl<'a> StackNames<'a> {
    /// Names stacks of a context that was loaded with [`crate::context::Needs::CODE`].
    pub fn new(cx: &'a Context<'a>) -> Self {
        Self {
            cx,
            names: Vec::new(),
            ids: FxHashMap::default(),
            frames: FxHashMap::default(),
            scratch: Vec::new(),
        }
    }

    /// The index of a name.
    pub fn id(&mut self, name: &[u8]) -> u32 {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.names.len() as u32;
        self.names.push(name.to_vec());
        self.ids.insert(name.to_vec(), id);
        id
    }

    /// A name by index.
    pub fn name(&self, id: u32) -> &[u8] {
        &self.names[id as usize]
    }

    /// All names, by index.
    pub fn into_names(self) -> Vec<Vec<u8>> {
        self.names
    }

    /// The functions of a user and a kernel stack, root first: user frames, then kernel frames, each
    /// followed by what was inlined into it. `[truncated]` stands where a walk ended early, `[no
    /// stack]` alone when neither was taken. Fills `places`.
    pub fn places(&mut self, ustack: u32, kstack: u32, places: &mut Vec<Place>) {
        places.clear();
        self.side(ustack, places);
        self.side(kstack, places);
        if places.is_empty() {
            places.push(self.mark(b"[no stack]"));
        }
    }

    fn side(&mut self, id: u32, places: &mut Vec<Place>) {
        if id == 0 {
            return;
        }
        let Some(stack) = self.cx.code().stack(id) else {
            places.push(self.mark(UNKNOWN));
            return;
        };
        let mut frames = std::mem::take(&mut self.scratch);
        let cut = self.cx.code().frames_of(stack, &mut frames);
        if cut || stack.is_cut() {
            places.push(self.mark(b"[truncated]"));
        }
        for &frame in &frames {
            places.extend_from_slice(&self.frame(frame, stack.is_kernel()));
        }
        self.scratch = frames;
    }

    fn mark(&mut self, name: &[u8]) -> Place {
        Place { kind: FrameKind::Mark, name: self.id(name), module: 0 }
    }

    /// The function at a frame and those inlined into it.
    fn frame(&mut self, frame: u32, kernel: bool) -> Rc<[Place]> {
        if let Some(places) = self.frames.get(&(frame, kernel)) {
            return Rc::clone(places);
        }
        let cx = self.cx;
        let module = cx.code().frame(frame).map_or(0, |frame| frame.module);
        let module = cx.code().module(module).map_or(0, |module| module.path);
        let kind = if kernel { FrameKind::Kernel } else { FrameKind::User };
        let mut places = Vec::new();
        for symbol in cx.code().symbols(frame) {
            let kind = if symbol.depth == 0 { kind } else { FrameKind::Inlined };
            places.push(Place { kind, name: self.id(cx.strings().get(symbol.name)), module });
        }
        if places.is_empty() {
            let name = unnamed(cx, frame);
            places.push(Place { kind, name: self.id(&name), module });
        }
        let places: Rc<[Place]> = places.into();
        self.frames.insert((frame, kernel), Rc::clone(&places));
        places
    }
}

/// `module+0xoff` for a frame without symbol, `[unknown]` for one without module.
fn unnamed(cx: &Context<'_>, frame: u32) -> Vec<u8> {
    let Some(frame) = cx.code().frame(frame) else { return UNKNOWN.to_vec() };
    let Some(module) = cx.code().module(frame.module) else { return UNKNOWN.to_vec() };
    let path = cx.strings().get(module.path);
    let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let mut name = base.to_vec();
    name.extend_from_slice(format!("+{:#x}", frame.offset).as_bytes());
    name
}

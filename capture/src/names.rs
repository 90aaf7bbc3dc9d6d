//! Names for the frames of the trace: those in the kernel as they come, all others at its end.

use crate::kernel::Kernel;
use crate::mappings::{Mappings, NamedModule};
use crate::stacks::Stacks;
use crate::symbols::{KernelLayout, Name, Resolver};
use crate::tape::Tape;
use ktape_format::schema::Symbol;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Modules whose turn comes later than this get no names: a recording must end. Cold binaries of
/// 100 MB take a quarter of a second each.
const MAX_TIME: Duration = Duration::from_secs(5);

/// A frame as `Stacks::frames` gives it: module, offset, id.
type Place = (u32, u64, u32);

/// Frames whose names are to be found in the files of their modules: what takes too long for the
/// thread that drains the rings.
pub(crate) struct Question {
    modules: Vec<NamedModule>,
    /// Sorted.
    frames: Vec<Place>,
    layout: Option<KernelLayout>,
    /// Ids for as many texts as there are frames.
    texts: Vec<Range<u32>>,
}

/// Asks for the names of all frames that are remembered. Those in the kernel are written down here.
pub(crate) fn question(
    stacks: &mut Stacks,
    mappings: &Mappings,
    kernel: &mut Kernel,
    tape: &mut Tape,
) -> Question {
    let mut modules = mappings.named_modules();
    if !write_kernel(stacks, kernel, tape) {
        for (part, module) in stacks.kernel_parts() {
            let (path, _, kind) = stacks.kernel().describe(part);
            modules.push(NamedModule { module, kind, path: path.into_bytes(), tgid: 0, inode: 0 });
        }
    }
    let mut frames = stacks.frames(tape.segment());
    modules.sort_unstable_by_key(|module| module.module);
    let of_one =
        |place: &Place| modules.binary_search_by_key(&place.0, |module| module.module).is_ok();
    frames.retain(of_one);
    modules.retain(|module| !of_module(&frames, module.module).is_empty());
    let texts = tape.reserve_texts(frames.len());
    Question { modules, frames, layout: stacks.kernel().layout(), texts: vec![texts] }
}

impl Question {
    /// The questions of several segments as one: what they have in common is asked once.
    pub(crate) fn all_of<'a>(questions: impl Iterator<Item = &'a Question>) -> Question {
        let mut all = Question { modules: vec![], frames: vec![], layout: None, texts: vec![] };
        for question in questions {
            all.modules.extend_from_slice(&question.modules);
            all.frames.extend_from_slice(&question.frames);
            all.texts.extend_from_slice(&question.texts);
            all.layout.clone_from(&question.layout);
        }
        all.modules.sort_by_key(|module| module.module);
        all.modules.dedup_by_key(|module| module.module);
        all.frames.sort_unstable();
        all.frames.dedup();
        all
    }

    /// Bytes that it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let modules =
            self.modules.iter().map(|module| size_of::<NamedModule>() + module.path.len());
        modules.sum::<usize>() + self.frames.len() * size_of::<Place>()
    }

    /// Finds the names: texts with their ids, and rows of `symbol`. Frames without a name stay module
    /// and offset.
    pub(crate) fn answer(&self) -> (Vec<(u32, Vec<u8>)>, Vec<u8>) {
        let offsets: Vec<Vec<u64>> = self
            .modules
            .iter()
            .map(|module| of_module(&self.frames, module.module).iter().map(|at| at.1).collect())
            .collect();
        let queries: Vec<_> = self
            .modules
            .iter()
            .zip(&offsets)
            .map(|(module, offsets)| module.query(offsets))
            .collect();
        let mut resolver = Resolver::new().with_deadline(Instant::now() + MAX_TIME);
        if let Some(layout) = &self.layout {
            resolver = resolver.with_kernel(layout.clone());
        }
        let (mut texts, mut ids) = (Vec::new(), FxHashMap::default());
        let mut free = self.texts.iter().cloned().flatten();
        let mut symbols = Vec::new();
        for (module, answer) in self.modules.iter().zip(resolver.resolve(&queries)) {
            let frames = of_module(&self.frames, module.module);
            for (&(_, _, frame), name) in frames.iter().zip(answer.names) {
                let Some(Name { text, offset }) = name else { continue };
                let name = *ids.entry(text).or_insert_with_key(|text| {
                    // There are as many as frames: one is left.
                    let id = free.next().unwrap_or(0);
                    texts.push((id, text.clone().into_bytes()));
                    id
                });
                let row = Symbol { offset, frame, name, ..Symbol::default() };
                symbols.extend_from_slice(&row.encode());
            }
        }
        (texts, symbols)
    }
}

/// Asks the running kernel for the names of frames that have come since the last time: only it can
/// tell them, and a crash of the recorder should not take them along. False when it does not
/// answer.
pub(crate) fn write_kernel(stacks: &mut Stacks, kernel: &mut Kernel, tape: &mut Tape) -> bool {
    let unnamed = stacks.take_unnamed();
    let address = |&(part, offset, _): &_| stacks.kernel().address(part, offset).unwrap_or(0);
    let addresses: Vec<u64> = unnamed.iter().map(address).collect();
    let Ok(answers) = kernel.kernel_names(&addresses) else {
        stacks.give_back(unnamed);
        return false;
    };
    for ((_, _, frame), answer) in unnamed.into_iter().zip(answers) {
        if let Some((name, offset)) = parse(&answer) {
            define(frame, name, offset, tape);
        }
    }
    true
}

/// `name+0x1f/0x40 [module]`; an address without a symbol is `0x...` alone.
fn parse(answer: &str) -> Option<(&str, u64)> {
    let (name, rest) = answer.split_once("+0x")?;
    let (offset, _) = rest.split_once('/')?;
    Some((name, u64::from_str_radix(offset, 16).ok()?))
}

fn of_module(frames: &[Place], module: u32) -> &[Place] {
    let from = frames.partition_point(|place| place.0 < module);
    let to = frames.partition_point(|place| place.0 <= module);
    &frames[from..to]
}

fn define(frame: u32, name: &str, offset: u64, tape: &mut Tape) {
    let row = Symbol { offset, frame, name: tape.text(name.as_bytes()), ..Symbol::default() };
    tape.define(Symbol::DESC, &row.encode());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_kernel() {
        assert_eq!(parse("schedule+0x1f/0x40"), Some(("schedule", 0x1f)));
        assert_eq!(parse("ext4_read+0x0/0x9 [ext4]"), Some(("ext4_read", 0)));
        assert_eq!(parse("0xffffffffc0000000"), None);
    }
}

//! Names for every frame of the trace, at its end.

use crate::kernel_code::Part;
use crate::mappings::{Mappings, NamedModule};
use crate::stacks::Stacks;
use crate::symbols::Resolver;
use crate::tape::Tape;
use ktape_format::schema::{Symbol, module_kind};

/// Resolves each frame that some stack passes through and writes the names down. Frames without a
/// name stay module and offset. Returns how many got one.
pub(crate) fn write(stacks: &Stacks, mappings: &Mappings, tape: &mut Tape) -> usize {
    let mut modules = mappings.named_modules();
    for (part, module) in stacks.kernel_parts() {
        if part == Part::Generated {
            continue;
        }
        let (path, _, kind) = stacks.kernel().describe(part);
        debug_assert!(matches!(kind, module_kind::KERNEL | module_kind::KERNEL_MODULE));
        modules.push(NamedModule { module, kind, path: path.into_bytes(), tgid: 0, inode: 0 });
    }
    modules.sort_unstable_by_key(|module| module.module);

    let frames = stacks.frames();
    let of_module = |module: u32| {
        let from = frames.partition_point(|&(m, ..)| m < module);
        let to = frames.partition_point(|&(m, ..)| m <= module);
        &frames[from..to]
    };
    let offsets: Vec<Vec<u64>> = modules
        .iter()
        .map(|module| of_module(module.module).iter().map(|&(_, offset, _)| offset).collect())
        .collect();
    let queries: Vec<_> =
        modules.iter().zip(&offsets).map(|(module, offsets)| module.query(offsets)).collect();

    let mut resolver = Resolver::new();
    if let Some(layout) = stacks.kernel().layout() {
        resolver = resolver.with_kernel(layout);
    }
    let mut named = 0;
    for (module, answer) in modules.iter().zip(resolver.resolve(&queries)) {
        for (&(_, _, frame), name) in of_module(module.module).iter().zip(answer.names) {
            let Some(name) = name else { continue };
            let row = Symbol {
                offset: name.offset,
                frame,
                name: tape.text(name.text.as_bytes()),
                ..Symbol::default()
            };
            tape.define(Symbol::DESC, &row.encode());
            named += 1;
        }
    }
    named
}

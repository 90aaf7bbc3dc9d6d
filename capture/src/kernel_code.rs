//! Kernel addresses as module and offset, so that no trace tells where this kernel was loaded.

use crate::symbols::{KernelLayout, resolve_kernel};
use ktape_format::schema::module_kind;

/// A part of the kernel's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// The image.
    Image,
    /// A module, by its place in the layout.
    Module(usize),
    /// Code that the kernel generated: BPF programs, trampolines.
    Generated,
}

/// Where the kernel's code lies.
pub(crate) struct KernelCode {
    layout: Option<KernelLayout>,
    /// Why it is not known where.
    hidden: Option<String>,
    build_id: String,
}

impl KernelCode {
    /// Asks this host.
    pub(crate) fn of_host() -> KernelCode {
        let (layout, hidden) = match KernelLayout::of_host() {
            Ok(layout) => (Some(layout), None),
            Err(error) => (None, Some(error.to_string())),
        };
        KernelCode { layout, hidden, build_id: build_id().unwrap_or_default() }
    }

    /// Why no place in the kernel is known, if so.
    pub(crate) fn hidden(&self) -> Option<&str> {
        self.hidden.as_deref()
    }

    /// The part and the offset in it of an address. All are one place in the image where addresses
    /// are hidden.
    pub(crate) fn place(&self, address: u64) -> (Part, u64) {
        let Some(layout) = &self.layout else { return (Part::Image, 0) };
        let after = layout.modules.partition_point(|module| module.base <= address);
        if let Some(at) = after.checked_sub(1)
            && address < layout.modules[at].end
        {
            return (Part::Module(at), address - layout.modules[at].base);
        }
        if layout.image[0].contains(&address) {
            return (Part::Image, address - layout.stext);
        }
        (Part::Generated, 0)
    }

    /// The address of an offset in a part; `None` where offsets mean nothing.
    pub(crate) fn address(&self, part: Part, offset: u64) -> Option<u64> {
        let layout = self.layout.as_ref()?;
        match part {
            Part::Image => layout.stext.checked_add(offset),
            Part::Module(at) => layout.modules[at].base.checked_add(offset),
            Part::Generated => None,
        }
    }

    /// Name, build-id and kind of a part.
    pub(crate) fn describe(&self, part: Part) -> (String, &str, u32) {
        match part {
            Part::Image => ("[kernel]".into(), &self.build_id, module_kind::KERNEL),
            Part::Module(at) => {
                let name = self.layout.as_ref().map_or("", |layout| &layout.modules[at].name);
                (format!("[{name}]"), "", module_kind::KERNEL_MODULE)
            }
            Part::Generated => ("[bpf]".into(), "", module_kind::ANONYMOUS),
        }
    }

    /// The functions at sorted addresses, by /proc/kallsyms.
    pub(crate) fn symbols(&self, addresses: &[u64]) -> Vec<Option<String>> {
        let kallsyms = std::fs::File::open("/proc/kallsyms").ok();
        let found = self
            .layout
            .as_ref()
            .zip(kallsyms)
            .and_then(|(layout, kallsyms)| resolve_kernel(kallsyms, layout, addresses).ok());
        match found {
            Some(found) => found.into_iter().map(|found| Some(found?.name)).collect(),
            None => vec![None; addresses.len()],
        }
    }

    /// The layout for the resolver of names.
    pub(crate) fn layout(&self) -> Option<KernelLayout> {
        self.layout.clone()
    }
}

/// The build-id of the running kernel, from its ELF notes.
fn build_id() -> Option<String> {
    let notes = std::fs::read("/sys/kernel/notes").ok()?;
    let mut rest = notes.as_slice();
    // name size, description size, type; then name and description, each padded to 4 bytes.
    while let Some((head, body)) = rest.split_at_checked(12) {
        let word = |at: usize| {
            u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
        };
        let name = body.get(..word(0))?;
        let at = word(0).next_multiple_of(4);
        let description = body.get(at..at.checked_add(word(4))?)?;
        if word(8) == 3 && name == b"GNU\0" {
            return Some(description.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        rest = body.get(at + word(4).next_multiple_of(4)..)?;
    }
    None
}

//! Where the recorded kernel's code lay, so that no address of it goes into the trace.

use std::collections::BTreeMap;

use ktape_schema::module_kind;

use super::bytes::Bytes;
use super::file::PerfFile;
use super::kallsyms::Kallsyms;
use super::mappings::{Mapped, Mappings};
use super::tape::Tape;
use crate::error::Result;

/// Parts of the kernel that are remembered.
const MAX_PARTS: usize = 1 << 16;

/// The kernel's code.
pub(super) struct Kernel {
    kallsyms: Option<Kallsyms>,
    image: Option<Image>,
    /// Modules and BPF programs by first address.
    parts: BTreeMap<u64, Part>,
    /// Whether addresses of it were met that nothing places.
    pub(super) hidden: bool,
}

struct Image {
    start: u64,
    end: u64,
    /// What offsets count from: `_stext`.
    base: u64,
    build_id: String,
}

struct Part {
    end: u64,
    name: Vec<u8>,
    kind: u32,
    /// The module's id in the trace.
    module: u32,
}

/// A place in the kernel.
pub(super) struct KernelPlace {
    pub(super) module: u32,
    pub(super) offset: u64,
    /// The function there and the offset in it.
    pub(super) function: Option<(Vec<u8>, u64)>,
}

impl Kernel {
    pub(super) fn new(kallsyms: Option<Kallsyms>) -> Self {
        Self { kallsyms, image: None, parts: BTreeMap::new(), hidden: false }
    }

    /// Whether its functions have names.
    pub(super) fn is_named(&self) -> bool {
        self.kallsyms.is_some()
    }

    /// Takes a mapping of the kernel or of one of its modules.
    ///
    /// # Errors
    ///
    /// When kallsyms is of another boot.
    pub(super) fn map(
        &mut self,
        mapped: &Mapped<'_>,
        arch: &str,
        mappings: &Mappings,
        file: &PerfFile,
    ) -> Result<()> {
        const IMAGE: &[u8] = b"[kernel.kallsyms]";
        let end = mapped.start.saturating_add(mapped.len);
        if mapped.start == 0 || mapped.len == 0 {
            return Ok(());
        }
        let Some(symbol) = mapped.path.strip_prefix(IMAGE) else {
            if let Some(name) = module_name(mapped.path) {
                self.part(mapped.start, end, name, module_kind::KERNEL_MODULE);
            }
            return Ok(());
        };
        // perf tells where the symbol lies as the mapping's offset.
        let (base, sure) = match &self.kallsyms {
            Some(kallsyms) => match kallsyms.base(symbol, mapped.offset) {
                Some(base) => (base, true),
                None => {
                    return Err(file.fail(
                        "--kallsyms is of another kernel or another boot: its functions lie \
                         elsewhere; leave it out, or copy it before the next boot",
                    ));
                }
            },
            // Elsewhere than on x86, code lies between `_text` and `_stext`.
            None => (mapped.offset, symbol == b"_stext" || arch == "x86_64"),
        };
        // Debug information counts from `_stext`: without it, better no names than wrong ones.
        let build_id = if sure { mappings.build_id(IMAGE) } else { String::new() };
        self.image = Some(Image { start: mapped.start.min(base), end, base, build_id });
        Ok(())
    }

    /// Takes PERF_RECORD_KSYMBOL: code that came or went while the kernel ran.
    pub(super) fn symbol(&mut self, body: &[u8]) {
        const BPF: u16 = 1;
        const GONE: u16 = 1;
        let mut bytes = Bytes(body);
        let Some((address, len)) = bytes.u64().zip(bytes.u32()) else { return };
        let Some((kind, flags)) = bytes.u16().zip(bytes.u16()) else { return };
        if flags & GONE != 0 {
            self.parts.remove(&address);
        } else if kind == BPF {
            let end = address.saturating_add(len.into());
            self.part(address, end, bytes.text().to_vec(), module_kind::BPF);
        }
    }

    fn part(&mut self, start: u64, end: u64, name: Vec<u8>, kind: u32) {
        if self.parts.len() < MAX_PARTS {
            self.parts.insert(start, Part { end, name, kind, module: 0 });
        }
    }

    /// The place of an address; `None` where nothing tells it.
    pub(super) fn place(
        &mut self,
        address: u64,
        mappings: &mut Mappings,
        tape: &mut Tape<'_>,
    ) -> Option<KernelPlace> {
        let listed = self.kallsyms.as_ref().and_then(|list| list.look_up(address));
        let listed = listed.map(|(name, offset)| (name.to_vec(), offset));
        if let Some(image) = &self.image
            && (image.start..image.end).contains(&address)
        {
            let id = image.build_id.clone();
            let module = mappings.module(b"[kernel]", id, module_kind::KERNEL, tape);
            let offset = address.wrapping_sub(image.base);
            return Some(KernelPlace { module, offset, function: listed });
        }
        if let Some((&start, part)) = self.parts.range_mut(..=address).next_back()
            && address < part.end
        {
            if part.module == 0 {
                part.module = mappings.module(&part.name, String::new(), part.kind, tape);
            }
            let offset = address - start;
            let own = || (part.kind == module_kind::BPF).then(|| (part.name.clone(), offset));
            return Some(KernelPlace { module: part.module, offset, function: own().or(listed) });
        }
        if self.image.is_none() {
            self.hidden = true;
            return None;
        }
        // Code that the kernel made and nobody told of.
        let module = mappings.module(b"[bpf]", String::new(), module_kind::ANONYMOUS, tape);
        Some(KernelPlace { module, offset: 0, function: None })
    }
}

/// The name in brackets of a module: `/lib/modules/6.1/kernel/fs/xfs/xfs.ko.xz` is `[xfs]`.
fn module_name(path: &[u8]) -> Option<Vec<u8>> {
    if path.starts_with(b"[") {
        return (!path.starts_with(b"[guest")).then(|| path.to_vec());
    }
    let file = path.rsplit(|&byte| byte == b'/').next()?;
    let end = file.windows(3).position(|part| part == b".ko")?;
    let name = file[..end].iter().map(|&byte| if byte == b'-' { b'_' } else { byte });
    Some([b'['].into_iter().chain(name).chain([b']']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_as_the_kernel_does() {
        let check = |path: &str, name: Option<&str>| {
            let found = module_name(path.as_bytes());
            assert_eq!(found.as_deref(), name.map(str::as_bytes), "{path}");
        };
        check("/lib/modules/6.1/kernel/fs/xfs/xfs.ko.xz", Some("[xfs]"));
        check("/lib/modules/6.1/kernel/drivers/virtio-rng.ko", Some("[virtio_rng]"));
        check("[bpf]", Some("[bpf]"));
        check("[guest.kernel.kallsyms.7]", None);
        check("/usr/lib/libc.so.6", None);
    }
}

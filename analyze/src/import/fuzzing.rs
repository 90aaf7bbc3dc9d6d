//! What the fuzz target of texts needs.

use std::path::Path;

use super::kallsyms::Kallsyms;

/// Reads a copy of kallsyms, and looks addresses up.
pub fn kallsyms(path: &Path) {
    let Ok(list) = Kallsyms::read(path) else { return };
    for address in (0..64).map(|bit| 1 << bit).chain([0, u64::MAX]) {
        list.look_up(address);
        list.base(b"_text", address);
        list.base(b"_stext", address);
    }
}

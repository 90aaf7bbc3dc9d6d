//! `Devices`: names of device numbers.

use super::id_table::IdTable;
use super::loader::Loader;

/// The names of a trace's device numbers.
#[derive(Debug, Default)]
pub struct Devices {
    names: IdTable<u32>,
}

impl Devices {
    pub(crate) fn load(loader: &mut Loader<'_>) -> Self {
        let mut rows = Vec::new();
        loader.each("device", &["id", "name"], |batch| {
            let (ids, names) = (batch.u32("id"), batch.u32("name"));
            rows.extend(ids.iter().copied().zip(names.iter().copied()));
        });
        Self { names: IdTable::new(rows) }
    }

    /// The string id of a device's name.
    pub fn name(&self, id: u32) -> Option<u32> {
        self.names.get(id).copied()
    }

    /// Whether a number may be used: 0 or defined.
    pub fn defines(&self, id: u32) -> bool {
        id == 0 || self.names.get(id).is_some()
    }

    /// A number as people write it: `254:1`. The low 20 bits are the minor one
    /// (include/linux/kdev_t.h).
    pub fn number(id: u32) -> String {
        format!("{}:{}", id >> 20, id & 0xf_ffff)
    }
}

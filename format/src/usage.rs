//! What the columns of a trace take on disk.

use std::collections::BTreeMap;

use crate::chunk::{self, Entry};
use crate::codec::Codec;
use crate::reader::Trace;

/// What one column of a record takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnUsage {
    /// Rows of the chunks that have it.
    pub rows: u64,
    /// Bytes of its blocks.
    pub bytes: u64,
    /// How many chunks encode it how.
    pub codecs: BTreeMap<String, u64>,
}

impl Trace {
    /// What each column of a record takes, in the order of its fields. Reads all its chunk heads;
    /// those that cannot be read are left out.
    pub fn columns(&self, record: u16) -> Vec<ColumnUsage> {
        let fields = self.record_by_id(record).map_or(0, |record| record.fields.len());
        let mut usage = vec![ColumnUsage::default(); fields];
        let mut buffer = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        for info in self.chunks().iter().filter(|info| info.record == record) {
            let Ok(fixed) = self.source.bytes(info.offset, chunk::FIXED, &mut buffer) else {
                continue;
            };
            let Ok(len) = chunk::head_len(fixed) else { continue };
            let Ok(bytes) = self.source.bytes(info.offset, len, &mut buffer) else { continue };
            if chunk::decode(bytes, info.offset, &mut entries).is_err() {
                continue;
            }
            for entry in &entries {
                let Some(usage) = usage.get_mut(usize::from(entry.field)) else { continue };
                usage.rows += u64::from(info.rows);
                usage.bytes += entry.stored() as u64;
                let codec = Codec::from_id(entry.codec)
                    .map_or_else(|| entry.codec.to_string(), |codec| format!("{codec:?}"));
                let packed = if entry.flags == chunk::ZSTD { "+zstd" } else { "" };
                *usage.codecs.entry(codec + packed).or_default() += 1;
            }
        }
        usage
    }
}

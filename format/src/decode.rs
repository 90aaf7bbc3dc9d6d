//! Chunks to batches.

use ktape_schema::Type;

use crate::asked::{Asked, AskedColumn};
use crate::batch::Batch;
use crate::chunk::{self, ChunkInfo, Entry, NO_DEP};
use crate::codec::keys::{Key, Keys, pair};
use crate::codec::{self, Codec, Int, unzigzag};
use crate::column::Column;
use crate::error::{Bad, Error, Result};
use crate::limits::{MAX_DEPTH, MAX_TEXT_COLUMN, max_soft};
use crate::load::{Buffers, Reading};
use crate::reader::Trace;

/// Decodes chunks. One per thread; keeps its buffers.
pub struct Decoder {
    entries: Vec<Entry>,
    buffers: Buffers,
    asked: Asked,
    numbers: Vec<u64>,
    /// Per column of the directory: what others need of it.
    shared: Vec<Shared>,
    pair: Vec<u16>,
    scratch: Vec<u64>,
    afters: Vec<u32>,
}

/// What the columns that depend on a column need of it, decoded at most once per chunk.
#[derive(Default)]
struct Shared {
    values: Vec<u64>,
    has_values: bool,
    /// Whether a column that was asked for is decoded with these values.
    wanted: bool,
    keys: Keys,
    has_keys: bool,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

impl Decoder {
    /// A decoder.
    pub fn new() -> Decoder {
        Decoder {
            entries: Vec::new(),
            buffers: Buffers::new(),
            asked: Asked::default(),
            numbers: Vec::new(),
            shared: Vec::new(),
            pair: Vec::new(),
            scratch: Vec::new(),
            afters: Vec::new(),
        }
    }

    /// Reads the named columns of one chunk into `batch`.
    ///
    /// A column that the chunk does not have reads as zeros or empty texts. Only the blocks of the
    /// named columns (and of those that they depend on) are read and checked. An error leaves the
    /// batch without rows; other chunks are still readable.
    pub fn read(
        &mut self,
        trace: &Trace,
        chunk: usize,
        columns: &[&str],
        batch: &mut Batch,
    ) -> Result<()> {
        self.read_keyed(trace, chunk, columns, &[], batch)
    }

    /// As [`Decoder::read`]; those of the columns that `keyed` names, too, come as keys
    /// ([`Batch::keys`]) where the chunk stores them so, which saves looking each row's value up.
    pub fn read_keyed(
        &mut self,
        trace: &Trace,
        chunk: usize,
        columns: &[&str],
        keyed: &[&str],
        batch: &mut Batch,
    ) -> Result<()> {
        let info = trace.chunks().get(chunk).ok_or_else(|| Error::Chunk {
            path: trace.path.clone(),
            offset: trace.size(),
            record: "none".to_owned(),
            column: String::new(),
            what: format!("there is no chunk {chunk}"),
        })?;
        let done = self.read_chunk(trace, info, columns, keyed, batch);
        done.map_err(|(column, bad)| {
            batch.rows = 0;
            for slot in &mut batch.slots {
                slot.is_keyed = false;
                slot.column.zero(0);
            }
            Error::Chunk {
                path: trace.path.clone(),
                offset: info.offset,
                record: trace
                    .record_by_id(info.record)
                    .map_or_else(|| info.record.to_string(), |record| record.name.clone()),
                column,
                what: bad.0,
            }
        })
    }

    fn read_chunk(
        &mut self,
        trace: &Trace,
        info: &ChunkInfo,
        columns: &[&str],
        keyed: &[&str],
        batch: &mut Batch,
    ) -> std::result::Result<(), (String, Bad)> {
        let head = |bad| (String::new(), bad);
        let head_len = self.head(trace, info).map_err(head)?;
        if !self.asked.is(trace, info.record, columns, keyed) {
            self.asked = Asked::new(trace, info.record, columns, keyed)
                .ok_or_else(|| head("the schema does not have this record".into()))?;
        }
        let asked = std::mem::take(&mut self.asked);
        batch.shape(&asked.columns);
        batch.record = info.record;
        batch.ring = info.ring;
        batch.rows = info.rows as usize;
        let done = self.read_columns(&Reading { trace, info, head_len }, &asked, batch);
        self.asked = asked;
        done
    }

    fn read_columns(
        &mut self,
        reading: &Reading<'_>,
        asked: &Asked,
        batch: &mut Batch,
    ) -> std::result::Result<(), (String, Bad)> {
        let place = |entries: &[Entry], column: &AskedColumn| {
            let field = column.field?;
            entries.iter().position(|entry| usize::from(entry.field) == field.0)
        };
        for column in &asked.columns {
            if let Some(place) = place(&self.entries, column) {
                self.want(place);
            }
        }
        for (column, slot) in asked.columns.iter().zip(&mut batch.slots) {
            if column.same.is_some() {
                continue;
            }
            let found = place(&self.entries, column).zip(column.field);
            let found = found.filter(|(_, (_, ty))| converts(*ty, column.ty));
            slot.present = found.is_some();
            let done = match found {
                Some((place, (_, ty))) if column.keyed && self.has_keys(place, ty) => {
                    self.keys(reading, place, 0).and_then(|()| {
                        let keys = &self.shared[place].keys;
                        // What its type cannot hold is cut, as by all that reads it otherwise.
                        if keys.values.last() > Some(&slot.column.most()) {
                            return self.column(reading, place, ty, &mut slot.column);
                        }
                        slot.is_keyed = true;
                        Ok(())
                    })
                }
                Some((place, _)) if self.gives_values(place, &slot.column) => {
                    self.values(reading, place, 0)
                }
                Some((place, (_, ty))) => self.column(reading, place, ty, &mut slot.column),
                None => {
                    slot.column.zero(reading.rows());
                    Ok(())
                }
            };
            done.map_err(|bad| (slot.name.clone(), bad))?;
        }
        // No column needs what is shared any more: the batch gets it, and no copy.
        for (at, column) in asked.columns.iter().enumerate() {
            if let Some(before) = column.same {
                batch.slots[at] = batch.slots[before].clone();
                continue;
            }
            let slot = &mut batch.slots[at];
            let Some(place) = place(&self.entries, column) else { continue };
            if slot.is_keyed {
                std::mem::swap(&mut slot.keys, &mut self.shared[place].keys);
            } else if slot.present
                && self.gives_values(place, &slot.column)
                && let Column::U64(values) = &mut slot.column
            {
                std::mem::swap(values, &mut self.shared[place].values);
            }
        }
        Ok(())
    }

    /// Whether the column at a place is handed over as the values that others are decoded with.
    fn gives_values(&self, place: usize, column: &Column) -> bool {
        self.shared[place].wanted && matches!(column, Column::U64(_))
    }

    /// Bytes that the texts of the chunk read last take, read or not, as its directory says; they take
    /// no more.
    pub fn claimed_text(&self) -> u64 {
        let texts = self.entries.iter().filter(|entry| entry.codec == Codec::Text as u8);
        texts.map(|entry| u64::from(entry.soft)).sum()
    }

    /// Whether a column can be had as keys.
    fn has_keys(&self, place: usize, ty: Type) -> bool {
        let coded = matches!(self.entries[place].codec(), Ok(Codec::Dictionary | Codec::Keyed));
        coded && !matches!(ty, Type::I32 | Type::I64 | Type::Text)
    }

    /// What is wrong with the directory of the chunk read last: a column that no field of the
    /// record stands for, or a second one for the same field.
    pub(crate) fn stray_column(&self, fields: usize) -> Option<String> {
        let mut seen = vec![false; fields];
        self.entries.iter().find_map(|entry| match seen.get_mut(usize::from(entry.field)) {
            None => {
                Some(format!("a column is of field {}, which is not in the schema", entry.field))
            }
            Some(true) => Some(format!("two columns are of field {}", entry.field)),
            Some(seen) => {
                *seen = true;
                None
            }
        })
    }

    /// Marks the columns whose values the one at a place needs, so that each is decoded once.
    fn want(&mut self, place: usize) {
        let mut place = place;
        for _ in 0..MAX_DEPTH {
            let entry = self.entries[place];
            let dep = usize::from(entry.deps[0]);
            let values = matches!(entry.codec(), Ok(Codec::Since | Codec::Equal));
            if !values || dep >= place {
                return;
            }
            self.shared[dep].wanted = true;
            place = dep;
        }
    }

    /// Reads and checks the head; leaves the directory in `entries`.
    fn head(&mut self, trace: &Trace, info: &ChunkInfo) -> std::result::Result<usize, Bad> {
        let bytes = self.buffers.head(trace, info)?;
        let len = bytes.len();
        let found = chunk::decode(bytes, info.offset, &mut self.entries)?;
        if found != *info {
            return Err("head differs from the index".into());
        }
        self.shared.resize_with(self.entries.len().max(self.shared.len()), Shared::default);
        for shared in &mut self.shared {
            shared.has_values = false;
            shared.wanted = false;
            shared.has_keys = false;
        }
        Ok(len)
    }

    /// Decodes the column at a place of the directory, whose type in the file is `ty`.
    fn column(
        &mut self,
        reading: &Reading<'_>,
        place: usize,
        ty: Type,
        out: &mut Column,
    ) -> std::result::Result<(), Bad> {
        match out {
            Column::U8(values) => self.numbers(reading, place, values, 0),
            Column::U16(values) => self.numbers(reading, place, values, 0),
            Column::U32(values) => self.numbers(reading, place, values, 0),
            Column::U64(values) => self.numbers(reading, place, values, 0),
            Column::I32(values) => self.signed(reading, place, ty, values),
            Column::I64(values) => self.signed(reading, place, ty, values),
            Column::Text(text) => {
                let entry = self.entries[place];
                if entry.codec != Codec::Text as u8 {
                    return Err("a text column has a codec for numbers".into());
                }
                let block = self.buffers.load(reading, &self.entries, place, MAX_TEXT_COLUMN)?;
                codec::text::decode(block, reading.rows(), text)
            }
        }
    }

    fn signed<T: Int>(
        &mut self,
        reading: &Reading<'_>,
        place: usize,
        ty: Type,
        out: &mut Vec<T>,
    ) -> std::result::Result<(), Bad> {
        if !matches!(ty, Type::I32 | Type::I64) {
            return self.numbers(reading, place, out, 0);
        }
        let mut numbers = std::mem::take(&mut self.numbers);
        let done = self.numbers(reading, place, &mut numbers, 0);
        out.clear();
        out.extend(numbers.iter().map(|&value| T::from_u64(unzigzag(value) as u64)));
        self.numbers = numbers;
        done
    }

    /// Decodes a column of numbers; `depth` columns depend on it already.
    fn numbers<T: Int>(
        &mut self,
        reading: &Reading<'_>,
        place: usize,
        out: &mut Vec<T>,
        depth: usize,
    ) -> std::result::Result<(), Bad> {
        let rows = reading.rows();
        if depth == 0 && self.shared[place].wanted {
            self.values(reading, place, depth)?;
        }
        if self.shared[place].has_values {
            out.clear();
            out.extend(self.shared[place].values.iter().map(|&value| T::from_u64(value)));
            return Ok(());
        }
        let codec = self.entries[place].codec()?;
        let [first, second] = self.entries[place].deps;
        match codec {
            Codec::Dictionary => {
                self.keys(reading, place, depth)?;
                codec::dictionary::expand(&self.shared[place].keys, out);
                return Ok(());
            }
            Codec::Keyed if self.shared[place].has_keys => {
                codec::dictionary::expand(&self.shared[place].keys, out);
                return Ok(());
            }
            Codec::Keyed => {
                self.need_keys(reading, place, first, depth)?;
                if second != NO_DEP {
                    self.need_keys(reading, place, second, depth)?;
                }
            }
            Codec::Since => {
                self.need_values(reading, place, first, depth)?;
                self.need_keys(reading, place, second, depth)?;
            }
            Codec::Equal => {
                // The keys first: the values of the same column then follow from them.
                if second != NO_DEP {
                    self.need_keys(reading, place, second, depth)?;
                }
                self.need_values(reading, place, first, depth)?;
            }
            _ => {}
        }
        let block = self.buffers.load(reading, &self.entries, place, max_soft(rows))?;
        let shared = |place: u8| &self.shared[usize::from(place)];
        match codec {
            Codec::Constant => codec::constant::decode(block, rows, out),
            Codec::Planes => codec::planes::decode(block, rows, out),
            Codec::Runs => codec::runs::decode(block, rows, out),
            Codec::Packed => codec::packed::decode(block, rows, out),
            Codec::Delta => codec::delta::decode(block, rows, out),
            Codec::Delta2 => codec::delta2::decode(block, rows, out),
            Codec::Tokens => codec::tokens::decode(block, rows, out),
            Codec::DeltaTokens => codec::delta_tokens::decode(block, rows, out),
            Codec::DeltaPatched => codec::delta_patched::decode(block, rows, out),
            Codec::Keyed => {
                let key = keyed_by(&self.shared, [first, second], &mut self.pair)?;
                codec::keyed::decode(block, rows, key, out)
            }
            Codec::Since => {
                let (times, key) = (&shared(first).values, shared(second).keys.key());
                codec::since::decode(block, times, key, &mut self.afters, out)
            }
            Codec::Equal => {
                let key = (second != NO_DEP).then(|| shared(second).keys.key());
                codec::equal::decode(block, &shared(first).values, key, &mut self.scratch, out)
            }
            Codec::Dictionary | Codec::Text => {
                Err("a column of numbers has a codec for text".into())
            }
        }
    }

    /// Decodes the values of a column that the one at `place` depends on.
    fn need_values(
        &mut self,
        reading: &Reading<'_>,
        place: usize,
        dep: u8,
        depth: usize,
    ) -> std::result::Result<(), Bad> {
        let dep = dependency(place, dep, depth)?;
        self.values(reading, dep, depth)
    }

    /// Decodes the values of a column, to be shared.
    fn values(
        &mut self,
        reading: &Reading<'_>,
        place: usize,
        depth: usize,
    ) -> std::result::Result<(), Bad> {
        if self.shared[place].has_values {
            return Ok(());
        }
        let mut values = std::mem::take(&mut self.shared[place].values);
        let done = self.numbers(reading, place, &mut values, depth + 1);
        self.shared[place].values = values;
        self.shared[place].has_values = done.is_ok();
        done
    }

    /// Decodes the keys of a column that the one at `place` depends on.
    fn need_keys(
        &mut self,
        reading: &Reading<'_>,
        place: usize,
        dep: u8,
        depth: usize,
    ) -> std::result::Result<(), Bad> {
        let dep = dependency(place, dep, depth)?;
        self.keys(reading, dep, depth + 1)
    }

    /// Decodes the keys of a column.
    fn keys(
        &mut self,
        reading: &Reading<'_>,
        place: usize,
        depth: usize,
    ) -> std::result::Result<(), Bad> {
        if self.shared[place].has_keys {
            return Ok(());
        }
        let rows = reading.rows();
        let codec = self.entries[place].codec()?;
        let deps = self.entries[place].deps;
        if codec == Codec::Keyed {
            self.need_keys(reading, place, deps[0], depth)?;
            if deps[1] != NO_DEP {
                self.need_keys(reading, place, deps[1], depth)?;
            }
        }
        let mut keys = std::mem::take(&mut self.shared[place].keys);
        let block = self.buffers.load(reading, &self.entries, place, max_soft(rows));
        let done = block.and_then(|block| match codec {
            Codec::Dictionary => codec::dictionary::decode(block, rows, &mut keys),
            Codec::Keyed => {
                let key = keyed_by(&self.shared, deps, &mut self.pair)?;
                codec::keyed::decode_keys(block, rows, key, &mut keys)
            }
            _ => Err("a column depends on one that has no keys".into()),
        });
        self.shared[place].keys = keys;
        self.shared[place].has_keys = done.is_ok();
        done
    }
}

/// The key that one column or two make together.
fn keyed_by<'a>(
    shared: &'a [Shared],
    deps: [u8; 2],
    codes: &'a mut Vec<u16>,
) -> std::result::Result<Key<'a>, Bad> {
    let key = |dep: u8| shared[usize::from(dep)].keys.key();
    match deps {
        [first, NO_DEP] => Ok(key(first)),
        [first, second] => {
            pair(key(first), key(second), codes).ok_or_else(|| "too many pairs of keys".into())
        }
    }
}

/// The place of a column that the one at `place` depends on: it stands before it, so that there
/// are no circles, and the chain is short.
fn dependency(place: usize, dep: u8, depth: usize) -> std::result::Result<usize, Bad> {
    if dep == NO_DEP || usize::from(dep) >= place {
        return Err("a column depends on none before it".into());
    }
    if depth >= MAX_DEPTH {
        return Err("columns depend on each other too deeply".into());
    }
    Ok(usize::from(dep))
}

/// Whether every value of a file's type is one of the program's.
fn converts(file: Type, own: Type) -> bool {
    use Type::{I32, I64, U8, U16, U32, U64};
    file == own
        || matches!(
            (file, own),
            (U8, U16 | U32 | U64 | I32 | I64)
                | (U16, U32 | U64 | I32 | I64)
                | (U32, U64 | I64)
                | (I32, I64)
        )
}

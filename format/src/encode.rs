//! Rows to chunks.

use crate::choose::{Choice, Chooser};
use crate::chunk::{self, ChunkInfo, Entry, NO_DEP, Tgids, ZSTD};
use crate::codec::{self, Codec, Parts};
use crate::column::Texts;
use crate::frame::{Content, Packer, THOROUGH};
use crate::limits::MAX_TGIDS;
use crate::plan::Plan;

/// The rows of one column, as an encoder takes them.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// The trace to be has no such column.
    Absent,
    /// Numbers, signed ones zigzagged.
    Numbers(&'a [u64]),
    /// Texts.
    Texts(Texts<'a>),
}

/// Encodes chunks; keeps its buffers.
pub(crate) struct Encoder {
    packer: Packer,
    chooser: Chooser,
    parts: Parts,
    /// The best attempt so far at a column of a small chunk.
    best: Vec<u8>,
    body: Vec<u8>,
    entries: Vec<Entry>,
    /// By record: how its fields were last encoded.
    habits: Vec<(u16, Vec<Option<Habit>>)>,
}

/// How a field was encoded in the last large chunk for which all codecs competed.
#[derive(Clone, Copy)]
struct Habit {
    choice: Choice,
    /// Bytes per 1024 rows.
    size: usize,
    /// Chunks since then.
    age: usize,
}

/// Codecs compete again after so many chunks of a record ...
const HABIT: usize = 16;
/// ... or when a field takes more than this much longer, in eighths.
const WORSE: usize = 1;

/// Soft parts shorter than this are not worth a zstd frame.
const MIN_ZSTD: usize = 48;
/// What a frame has to gain at least: reading its tables takes as long as reading a kilobyte.
const MIN_GAIN: usize = 16;
/// Up to this many rows, every codec is tried instead of estimated.
pub(crate) const TRY_ALL: usize = 512;

impl Encoder {
    /// An encoder that compresses at this zstd level.
    pub(crate) fn new(level: i32) -> std::io::Result<Encoder> {
        Ok(Encoder {
            packer: Packer::new(level)?,
            chooser: Chooser::new(level < THOROUGH),
            parts: Parts::default(),
            best: Vec::new(),
            body: Vec::new(),
            entries: Vec::new(),
            habits: Vec::new(),
        })
    }

    /// The compressor, for the index.
    pub(crate) fn packer(&mut self) -> &mut Packer {
        &mut self.packer
    }

    /// Appends a chunk of `rows` rows to `out`; `columns` has one input per field of the plan.
    pub(crate) fn chunk(
        &mut self,
        plan: &Plan,
        ring: u16,
        rows: usize,
        columns: &[Input<'_>],
        offset: u64,
        out: &mut Vec<u8>,
    ) -> ChunkInfo {
        self.body.clear();
        self.entries.clear();
        self.chooser.begin(columns.len());
        let numbers: Vec<&[u64]> = columns
            .iter()
            .map(|column| match column {
                Input::Numbers(values) => *values,
                Input::Absent | Input::Texts(_) => &[],
            })
            .collect();
        for &field in &plan.order {
            match columns[field] {
                Input::Absent => {}
                Input::Texts(texts) => {
                    self.parts.clear();
                    codec::text::encode(texts, &mut self.parts);
                    let entry = self.pack(field, Codec::Text, [NO_DEP; 2]);
                    self.entries.push(entry);
                }
                Input::Numbers(_) => self.numbers(plan, &numbers, field),
            }
        }
        let (first, last) = match plan.time.map(|field| columns[field]) {
            Some(Input::Numbers(times)) => times
                .iter()
                .fold((u64::MAX, 0), |(first, last), &time| (first.min(time), last.max(time))),
            _ => (0, 0),
        };
        let tgids = match plan.tgid.map(|field| columns[field]) {
            Some(Input::Numbers(values)) => distinct(values),
            _ => Tgids::None,
        };
        let head = chunk::FIXED + tgids.list().len() * 4 + self.entries.len() * chunk::ENTRY + 4;
        let info = ChunkInfo {
            offset,
            len: (head + self.body.len()) as u32,
            record: plan.record,
            ring,
            rows: rows as u32,
            first,
            last,
            tgids,
        };
        chunk::encode(&info, &self.entries, out);
        out.extend_from_slice(&self.body);
        info
    }

    /// Encodes a column of numbers with the best codec.
    fn numbers(&mut self, plan: &Plan, columns: &[&[u64]], field: usize) {
        let rows = columns[field].len();
        if rows > TRY_ALL && self.as_before(plan, columns, field) {
            return;
        }
        let choices = self.chooser.choices(plan, columns, field);
        let tries = if rows <= TRY_ALL { choices.len() } else { 1 };
        let choices = choices[..tries].to_vec();
        let start = self.body.len();
        let mut best: Option<(Entry, Choice)> = None;
        for choice in choices {
            let Some(deps) = self.places(choice) else { continue };
            self.parts.clear();
            self.chooser.encode(choice, columns, field, &mut self.parts);
            let mut entry = self.pack(field, choice.codec, deps);
            if choice.codec == Codec::Dictionary && !choice.patched {
                entry = self.packed_instead(field, start, entry);
            }
            let better = best.is_none_or(|(best, _)| entry.stored() < best.stored());
            if better {
                best = Some((entry, choice));
                self.best.clear();
                self.best.extend_from_slice(&self.body[start..]);
            }
            self.body.truncate(start);
        }
        if let Some((entry, choice)) = best {
            self.body.extend_from_slice(&self.best);
            if rows > TRY_ALL {
                let choice = self.chooser.remembered(choice, field);
                let size = (entry.stored() << 10) / rows;
                *self.habit(plan, field) = Some(Habit { choice, size, age: 0 });
            }
            self.take(field, entry);
        }
    }

    /// Encodes a column as that of the chunk before was; false when that cannot be, or is not good any
    /// more.
    fn as_before(&mut self, plan: &Plan, columns: &[&[u64]], field: usize) -> bool {
        let Some(habit) = self.habit(plan, field) else { return false };
        habit.age += 1;
        if habit.age >= HABIT {
            return false;
        }
        let Habit { choice, size, .. } = *habit;
        let Some(choice) = self.chooser.again(plan, columns, field, choice) else { return false };
        let Some(deps) = self.places(choice) else { return false };
        let start = self.body.len();
        self.parts.clear();
        self.chooser.encode(choice, columns, field, &mut self.parts);
        let mut entry = self.pack(field, choice.codec, deps);
        if choice.codec == Codec::Dictionary && !choice.patched {
            entry = self.packed_instead(field, start, entry);
        }
        let most = size + size * WORSE / 8 + 64;
        if (entry.stored() << 10) / columns[field].len() > most {
            self.body.truncate(start);
            return false;
        }
        self.take(field, entry);
        true
    }

    /// Puts a column whose bytes are the end of the body into the directory.
    fn take(&mut self, field: usize, entry: Entry) {
        let codec = Codec::from_id(entry.codec).unwrap_or(Codec::Planes);
        self.chooser.settle(field, codec);
        self.entries.push(entry);
    }

    fn habit(&mut self, plan: &Plan, field: usize) -> &mut Option<Habit> {
        let at = self.habits.iter().position(|(record, _)| *record == plan.record);
        let at = at.unwrap_or_else(|| {
            self.habits.push((plan.record, vec![None; plan.roles.len()]));
            self.habits.len() - 1
        });
        &mut self.habits[at].1[field]
    }

    /// Where in the directory the fields are that a choice needs; `None` when one is missing.
    fn places(&self, choice: Choice) -> Option<[u8; 2]> {
        let mut deps = [NO_DEP; 2];
        for (dep, field) in deps.iter_mut().zip(choice.needs) {
            if let Some(field) = field {
                let place =
                    self.entries.iter().position(|entry| usize::from(entry.field) == field)?;
                *dep = u8::try_from(place).ok().filter(|&place| place != NO_DEP)?;
            }
        }
        Some(deps)
    }

    /// Replaces a dictionary by one with packed codes when zstd did worse on bytes.
    fn packed_instead(&mut self, field: usize, start: usize, entry: Entry) -> Entry {
        let keys = self.chooser.keys(field);
        if codec::dictionary::packed_size(keys) >= entry.stored() {
            return entry;
        }
        self.body.truncate(start);
        self.parts.clear();
        codec::dictionary::encode_packed(keys, &mut self.parts);
        self.pack(field, Codec::Dictionary, [NO_DEP; 2])
    }

    /// Appends what `parts` holds to the body.
    fn pack(&mut self, field: usize, codec: Codec, deps: [u8; 2]) -> Entry {
        let start = self.body.len();
        let soft = self.parts.soft.len();
        let mut flags = 0;
        let mut stored = soft;
        if soft >= MIN_ZSTD {
            // Decompression costs time: it has to gain 3 %, 1 % of all, and what its tables cost.
            let whole = soft + self.parts.hard.len();
            let limit = soft.saturating_sub((soft / 32).max(whole / 100).max(MIN_GAIN));
            let content = if codec == Codec::Text { Content::Text } else { Content::Codes };
            let packed = self.packer.pack(&self.parts.soft, content, limit, &mut self.body);
            if let Some(len) = packed {
                flags = ZSTD;
                stored = len;
            }
        }
        if flags == 0 {
            self.body.extend_from_slice(&self.parts.soft);
        }
        self.body.extend_from_slice(&self.parts.hard);
        Entry {
            field: field as u16,
            codec: codec as u8,
            flags,
            deps,
            soft_stored: stored as u32,
            soft: soft as u32,
            hard: self.parts.hard.len() as u32,
            crc: crc32c::crc32c(&self.body[start..]),
        }
    }
}

/// The distinct values, while they are few.
fn distinct(values: &[u64]) -> Tgids {
    let mut list = Vec::with_capacity(MAX_TGIDS);
    let mut last = None;
    for &value in values {
        if last == Some(value) {
            continue;
        }
        last = Some(value);
        if !list.contains(&(value as u32)) {
            if list.len() == MAX_TGIDS {
                return Tgids::Many;
            }
            list.push(value as u32);
        }
    }
    list.sort_unstable();
    Tgids::Few(list)
}

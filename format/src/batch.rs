//! The decoded rows of one chunk.

use crate::asked::AskedColumn;
use crate::codec::keys::Keys;
use crate::column::{Column, TextColumn, Texts, Value};

/// Rows of one record from one ring, as typed columns.
///
/// Reused over chunks: its buffers keep their memory. The accessors panic only on a programming
/// error: a column that was not asked for, or asked for as another type than the program's schema has.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) record: u16,
    pub(crate) ring: u16,
    pub(crate) rows: usize,
    pub(crate) slots: Vec<Slot>,
}

/// One column of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) present: bool,
    pub(crate) column: Column,
    /// Whether the column is in `keys` instead.
    pub(crate) is_keyed: bool,
    pub(crate) keys: Keys,
}

/// A column as positions in the list of its distinct values.
#[derive(Clone, Copy, Debug)]
pub struct KeyColumn<'a> {
    /// Per row: which value. All are below the number of values.
    pub codes: &'a [u16],
    /// The distinct values, ascending; at most 4096. Not all of them need have a row.
    pub values: &'a [u64],
}

impl Slot {
    pub(crate) fn new(name: String, column: Column) -> Slot {
        Slot { name, present: false, column, is_keyed: false, keys: Keys::default() }
    }
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $name:ident: $variant:ident => $ty:ty;)+) => {
        $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self, name: &str) -> &[$ty] {
                match &self.slot(name).column {
                    Column::$variant(values) => values,
                    other => panic!("column {name} is {:?}, not {}", other.ty(), stringify!($variant)),
                }
            }
        )+
    };
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// A batch of these columns, which must have the same number of rows; panics when they do not.
    pub fn from_columns(record: u16, ring: u16, columns: Vec<(String, Column)>) -> Batch {
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        assert!(
            columns.iter().all(|(_, column)| column.len() == rows),
            "columns of unequal length"
        );
        let slots = columns
            .into_iter()
            .map(|(name, column)| Slot { present: true, ..Slot::new(name, column) })
            .collect();
        Batch { record, ring, rows, slots }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the trace has this column.
    pub fn has(&self, name: &str) -> bool {
        self.slots.iter().any(|slot| slot.present && slot.name == name)
    }

    /// The id of its record.
    pub fn record(&self) -> u16 {
        self.record
    }

    /// The ring that its rows came from.
    pub fn ring(&self) -> u16 {
        self.ring
    }

    #[track_caller]
    fn slot(&self, name: &str) -> &Slot {
        match self.slots.iter().find(|slot| slot.name == name) {
            Some(slot) => slot,
            None => panic!("column {name} was not asked for"),
        }
    }

    accessors! {
        /// A column of bytes.
        u8: U8 => u8;
        /// A column of 2-byte numbers.
        u16: U16 => u16;
        /// A column of 4-byte numbers.
        u32: U32 => u32;
        /// A column of 8-byte numbers.
        u64: U64 => u64;
        /// A column of signed 4-byte numbers.
        i32: I32 => i32;
        /// A column of signed 8-byte numbers.
        i64: I64 => i64;
    }

    /// A column of texts.
    #[track_caller]
    pub fn text(&self, name: &str) -> Texts<'_> {
        match &self.slot(name).column {
            Column::Text(text) => text.texts(),
            other => panic!("column {name} is {:?}, not Text", other.ty()),
        }
    }

    /// Takes a column of texts out, which leaves it without rows. Panics as [`Batch::text`].
    #[track_caller]
    pub fn take_text(&mut self, name: &str) -> TextColumn {
        let slot = self.slots.iter_mut().find(|slot| slot.name == name);
        match slot.map(|slot| &mut slot.column) {
            Some(Column::Text(text)) => std::mem::take(text),
            _ => panic!("column {name} of texts was not asked for"),
        }
    }

    /// A column as keys; `None` when it was not asked for so, or the chunk does not store it so: then
    /// its values are there.
    pub fn keys(&self, name: &str) -> Option<KeyColumn<'_>> {
        let slot = self.slots.iter().find(|slot| slot.name == name && slot.is_keyed)?;
        Some(KeyColumn { codes: &slot.keys.codes, values: &slot.keys.values })
    }

    /// One value, by position of the column among those asked for.
    pub fn value(&self, column: usize, row: usize) -> Value<'_> {
        self.slots[column].column.value(row)
    }

    /// A whole column, by position among those asked for.
    pub fn column(&self, column: usize) -> &Column {
        &self.slots[column].column
    }

    /// Replaces the unsigned numbers of a column by what `value` makes of them; `false`, with the
    /// column as it was, when one of the new ones does not fit, or these are no unsigned numbers.
    pub fn update(&mut self, column: usize, value: impl FnMut(u64) -> u64) -> bool {
        self.slots[column].column.update(value)
    }

    /// The names of its columns, in the order asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| slot.name.as_str())
    }

    /// Keeps the rows for which `keep` is true; `keep` has one entry per row.
    pub fn retain(&mut self, keep: &[bool]) {
        assert_eq!(keep.len(), self.rows, "one flag per row");
        for slot in &mut self.slots {
            if slot.is_keyed {
                crate::column::retain(&mut slot.keys.codes, keep);
            } else {
                slot.column.retain(keep);
            }
        }
        self.rows = keep.iter().filter(|&&keep| keep).count();
    }

    /// Cuts out the rows `from..to` as a batch of its own.
    pub fn slice(&self, from: usize, to: usize) -> Batch {
        let slots = self
            .slots
            .iter()
            .map(|slot| Slot {
                present: slot.present,
                ..Slot::new(slot.name.clone(), slot.column.slice(from, to))
            })
            .collect();
        Batch { record: self.record, ring: self.ring, rows: to - from, slots }
    }

    /// Makes room for these columns, keeping what memory can be kept.
    pub(crate) fn shape(&mut self, columns: &[AskedColumn]) {
        self.slots.truncate(columns.len());
        for (count, AskedColumn { name, ty, .. }) in columns.iter().enumerate() {
            match self.slots.get_mut(count) {
                Some(slot) => {
                    if slot.name != *name {
                        slot.name.clone_from(name);
                    }
                    if slot.column.ty() != *ty {
                        slot.column = Column::new(*ty);
                    }
                    slot.present = false;
                    slot.is_keyed = false;
                }
                None => self.slots.push(Slot::new(name.clone(), Column::new(*ty))),
            }
        }
    }
}

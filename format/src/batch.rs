//! The decoded rows of one chunk.

use ktape_schema::Type;

use crate::column::{Column, Texts, Value};

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
            .map(|(name, column)| Slot { name, present: true, column })
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

    /// Bytes of the texts of all columns.
    pub fn text_bytes(&self) -> u64 {
        let bytes = self.slots.iter().map(|slot| match &slot.column {
            Column::Text(text) => text.bytes.len() as u64,
            _ => 0,
        });
        bytes.sum()
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
            slot.column.retain(keep);
        }
        self.rows = keep.iter().filter(|&&keep| keep).count();
    }

    /// Cuts out the rows `from..to` as a batch of its own.
    pub fn slice(&self, from: usize, to: usize) -> Batch {
        let slots = self
            .slots
            .iter()
            .map(|slot| Slot { column: slot.column.slice(from, to), ..slot.clone_name() })
            .collect();
        Batch { record: self.record, ring: self.ring, rows: to - from, slots }
    }

    /// Makes room for these columns, keeping what memory can be kept.
    pub(crate) fn shape(&mut self, columns: impl Iterator<Item = (impl AsRef<str>, Type)>) {
        let mut count = 0;
        for (name, ty) in columns {
            let name = name.as_ref();
            match self.slots.get_mut(count) {
                Some(slot) => {
                    if slot.name != name {
                        name.clone_into(&mut slot.name);
                    }
                    if slot.column.ty() != ty {
                        slot.column = Column::new(ty);
                    }
                    slot.present = false;
                }
                None => self.slots.push(Slot {
                    name: name.to_owned(),
                    present: false,
                    column: Column::new(ty),
                }),
            }
            count += 1;
        }
        self.slots.truncate(count);
    }
}

impl Slot {
    /// Its name and presence without its rows.
    fn clone_name(&self) -> Slot {
        Slot {
            name: self.name.clone(),
            present: self.present,
            column: Column::new(self.column.ty()),
        }
    }
}

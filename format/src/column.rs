//! Typed columns in memory.

use ktape_schema::Type;

/// The values of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Unsigned, 1 byte.
    U8(Vec<u8>),
    /// Unsigned, 2 bytes.
    U16(Vec<u16>),
    /// Unsigned, 4 bytes.
    U32(Vec<u32>),
    /// Unsigned, 8 bytes.
    U64(Vec<u64>),
    /// Signed, 4 bytes.
    I32(Vec<i32>),
    /// Signed, 8 bytes.
    I64(Vec<i64>),
    /// Texts.
    Text(TextColumn),
}

/// Texts back to back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextColumn {
    /// Where each text ends in `bytes`; it begins where the one before ends.
    pub(crate) ends: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
}

impl TextColumn {
    /// Adds a text.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as u32);
    }

    /// A view of all texts.
    pub fn texts(&self) -> Texts<'_> {
        Texts { ends: &self.ends, bytes: &self.bytes }
    }

    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }
}

/// The texts of one column.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    ends: &'a [u32],
    bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of a row. Panics when there is no such row.
    pub fn get(&self, row: usize) -> &'a [u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let texts = *self;
        (0..texts.len()).map(move |row| texts.get(row))
    }
}

/// One value of any column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An unsigned number.
    U64(u64),
    /// A signed number.
    I64(i64),
    /// A text.
    Text(&'a [u8]),
}

/// Runs `$body` with `$values` bound to the vector of a number column, or `$text` for texts.
macro_rules! each {
    ($column:expr, $values:ident => $body:expr, $text:ident => $other:expr) => {
        match $column {
            Column::U8($values) => $body,
            Column::U16($values) => $body,
            Column::U32($values) => $body,
            Column::U64($values) => $body,
            Column::I32($values) => $body,
            Column::I64($values) => $body,
            Column::Text($text) => $other,
        }
    };
}

impl Column {
    /// An empty column.
    pub fn new(ty: Type) -> Column {
        match ty {
            Type::U8 => Column::U8(Vec::new()),
            Type::U16 => Column::U16(Vec::new()),
            Type::U32 => Column::U32(Vec::new()),
            Type::U64 => Column::U64(Vec::new()),
            Type::I32 => Column::I32(Vec::new()),
            Type::I64 => Column::I64(Vec::new()),
            Type::Text => Column::Text(TextColumn::default()),
        }
    }

    /// The type of its values.
    pub fn ty(&self) -> Type {
        match self {
            Column::U8(_) => Type::U8,
            Column::U16(_) => Type::U16,
            Column::U32(_) => Type::U32,
            Column::U64(_) => Type::U64,
            Column::I32(_) => Type::I32,
            Column::I64(_) => Type::I64,
            Column::Text(_) => Type::Text,
        }
    }

    /// The largest number that it can hold; 0 for texts.
    pub(crate) fn most(&self) -> u64 {
        match self {
            Column::U8(_) => u8::MAX.into(),
            Column::U16(_) => u16::MAX.into(),
            Column::U32(_) => u32::MAX.into(),
            Column::U64(_) => u64::MAX,
            Column::I32(_) => i32::MAX as u64,
            Column::I64(_) => i64::MAX as u64,
            Column::Text(_) => 0,
        }
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        each!(self, values => values.len(), text => text.ends.len())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value. Panics when there is no such row.
    pub fn value(&self, row: usize) -> Value<'_> {
        match self {
            Column::U8(values) => Value::U64(values[row].into()),
            Column::U16(values) => Value::U64(values[row].into()),
            Column::U32(values) => Value::U64(values[row].into()),
            Column::U64(values) => Value::U64(values[row]),
            Column::I32(values) => Value::I64(values[row].into()),
            Column::I64(values) => Value::I64(values[row]),
            Column::Text(text) => Value::Text(text.texts().get(row)),
        }
    }

    /// Replaces unsigned numbers; `false`, and no change, when a new one does not fit.
    pub(crate) fn update(&mut self, mut value: impl FnMut(u64) -> u64) -> bool {
        fn over<T: Copy + Into<u64> + TryFrom<u64>>(
            values: &mut Vec<T>,
            mut value: impl FnMut(u64) -> u64,
        ) -> bool {
            let new = values.iter().map(|&old| T::try_from(value(old.into())));
            let Ok(new) = new.collect::<Result<Vec<T>, _>>() else { return false };
            *values = new;
            true
        }
        match self {
            Column::U8(values) => over(values, &mut value),
            Column::U16(values) => over(values, &mut value),
            Column::U32(values) => over(values, &mut value),
            Column::U64(values) => over(values, &mut value),
            Column::I32(_) | Column::I64(_) | Column::Text(_) => false,
        }
    }

    /// Makes all rows zero or empty.
    pub(crate) fn zero(&mut self, rows: usize) {
        each!(self,
            values => { values.clear(); values.resize(rows, 0) },
            text => { text.clear(); text.ends.resize(rows, 0) })
    }

    /// Keeps the rows that `keep` says.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        each!(self,
        values => retain(values, keep),
        text => {
            let mut kept = TextColumn::default();
            for (row, _) in keep.iter().enumerate().filter(|(_, keep)| **keep) {
                kept.push(text.texts().get(row));
            }
            *text = kept;
        })
    }

    /// A copy of the rows `from..to`.
    pub(crate) fn slice(&self, from: usize, to: usize) -> Column {
        match self {
            Column::U8(values) => Column::U8(values[from..to].to_vec()),
            Column::U16(values) => Column::U16(values[from..to].to_vec()),
            Column::U32(values) => Column::U32(values[from..to].to_vec()),
            Column::U64(values) => Column::U64(values[from..to].to_vec()),
            Column::I32(values) => Column::I32(values[from..to].to_vec()),
            Column::I64(values) => Column::I64(values[from..to].to_vec()),
            Column::Text(text) => {
                let mut part = TextColumn::default();
                (from..to).for_each(|row| part.push(text.texts().get(row)));
                Column::Text(part)
            }
        }
    }
}

/// Keeps the values that `keep` says.
pub(crate) fn retain<T: Copy>(values: &mut Vec<T>, keep: &[bool]) {
    let mut to = 0;
    for (row, &keep) in keep.iter().enumerate() {
        // Always written, advanced only when kept: no branch to mispredict.
        values[to] = values[row];
        to += usize::from(keep);
    }
    values.truncate(to);
}

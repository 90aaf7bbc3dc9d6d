//! `Cell`: one value with its unit.

use crate::enum_name::enum_name;
use crate::render::units;

/// A value with its unit. Text shows it for people, JSON and CSV as the raw number, whose unit is in
/// the key: `_ns`, `_bytes`, `_ms`, `_per_s`, `percentage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing to say: an empty cell, JSON null.
    None,
    /// A number of things, or a plain number.
    Count(u64),
    /// A number that may be negative.
    Int(i64),
    /// A length of time in nanoseconds.
    DurNs(u64),
    /// How much longer (or with a minus, shorter) something took, in nanoseconds.
    Longer(i64),
    /// A length of time in nanoseconds, given in milliseconds with all digits also in JSON.
    Millis(u64),
    /// A number of bytes.
    Bytes(u64),
    /// A share: `part` of `whole`, in percent with two digits, rounded. 0 when `whole` is.
    Percent {
        /// The part.
        part: u64,
        /// The whole.
        whole: u64,
    },
    /// `part` divided by `whole`, with two digits, rounded. 0 when `whole` is.
    Quotient {
        /// The dividend.
        part: u64,
        /// The divisor.
        whole: u64,
    },
    /// So many per second, with three digits.
    Rate {
        /// How many.
        count: u64,
        /// In how many nanoseconds.
        per_ns: u64,
    },
    /// A moment, in nanoseconds since the start of the recording; negative before it.
    Time(i64),
    /// A moment in nanoseconds since 1970.
    Calendar(u64),
    /// A thread number.
    Tid(u32),
    /// A process number.
    Pid(u32),
    /// A CPU number.
    Cpu(u32),
    /// An address or offset, in hexadecimal.
    Hex(u64),
    /// Yes or no.
    Bool(bool),
    /// Text from the trace or of our own.
    Text(Vec<u8>),
    /// The name of a function.
    Symbol(Vec<u8>),
    /// Several values.
    List(Vec<Cell>),
}

impl Cell {
    /// Text.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Cell::Text(text.as_ref().to_vec())
    }

    /// The name of an enumeration's value; its number when it has none.
    pub fn name(names: &[(u64, &'static str)], value: impl Into<u64>) -> Self {
        Cell::text(enum_name(names, value).as_bytes())
    }

    /// Names the row that stands for all that were too many to be told apart.
    pub fn others() -> Self {
        Cell::text("[others]")
    }

    /// A value that may be missing.
    pub fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Self {
        value.map_or(Cell::None, cell)
    }

    /// The value as people read it, escaped, without colour.
    pub fn plain(&self) -> String {
        units::human(self)
    }

    /// Whether it is a number, which tables align to the right.
    pub fn is_number(&self) -> bool {
        !matches!(self, Cell::Text(_) | Cell::Symbol(_) | Cell::List(_) | Cell::Calendar(_))
    }
}

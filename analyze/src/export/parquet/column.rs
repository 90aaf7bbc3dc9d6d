//! `Column`: what a column of a Parquet file is called and where its values come from.
//!
//! The names are those of `ktape script --format json`: a field stands under its own name as it is
//! stored, and what its number stands for follows as `FIELD_name`, `FIELD_text` and so on. docs/parquet.md
//! lists them for users.

use ktape_format::{FieldSchema, RecordSchema};
use ktape_schema::Type;

use crate::row_layout::Layout;

/// How the values of a column are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    /// `INT32`.
    I32,
    /// `INT64`.
    I64,
    /// `INT64`, microseconds since 1970 in UTC: the finest that Spark reads as a time.
    Timestamp,
    /// `STRING`; null where there is nothing to name.
    Text,
}

/// Where the values of a column come from. Numbers are positions of fields in the record's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The name of the recorded host.
    Host,
    /// The record's time as calendar time.
    Utc,
    /// The name of the row's thread at that time.
    Comm,
    /// The last name of the row's process.
    Process,
    /// The record's time minus its duration.
    Start,
    /// A field as it is stored.
    Field(usize),
    /// The name of an enumeration's value.
    Enum(usize),
    /// The names of the bits that are set, with commas between.
    Flags(usize),
    /// The name of a system call.
    Syscall(usize),
    /// The text with this id.
    StringText(usize),
    /// The path of a module.
    Module(usize),
    /// The name of a device.
    Device(usize),
    /// The name that another thread had at that time.
    OtherComm(usize),
    /// A stack, folded: root;..;leaf.
    Stack(usize),
}

/// One column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) physical: Physical,
    pub(super) source: Source,
    /// Whether its values climb or are mostly distinct: a dictionary of them would be of no use.
    pub(super) distinct: bool,
}

/// The columns of a record. A hostile schema may give two fields one name: the first has it.
pub(super) fn columns(schema: &RecordSchema, layout: &Layout) -> Vec<Column> {
    let mut all: Vec<Column> = Vec::new();
    let mut add = |name: String, physical: Physical, source: Source| {
        if all.iter().all(|column| column.name != name) {
            let distinct = match source {
                Source::Utc | Source::Start => true,
                Source::Field(at) => {
                    matches!(schema.fields[at].kind.as_str(), "time_ns" | "dur_ns")
                }
                _ => false,
            };
            all.push(Column { name, physical, source, distinct });
        }
    };
    add("host".to_owned(), Physical::Text, Source::Host);
    if let Some(time) = layout.time {
        let name = format!("{}_utc", schema.fields[time].name);
        add(name, Physical::Timestamp, Source::Utc);
    }
    if layout.tid.or(layout.tgid).is_some() {
        if schema.field("comm").is_none() {
            add("comm".to_owned(), Physical::Text, Source::Comm);
        }
        add("process".to_owned(), Physical::Text, Source::Process);
    }
    if layout.time.is_some() && layout.duration.is_some() && schema.field("start").is_none() {
        add("start".to_owned(), Physical::I64, Source::Start);
    }
    for (at, field) in schema.fields.iter().enumerate() {
        let physical = match Type::from_code(field.ty) {
            Some(Type::U8 | Type::U16 | Type::I32) => Physical::I32,
            Some(Type::Text) => Physical::Text,
            Some(Type::U32 | Type::U64 | Type::I64) | None => Physical::I64,
        };
        add(field.name.clone(), physical, Source::Field(at));
        if let Some((suffix, source)) = named(field, at, layout) {
            add(format!("{}_{suffix}", field.name), Physical::Text, source);
        }
    }
    all
}

/// What a field's number stands for.
fn named(field: &FieldSchema, at: usize, layout: &Layout) -> Option<(&'static str, Source)> {
    Some(match field.kind.as_str() {
        "enum" => ("name", Source::Enum(at)),
        "flags" => ("names", Source::Flags(at)),
        "syscall" => ("name", Source::Syscall(at)),
        // The number of the definition itself.
        "string_id" | "module_id" | "device_id" if field.name == "id" => return None,
        "string_id" => ("text", Source::StringText(at)),
        "module_id" => ("path", Source::Module(at)),
        "device_id" => ("name", Source::Device(at)),
        "tid" if layout.tid != Some(at) => ("comm", Source::OtherComm(at)),
        "stack_id" => ("folded", Source::Stack(at)),
        _ => return None,
    })
}

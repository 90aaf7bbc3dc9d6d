//! Ids that a trace uses and does not define.

use ktape_format::{Batch, Decoder, Trace};

use crate::context::{Context, Needs};

/// A column with ids that nothing defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dangling {
    /// Where the first chunk with such an id starts, in bytes.
    pub offset: u64,
    /// Its record.
    pub record: String,
    /// The field.
    pub column: String,
    /// How many rows have such an id.
    pub rows: u64,
    /// The first of the ids.
    pub id: u32,
}

impl std::fmt::Display for Dangling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "offset {}, record {}, column {}: {} rows with ids that are not defined, the first is {}",
            self.offset, self.record, self.column, self.rows, self.id
        )
    }
}

/// Reads every id in a trace. Chunks that cannot be read are left to [`ktape_format::verify`].
pub fn dangling(trace: &Trace) -> Vec<Dangling> {
    let cx = Context::load(trace, Needs::CODE);
    let mut found: Vec<Dangling> = Vec::new();
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let Some(schema) = trace.record_by_id(chunk.record) else { continue };
        let columns: Vec<(&str, Defines)> = schema
            .fields
            .iter()
            .filter_map(|field| Some((field.name.as_str(), defines(&field.kind)?)))
            .collect();
        let names: Vec<&str> = columns.iter().map(|column| column.0).collect();
        if names.is_empty() || decoder.read(trace, index, &names, &mut batch).is_err() {
            continue;
        }
        for (at, (name, defines)) in columns.iter().enumerate() {
            let ktape_format::Column::U32(ids) = batch.column(at) else { continue };
            let mut unknown = ids.iter().filter(|&&id| id != 0 && !defines(&cx, id));
            let Some(&id) = unknown.next() else { continue };
            let rows = 1 + unknown.count() as u64;
            let same = |d: &&mut Dangling| d.record == schema.name && d.column == *name;
            match found.iter_mut().find(same) {
                Some(dangling) => dangling.rows += rows,
                None => found.push(Dangling {
                    offset: chunk.offset,
                    record: schema.name.clone(),
                    column: (*name).to_owned(),
                    rows,
                    id,
                }),
            }
        }
    }
    found
}

type Defines = fn(&Context<'_>, u32) -> bool;

/// Tells whether an id of a kind is defined; `None` for kinds that are no ids.
fn defines(kind: &str) -> Option<Defines> {
    Some(match kind {
        "string_id" => |cx, id| cx.strings().defines(id),
        "module_id" => |cx, id| cx.code().module(id).is_some(),
        "frame_id" => |cx, id| cx.code().frame(id).is_some(),
        "node_id" => |cx, id| cx.code().defines_node(id),
        "device_id" => |cx, id| cx.devices().defines(id),
        "stack_id" => |cx, id| cx.code().stack(id).is_some(),
        _ => return None,
    })
}

//! `Role`: what the rows of a record are to one who rewrites a trace.

use ktape_format::RecordSchema;
use ktape_schema::{Class, Kind, Loss, StackCoverage, Symbol};

/// What decides whether a row of a record is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// A fact: the filters.
    Fact,
    /// An entry of the dictionary of this kind of id: whether something names it.
    Entry(&'a str),
    /// The name of a frame: whether that is needed.
    Symbol,
    /// It tells of a process: whether that is needed. The fields that say which and when.
    Process {
        /// The process.
        tgid: &'a str,
        /// The time.
        time: &'a str,
    },
    /// Counters of what was lost.
    Loss,
    /// The share of stacks in a window: its end.
    Coverage,
    /// Anything else, also of a newer program.
    Other,
}

/// Kinds of ids that point into a dictionary.
pub(super) const DICTIONARIES: [Kind; 6] = [
    Kind::StringId,
    Kind::ModuleId,
    Kind::FrameId,
    Kind::NodeId,
    Kind::StackId,
    Kind::DeviceId,
];

impl<'a> Role<'a> {
    /// The role of a record. The types of the columns that it names are those of this program.
    pub(super) fn of(schema: &'a RecordSchema) -> Self {
        if schema.class == Class::Fact as u8 {
            return Role::Fact;
        }
        if ktape_schema::by_name(&schema.name).is_none_or(|own| own.id != schema.id) {
            return Role::Other;
        }
        for (name, role) in [
            (Loss::DESC.name, Role::Loss),
            (StackCoverage::DESC.name, Role::Coverage),
            (Symbol::DESC.name, Role::Symbol),
        ] {
            if schema.name == name {
                return role;
            }
        }
        let id = schema.fields.iter().find(|field| field.name == "id");
        if let Some(id) = id.filter(|id| is_id(&id.kind)) {
            return Role::Entry(&id.kind);
        }
        match (first(schema, Kind::Tgid), first(schema, Kind::TimeNs)) {
            (Some(tgid), Some(time)) => Role::Process { tgid, time },
            _ => Role::Other,
        }
    }
}

/// Whether a field of this kind holds ids.
pub(super) fn is_id(kind: &str) -> bool {
    DICTIONARIES.iter().any(|own| own.name() == kind)
}

/// The first field of a kind.
pub(super) fn first(schema: &RecordSchema, kind: Kind) -> Option<&str> {
    let field = schema.fields.iter().find(|field| field.kind == kind.name());
    field.map(|field| &*field.name)
}

#[cfg(test)]
mod tests {
    use super::Role;
    use ktape_format::own_schema;

    #[test]
    fn every_record_has_the_role_that_its_fields_give_it() {
        let check = |name: &str, expected: Role<'_>| {
            let schema = own_schema();
            let record = schema.iter().find(|record| record.name == name).expect("a record");
            assert_eq!(Role::of(record), expected, "{name}");
        };
        check("off_cpu", Role::Fact);
        check("tcp_counters", Role::Fact);
        check("string", Role::Entry("string_id"));
        check("stack_node", Role::Entry("node_id"));
        check("device", Role::Entry("device_id"));
        check("symbol", Role::Symbol);
        check("task_start", Role::Process { tgid: "tgid", time: "time" });
        check("task_exec", Role::Process { tgid: "tgid", time: "time" });
        check("mapping", Role::Process { tgid: "tgid", time: "time" });
        check("loss", Role::Loss);
        check("stack_coverage", Role::Coverage);
        check("clock", Role::Other);
        check("program_run", Role::Other);
    }
}

//! `Role`: what the rows of a record are to one who rewrites a trace.

use ktape_format::RecordSchema;
use ktape_schema::{Class, Kind, Loss, StackCoverage, Symbol};

/// What decides whether a row of a record is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A fact: the filters.
    Fact,
    /// An entry of the dictionary of this kind of id: whether something names it.
    Entry(&'static str),
    /// The name of a frame: whether that is needed.
    Symbol,
    /// It tells of a process: whether that is needed. The fields that say which and when.
    Process {
        /// The process.
        tgid: &'static str,
        /// The time.
        time: &'static str,
    },
    /// Counters of what was lost.
    Loss,
    /// The share of stacks in a window: its end.
    Coverage,
    /// Anything else, also of a newer program.
    Other,
}

impl Role {
    /// The role of a record. Of one that this program knows, its own fields count, whose types are
    /// certain, and not what a file says of them.
    pub(super) fn of(schema: &RecordSchema) -> Self {
        if schema.class == Class::Fact as u8 {
            return Role::Fact;
        }
        let own = ktape_schema::by_name(&schema.name).filter(|own| own.id == schema.id);
        let Some(own) = own else { return Role::Other };
        for (desc, role) in [
            (Loss::DESC, Role::Loss),
            (StackCoverage::DESC, Role::Coverage),
            (Symbol::DESC, Role::Symbol),
        ] {
            if own.id == desc.id {
                return role;
            }
        }
        let id = own.fields.iter().find(|field| field.name == "id");
        if let Some(id) = id.filter(|id| is_id(id.kind.name())) {
            return Role::Entry(id.kind.name());
        }
        let first = |kind: Kind| own.fields.iter().find(|field| field.kind == kind);
        match (first(Kind::Tgid), first(Kind::TimeNs)) {
            (Some(tgid), Some(time)) => Role::Process { tgid: tgid.name, time: time.name },
            _ => Role::Other,
        }
    }
}

/// Kinds of ids that point into a dictionary.
pub(super) const DICTIONARIES: [Kind; 6] =
    [Kind::StringId, Kind::ModuleId, Kind::FrameId, Kind::NodeId, Kind::StackId, Kind::DeviceId];

/// Whether a field of this kind holds ids.
pub(super) fn is_id(kind: &str) -> bool {
    DICTIONARIES.iter().any(|own| own.name() == kind)
}

#[cfg(test)]
mod tests {
    use super::Role;
    use ktape_format::own_schema;

    #[test]
    fn every_record_has_the_role_that_its_fields_give_it() {
        let check = |name: &str, expected: Role| {
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

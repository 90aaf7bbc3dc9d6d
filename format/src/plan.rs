//! How the columns of a record are to be encoded: roles, order, what may depend on what.

use ktape_schema::Type;

use crate::meta::RecordSchema;

/// What a field's kind means to the codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A moment: nearly ascending.
    Time,
    /// A length of time.
    Duration,
    /// A thread: few distinct values, and a key for other columns.
    Thread,
    /// A process.
    Process,
    /// Few distinct values (an enumeration, a system call, a stack).
    Symbol,
    /// Any other number.
    Number,
    /// Text.
    Text,
}

/// A record, prepared for encoding.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its id.
    pub(crate) record: u16,
    /// Its name.
    pub(crate) name: String,
    /// Roles of its fields.
    pub(crate) roles: Vec<Role>,
    /// Types of its fields.
    pub(crate) types: Vec<Type>,
    /// The field that says when.
    pub(crate) time: Option<usize>,
    /// The field that says which process.
    pub(crate) tgid: Option<usize>,
    /// The field that the rows belong to: the first thread, or else the first process.
    pub(crate) key: Option<usize>,
    /// The first duration: the length of the interval.
    pub(crate) duration: Option<usize>,
    /// The first enumeration: it says what kind of row it is, which other fields follow from.
    pub(crate) kind: Option<usize>,
    /// Per field: the field that may determine it.
    pub(crate) keys: Vec<Option<usize>>,
    /// The fields in the order in which they are encoded: what others depend on comes first.
    pub(crate) order: Vec<usize>,
}

impl Plan {
    /// The plan for a record; an unknown type is an error that names the field.
    pub(crate) fn new(schema: &RecordSchema) -> Result<Plan, String> {
        let types = schema
            .fields
            .iter()
            .map(|field| {
                Type::from_code(field.ty).ok_or_else(|| {
                    format!("field {} has the unknown type {}", field.name, field.ty)
                })
            })
            .collect::<Result<_, _>>()?;
        let roles: Vec<Role> =
            schema.fields.iter().map(|field| role(&field.kind, field.ty)).collect();
        let find = |wanted| roles.iter().position(|role| *role == wanted);
        let key = find(Role::Thread).or(find(Role::Process));
        let all = |wanted| (0..roles.len()).filter(|&field| roles[field] == wanted).collect();
        let threads: Vec<usize> = all(Role::Thread);
        let processes: Vec<usize> = all(Role::Process);
        let keys = (0..roles.len())
            .map(|field| {
                // The second process belongs to the second thread.
                let nth = processes.iter().position(|&process| process == field);
                let own = nth.and_then(|nth| threads.get(nth).copied());
                own.or(key).filter(|&key| key != field)
            })
            .collect();
        let kind = schema.fields.iter().position(|field| field.kind == "enum");
        let mut order: Vec<usize> = (0..roles.len()).collect();
        order.sort_by_key(|&field| match roles[field] {
            _ if key == Some(field) => 0,
            Role::Time => 1,
            _ if kind == Some(field) => 2,
            Role::Thread => 3,
            _ => 4,
        });
        Ok(Plan {
            record: schema.id,
            name: schema.name.clone(),
            types,
            time: schema.time_field(),
            tgid: find(Role::Process),
            key,
            duration: find(Role::Duration),
            kind,
            keys,
            order,
            roles,
        })
    }
}

fn role(kind: &str, ty: u8) -> Role {
    if ty == Type::Text as u8 {
        return Role::Text;
    }
    match kind {
        "time_ns" => Role::Time,
        "dur_ns" => Role::Duration,
        "tid" => Role::Thread,
        "tgid" => Role::Process,
        "cpu" | "stack_id" | "syscall" | "enum" | "flags" => Role::Symbol,
        _ => Role::Number,
    }
}

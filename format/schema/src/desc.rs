//! How a record describes itself: `Desc`, its fields, their types and kinds.

/// How a field is laid out in memory and in a ring buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// Unsigned, 1 byte.
    U8 = 1,
    /// Unsigned, 2 bytes.
    U16 = 2,
    /// Unsigned, 4 bytes.
    U32 = 3,
    /// Unsigned, 8 bytes.
    U64 = 4,
    /// Two's complement, 4 bytes.
    I32 = 5,
    /// Two's complement, 8 bytes.
    I64 = 6,
    /// Any bytes of any length. Only in files, never in a ring.
    Text = 7,
}

impl Type {
    /// Bytes of one value in a ring buffer; 0 for [`Type::Text`].
    pub const fn size(self) -> usize {
        match self {
            Type::U8 => 1,
            Type::U16 => 2,
            Type::U32 | Type::I32 => 4,
            Type::U64 | Type::I64 => 8,
            Type::Text => 0,
        }
    }

    /// The type with this code in a file's schema block.
    pub const fn from_code(code: u8) -> Option<Type> {
        Some(match code {
            1 => Type::U8,
            2 => Type::U16,
            3 => Type::U32,
            4 => Type::U64,
            5 => Type::I32,
            6 => Type::I64,
            7 => Type::Text,
            _ => return None,
        })
    }

    /// The C type in the generated header.
    pub const fn c_name(self) -> &'static str {
        match self {
            Type::U8 => "__u8",
            Type::U16 => "__u16",
            Type::U32 => "__u32",
            Type::U64 => "__u64",
            Type::I32 => "__s32",
            Type::I64 => "__s64",
            Type::Text => "",
        }
    }
}

/// What a field's number means: its unit, and the table that an id points into.
///
/// A kind picks the column's default codecs, the renderer's unit and the filters that apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nanoseconds on CLOCK_MONOTONIC. The first one of a fact is its time: where it ends.
    TimeNs,
    /// A length of time in nanoseconds.
    DurNs,
    /// A thread id in the initial pid namespace.
    Tid,
    /// A process id (thread group id) in the initial pid namespace.
    Tgid,
    /// A CPU number.
    Cpu,
    /// Id of a `stack` definition; 0 when none was taken.
    StackId,
    /// Id of a `string` definition; 0 is the empty string.
    StringId,
    /// Id of a `module` definition; 0 is unknown.
    ModuleId,
    /// Id of a `frame` definition; 0 is none.
    FrameId,
    /// Id of a `stack_node` definition; 0 is the root.
    NodeId,
    /// A device number, named by a `device` definition; 0 is none.
    DeviceId,
    /// A system call number of the recorded machine.
    Syscall,
    /// A number of things.
    Count,
    /// A number of bytes.
    Bytes,
    /// An address or offset in bytes, shown in hexadecimal.
    Address,
    /// A plain number without unit (an id, a return value, a code).
    Number,
    /// One of these values.
    Enum(&'static [(u64, &'static str)]),
    /// Any of these bits.
    Flags(&'static [(u64, &'static str)]),
    /// Bytes of text, UTF-8 by habit only.
    Text,
}

impl Kind {
    /// The names of all kinds.
    pub const NAMES: [&'static str; 19] = [
        Kind::TimeNs.name(),
        Kind::DurNs.name(),
        Kind::Tid.name(),
        Kind::Tgid.name(),
        Kind::Cpu.name(),
        Kind::StackId.name(),
        Kind::StringId.name(),
        Kind::ModuleId.name(),
        Kind::FrameId.name(),
        Kind::NodeId.name(),
        Kind::DeviceId.name(),
        Kind::Syscall.name(),
        Kind::Count.name(),
        Kind::Bytes.name(),
        Kind::Address.name(),
        Kind::Number.name(),
        Kind::Enum(&[]).name(),
        Kind::Flags(&[]).name(),
        Kind::Text.name(),
    ];

    /// The name stored in a file's schema block and shown in EVENTS.md.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::TimeNs => "time_ns",
            Kind::DurNs => "dur_ns",
            Kind::Tid => "tid",
            Kind::Tgid => "tgid",
            Kind::Cpu => "cpu",
            Kind::StackId => "stack_id",
            Kind::StringId => "string_id",
            Kind::ModuleId => "module_id",
            Kind::FrameId => "frame_id",
            Kind::NodeId => "node_id",
            Kind::DeviceId => "device_id",
            Kind::Syscall => "syscall",
            Kind::Count => "count",
            Kind::Bytes => "bytes",
            Kind::Address => "address",
            Kind::Number => "number",
            Kind::Enum(_) => "enum",
            Kind::Flags(_) => "flags",
            Kind::Text => "text",
        }
    }

    /// The names of an enumeration's values or of a flag word's bits.
    pub const fn names(self) -> &'static [(u64, &'static str)] {
        match self {
            Kind::Enum(names) | Kind::Flags(names) => names,
            _ => &[],
        }
    }
}

/// What role a record plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Something that happened; reports fold over these.
    Fact = 1,
    /// Something that gives facts their meaning; loaded before facts are read.
    Definition = 2,
    /// A message from a kernel program to the recorder; never stored in a file.
    Wire = 3,
}

/// What the rows of a record add up, in a table of the kernel and not through a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// What is counted as produced and lost.
    pub unit: &'static str,
    /// The table that was full when something was lost.
    pub table: &'static str,
}

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name: column in files, key in JSON, member in C.
    pub name: &'static str,
    /// What it says, and where it comes from.
    pub doc: &'static str,
    /// Layout.
    pub ty: Type,
    /// Meaning.
    pub kind: Kind,
    /// Offset in the `repr(C)` struct, in bytes.
    pub offset: usize,
}

/// A record's description of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Desc {
    /// Number in files and rings. Never reused.
    pub id: u16,
    /// Name in files, JSON and C. Never reused.
    pub name: &'static str,
    /// What one row states.
    pub doc: &'static str,
    /// Its role.
    pub class: Class,
    /// Whether a row adds many things up, so that losses count those and not rows.
    pub sums: Option<Sums>,
    /// Fields in order.
    pub fields: &'static [Field],
    /// Bytes of one row in a ring buffer; 0 when it has a text field.
    pub size: usize,
}

impl Desc {
    /// The position of a field, by name.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The position of the field that says when a row happened (for an interval: ended).
    pub fn time_field(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.kind == Kind::TimeNs)
    }
}

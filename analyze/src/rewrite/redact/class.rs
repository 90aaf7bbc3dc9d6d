//! `Class`: what a text of a trace is, which decides what its pseudonym looks like.

use ktape_schema::{
    Device, H2Connection, H2Control, H2Stream, Io, LockContention, Module, ProgramRun, Symbol,
    TaskComm, TaskExec, TaskStart, TcpConnection, TcpReset, TcpRetransmit, TcpSample, TcpState,
};

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// What the kernel or ktape calls something: it says nothing of the host.
    Public,
    /// Name of a thread.
    Comm,
    /// Command line: arguments with blanks between.
    Command,
    /// Path of a file, of a module too.
    Path,
    /// Address with port.
    Address,
    /// Path of a request.
    Request,
    /// What a peer said.
    Message,
    /// Name of a lock.
    Lock,
    /// Name of a device.
    Device,
    /// Build-id of a module.
    BuildId,
    /// Name of a function.
    Symbol,
    /// Anything that this program does not know.
    Other,
}

impl Class {
    /// All of them.
    pub(super) const ALL: [Class; 12] = [
        Class::Public,
        Class::Comm,
        Class::Command,
        Class::Path,
        Class::Address,
        Class::Request,
        Class::Message,
        Class::Lock,
        Class::Device,
        Class::BuildId,
        Class::Symbol,
        Class::Other,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Class::Public => "public",
            Class::Comm => "comm",
            Class::Command => "command line",
            Class::Path => "path",
            Class::Address => "address",
            Class::Request => "request",
            Class::Message => "message",
            Class::Lock => "lock",
            Class::Device => "device",
            Class::BuildId => "build-id",
            Class::Symbol => "symbol",
            Class::Other => "other",
        }
    }
}

/// The class of each field that names a text. Texts of any other field are redacted as
/// [`Class::Other`].
const FIELDS: [(&str, &str, Class); 32] = [
    (TaskStart::DESC.name, "comm", Class::Comm),
    (TaskStart::DESC.name, "cmdline", Class::Command),
    (TaskStart::DESC.name, "exe", Class::Path),
    (TaskExec::DESC.name, "comm", Class::Comm),
    (TaskExec::DESC.name, "cmdline", Class::Command),
    (TaskExec::DESC.name, "exe", Class::Path),
    (TaskComm::DESC.name, "comm", Class::Comm),
    (Module::DESC.name, "path", Class::Path),
    (Module::DESC.name, "build_id", Class::BuildId),
    (Symbol::DESC.name, "name", Class::Symbol),
    (Symbol::DESC.name, "file", Class::Path),
    (Device::DESC.name, "name", Class::Device),
    // Names of ktape's own programs.
    (ProgramRun::DESC.name, "program", Class::Public),
    (ProgramRun::DESC.name, "probe", Class::Public),
    (Io::DESC.name, "path", Class::Path),
    // A name that a file system has in the kernel, such as ext4.
    (Io::DESC.name, "fs", Class::Public),
    (TcpConnection::DESC.name, "local", Class::Address),
    (TcpConnection::DESC.name, "remote", Class::Address),
    (TcpState::DESC.name, "local", Class::Address),
    (TcpState::DESC.name, "remote", Class::Address),
    (TcpRetransmit::DESC.name, "local", Class::Address),
    (TcpRetransmit::DESC.name, "remote", Class::Address),
    (TcpReset::DESC.name, "local", Class::Address),
    (TcpReset::DESC.name, "remote", Class::Address),
    (TcpSample::DESC.name, "local", Class::Address),
    (TcpSample::DESC.name, "remote", Class::Address),
    (H2Connection::DESC.name, "local", Class::Address),
    (H2Connection::DESC.name, "remote", Class::Address),
    (H2Connection::DESC.name, "goaway_text", Class::Message),
    (H2Stream::DESC.name, "path", Class::Request),
    (H2Control::DESC.name, "text", Class::Message),
    (LockContention::DESC.name, "name", Class::Lock),
];

/// The class of the texts that a field names.
pub(super) fn class_of(record: &str, field: &str) -> Class {
    let known = FIELDS.iter().find(|known| (known.0, known.1) == (record, field));
    known.map_or(Class::Other, |known| known.2)
}

#[cfg(test)]
mod tests {
    use super::{Class, class_of};
    use ktape_schema::{Kind, RECORDS};

    #[test]
    fn every_field_with_a_text_has_a_class() {
        for desc in RECORDS.iter().filter(|desc| desc.class != ktape_schema::Class::Wire) {
            for field in desc.fields.iter().filter(|field| field.kind == Kind::StringId) {
                let is_own_id = desc.name == "string" && field.name == "id";
                let class = class_of(desc.name, field.name);
                assert!(is_own_id || class != Class::Other, "{}.{}", desc.name, field.name);
            }
            // Texts lie in one record alone.
            let texts = desc.fields.iter().any(|field| field.kind == Kind::Text);
            assert_eq!(texts, desc.name == "string");
        }
        assert_eq!(class_of("a_newer_record", "secret"), Class::Other);
    }
}

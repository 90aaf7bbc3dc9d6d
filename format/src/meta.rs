//! The metadata in the header: who recorded what, when, and what the columns mean.
//!
//! The only file that names bincode. Its bytes are pinned by a test, so that another crate can
//! write and read them later. Decoding is bounded in bytes and in memory, and follows a CRC check.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use ktape_schema::{Class, Kind, RECORDS};

use crate::limits::MAX_META;

/// The names of [`Meta::filters`].
pub mod filter_name {
    /// Processes, by number.
    pub const PID: &str = "pid";
    /// Threads, by number.
    pub const TID: &str = "tid";
    /// CPUs.
    pub const CPU: &str = "cpu";
    /// The user.
    pub const UID: &str = "uid";
    /// The path of the cgroup.
    pub const CGROUP: &str = "cgroup";
    /// Threads with these names.
    pub const COMM: &str = "comm";
    /// Threads without these names.
    pub const NOT_COMM: &str = "not-comm";
    /// The launched command and its children.
    pub const COMMAND: &str = "command";
    /// Those that choose threads of interest.
    pub const CHOICES: [&str; 4] = [PID, TID, COMM, COMMAND];
}

/// What a trace says of itself.
///
/// The layout is fixed for major version 1; whatever comes later goes into `notes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Meta {
    /// Version of the ktape that wrote the trace.
    pub ktape_version: String,
    /// The recorded machine.
    pub host: Host,
    /// Command line of the recorder.
    pub command_line: Vec<String>,
    /// Filters in force while recording: name and value.
    pub filters: Vec<(String, String)>,
    /// Every probe that was asked for, also those that could not be attached.
    pub probes: Vec<ProbeMeta>,
    /// One moment on three clocks, taken when the recording started.
    pub start: ClockPair,
    /// The records in the trace. [`crate::Writer::new`] fills it from the program's own when empty.
    pub schema: Vec<RecordSchema>,
    /// Anything else: key and value.
    pub notes: Vec<(String, String)>,
}

/// The recorded machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Host {
    /// Its name.
    pub hostname: String,
    /// Kernel release (`uname -r`).
    pub kernel: String,
    /// Kernel version (`uname -v`).
    pub version: String,
    /// Architecture (`uname -m`).
    pub arch: String,
    /// CPUs online when the recording started.
    pub cpus: u32,
    /// CPUs that may come online.
    pub possible_cpus: u32,
    /// Bytes of a memory page.
    pub page_size: u32,
    /// Bytes of memory.
    pub mem_bytes: u64,
    /// /proc/sys/kernel/random/boot_id: tells boots of one host apart.
    pub boot_id: String,
}

/// One moment on three clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ClockPair {
    /// CLOCK_MONOTONIC.
    pub mono: u64,
    /// CLOCK_REALTIME.
    pub realtime: u64,
    /// CLOCK_BOOTTIME.
    pub boottime: u64,
}

/// What became of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProbeMeta {
    /// Its name.
    pub name: String,
    /// Whether it recorded.
    pub state: ProbeState,
    /// Where it was attached, such as `tp_btf:sched_switch`.
    pub attached: Vec<String>,
    /// Why it was skipped, or why an alternative was passed over.
    pub reason: String,
    /// Its settings: name and value.
    pub knobs: Vec<(String, String)>,
    /// Names of the records that it makes.
    pub records: Vec<String>,
}

/// Whether a probe recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeState {
    /// A state that this version does not know.
    #[default]
    Unknown,
    /// It recorded.
    Attached,
    /// It did not; `reason` says why.
    Skipped,
}

impl Encode for ProbeState {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let code: u8 = match self {
            ProbeState::Unknown => 0,
            ProbeState::Attached => 1,
            ProbeState::Skipped => 2,
        };
        code.encode(encoder)
    }
}

impl ProbeState {
    fn from_code(code: u8) -> ProbeState {
        match code {
            1 => ProbeState::Attached,
            2 => ProbeState::Skipped,
            _ => ProbeState::Unknown,
        }
    }
}

impl<C> Decode<C> for ProbeState {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        u8::decode(decoder).map(ProbeState::from_code)
    }
}

impl<'de, C> BorrowDecode<'de, C> for ProbeState {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        u8::borrow_decode(decoder).map(ProbeState::from_code)
    }
}

/// A record as the trace describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RecordSchema {
    /// Its number in chunk heads.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// `schema::Class` as a number.
    pub class: u8,
    /// What one row states.
    pub doc: String,
    /// Its fields; a chunk's columns name them by position.
    pub fields: Vec<FieldSchema>,
}

/// A field as the trace describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct FieldSchema {
    /// Its name.
    pub name: String,
    /// `schema::Type` as a number.
    pub ty: u8,
    /// `schema::Kind::name()`.
    pub kind: String,
    /// Names of an enumeration's values or of a flag word's bits.
    pub names: Vec<(u64, String)>,
    /// What it says.
    pub doc: String,
}

impl RecordSchema {
    /// The position of a field, by name.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The position of the field that says when a row happened.
    pub fn time_field(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.kind == Kind::TimeNs.name())
    }
}

impl From<&ktape_schema::Desc> for RecordSchema {
    fn from(desc: &ktape_schema::Desc) -> RecordSchema {
        RecordSchema {
            id: desc.id,
            name: desc.name.to_owned(),
            class: desc.class as u8,
            doc: paragraph(desc.doc),
            fields: desc
                .fields
                .iter()
                .map(|field| FieldSchema {
                    name: field.name.to_owned(),
                    ty: field.ty as u8,
                    kind: field.kind.name().to_owned(),
                    names: field
                        .kind
                        .names()
                        .iter()
                        .map(|&(value, name)| (value, name.to_owned()))
                        .collect(),
                    doc: paragraph(field.doc),
                })
                .collect(),
        }
    }
}

/// A doc comment as one line of text.
fn paragraph(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The program's own records as a trace describes them; wire messages are never stored.
pub fn own_schema() -> Vec<RecordSchema> {
    RECORDS.iter().filter(|desc| desc.class != Class::Wire).map(|&desc| desc.into()).collect()
}

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<MAX_META>,
> = bincode::config::standard().with_limit::<MAX_META>();

/// The bytes of `meta`, proven to be readable again within the limits.
pub(crate) fn encode(meta: &Meta) -> Result<Vec<u8>, String> {
    let bytes = bincode::encode_to_vec(meta, CONFIG).map_err(|error| error.to_string())?;
    // The limit counts memory when decoding, but nothing when encoding.
    decode(&bytes).map_err(|what| format!("{what} (at most {MAX_META} bytes)"))?;
    Ok(bytes)
}

/// Reads metadata back; the caller has checked the CRC.
pub(crate) fn decode(bytes: &[u8]) -> Result<Meta, String> {
    if bytes.len() > MAX_META {
        return Err(format!("{} bytes of metadata are more than {MAX_META}", bytes.len()));
    }
    let (meta, used) =
        bincode::decode_from_slice(bytes, CONFIG).map_err(|error| error.to_string())?;
    if used != bytes.len() {
        return Err(format!("{} bytes of metadata are left over", bytes.len() - used));
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Meta {
        Meta {
            ktape_version: "0.1.0".into(),
            host: Host { hostname: "h".into(), cpus: 300, mem_bytes: 1 << 40, ..Host::default() },
            command_line: vec!["ktape".into(), "record".into()],
            filters: vec![("pid".into(), "7".into())],
            probes: vec![ProbeMeta {
                name: "sched".into(),
                state: ProbeState::Skipped,
                reason: "no".into(),
                ..ProbeMeta::default()
            }],
            start: ClockPair { mono: 1, realtime: 70_000, boottime: 250 },
            schema: vec![RecordSchema {
                id: 900,
                name: "r".into(),
                class: 1,
                doc: "d".into(),
                fields: vec![FieldSchema {
                    name: "f".into(),
                    ty: 4,
                    kind: "enum".into(),
                    names: vec![(3, "x".into())],
                    doc: String::new(),
                }],
            }],
            notes: vec![("k".into(), "v".into())],
        }
    }

    /// The bytes of version 1, for good: a length or a number up to 250 is one byte, 251 goes
    /// before 2 bytes, 252 before 4, 253 before 8.
    const GOLDEN: &[u8] = b"\x050.1.0\x01h\0\0\0\xfb\x2c\x01\0\0\xfd\0\0\0\0\0\x01\0\0\0\
        \x02\x05ktape\x06record\x01\x03pid\x017\x01\x05sched\x02\0\x02no\0\0\
        \x01\xfc\x70\x11\x01\0\xfa\x01\xfb\x84\x03\x01r\x01\x01d\x01\x01f\x04\x04enum\x01\x03\x01x\0\
        \x01\x01k\x01v";

    #[test]
    fn bytes_are_pinned() {
        assert_eq!(
            encode(&sample()).unwrap().escape_ascii().to_string(),
            GOLDEN.escape_ascii().to_string()
        );
        assert_eq!(decode(GOLDEN).unwrap(), sample());
    }

    #[test]
    fn damage_and_greed_are_refused() {
        for len in 0..GOLDEN.len() {
            assert!(decode(&GOLDEN[..len]).is_err(), "cut at {len}");
        }
        assert!(decode(&[GOLDEN, b"\0"].concat()).unwrap_err().contains("left over"));
        // A claim of 2^46 strings.
        assert!(decode(b"\0\0\0\0\0\0\0\0\0\0\xfd\0\0\0\0\0\x40\0\0").is_err());
        let large = Meta { notes: vec![("k".into(), "v".repeat(MAX_META))], ..Meta::default() };
        assert!(encode(&large).is_err());
    }

    #[test]
    fn unknown_probe_state_is_kept_apart() {
        let mut bytes = GOLDEN.to_vec();
        let at = bytes.windows(5).position(|bytes| bytes == b"sched").unwrap() + 5;
        bytes[at] = 77;
        assert_eq!(decode(&bytes).unwrap().probes[0].state, ProbeState::Unknown);
    }

    #[test]
    fn own_schema_fits_and_has_no_wire_messages() {
        let schema = own_schema();
        assert!(schema.iter().all(|record| record.class != Class::Wire as u8));
        let meta = Meta { schema, ..Meta::default() };
        assert!(encode(&meta).unwrap().len() < MAX_META / 8);
    }
}

//! The probe `h2`: HTTP/2 connections, streams and control frames.

use crate::error::Result;
use crate::probe::{
    Attach, AttachPoint, Collect, Knob, KnobKind, Needs, Optional, not_preempted, Probe, Totals,
};
use crate::table::Table;
use aya::maps::Map;
use ktape_format::schema::{
    Desc, H2Connection, H2Control, H2Stream, fact_flag, h2_connection_end, h2_stream_end,
};
use rustc_hash::FxHashSet;

/// `h2/openssl=on/`.
const ON: u64 = 1;

/// `h2/go=../`: `enum h2_go_level`.
const TLS: u64 = 1;
const LEARN: u64 = 2;
const NAMES: u64 = 3;

/// A program where a function of OpenSSL begins.
const fn ssl(program: &'static str, function: &'static str) -> Attach {
    Attach::Uprobe { program, library: "libssl", function, at_return: false }
}

/// A program where a function of OpenSSL returns.
const fn ssl_return(program: &'static str, function: &'static str) -> Attach {
    Attach::Uprobe { program, library: "libssl", function, at_return: true }
}

/// A program at a function of Go's library.
const fn go(program: &'static str, function: &'static str) -> Attach {
    Attach::Go { program, function, learned: false }
}

/// A program where Go's TLS copies into the buffer of who reads: one of two ways, as it was compiled.
const fn copied(program: &'static str, function: &'static str) -> Attach {
    Attach::GoCall { program, inside: "crypto/tls.(*Conn).Read", function }
}

/// The functions of gRPC-Go that have header fields in their hands.
const fn names(learned: bool) -> [Attach; 3] {
    [
        Attach::Go {
            program: "h2_go_sends_headers",
            function: "google.golang.org/grpc/internal/transport.(*loopyWriter).writeHeader",
            learned,
        },
        Attach::Go {
            program: "h2_go_server_headers",
            function: "google.golang.org/grpc/internal/transport.(*http2Server).operateHeaders",
            learned,
        },
        Attach::Go {
            program: "h2_go_client_headers",
            function: "google.golang.org/grpc/internal/transport.(*http2Client).operateHeaders",
            learned,
        },
    ]
}

const LEARNED_NAMES: [Attach; 3] = names(true);
const ALL_NAMES: [Attach; 3] = names(false);

pub(super) const PROBE: Probe = Probe {
    name: "h2",
    about: "HTTP/2 and gRPC: every connection, stream, reset and GOAWAY, of any language",
    cost: "0.2 us per call on a socket (before 6.3 and from 7.0 on: 0.1 to 0.6 us per system call), 0.5 to 1.2 us with HTTP/2 in it, 3 us in the TLS of Go programs",
    default: false,
    always: false,
    records: &[H2Connection::DESC, H2Stream::DESC, H2Control::DESC],
    attach: &[
        AttachPoint {
            what: "data passes through a socket",
            alternatives: &[
                not_preempted(&Attach::All(&[
                        Attach::TpBtf { program: "h2_send", tracepoint: "sock_send_length" },
                        Attach::TpBtf { program: "h2_recv", tracepoint: "sock_recv_length" },
                    ])),
                not_preempted(&Attach::TpBtf { program: "h2_sys_exit", tracepoint: "sys_exit" }),
                Attach::Tracepoint {
                    program: "h2_exit_event",
                    category: "raw_syscalls",
                    name: "sys_exit",
                },
            ],
        },
        AttachPoint {
            what: "a TCP connection ends",
            alternatives: &[
                not_preempted(&Attach::TpBtf {
                        program: "h2_set_state",
                        tracepoint: "inet_sock_set_state",
                    }),
                Attach::Tracepoint {
                    program: "h2_set_state_event",
                    category: "sock",
                    name: "inet_sock_set_state",
                },
            ],
        },
    ],
    optional: &[
        Optional {
            knob: ("openssl", &[ON]),
            point: AttachPoint {
                what: "OpenSSL encrypts and decrypts",
                alternatives: &[Attach::All(&[
                    ssl("h2_ssl_call", "SSL_write"),
                    ssl_return("h2_ssl_wrote", "SSL_write"),
                    ssl("h2_ssl_call", "SSL_read"),
                    ssl_return("h2_ssl_got", "SSL_read"),
                    ssl("h2_ssl_free", "SSL_free"),
                ])],
            },
        },
        Optional {
            knob: ("openssl", &[ON]),
            point: AttachPoint {
                what: "OpenSSL 1.1.1 and later encrypts and decrypts",
                alternatives: &[Attach::All(&[
                    ssl("h2_ssl_call_ex", "SSL_write_ex"),
                    ssl_return("h2_ssl_wrote_ex", "SSL_write_ex"),
                    ssl("h2_ssl_call_ex", "SSL_read_ex"),
                    ssl_return("h2_ssl_got_ex", "SSL_read_ex"),
                ])],
            },
        },
        Optional {
            knob: ("go", &[TLS, LEARN, NAMES]),
            point: AttachPoint {
                what: "a Go program encrypts and decrypts",
                alternatives: &[Attach::All(&[
                    go("h2_go_write", "crypto/tls.(*Conn).Write"),
                    go("h2_go_read", "crypto/tls.(*Conn).Read"),
                    copied("h2_go_move", "runtime.memmove"),
                    copied("h2_go_copy", "bytes.(*Reader).Read"),
                    go("h2_go_close", "crypto/tls.(*Conn).Close"),
                ])],
            },
        },
        Optional {
            knob: ("go", &[LEARN]),
            point: AttachPoint {
                what: "gRPC-Go writes and takes header fields",
                alternatives: &[Attach::All(&LEARNED_NAMES)],
            },
        },
        Optional {
            knob: ("go", &[NAMES]),
            point: AttachPoint {
                what: "gRPC-Go writes and takes header fields",
                alternatives: &[Attach::All(&ALL_NAMES)],
            },
        },
    ],
    walks: &[],
    maps: &[
        "h2_conns",
        "h2_streams",
        "h2_more_streams",
        "h2_misses",
        "h2_ssl_calls",
        "h2_go_calls",
        "h2_go_places",
        "h2_go_conns",
        "h2_told",
    ],
    needs: &[Needs::Kernel(5, 17)],
    knobs: &[
        Knob {
            name: "openssl",
            about: "also what OpenSSL encrypts and decrypts: `on` (default) or `off`",
            symbol: "",
            kind: KnobKind::Choice(&[("off", 0), ("on", ON)]),
            default: ON,
        },
        Knob {
            name: "go",
            about: "Go programs: `off`, `tls` (also what they encrypt and decrypt), `learn` (default; also names on connections of gRPC-Go that are older than the recording, until for 5 s none was of use, or 10 000 streams had theirs) or `names` (the same to the end)",
            symbol: "h2_go",
            kind: KnobKind::Choice(&[("off", 0), ("tls", TLS), ("learn", LEARN), ("names", NAMES)]),
            default: LEARN,
        },
    ],
    totals: &[
        Totals { maps: &["h2_conns"], collector: connections },
        Totals { maps: &["h2_streams", "h2_more_streams"], collector: streams },
    ],
};

/// Words of `struct h2_conn`: its fact in the making first.
const CONNECTION: usize = 721;
type ConnectionState = [u64; CONNECTION];

/// `struct h2_stream_key`: connection and stream.
type StreamKey = [u32; 2];

/// Words of `struct h2_stream_state`: its fact in the making first, then its state.
const STREAM: usize = 14;
type StreamState = [u64; STREAM];

fn connections(maps: &[Map]) -> Result<Box<dyn Collect>> {
    let table = Table::new(&maps[0])?;
    Ok(Box::new(Connections { table, gone: FxHashSet::default() }))
}

fn streams(maps: &[Map]) -> Result<Box<dyn Collect>> {
    let tables = [Table::new(&maps[0])?, Table::new(&maps[1])?];
    Ok(Box::new(Streams { tables, gone: FxHashSet::default(), told: Vec::new() }))
}

/// The row that a state begins with, of which `end` is still when it began: as it is at `end`.
fn decode<T>(words: &[u64], decode: fn(&[u8]) -> Option<T>) -> Option<T> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    decode(&bytes)
}

/// The connections that have not ended.
struct Connections {
    table: Table<4, CONNECTION>,
    /// Processes that ended since the last reading.
    gone: FxHashSet<u32>,
}

/// `h2_conn.confirmed`, behind `ending`.
const CONFIRMED_AT: usize = H2Connection::SIZE + 28;

impl Connections {
    /// The fact of one; `None` when it was not HTTP/2 for all that is known.
    fn fact(state: &ConnectionState, end: u64) -> Option<H2Connection> {
        let confirmed = state[CONFIRMED_AT / 8].to_ne_bytes()[CONFIRMED_AT % 8];
        let row = decode(state, H2Connection::decode).filter(|_| confirmed != 0)?;
        Some(H2Connection { end, duration: end.saturating_sub(row.end), ..row })
    }
}

impl Collect for Connections {
    fn collect(&mut self, _: u64, gone: &[u32], _: &mut dyn FnMut(&'static Desc, &[u8])) {
        self.gone.extend(gone);
    }

    fn ended(&mut self, now: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        // The kernel programs see the end of TCP connections themselves.
        let gone = std::mem::take(&mut self.gone);
        if gone.is_empty() {
            return;
        }
        // `struct h2_key`: the id in two words, process, kind.
        self.table.each(|key, state| {
            if gone.contains(&key[2])
                && self.table.remove(&key)
                && let Some(row) = Connections::fact(&state[0], now)
            {
                let end_reason = h2_connection_end::PROCESS_ENDED;
                rows(H2Connection::DESC, &H2Connection { end_reason, ..row }.encode());
            }
        });
    }

    fn open(&mut self, stop: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        self.table.each(|_, state| {
            if let Some(row) = Connections::fact(&state[0], stop) {
                let flags = row.flags | fact_flag::OPEN;
                rows(H2Connection::DESC, &H2Connection { flags, ..row }.encode());
            }
        });
    }
}

/// The streams that have not ended by themselves.
struct Streams {
    tables: [Table<2, STREAM>; 2],
    /// Processes that ended since the last reading.
    gone: FxHashSet<u32>,
    /// Connections that had ended by then: all their streams are told.
    told: Vec<StreamKey>,
}

/// Bits of `h2_stream_state.state`.
const STATE_CLOSED: u64 = 3;
const STATE_ENDED: u64 = 8;
const STATE_WAITS: u64 = 32;

/// How long a stream that is over waits for its name.
const NAME_WITHIN: u64 = 1_000_000_000;

impl Streams {
    /// All of them, those of connections that have ended with when that was.
    fn read(&self) -> Vec<(StreamKey, StreamState, Option<u64>)> {
        let mut all: Vec<(StreamKey, StreamState)> = Vec::new();
        self.tables.iter().for_each(|table| table.each(|key, state| all.push((key, state[0]))));
        // A stream 0 stands for the connection itself, once it has ended.
        let mut ended: Vec<(u32, u64)> = all
            .iter()
            .filter(|(key, _)| key[1] == 0)
            .map(|(key, state)| (key[0], state[0]))
            .collect();
        ended.sort_unstable();
        all.into_iter()
            .map(|(key, state)| {
                let at = ended.binary_search_by_key(&key[0], |&(connection, _)| connection);
                (key, state, at.ok().map(|at| ended[at].1))
            })
            .collect()
    }

    /// Takes one out, from where it is; false when the kernel programs have.
    fn remove(&self, key: &StreamKey) -> bool {
        self.tables.iter().map(|table| table.remove(key)).fold(false, |any, one| any | one)
    }

    /// The fact of a stream that is over, and whose name has not come by `until`.
    fn nameless(state: &StreamState, until: u64) -> Option<H2Stream> {
        let waits = state[H2Stream::SIZE / 8] & STATE_WAITS != 0;
        decode(state, H2Stream::decode).filter(|row| waits && row.end <= until)
    }

    /// The fact of a stream that neither side has ended; `None` when one just has.
    fn fact(key: StreamKey, state: &StreamState, end: u64) -> Option<H2Stream> {
        let bits = state[H2Stream::SIZE / 8] & 0xffff_ffff;
        let row = decode(state, H2Stream::decode)?;
        (key[1] != 0 && bits & STATE_ENDED == 0).then_some(H2Stream {
            end,
            duration: end.saturating_sub(row.end),
            closed: (bits & STATE_CLOSED) as u8,
            ..row
        })
    }
}

impl Collect for Streams {
    fn collect(&mut self, _: u64, gone: &[u32], _: &mut dyn FnMut(&'static Desc, &[u8])) {
        self.gone.extend(gone);
    }

    fn ended(&mut self, now: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        let gone = std::mem::take(&mut self.gone);
        let all = self.read();
        // A look at a map that changes may miss a row: the next one does not.
        for key in std::mem::take(&mut self.told) {
            self.remove(&key);
        }
        self.told.extend(all.iter().map(|(key, ..)| *key).filter(|key| key[1] == 0));
        for (key, state, connection_end) in all {
            if let Some(row) = Streams::nameless(&state, now.saturating_sub(NAME_WITHIN))
                && self.remove(&key)
            {
                rows(H2Stream::DESC, &row.encode());
            }
            let Some(row) = Streams::fact(key, &state, now) else { continue };
            // Those of TCP end with their connection, which has been seen by then.
            let end = connection_end.or_else(|| gone.contains(&row.tgid).then_some(now));
            let Some(row) = end.and_then(|end| Streams::fact(key, &state, end)) else { continue };
            if self.remove(&key) {
                let end_reason = h2_stream_end::CONNECTION_ENDED;
                rows(H2Stream::DESC, &H2Stream { end_reason, ..row }.encode());
            }
        }
    }

    fn open(&mut self, stop: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        for (key, state, connection_end) in self.read() {
            if let Some(row) = Streams::nameless(&state, stop) {
                rows(H2Stream::DESC, &row.encode());
            }
            let end = connection_end.unwrap_or(stop);
            let Some(mut row) = Streams::fact(key, &state, end) else { continue };
            if connection_end.is_some() {
                row.end_reason = h2_stream_end::CONNECTION_ENDED;
            } else {
                row.flags |= fact_flag::OPEN;
            }
            rows(H2Stream::DESC, &row.encode());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().unwrap());
        }
        words
    }

    #[test]
    fn a_connection_is_told_once_it_is_one() {
        let row = H2Connection { end: 100, opened: 7, ..H2Connection::default() };
        let mut state: ConnectionState = words(&row.encode());
        assert_eq!(Connections::fact(&state, 350), None);
        state[CONFIRMED_AT / 8] = 1 << (8 * (CONFIRMED_AT % 8));
        let fact = Connections::fact(&state, 350).unwrap();
        assert_eq!((fact.end, fact.duration, fact.opened), (350, 250, 7));
    }

    #[test]
    fn a_stream_says_what_has_closed() {
        let row = H2Stream { end: 100, stream: 7, ..H2Stream::default() };
        let mut state: StreamState = words(&row.encode());
        state[11] = 0xdead_beef_0000_0001;
        let fact = Streams::fact([1, 7], &state, 350).unwrap();
        assert_eq!((fact.end, fact.duration, fact.closed), (350, 250, 1));
        state[11] = 8 | 3;
        assert_eq!(Streams::fact([1, 7], &state, 350), None);
        assert_eq!(Streams::fact([1, 0], &state, 350), None);
    }
}

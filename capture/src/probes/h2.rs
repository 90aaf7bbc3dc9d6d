//! The probe `h2`: HTTP/2 connections, streams and control frames.

use crate::error::{Error, Result};
use crate::probe::{
    Attach, AttachPoint, Collect, Knob, KnobKind, Needs, Optional, PREEMPTED, Probe, Totals,
};
use aya::maps::{HashMap, Map, MapData};
use ktape_format::schema::{
    Desc, H2Connection, H2Control, H2Stream, fact_flag, h2_connection_end, h2_stream_end,
};
use rustc_hash::FxHashSet;

/// `h2/openssl=on/`.
const ON: u64 = 1;

/// A program at a function of OpenSSL.
const fn ssl(program: &'static str, function: &'static str) -> Attach {
    Attach::Uprobe { program, library: "libssl", function }
}

pub(super) const PROBE: Probe = Probe {
    name: "h2",
    about: "HTTP/2 and gRPC: every connection, stream, reset and GOAWAY, of any language",
    cost: "0.1 to 0.25 us per system call, 0.3 to 0.6 us if it reads or writes, 0.5 to 1.2 us with HTTP/2 in it",
    default: false,
    always: false,
    records: &[H2Connection::DESC, H2Stream::DESC, H2Control::DESC],
    attach: &[
        AttachPoint {
            what: "a system call returns",
            alternatives: &[Attach::TpBtf { program: "h2_sys_exit", tracepoint: "sys_exit" }],
        },
        AttachPoint {
            what: "a TCP connection ends",
            alternatives: &[Attach::TpBtf {
                program: "h2_set_state",
                tracepoint: "inet_sock_set_state",
            }],
        },
    ],
    optional: &[
        Optional {
            knob: ("openssl", ON),
            point: AttachPoint {
                what: "OpenSSL encrypts and decrypts",
                alternatives: &[Attach::All(&[
                    ssl("h2_ssl_call", "SSL_write"),
                    ssl("h2_ssl_wrote", "SSL_write"),
                    ssl("h2_ssl_call", "SSL_read"),
                    ssl("h2_ssl_got", "SSL_read"),
                    ssl("h2_ssl_free", "SSL_free"),
                ])],
            },
        },
        Optional {
            knob: ("openssl", ON),
            point: AttachPoint {
                what: "OpenSSL 1.1.1 and later encrypts and decrypts",
                alternatives: &[Attach::All(&[
                    ssl("h2_ssl_call_ex", "SSL_write_ex"),
                    ssl("h2_ssl_wrote_ex", "SSL_write_ex"),
                    ssl("h2_ssl_call_ex", "SSL_read_ex"),
                    ssl("h2_ssl_got_ex", "SSL_read_ex"),
                ])],
            },
        },
    ],
    walks: &[],
    maps: &["h2_conns", "h2_streams", "h2_misses", "h2_ssl_calls"],
    needs: &[Needs::Kernel(5, 17), Needs::KernelBefore(PREEMPTED.0.0, PREEMPTED.0.1, PREEMPTED.1)],
    knobs: &[Knob {
        name: "openssl",
        about: "also what OpenSSL encrypts and decrypts: `on` (default) or `off`",
        symbol: "",
        kind: KnobKind::Choice(&[("off", 0), ("on", ON)]),
        default: ON,
    }],
    totals: Some(Totals { maps: &["h2_conns", "h2_streams"], collector }),
};

/// `struct h2_key`: the id in two words, process, kind.
type ConnectionKey = [u32; 4];

/// `struct h2_conn`: its fact in the making first.
type ConnectionState = [u64; 712];

/// `struct h2_stream_key`: connection and stream.
type StreamKey = [u32; 2];

/// `struct h2_stream_state`: its fact in the making first, then its state.
type StreamState = [u64; 12];

fn collector(map: Map) -> Result<Box<dyn Collect>> {
    let what = "open a map of HTTP/2";
    let key_size = match &map {
        Map::HashMap(data) => data.info().map_err(Error::kernel(what))?.key_size(),
        _ => 0,
    };
    if key_size as usize == size_of::<ConnectionKey>() {
        let map = HashMap::try_from(map).map_err(Error::kernel(what))?;
        Ok(Box::new(Connections { map, gone: FxHashSet::default() }))
    } else {
        let map = HashMap::try_from(map).map_err(Error::kernel(what))?;
        Ok(Box::new(Streams { map, gone: FxHashSet::default(), told: Vec::new() }))
    }
}

/// The row that a state begins with, of which `end` is still when it began: as it is at `end`.
fn decode<T>(words: &[u64], decode: fn(&[u8]) -> Option<T>) -> Option<T> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    decode(&bytes)
}

/// The connections that have not ended.
struct Connections {
    map: HashMap<MapData, ConnectionKey, ConnectionState>,
    /// Processes that ended before the last reading.
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
        let keys: Vec<ConnectionKey> = self.map.keys().filter_map(|key| key.ok()).collect();
        for key in keys.into_iter().filter(|key| gone.contains(&key[2])) {
            let Ok(state) = self.map.get(&key, 0) else { continue };
            if self.map.remove(&key).is_ok()
                && let Some(row) = Connections::fact(&state, now)
            {
                let end_reason = h2_connection_end::PROCESS_ENDED;
                rows(H2Connection::DESC, &H2Connection { end_reason, ..row }.encode());
            }
        }
    }

    fn open(&mut self, stop: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        for (_, state) in self.map.iter().filter_map(|entry| entry.ok()) {
            if let Some(row) = Connections::fact(&state, stop) {
                let flags = row.flags | fact_flag::OPEN;
                rows(H2Connection::DESC, &H2Connection { flags, ..row }.encode());
            }
        }
    }
}

/// The streams that have not ended by themselves.
struct Streams {
    map: HashMap<MapData, StreamKey, StreamState>,
    /// Processes that ended before the last reading.
    gone: FxHashSet<u32>,
    /// Connections that had ended by then: all their streams are told.
    told: Vec<StreamKey>,
}

/// Bits of `h2_stream_state.state`.
const STATE_CLOSED: u64 = 3;
const STATE_ENDED: u64 = 8;

impl Streams {
    /// All of them, those of connections that have ended with when that was.
    fn read(&self) -> Vec<(StreamKey, StreamState, Option<u64>)> {
        let all: Vec<(StreamKey, StreamState)> =
            self.map.iter().filter_map(|entry| entry.ok()).collect();
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
            self.map.remove(&key).ok();
        }
        self.told.extend(all.iter().map(|(key, ..)| *key).filter(|key| key[1] == 0));
        for (key, state, connection_end) in all {
            let Some(row) = Streams::fact(key, &state, now) else { continue };
            // Those of TCP end with their connection, which has been seen by then.
            let end = connection_end.or_else(|| gone.contains(&row.tgid).then_some(now));
            let Some(row) = end.and_then(|end| Streams::fact(key, &state, end)) else { continue };
            if self.map.remove(&key).is_ok() {
                let end_reason = h2_stream_end::CONNECTION_ENDED;
                rows(H2Stream::DESC, &H2Stream { end_reason, ..row }.encode());
            }
        }
    }

    fn open(&mut self, stop: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        for (key, state, connection_end) in self.read() {
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

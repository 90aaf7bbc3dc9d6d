//! Facts of every probe, as random as can be, for tests.

use crate::testing::{Random, Tape};

/// One of each record of the probes that follow.
pub(crate) fn facts(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    syscalls(tape, random, end, tid, tgid);
    disk(tape, random, end, tid, tgid);
    files(tape, random, end, tid, tgid);
    tcp(tape, random, end, tid, tgid);
    h2(tape, random, end, tid, tgid);
}

/// Facts of the system call probe.
fn syscalls(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    use ktape_schema::{SyscallCount, SyscallLatency, SyscallSlow};
    let nr = random.below(6) as u32 * 40;
    let count = random.below(1000);
    let total = random.below(1 << 30);
    let row = SyscallCount {
        end,
        duration: 1_000_000_000,
        count,
        errors: count / 7,
        total,
        max: total / 2,
        tgid,
        nr,
    };
    tape.fact(SyscallCount::DESC, 0, &row.encode());
    let bucket = random.below(64) as u32;
    let row = SyscallLatency { end, duration: 1_000_000_000, count, tgid, nr, bucket, flags: 0 };
    tape.fact(SyscallLatency::DESC, 0, &row.encode());
    let row = SyscallSlow { end, duration: total, ret: -4, tid, tgid, nr, ..Default::default() };
    tape.fact(SyscallSlow::DESC, 0, &row.encode());
}

/// Facts of the block probe.
fn disk(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    use ktape_schema::BlockIo;
    let (queue, service) = (random.below(1 << 20), random.below(1 << 24));
    let row = BlockIo {
        end,
        duration: queue + service,
        queue,
        service,
        sector: random.below(1 << 30),
        bytes: random.below(256) * 4096,
        tid,
        tgid,
        device: (random.below(3) as u32 * 7) << 20,
        partition: random.below(3) as u32,
        kstack: random.below(6) as u32,
        ustack: random.below(4) as u32,
        error: random.below(9) as u16 / 8 * 5,
        flags: random.below(1024) as u16,
        op: random.below(13) as u8,
        issues: random.below(3) as u8,
        ..BlockIo::default()
    };
    tape.fact(BlockIo::DESC, 0, &row.encode());
}

/// Facts of the io probe.
fn files(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    use ktape_schema::Io;
    let path = match random.below(3) {
        0 => 0,
        1 => tape.string("/srv/data"),
        _ => 99_999,
    };
    let row = Io {
        end,
        duration: random.below(1 << 30),
        bytes: random.below(1 << 16),
        requested: random.below(1 << 16),
        offset: random.below(1 << 20) as i64 - 1,
        inode: random.below(5),
        tid,
        tgid,
        path,
        device: random.below(3) as u32,
        kstack: random.below(6) as u32,
        ustack: random.below(4) as u32,
        nr: random.below(80) as u16,
        error: random.below(600) as u16,
        flags: random.below(128) as u16,
        op: random.below(10) as u8,
        kind: random.below(10) as u8,
        ..Io::default()
    };
    tape.fact(Io::DESC, 0, &row.encode());
}

/// Facts of the TCP probe, as random as can be.
fn tcp(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    use ktape_schema::{TcpConnection, TcpCounters, TcpReset, TcpRetransmit, TcpSample, TcpState};
    let ends = ["10.0.0.1:443", "10.0.0.1:80", "[::1]:7", ""].map(|text| tape.string(text));
    let (local, remote) = (ends[random.below(4) as usize], ends[random.below(4) as usize]);
    let connection = random.below(20) as u32;
    let (tid, tgid) = if random.below(5) == 0 { (0, 0) } else { (tid, tgid) };
    let mut byte = |limit: u64| random.below(limit) as u8;
    let row = TcpConnection {
        end,
        duration: u64::from(byte(255)) << 12,
        connect: u64::from(byte(255)) << 10,
        bytes_sent: u64::from(byte(255)) << 20,
        connection,
        tid,
        tgid,
        local,
        remote,
        retrans: byte(9).into(),
        srtt_us: byte(255).into(),
        error: byte(113).into(),
        direction: byte(4),
        outcome: byte(8),
        owner: byte(8),
        state: byte(16),
        flags: byte(16),
        ..Default::default()
    };
    tape.fact(TcpConnection::DESC, 0, &row.encode());
    let (old, new, duration) = (byte(14), byte(14), row.duration);
    let row = TcpState { end, duration, connection, tid, tgid, old, new, ..Default::default() };
    tape.fact(TcpState::DESC, 1, &row.encode());
    let row = TcpRetransmit {
        time: end,
        connection,
        tid,
        tgid,
        remote,
        segments: byte(5).into(),
        error: i32::from(byte(3)) - 2,
        kind: byte(9),
        ..Default::default()
    };
    tape.fact(TcpRetransmit::DESC, 0, &row.encode());
    let (direction, reason, state) = (byte(3), byte(30), byte(14));
    let row = TcpReset {
        time: end,
        connection,
        tid,
        tgid,
        remote,
        direction,
        reason,
        state,
        ..Default::default()
    };
    tape.fact(TcpReset::DESC, 1, &row.encode());
    let row = TcpSample {
        time: end,
        connection,
        tid,
        tgid,
        local,
        remote,
        srtt_us: byte(255).into(),
        rcv_wnd: byte(2).into(),
        backlog: byte(5).into(),
        max_backlog: 3,
        state: byte(12),
        ..Default::default()
    };
    tape.fact(TcpSample::DESC, 0, &row.encode());
    let (retrans_segs, netns) = (byte(9).into(), byte(3).into());
    let row = TcpCounters { end, duration: 1, retrans_segs, netns, ..Default::default() };
    tape.fact(TcpCounters::DESC, 0, &row.encode());
}

/// Facts of the HTTP/2 probe.
fn h2(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    use ktape_schema::{H2Connection, H2Control, H2Stream};
    let mut number = |limit| random.below(limit) as u32;
    let row = H2Connection {
        end,
        duration: number(1 << 20).into(),
        connection: number(20),
        tid,
        tgid,
        opened: number(9),
        pings_sent: number(3),
        desyncs: number(2),
        flags: number(3) as u16,
        role: number(4) as u8,
        end_reason: number(4) as u8,
        goaway_by: number(3) as u8,
        ..H2Connection::default()
    };
    tape.fact(H2Connection::DESC, 0, &row.encode());
    let row = H2Stream {
        end,
        duration: number(1 << 20).into(),
        first_answer: number(1 << 10).into(),
        connection: number(25),
        tid,
        tgid,
        path: number(4),
        reset_code: number(20),
        in_flight: number(9),
        flags: number(3) as u16,
        role: number(4) as u8,
        end_reason: number(5) as u8,
        grpc_status: number(20) as u8,
        ..H2Stream::default()
    };
    tape.fact(H2Stream::DESC, 0, &row.encode());
    let row = H2Control {
        time: end,
        connection: number(25),
        stream: number(9),
        tid,
        tgid,
        code: number(20),
        kind: number(9) as u8,
        direction: number(3) as u8,
        ..H2Control::default()
    };
    tape.fact(H2Control::DESC, 0, &row.encode());
}

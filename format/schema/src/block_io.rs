//! `block_io`: requests to disks.

/// What a request asks of the device (`block_io.op`).
pub mod block_op {
    /// REQ_OP_READ.
    pub const READ: u8 = 0;
    /// REQ_OP_WRITE with data.
    pub const WRITE: u8 = 1;
    /// REQ_OP_FLUSH: the block layer has the device write its cache back, for all who wait for that.
    pub const FLUSH: u8 = 2;
    /// REQ_OP_DISCARD.
    pub const DISCARD: u8 = 3;
    /// A write without data that asks for a flush (REQ_PREFLUSH): who calls fsync(2) waits for it. /proc/diskstats counts it as a write.
    pub const EMPTY_FLUSH: u8 = 4;
    /// REQ_OP_SECURE_ERASE.
    pub const SECURE_ERASE: u8 = 5;
    /// REQ_OP_ZONE_APPEND.
    pub const ZONE_APPEND: u8 = 6;
    /// REQ_OP_WRITE_ZEROES.
    pub const WRITE_ZEROES: u8 = 9;
    /// REQ_OP_DRV_IN and REQ_OP_DRV_OUT: commands of the driver, not counted by /proc/diskstats.
    pub const DRIVER: u8 = 10;
    /// Any other.
    pub const OTHER: u8 = 11;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "read"),
        (1, "write"),
        (2, "flush"),
        (3, "discard"),
        (4, "empty_flush"),
        (5, "secure_erase"),
        (6, "zone_append"),
        (9, "write_zeroes"),
        (10, "driver"),
        (11, "other"),
    ];
}

/// Bits of `block_io.flags`.
pub mod block_flag {
    /// Not completed when the recording stopped; `duration` is what had passed by then.
    pub const OPEN: u16 = 1;
    /// It was not seen to begin (before the recording, or while it was being started): who made it is not known, nor when it was issued.
    pub const BEGAN_BEFORE: u16 = 2;
    /// REQ_SYNC: somebody waits for it.
    pub const SYNC: u16 = 4;
    /// REQ_META: metadata of a file system.
    pub const META: u16 = 8;
    /// REQ_RAHEAD: readahead.
    pub const READAHEAD: u16 = 16;
    /// REQ_FUA: a write that must be on the medium when it completes.
    pub const FUA: u16 = 32;
    /// REQ_PREFLUSH: the device's cache is written back before it.
    pub const PREFLUSH: u16 = 64;
    /// It grew by merges between its start and its issue.
    pub const MERGED: u16 = 128;
    /// It starts where the request of the same device and operation ended that was issued before it.
    pub const SEQUENTIAL: u16 = 256;
    /// REQ_BACKGROUND: writeback of what nobody waits for.
    pub const BACKGROUND: u16 = 512;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "open"),
        (2, "began_before"),
        (4, "sync"),
        (8, "meta"),
        (16, "readahead"),
        (32, "fua"),
        (64, "preflush"),
        (128, "merged"),
        (256, "sequential"),
        (512, "background"),
    ];
}

crate::record! {
    /// A request to a disk was completed (or was not when the recording stopped). What /proc/diskstats counts as a read, write or discard is one row; bios that were merged into a request are part of its row.
    BlockIo = 33 as "block_io", Fact {
        /// When the last part of it completed (`block_rq_complete`); the stop of the recording when open.
        end: u64 [TimeNs],
        /// How long it took in all, from `block_io_start` (before 6.5 `block_getrq`) to `end`; of a flush from its issue. With began_before: from `request.start_time_ns`, 0 where the kernel keeps none.
        duration: u64 [DurNs],
        /// The part of `duration` before it was first issued to the driver (`block_rq_issue`); all of it when it never was.
        queue: u64 [DurNs],
        /// The part of `duration` after that: the driver and the device.
        service: u64 [DurNs],
        /// Where it starts on the disk, in units of 512 bytes: `request.__sector` at the issue.
        sector: u64 [Number],
        /// Bytes completed (when open: so far).
        bytes: u64 [Bytes],
        /// The thread that made it; 0 when not known: a flush, or begun before the recording.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// The disk (`gendisk`).
        device: u32 [DeviceId],
        /// The partition that it was counted for (`request.part`); the disk itself when it has none.
        partition: u32 [DeviceId],
        /// Kernel stack of that thread when it made the request; 0 when none was taken.
        kstack: u32 [StackId],
        /// User stack of that thread then; 0 when none was taken.
        ustack: u32 [StackId],
        /// 0, or the errno of what went wrong.
        error: u16 [Number],
        /// The CPU on which it was made (of a flush: issued; with began_before: completed).
        cpu: u16 [Cpu],
        /// See `block_flag`.
        flags: u16 [Flags(block_flag::NAMES)],
        /// What it asks of the device.
        op: u8 [Enum(block_op::NAMES)],
        /// How often it was issued to the driver; more than once when the driver gave it back. At most 255.
        issues: u8 [Count],
    }
}

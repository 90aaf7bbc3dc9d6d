//! A scheduler on paper: off-CPU rows that look like those of a real machine.
//!
//! Threads run for log-normal times, wake each other, queue for CPUs, are preempted after a slice.
//! Everything follows from the seed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use ktape_format::schema::OffCpu;

/// A load.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// Two threads on one CPU wake each other every 2 us (perf bench sched pipe).
    PipePinned,
    /// Two threads that wake each other on two CPUs, which idle in between.
    PipeAcross,
    /// Eight clients and eight servers on two CPUs (pgbench), and some daemons.
    Database,
    /// Two hundred threads in five processes that wake each other at random, and two CPU hogs.
    Messaging,
    /// Sixty threads that sleep for milliseconds; the CPUs mostly idle.
    Sleepers,
}

/// All of them.
pub(crate) const LOADS: [Load; 5] =
    [Load::PipePinned, Load::PipeAcross, Load::Database, Load::Messaging, Load::Sleepers];

/// Random numbers: splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn normal(&mut self) -> f64 {
        let sum: f64 = (0..12).map(|_| self.next() as f64 / u64::MAX as f64).sum();
        sum - 6.0
    }

    /// A log-normal time around `median` ns.
    fn time(&mut self, median: u64, sigma: f64) -> u64 {
        (median as f64 * (self.normal() * sigma).exp()) as u64 + 1
    }
}

struct Thread {
    tid: u32,
    tgid: u32,
    /// Whom it wakes when it blocks; itself after a sleep when `None`.
    partner: Option<usize>,
    /// Wakes anyone.
    roams: bool,
    run: u64,
    sigma: f64,
    sleep: u64,
    left: u64,
    off_since: u64,
    waking: u64,
    waker: Option<usize>,
    state: u8,
    cpu: usize,
    prev_cpu: usize,
    syscall: u16,
    runnable: bool,
    stack: u32,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Stop { cpu: usize, turn: u64 },
    Wake { thread: usize },
}

struct Cpu {
    current: Option<usize>,
    queue: VecDeque<usize>,
    turn: u64,
    rows: Vec<OffCpu>,
}

const SLICE: u64 = 3_000_000;

/// About `count` rows of a load, per CPU.
pub(crate) fn simulate(load: Load, count: usize, seed: u64) -> Vec<Vec<OffCpu>> {
    let mut random = Random(seed);
    let mut threads = threads(load);
    let mut cpus: Vec<Cpu> = (0..2)
        .map(|_| Cpu { current: None, queue: VecDeque::new(), turn: 0, rows: Vec::new() })
        .collect();
    let mut events = BinaryHeap::new();
    let mut made = 0;
    for (index, thread) in threads.iter().enumerate() {
        let at = 5_000_000_000_000 + random.below(1_000_000);
        if thread.partner.is_none() || index % 2 == 0 {
            events.push(Reverse((at, Event::Wake { thread: index })));
        }
    }
    while made < count {
        let Some(Reverse((now, event))) = events.pop() else { break };
        let cpu = match event {
            Event::Wake { thread } => {
                let cpu = threads[thread].cpu;
                wake(&mut threads, &mut cpus, thread, None, now, load);
                if cpus[cpu].current.is_some() { threads[thread].cpu } else { cpu }
            }
            Event::Stop { cpu, turn } => {
                if cpus[cpu].turn != turn {
                    continue;
                }
                let Some(index) = cpus[cpu].current.take() else { continue };
                let count = threads.len() as u64;
                let thread = &mut threads[index];
                let sleep = thread.sleep;
                thread.off_since = now;
                thread.prev_cpu = cpu;
                if thread.left > 0 {
                    thread.state = 0;
                    thread.waking = now;
                    cpus[cpu].queue.push_back(index);
                } else {
                    thread.state = 1;
                    thread.runnable = false;
                    let partner = match thread.roams {
                        true => Some(random.below(count) as usize),
                        false => thread.partner,
                    };
                    match partner {
                        Some(partner) if partner != index => {
                            let at = now - 200 - random.below(500);
                            wake(&mut threads, &mut cpus, partner, Some(index), at, load);
                            if threads[index].roams {
                                let at = now + random.time(50_000, 1.0);
                                events.push(Reverse((at, Event::Wake { thread: index })));
                            }
                        }
                        _ => {
                            let at = now + random.time(sleep, 0.8);
                            events.push(Reverse((at, Event::Wake { thread: index })));
                        }
                    }
                }
                cpu
            }
        };
        for cpu in [cpu, 1 - cpu] {
            if cpus[cpu].current.is_none()
                && let Some(next) = cpus[cpu].queue.pop_front()
            {
                made += 1;
                switch(&mut threads, &mut cpus[cpu], cpu, next, now, &mut random);
                let thread = &mut threads[next];
                let run = thread.left.min(SLICE);
                thread.left -= run;
                cpus[cpu].turn += 1;
                let turn = cpus[cpu].turn;
                events.push(Reverse((now + run, Event::Stop { cpu, turn })));
            }
        }
    }
    cpus.into_iter().map(|cpu| cpu.rows).collect()
}

fn switch(
    threads: &mut [Thread],
    cpu: &mut Cpu,
    number: usize,
    next: usize,
    now: u64,
    random: &mut Random,
) {
    let waker = threads[next].waker.map(|waker| (threads[waker].tid, threads[waker].tgid));
    let (waker, waker_tgid) = waker.unwrap_or((0, 0));
    let thread = &mut threads[next];
    let duration = now - thread.off_since.min(now);
    let preempted = thread.state == 0;
    let long = duration > 1_000_000;
    cpu.rows.push(OffCpu {
        end: now,
        duration,
        runq: if preempted { duration } else { (now - thread.waking.min(now)).min(duration) },
        tid: thread.tid,
        tgid: thread.tgid,
        waker: if preempted { 0 } else { waker },
        waker_tgid: if preempted { 0 } else { waker_tgid },
        kstack: if long { thread.stack } else { 0 },
        ustack: if long { thread.stack + 1 } else { 0 },
        cpu: number as u16,
        prev_cpu: thread.prev_cpu as u16,
        syscall: if preempted { u16::MAX } else { thread.syscall },
        state: thread.state,
        flags: 0,
    });
    cpu.current = Some(next);
    if thread.left == 0 {
        thread.left = random.time(thread.run, thread.sigma);
    }
}

fn wake(
    threads: &mut [Thread],
    cpus: &mut [Cpu],
    index: usize,
    waker: Option<usize>,
    now: u64,
    load: Load,
) {
    let thread = &mut threads[index];
    if thread.runnable {
        return;
    }
    thread.runnable = true;
    thread.waking = now.max(thread.off_since);
    thread.waker = waker;
    let pinned = matches!(load, Load::PipePinned | Load::PipeAcross);
    let other = 1 - thread.cpu;
    if !pinned && cpus[other].current.is_none() && cpus[thread.cpu].current.is_some() {
        thread.cpu = other;
    }
    cpus[thread.cpu].queue.push_back(index);
}

fn threads(load: Load) -> Vec<Thread> {
    let new = |tid: u32, tgid: u32, cpu: usize| Thread {
        tid,
        tgid,
        partner: None,
        roams: false,
        run: 1_500,
        sigma: 0.25,
        sleep: 4_000_000,
        left: 0,
        off_since: 4_999_999_000_000,
        waking: 0,
        waker: None,
        state: 1,
        cpu,
        prev_cpu: cpu,
        syscall: 0,
        runnable: false,
        stack: tid % 50 * 2 + 1,
    };
    let mut all = Vec::new();
    match load {
        Load::PipePinned | Load::PipeAcross => {
            let across = usize::from(matches!(load, Load::PipeAcross));
            all.push(Thread { partner: Some(1), ..new(4001, 4001, 1) });
            all.push(Thread { partner: Some(0), ..new(4002, 4002, 1 - across) });
        }
        Load::Database => {
            for pair in 0..8 {
                let (client, server) = (2 * pair as usize, 2 * pair as usize + 1);
                let cpu = pair as usize % 2;
                all.push(Thread {
                    partner: Some(server),
                    run: 9_000,
                    syscall: 271,
                    ..new(7000 + pair, 7000, cpu)
                });
                all.push(Thread {
                    partner: Some(client),
                    run: 27_000,
                    sigma: 0.5,
                    syscall: 232,
                    ..new(7100 + pair, 7100 + pair, cpu)
                });
            }
        }
        Load::Messaging => {
            for thread in 0..200 {
                let (cpu, run) = (thread as usize % 2, 4_000 + u64::from(thread) * 20);
                let tgid = 9000 + thread % 5;
                all.push(Thread { roams: true, run, sigma: 0.6, ..new(9000 + thread, tgid, cpu) });
            }
            for hog in 0..2u32 {
                let cpu = hog as usize;
                all.push(Thread { run: 1 << 40, ..new(9900 + hog, 9900 + hog, cpu) });
            }
        }
        Load::Sleepers => {
            for thread in 0..60 {
                let cpu = thread as usize % 2;
                let run = 15_000;
                let sigma = 0.9;
                let tgid = 300 + thread / 6;
                all.push(Thread { run, sigma, syscall: 202, ..new(300 + thread, tgid, cpu) });
            }
        }
    }
    for daemon in 0..12u32 {
        let (run, cpu) = (12_000 + u64::from(daemon) * 3_000, daemon as usize % 2);
        let syscall = 7 + daemon as u16;
        all.push(Thread { run, sigma: 0.7, syscall, ..new(20 + daemon, 20 + daemon, cpu) });
    }
    all
}

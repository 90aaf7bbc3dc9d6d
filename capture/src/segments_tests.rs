//! What is told again in a later segment.

use crate::bits::TidSet;
use crate::kernel_code::KernelCode;
use crate::mappings::Mappings;
use crate::names::Question;
use crate::output::{Sink, create};
use crate::recording::{Closing, Opening, Recording};
use crate::reel::Reel;
use crate::stacks::Stacks;
use crate::switched::{Making, Switched};
use crate::tape::Tape;
use crate::tasks::Tasks;
use crate::texts::Texts;
use crate::writing::Writing;
use ktape_format::schema::{WireExit, WireFork, WireStack, WireText, stack_side, text_form};
use ktape_format::{ClockPair, Meta, Trace};
use std::sync::mpsc::{Receiver, channel};

/// Records two segments as files; gives the rows of each record in the second one.
fn second(mut does: impl FnMut(&mut Tape, bool)) -> impl Fn(&str) -> u32 {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ktape");
    let (news, _): (_, Receiver<_>) = channel();
    let meta = Meta::default();
    let making =
        Making { path: path.clone(), meta: meta.clone(), level: 1, sync: false, keep: None, news };
    let sink = Sink::File(create(&path).expect("a file"));
    let reel = Reel::new(sink, path, meta, 1).expect("a trace");
    let recording = Recording::Switched(Switched::new(making, reel));
    let writing = Writing::start(recording, channel().1, None).expect("a thread");
    let mut tape = Tape::new(writing, 1);
    let closing =
        || Closing { question: Question::all_of(std::iter::empty()), runs: Vec::new(), end: 0 };
    does(&mut tape, false);
    let start = ClockPair::default();
    tape.next_segment(closing(), Opening { start, base: Vec::new() }).expect("a second file");
    does(&mut tape, true);
    tape.close(closing()).expect("an end");
    assert_eq!(tape.finish().expect("written").files, 2);
    let files = folder.path().read_dir().expect("a folder");
    let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let trace = Trace::open(&files[1]).expect("a trace");
    move |record| {
        let id = trace.record(record).expect("a record").id;
        trace.chunks().iter().filter(|chunk| chunk.record == id).map(|chunk| chunk.rows).sum()
    }
}

/// A stack of this process with one frame, where nothing is mapped.
fn stack(id: u32) -> (WireStack, [u64; 1]) {
    let tgid = std::process::id();
    let wire = WireStack { id, tgid, side: stack_side::USER, count: 1, ..WireStack::default() };
    (wire, [u64::from(id)])
}

#[test]
fn stacks_that_are_used_again_are_told_again() {
    let mut stacks = Stacks::new(KernelCode::of_host(), true);
    let mut mappings = Mappings::default();
    let mut ids = Vec::new();
    let rows = second(|tape, again| {
        if !again {
            for id in 1..=5 {
                let (wire, addresses) = stack(id);
                stacks.add(&wire, &addresses, &mut mappings, tape);
                ids.push(stacks.translate(id, &mut mappings, tape));
            }
        } else {
            // As if there were too many: what the programs may still use stays.
            stacks.forget_frames();
            let mut told = |id| stacks.translate(id, &mut mappings, tape);
            assert_eq!((told(2), told(5), told(2)), (ids[1], ids[4], ids[1]));
            assert_eq!(told(77), 0, "never sent");
        }
    });
    assert_eq!((rows("stack"), rows("stack_node"), rows("frame")), (2, 2, 2));
}

#[test]
fn texts_that_are_used_again_are_told_again() {
    let mut texts = Texts::new(true);
    let mut first = 0;
    let wire = |id| WireText { id, form: text_form::PATH, ..WireText::default() };
    let rows = second(|tape, again| {
        if !again {
            texts.add(&wire(7), b"passwd\0etc\0/\0", tape);
            texts.add(&wire(8), b"other\0", tape);
            first = texts.translate(7, tape);
        } else {
            assert_eq!(texts.translate(7, tape), first);
            assert_eq!(texts.translate(7, tape), first);
            assert_eq!(texts.translate(9, tape), 0, "never sent");
        }
    });
    assert_eq!(rows("string"), 1);
}

#[test]
fn threads_that_live_are_defined_again() {
    // Numbers that no thread of the host has.
    const FIRST: u32 = 4_194_001;
    let mut tasks = Tasks::new(false, None, true);
    let rows = second(|tape, again| {
        if !again {
            for tid in FIRST..FIRST + 5 {
                let fork = WireFork { time: 10, start: 10, tid, tgid: tid, ..WireFork::default() };
                tasks.fork(&fork, tape);
            }
            let exit = |tid| WireExit { time: 20, tid, tgid: tid, ..WireExit::default() };
            tasks.exit(&exit(FIRST), tape);
            tasks.forget_gone();
            // The facts of this one may still lie in a ring.
            tasks.exit(&exit(FIRST + 1), tape);
        } else {
            // The end of one was lost, another began meanwhile.
            let mut alive = TidSet::default();
            (FIRST + 3..FIRST + 5).for_each(|tid| alive.insert(tid));
            let fork = WireFork { time: 26, start: 26, tid: FIRST + 5, ..WireFork::default() };
            tasks.fork(&fork, tape);
            tasks.bury(&alive, 25);
            tasks.retell(30, tape);
            assert!(!tasks.is_known(FIRST + 1, true));
            tasks.know(FIRST + 1, FIRST + 1, true, 40, tape);
        }
    });
    // That one as it begins and as alive, two that live, and one that has ended.
    assert_eq!((rows("task_start"), rows("task_exit")), (5, 1));
}

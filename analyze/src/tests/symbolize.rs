use std::path::{Path, PathBuf};
use std::process::Command;

use ktape_format::Trace;
use ktape_schema::{
    Frame, Module, OffCpu, Stack, StackNode, Symbol, module_kind, stack_end, stack_side,
};
use object::{Object, ObjectSegment, ObjectSymbol};
use serde_json::Value;

use crate::context::{Context, Needs};
use crate::query::FilterArgs;
use crate::script::{Script, script};
use crate::symbolize::{Symbolize, symbolize};
use crate::testing::{START, Tape};

const SOURCE: &str = "\
static inline __attribute__((always_inline)) int inner(volatile int *x) {
    return *x * 3;
}
__attribute__((noinline)) int outer(volatile int *x) {
    return inner(x) + 7;
}
int main(void) {
    volatile int x = 2;
    return outer(&x);
}
";

/// A program with debug information, made by the compiler that also links Rust programs here.
struct Program {
    folder: tempfile::TempDir,
    build_id: String,
    /// Where `outer` lies in the file, and its length.
    outer: (u64, u64),
    /// Its address.
    address: u64,
}

impl Program {
    fn new(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("app.c"), SOURCE).expect("a source");
        let mut compile = Command::new("cc");
        compile.args(["-g", "-O1", "-Wl,--build-id=sha1", "-o", "app", "app.c"]).args(flags);
        run(compile.current_dir(folder.path()));
        let bytes = std::fs::read(folder.path().join("app")).expect("a program");
        let elf = object::File::parse(&*bytes).expect("an ELF file");
        let id = elf.build_id().expect("notes").expect("a build-id");
        let symbol = elf.symbol_by_name("outer").expect("a function");
        let segment = elf
            .segments()
            .find(|part| (part.address()..part.address() + part.size()).contains(&symbol.address()))
            .expect("a segment");
        let at = symbol.address() - segment.address() + segment.file_range().0;
        Self {
            build_id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            outer: (at, symbol.size()),
            address: symbol.address(),
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    /// Moves the debug information into a tree of build-ids, and the program away.
    fn split(&self) -> PathBuf {
        let (first, rest) = self.build_id.split_at(2);
        let root = self.folder.path().join("debug");
        let folder = root.join(".build-id").join(first);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut copy = Command::new("objcopy");
        copy.arg("--only-keep-debug").arg(self.path());
        run(copy.arg(folder.join(format!("{rest}.debug"))));
        std::fs::rename(self.path(), self.folder.path().join("gone")).expect("a move");
        root
    }

    /// A trace with a frame at each byte of `outer`, which has this name there, and one wait.
    fn tape(&self, build_id: &str, name: &str) -> Tape {
        let path = self.path();
        let path = path.as_os_str().as_encoded_bytes();
        self.tape_of(path, module_kind::FILE, self.outer.0, build_id, name)
    }

    fn tape_of(&self, path: &[u8], kind: u32, outer: u64, build_id: &str, name: &str) -> Tape {
        let mut tape = Tape::new();
        tape.thread(10, 10, "app");
        let path = tape.string(path);
        let build_id = tape.string(build_id);
        let module = Module { id: 1, path, build_id, kind };
        tape.define(Module::DESC, &module.encode());
        for (id, byte) in (1..).zip(0..self.outer.1) {
            let frame = Frame { offset: outer + byte, id, module: 1 };
            tape.define(Frame::DESC, &frame.encode());
            tape.define(
                StackNode::DESC,
                &StackNode { id, parent: 0, frame: id, flags: 0 }.encode(),
            );
            if !name.is_empty() {
                let name = tape.string(name);
                let symbol = Symbol { offset: byte, frame: id, name, ..Symbol::default() };
                tape.define(Symbol::DESC, &symbol.encode());
            }
        }
        let stack = Stack {
            id: 1,
            node: 1,
            tgid: 10,
            side: stack_side::USER,
            unwind: 2,
            end: stack_end::COMPLETE,
            flags: 0,
        };
        tape.define(Stack::DESC, &stack.encode());
        let end = START + 5;
        tape.off_cpu(OffCpu {
            end,
            duration: 3,
            tid: 10,
            tgid: 10,
            ustack: 1,
            ..OffCpu::default()
        });
        tape
    }
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Symbolizes; gives the new trace, and what was said of the only module.
fn symbolized(tape: &Tape, options: &Symbolize) -> (Trace, Value) {
    let mut out = Vec::new();
    let answer = symbolize(&tape.trace(), options, &mut out).expect("a new trace");
    let answer: Value = serde_json::from_slice(&crate::render::json(&answer)).expect("valid JSON");
    let trace = Trace::from_stream(&*out).expect("a trace");
    assert!(ktape_format::verify(&trace).is_empty());
    assert!(crate::dangling::dangling(&trace).is_empty());
    (trace, answer["module_list"][0].clone())
}

fn facts(trace: &Trace) -> Vec<u8> {
    let mut out = Vec::new();
    script(trace, &FilterArgs::default(), &Script::default(), &mut out).expect("a script");
    out
}

/// Every frame is in `outer`, some have `inner` inlined, all lines are those of app.c.
fn check_names(trace: &Trace, program: &Program, outer: &str) {
    check_names_at(trace, program.outer.0, outer);
}

fn check_names_at(trace: &Trace, at: u64, outer: &str) {
    let cx = Context::load(trace, Needs::CODE);
    let mut inlined = 0;
    for (id, frame) in cx.code().frames() {
        let symbols: Vec<_> = cx.code().symbols(id).collect();
        assert_eq!(cx.strings().get(symbols[0].name), outer.as_bytes(), "{frame:?}");
        assert_eq!(symbols[0].offset, frame.offset - at);
        for symbol in &symbols {
            assert!(
                Path::new(std::str::from_utf8(cx.strings().get(symbol.file)).expect("UTF-8"))
                    .ends_with("app.c")
            );
        }
        assert!((4..=6).contains(&symbols[0].line), "{symbols:?}");
        if let [_, inner] = symbols[..] {
            assert_eq!((cx.strings().get(inner.name), inner.line), (&b"inner"[..], 2));
            inlined += 1;
        }
    }
    assert!(inlined > 0);
}

#[test]
fn frames_get_lines_and_inlined_functions() {
    for flags in [&[][..], &["-no-pie"]] {
        let program = Program::new(flags);
        let frames = program.outer.1;
        // The recorder's own name stays; without one debug information has it.
        for (name, outer) in [("outer.part.0", "outer.part.0"), ("", "outer")] {
            let tape = program.tape(&program.build_id, name);
            let (trace, module) = symbolized(&tape, &Symbolize::default());
            check_names(&trace, &program, outer);
            assert_eq!(
                (module["frames"].as_u64(), module["with_line"].as_u64()),
                (Some(frames), Some(frames))
            );
            assert_eq!(facts(&trace), facts(&tape.trace()));
            // Doing it again changes nothing.
            let mut again = Vec::new();
            symbolize(&trace, &Symbolize::default(), &mut again).expect("a new trace");
            check_names(&Trace::from_stream(&*again).expect("a trace"), &program, outer);
        }
    }
}

#[test]
fn a_symbol_table_names_functions_too() {
    let program = Program::new(&["-g0"]);
    for (name, named) in [("", program.outer.1), ("known", 0)] {
        let tape = program.tape(&program.build_id, name);
        let (trace, module) = symbolized(&tape, &Symbolize::default());
        assert_eq!(module["named"], Value::from(named));
        assert!(module["why"].as_str().expect("a remark").contains("symbol table"), "{module}");
        let cx = Context::load(&trace, Needs::CODE);
        for (id, frame) in cx.code().frames() {
            let symbol = cx.code().symbols(id).next().expect("a symbol");
            let expected: &[u8] = if name.is_empty() { b"outer" } else { b"known" };
            assert_eq!(cx.strings().get(symbol.name), expected);
            assert_eq!(symbol.offset, frame.offset - program.outer.0);
        }
    }
}

#[test]
fn another_file_under_the_same_path_is_not_taken() {
    let program = Program::new(&[]);
    for (id, why) in [("00112233", "its build-id is"), ("", "does not know its build-id")] {
        let tape = program.tape(id, "known");
        let (trace, module) = symbolized(&tape, &Symbolize::default());
        assert!(module["why"].as_str().expect("a reason").contains(why), "{module}");
        assert_eq!(module["with_line"], Value::from(0));
        let cx = Context::load(&trace, Needs::CODE);
        let names = cx.code().all_symbols().iter().map(|entry| cx.strings().get(entry.1.name));
        assert!(names.into_iter().all(|name| name == b"known"));
        assert_eq!(facts(&trace), facts(&tape.trace()));
    }
}

#[test]
fn debug_information_is_found_apart_from_the_program() {
    for flags in [&[][..], &["-no-pie"]] {
        let program = Program::new(flags);
        let root = program.split();
        let options = Symbolize { debug_dir: vec![root.clone()], ..Symbolize::default() };
        let (trace, module) = symbolized(&program.tape(&program.build_id, "outer"), &options);
        check_names(&trace, &program, "outer");
        assert!(module["why"].as_str().expect("a remark").contains("laid out"), "{module}");
        // The layout is a guess: names that disagree speak against it.
        let (_, module) = symbolized(&program.tape(&program.build_id, "other"), &options);
        assert!(module["why"].as_str().expect("a reason").contains("disagree"), "{module}");
        // The program itself, elsewhere: no guess is needed.
        let below = root.join("root").join(program.path().strip_prefix("/").expect("absolute"));
        std::fs::create_dir_all(below.parent().expect("a folder")).expect("a folder");
        std::fs::rename(program.folder.path().join("gone"), &below).expect("a move");
        let options = Symbolize { symfs: vec![root.join("root")], ..Symbolize::default() };
        let (trace, module) = symbolized(&program.tape(&program.build_id, "other"), &options);
        check_names(&trace, &program, "other");
        assert_eq!(module["why"], Value::Null);
    }
}

#[test]
fn the_kernel_counts_from_its_first_byte() {
    let program = Program::new(&["-no-pie", "-Wl,--defsym,_stext=0x400800"]);
    let at = program.address - 0x40_0800;
    let tape = |id: &str| program.tape_of(b"[kernel]", module_kind::KERNEL, at, id, "outer");
    let check = |id: &str, vmlinux: Option<PathBuf>, why: Option<&str>| {
        let options = Symbolize { vmlinux, ..Symbolize::default() };
        let (trace, module) = symbolized(&tape(id), &options);
        match why {
            None => check_names_at(&trace, at, "outer"),
            Some(why) => {
                assert!(module["why"].as_str().expect("a reason").contains(why), "{module}");
            }
        }
    };
    check(&program.build_id, Some(program.path()), None);
    check(&program.build_id, None, Some("give --vmlinux"));
    check("0011223344", Some(program.path()), Some("its build-id is"));
    check("", Some(program.path()), Some("does not know its build-id"));
    check(&program.build_id, Some("/dev/null".into()), Some("no regular file"));
}

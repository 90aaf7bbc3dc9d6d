//! Symbols of programs that are compiled here, compared with what binutils and Go's tools say.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSection, ObjectSegment};
use tempfile::TempDir;

use crate::proc::{executable, read_maps};
use crate::symbols::source::FileSource;
use crate::symbols::{Elf, Query, Resolver, demangle};

/// Says that a check could not run, and why: past the test harness, which hides what passing tests
/// print. `.ci/run` counts these lines.
pub(super) fn not_run(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "NOT RUN: {test}: {why}");
}

/// Runs a tool: what it printed; `None` when it is not installed.
fn tool(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env("GOCACHE", folder.join("gocache"))
        .env("GOFLAGS", "-mod=mod")
        .env("GOTOOLCHAIN", "local")
        .env("LC_ALL", "C")
        .output();
    let output = match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folder with the program when all tools are there.
fn folder(test: &str, tools: &[&str]) -> Option<TempDir> {
    for program in tools {
        // Go's tool knows no --version, all others do.
        let about = if *program == "go" { "version" } else { "--version" };
        if Command::new(program).arg(about).output().is_err() {
            not_run(test, &format!("{program} is not installed"));
            return None;
        }
    }
    Some(tempfile::tempdir().unwrap())
}

/// What oracle tools know by address, as offsets in the file.
struct Program {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Program {
    fn read(path: PathBuf) -> Program {
        let bytes = std::fs::read(&path).unwrap();
        Program { path, bytes }
    }

    fn offset_of(&self, address: u64) -> Option<u64> {
        let file = object::File::parse(&*self.bytes).unwrap();
        file.segments().find_map(|segment| {
            let (offset, size) = segment.file_range();
            let at = address.checked_sub(segment.address()).filter(|&at| at < size)?;
            Some(offset + at)
        })
    }

    fn section(&self, name: &str) -> Option<(u64, u64)> {
        let file = object::File::parse(&*self.bytes).unwrap();
        file.section_by_name(name).map(|section| (section.address(), section.size()))
    }

    /// Our names for addresses: demangled, with offsets.
    fn names(&self, addresses: &[u64]) -> Vec<Option<(String, u64)>> {
        let file = std::fs::File::open(&self.path).unwrap();
        let elf = Elf::open(FileSource::new(file).unwrap()).unwrap();
        let offsets: Vec<u64> =
            addresses.iter().map(|&address| self.offset_of(address).unwrap()).collect();
        elf.places(&offsets)
            .into_iter()
            .map(|place| place.map(|place| (demangle(&place.name), place.offset)))
            .collect()
    }
}

const C: &str = r#"
#include <stdio.h>
static __attribute__((noinline)) int hidden(int x) { return x * 3 + getchar(); }
__attribute__((noinline)) int exported(int x) { return hidden(x) + 1; }
int alias_of_exported(int) __attribute__((alias("exported")));
__attribute__((weak)) int weak_one(int x) { puts("weak"); return exported(x) + 2; }
int main(int argc, char **argv) { (void)argv; return weak_one(argc); }
"#;

fn compile(folder: &TempDir, name: &str, args: &[&str]) -> Program {
    std::fs::write(folder.path().join("a.c"), C).unwrap();
    let mut all = vec!["a.c", "-o", name];
    all.extend(args);
    tool("cc", &all, folder.path()).unwrap();
    Program::read(folder.path().join(name))
}

/// The symbols that nm prints with address and size.
fn nm(program: &Program, args: &[&str]) -> Vec<(u64, u64, String)> {
    let mut all = args.to_vec();
    all.extend(["-S", program.path.to_str().unwrap()]);
    let text = tool("nm", &all, program.path.parent().unwrap()).unwrap();
    text.lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [address, size, "T" | "t" | "W", name] = fields[..] else { return None };
            let hex = |text| u64::from_str_radix(text, 16).unwrap();
            Some((hex(address), hex(size), name.to_owned()))
        })
        .collect()
}

/// Every byte of .text has the name that addr2line gives it.
fn check_against_addr2line(program: &Program) {
    let (start, size) = program.section(".text").unwrap();
    let addresses: Vec<u64> = (start..start + size).collect();
    let path = program.path.to_str().unwrap();
    let text: Vec<String> = addresses.iter().map(|address| format!("{address:#x}")).collect();
    let mut args = vec!["-f", "-e", path];
    args.extend(text.iter().map(String::as_str));
    let said = tool("addr2line", &args, program.path.parent().unwrap()).unwrap();
    let said: Vec<&str> = said.lines().step_by(2).collect();
    assert_eq!(said.len(), addresses.len());
    for ((address, found), said) in addresses.iter().zip(program.names(&addresses)).zip(said) {
        let found = found.map(|(name, _)| name);
        // Of two names for one function either is right; ours is the shorter one.
        let said = if said == "alias_of_exported" { "exported" } else { said };
        assert_eq!(found.as_deref(), Some(said), "{path} {address:#x}");
    }
}

#[test]
fn c_programs() {
    let Some(folder) = folder("c_programs", &["cc", "nm", "addr2line"]) else { return };
    for (name, args) in [("fixed", ["-O0", "-no-pie"]), ("pie", ["-O0", "-pie"])] {
        let program = compile(&folder, name, &args);
        let symbols = nm(&program, &[]);
        for name in ["hidden", "exported", "weak_one", "main"] {
            let (address, size, _) = symbols.iter().find(|(.., known)| known == name).unwrap();
            let wanted = [address + size - 1, *address, address + size / 2];
            let some = |offset| Some((name.to_owned(), offset));
            assert_eq!(program.names(&wanted), [some(size - 1), some(0), some(size / 2)]);
        }
        check_against_addr2line(&program);
    }
}

#[test]
fn stripped_library() {
    let Some(folder) = folder("stripped_library", &["cc", "nm"]) else { return };
    let whole = compile(&folder, "lib.so", &["-O0", "-shared", "-fPIC"]);
    let stripped = compile(&folder, "stripped.so", &["-O0", "-shared", "-fPIC", "-s"]);
    assert!(stripped.section(".symtab").is_none());
    let symbols = nm(&whole, &[]);
    for name in ["hidden", "exported", "weak_one"] {
        let (address, size, _) = symbols.iter().find(|(.., known)| known == name).unwrap();
        let expected = (name != "hidden").then(|| (name.to_owned(), size - 1));
        assert_eq!(stripped.names(&[address + size - 1]), [expected]);
    }
}

#[test]
fn stubs_of_imported_functions() {
    let test = "stubs_of_imported_functions";
    let Some(folder) = folder(test, &["cc", "objdump"]) else { return };
    for (name, args) in [
        ("lazy", &["-O0", "-Wl,-z,lazy"][..]),
        ("now", &["-O0", "-Wl,-z,now"]),
        ("ibt", &["-O0", "-fcf-protection=full", "-Wl,-z,ibtplt", "-Wl,-z,lazy"]),
    ] {
        if name == "ibt" && cfg!(not(target_arch = "x86_64")) {
            continue;
        }
        let program = compile(&folder, name, args);
        let mut checked = 0;
        for section in [".plt", ".plt.sec"] {
            if program.section(section).is_none() {
                continue;
            }
            let path = program.path.to_str().unwrap();
            let text = tool("objdump", &["-d", "-j", section, path], folder.path()).unwrap();
            // 0000000000001030 <puts@plt>:
            for line in text.lines().filter(|line| line.ends_with("@plt>:")) {
                let (address, name) = line.split_once(" <").unwrap();
                let address = u64::from_str_radix(address, 16).unwrap();
                let name = name.trim_end_matches(">:").to_owned();
                assert_eq!(program.names(&[address + 6]), [Some((name, 6))], "{path} {line}");
                checked += 1;
            }
        }
        assert!(checked >= 2, "{name}: {checked} stubs");
    }
}

#[test]
fn build_id_as_readelf_says() {
    let Some(folder) = folder("build_id_as_readelf_says", &["cc", "readelf"]) else { return };
    let program = compile(&folder, "id", &["-Wl,--build-id=sha1"]);
    let path = program.path.to_str().unwrap();
    let text = tool("readelf", &["-n", path], folder.path()).unwrap();
    let (_, rest) = text.split_once("Build ID: ").unwrap();
    let expected = rest.split_whitespace().next().map(str::to_owned);
    assert_eq!(Elf::open(program.bytes).unwrap().build_id(), expected);
}

/// This test program: Rust names, found from addresses of its own memory.
#[test]
fn own_functions() {
    let mut text = Vec::new();
    read_maps(std::process::id(), &mut text).unwrap();
    let address = own_functions as fn() as usize as u64;
    let mapping = executable(&text).find(|m| (m.start..m.end).contains(&address)).unwrap();
    let path = std::env::current_exe().unwrap();
    let offsets = [address - mapping.start + mapping.offset, u64::MAX, 0];
    let query = Query {
        path: path.as_os_str().as_encoded_bytes(),
        kind: ktape_schema::module_kind::FILE,
        pid: Some(std::process::id()),
        inode: Some(mapping.inode),
        offsets: &offsets,
    };
    let found = Resolver::new().resolve(&[query]).remove(0);
    assert!(found.failure.is_none(), "{:?}", found.failure);
    let name = found.names[0].as_ref().unwrap();
    assert_eq!(name.text, "ktape_capture::symbols::compiled_tests::own_functions");
    assert_eq!((name.offset, &found.names[1]), (0, &None));
}

const GO: &str = r#"
package main

import "os"

type T struct{ n int }

//go:noinline
func (t *T) method(x int) int { return t.n + x + len(os.Args) }

//go:noinline
func leaf(x int) int { return x*3 + len(os.Args) }

func main() { os.Exit((&T{leaf(4)}).method(5) & 1) }
"#;

/// Stripped Go programs name the functions that `go tool nm` shows in their unstripped twins.
#[test]
fn stripped_go_programs() {
    let test = "stripped_go_programs";
    let Some(folder) = folder(test, &["go", "cc"]) else { return };
    let version = tool("go", &["version"], folder.path()).unwrap();
    std::fs::write(folder.path().join("go.mod"), "module main\n\ngo 1.16\n").unwrap();
    let cgo = GO.replace(
        "import \"os\"",
        "// int twice(int x) { return 2 * x; }\nimport \"C\"\nimport \"os\"",
    );
    let cgo = cgo.replace("leaf(4)", "leaf(int(C.twice(2)))");
    for (source, mode) in [(GO, "exe"), (GO, "pie"), (&cgo, "exe"), (&cgo, "pie")] {
        std::fs::write(folder.path().join("main.go"), source).unwrap();
        let mode = format!("-buildmode={mode}");
        let build = |name: &str, flags: &str| {
            let args = ["build", &mode, flags, "-o", name, "main.go"];
            tool("go", &args, folder.path()).unwrap();
            Program::read(folder.path().join(name))
        };
        let whole = build("whole", "-ldflags=-linkmode=auto");
        let stripped = build("stripped", "-ldflags=-s -w");
        assert!(stripped.section(".symtab").is_none());
        assert_eq!(whole.section(".text"), stripped.section(".text"));
        let path = whole.path.to_str().unwrap();
        let text = tool("go", &["tool", "nm", "-size", path], folder.path()).unwrap();
        let mut expected: Vec<(u64, String)> = Vec::new();
        for line in text.lines() {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [address, size, "T" | "t", name] = fields[..] else { continue };
            let known =
                ["main.", "os.", "syscall.", "runtime."].iter().any(|part| name.starts_with(part));
            // Other functions' names are cut or marked in the one table and not in the other.
            if known && size != "0" && !name.contains(['[', '@']) && !name.ends_with(".abi0") {
                expected.push((u64::from_str_radix(address, 16).unwrap(), name.to_owned()));
            }
        }
        let context = format!("{version} {mode} cgo {}", source == cgo);
        assert!(expected.len() > 100, "{context}: {} functions", expected.len());
        assert!(expected.iter().any(|(_, name)| name == "main.(*T).method"));
        let addresses: Vec<u64> = expected.iter().map(|(address, _)| address + 1).collect();
        for ((_, name), found) in expected.into_iter().zip(stripped.names(&addresses)) {
            assert_eq!(found, Some((name, 1)), "{context}");
        }
    }
}

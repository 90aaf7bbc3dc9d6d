//! `cargo xtask bpf`: the kernel programs, compiled by one pinned clang.
//!
//! All probes/*.bpf.c and shared/*.bpf.c become one translation unit, so that they share rings, counters, filters and
//! the stack dictionary, and so that a new probe needs no list here. The objects are committed:
//! users need no clang. The flags make the bytes independent of the folder they are built in.

use crate::generated::{put, root};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

const CLANG: &str = "clang-19";
const STRIP: &str = "llvm-strip-19";

/// One object per row: name, target architecture macro, further definitions.
const OBJECTS: &[(&str, &str, &[&str])] = &[
    ("ktape.x86_64", "x86", &[]),
    // Kernels before 5.17 lack bpf_loop(), before 5.15 bpf_task_pt_regs(), before 5.11 task storage.
    ("ktape-old.x86_64", "x86", &["-DKTAPE_OLD_KERNEL"]),
    ("ktape.aarch64", "arm64", &[]),
];

pub fn run(check: bool) -> Result<()> {
    let out = std::env::temp_dir().join(format!("ktape-bpf-{}", std::process::id()));
    std::fs::create_dir_all(&out)?;
    let result = build(&out, check);
    std::fs::remove_dir_all(&out).ok();
    result
}

fn build(out: &Path, check: bool) -> Result<()> {
    let ebpf = root().join("ebpf");
    let mut unit = String::new();
    for folder in ["probes", "shared"] {
        let mut programs: Vec<String> = std::fs::read_dir(ebpf.join(folder))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".bpf.c"))
            .collect();
        programs.sort();
        unit.extend(programs.iter().map(|name| format!("#include \"{folder}/{name}\"\n")));
    }
    let source = out.join("ktape.bpf.c");
    std::fs::write(&source, unit)?;

    for (name, arch, defines) in OBJECTS {
        let object = out.join(format!("{name}.o"));
        let map = |from: &Path| format!("-ffile-prefix-map={}=.", from.display());
        let status = Command::new(CLANG)
            .args(["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-std=gnu11"])
            .args(["-Wall", "-Wextra", "-Werror"])
            .arg(format!("-D__TARGET_ARCH_{arch}"))
            .args(*defines)
            .args([map(&ebpf), map(out), "-fdebug-compilation-dir=.".into()])
            .arg("-I")
            .arg(&ebpf)
            .arg("-I")
            .arg(ebpf.join("include"))
            .arg("-c")
            .arg(&source)
            .arg("-o")
            .arg(&object)
            .current_dir(&ebpf)
            .status()
            .with_context(|| {
                format!("cannot run {CLANG}: install it (apt-get install clang-19)")
            })?;
        if !status.success() {
            bail!("{CLANG} failed on {name}");
        }
        let status =
            Command::new(STRIP).args(["-g"]).arg(&object).status().with_context(|| {
                format!("cannot run {STRIP}: install it (apt-get install llvm-19)")
            })?;
        if !status.success() {
            bail!("{STRIP} failed on {name}");
        }
        let bytes = std::fs::read(&object)?;
        put(&format!("ebpf/prebuilt/{name}.o"), &bytes, check, "cargo xtask bpf")?;
    }
    Ok(())
}

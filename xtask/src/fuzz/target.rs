//! The list of targets, and what each of them may take.

/// A target: fuzz/fuzz_targets/NAME.rs.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    /// Most bytes of an input.
    pub longest: u32,
    /// Seconds that one input may take: far more than it needs on a busy machine.
    pub slowest: u32,
}

/// Most memory of a target: twice what its allocator gives it (fuzz/src/memory.rs), since libFuzzer and
/// zstd take theirs elsewhere.
pub const MEMORY_MB: u32 = 1024;

const fn target(name: &'static str, longest: u32) -> Target {
    Target { name, longest, slowest: 10 }
}

/// All targets, those with the most behind them last.
pub const TARGETS: &[Target] = &[
    target("codec", 4 << 10),
    target("text", 4 << 10),
    target("metadata", 16 << 10),
    target("elf", 64 << 10),
    target("debug_info", 64 << 10),
    target("perf_data", 32 << 10),
    target("chunk", 16 << 10),
    target("open", 32 << 10),
    target("rewrite", 32 << 10),
    target("report", 32 << 10),
];

impl Target {
    /// The target of this name.
    pub fn parse(name: &str) -> Result<&'static Target, String> {
        let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
        let found = TARGETS.iter().find(|target| target.name == name);
        found.ok_or_else(|| format!("the targets are {}", names()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::root;

    #[test]
    fn list_and_files_agree() {
        let folder = root().join("fuzz");
        let mut files: Vec<String> = std::fs::read_dir(folder.join("fuzz_targets"))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut listed: Vec<String> =
            TARGETS.iter().map(|target| format!("{}.rs", target.name)).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for target in TARGETS {
            let line = format!("path = \"fuzz_targets/{}.rs\"\n", target.name);
            assert!(manifest.contains(&line), "{}", target.name);
        }
    }
}

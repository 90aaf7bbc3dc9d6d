//! Which kernels are tested: those of Debian's releases, and the newest that there is.

/// A kernel by its place in time; which version it is exactly changes with Debian's updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Release {
    /// The oldest that ktape supports: no task storage, no `bpf_loop()`.
    #[value(name = "5.10")]
    V5_10,
    /// The first with the object for recent kernels.
    #[value(name = "6.1")]
    V6_1,
    /// Programs on many functions at once (fprobe).
    #[value(name = "6.12")]
    V6_12,
    /// Where things break next.
    #[value(name = "newest")]
    Newest,
}

impl Release {
    /// All of them, in order of time.
    pub const ALL: [Self; 4] = [Self::V5_10, Self::V6_1, Self::V6_12, Self::Newest];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V5_10 => "5.10",
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::Newest => "newest",
        }
    }

    /// The suites of Debian's archive that have it, the first best.
    pub fn suites(self) -> &'static [&'static str] {
        match self {
            Self::V5_10 => &["bullseye-security"],
            Self::V6_1 => &["bookworm"],
            Self::V6_12 => &["bookworm-backports"],
            Self::Newest => &["trixie-backports", "sid"],
        }
    }
}

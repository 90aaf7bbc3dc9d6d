//! What ktape says of its own CPU time in its summary.

/// CPU seconds of the way from the rings to the file, without start and end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// To drain the rings.
    pub draining: f64,
    /// To encode, compress and write.
    pub writing: f64,
    /// Peak memory, in MB.
    pub memory: f64,
}

impl Spent {
    /// Reads the summary that a recording ends with.
    pub fn parse(stderr: &str) -> Option<Self> {
        let line = stderr.lines().find(|line| line.contains("to drain the rings"))?;
        let before = |mark: &str| line.split(mark).next()?.rsplit(['(', ' ']).next()?.parse().ok();
        let memory = line.strip_suffix(" MB of memory")?.rsplit(' ').next()?.parse().ok()?;
        let (draining, writing) = (before(" s to drain")?, before(" s to encode")?);
        Some(Self { draining, writing, memory })
    }

    /// All together, ns for each fact.
    pub fn ns_per_fact(&self, facts: u64) -> f64 {
        (self.draining + self.writing) * 1e9 / facts as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Spent;

    #[test]
    fn the_summary_is_read() {
        let line = "ktape: the recorder's process took 0.37 s of CPU (0.070 s to drain the rings, \
                    0.190 s to encode and write) and 58.6 MB of memory";
        let spent = Spent::parse(line).expect("it says so");
        assert_eq!(spent, Spent { draining: 0.07, writing: 0.19, memory: 58.6 });
        assert!((spent.ns_per_fact(2_000_000) - 130.0).abs() < 0.001);
        assert_eq!(Spent::parse("ktape: something else"), None);
    }
}

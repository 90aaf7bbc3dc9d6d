//! The bars that the project has set itself: measured, beside the limit, and ok or MISSED.

/// A bar and what was measured of it.
pub struct Bar {
    what: String,
    outcome: Outcome,
}

enum Outcome {
    Measured {
        text: String,
        ok: bool,
    },
    /// What it needs was not run, or failed.
    Unmeasured(String),
}

impl Bar {
    /// A figure that must not pass a limit. `text` shows both.
    pub fn measured(what: impl Into<String>, text: impl Into<String>, ok: bool) -> Self {
        Self { what: what.into(), outcome: Outcome::Measured { text: text.into(), ok } }
    }

    /// A bar that was not measured.
    pub fn unmeasured(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), outcome: Outcome::Unmeasured(why.into()) }
    }

    /// `ok`, `MISSED` or why it is neither; then the bar and the figures.
    fn line(&self) -> String {
        match &self.outcome {
            Outcome::Measured { text, ok } => {
                format!("{:<6}  {}: {text}", if *ok { "ok" } else { "MISSED" }, self.what)
            }
            Outcome::Unmeasured(why) => format!("{:<6}  {}: not measured: {why}", "-", self.what),
        }
    }
}

/// Prints them, and how many were missed.
pub fn print(title: &str, bars: &[Bar]) {
    println!("\n## {title}");
    for bar in bars {
        println!("{}", bar.line());
    }
    let count =
        |wanted: fn(&Outcome) -> bool| bars.iter().filter(|bar| wanted(&bar.outcome)).count();
    println!(
        "{} ok, {} missed, {} not measured",
        count(|outcome| matches!(outcome, Outcome::Measured { ok: true, .. })),
        count(|outcome| matches!(outcome, Outcome::Measured { ok: false, .. })),
        count(|outcome| matches!(outcome, Outcome::Unmeasured(_))),
    );
}

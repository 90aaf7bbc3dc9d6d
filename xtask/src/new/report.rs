//! `cargo xtask new-report`: a report that works as it is.

use super::name::Name;
use super::write::Skeleton;
use anyhow::Result;

/// Write the skeleton of a report.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the report, as it will be typed.
    name: String,
}

pub fn run(args: &Args) -> Result<()> {
    let name = Name::new(&args.name)?;
    skeleton(&name).write()?;
    println!(
        "\nIt counts waits per process. Next:\n\
         \x20 cargo test -p ktape-analyze\n\
         \x20 cargo xtask bless       # its answers to the samples\n\
         \x20 cargo run -- report {}\n\
         Then say in its doc comment what it answers, and in `reads` what it looks at.",
        name.snake()
    );
    Ok(())
}

fn skeleton(name: &Name) -> Skeleton {
    let fill = |text: &str| text.replace("@name@", name.snake()).replace("@Name@", &name.camel());
    let path = format!("analyze/src/reports/{}.rs", name.snake());
    Skeleton {
        files: vec![(path, fill(include_str!("skeleton/report.rs.in")))],
        entries: vec![(
            "analyze/src/reports/mod.rs",
            "reports! {",
            format!("{}::{}", name.snake(), name.camel()),
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_and_one_line() {
        let skeleton = skeleton(&Name::new("worst_waits").unwrap());
        assert_eq!((skeleton.files.len(), skeleton.entries.len()), (1, 1));
        assert!(skeleton.files[0].1.contains("pub struct WorstWaits"));
        assert!(!skeleton.files[0].1.contains('@'));
        assert_eq!(skeleton.entries[0].2, "worst_waits::WorstWaits");
    }
}

//! CPU samples of a program whose functions have known shares.

use ktape_tests::facts::{number, report};
use ktape_tests::live::{NotRun, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number as parse, workload};

pub(crate) fn shares() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("burn.ktape");
    let program = workload("burn");
    let args = ["-e", "cpu", "-F", "997"];
    let ran = record(&trace, &args, &[program.to_str().expect("UTF-8")]).expect(0);
    let answer = report(&trace, &["cpu"]);
    let samples = number(&answer["summary"], "samples");
    let folded = Ran::on(&trace, &["export", "folded"]).expect(0).text();
    let weights: Vec<(&str, u64)> = folded
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(stack, weight)| (stack, parse(weight)))
        .collect();
    let whole: u64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut own = 0;
    for (function, share) in [("burn_five", 50.0), ("burn_three", 30.0), ("burn_two", 20.0)] {
        own += parse(&lines(&ran.text(), function)[0][1]);
        let functions = answer["functions"].as_array().expect("a table");
        let row = functions.iter().find(|row| row["function"] == function).expect("the function");
        let of_samples = number(row, "self_samples") as f64 * 100.0 / samples as f64;
        let under: u64 = weights
            .iter()
            .filter(|(stack, _)| stack.split(';').any(|frame| frame == function))
            .map(|(_, weight)| weight)
            .sum();
        let of_folded = under as f64 * 100.0 / whole as f64;
        say(format!(
            "{function}: {of_samples:.2} % of samples, {of_folded:.2} % of folded; {share} % expected"
        ));
        assert!((of_samples - share).abs() <= 3.0, "{function} in report cpu");
        assert!((of_folded - share).abs() <= 3.0, "{function} in export folded");
        assert_eq!(row["side"], "user");
        assert!(
            folded.lines().any(|line| line.contains(&format!(";main;{function}")))
                || folded.lines().any(|line| line.contains(&format!(";{function}"))),
            "{folded}"
        );
    }
    // Each sample stands for 1/997 s of CPU time.
    let sampled = samples as f64 / 997.0;
    let own = own as f64 / 1e9;
    say(format!(
        "{samples} samples at 997 Hz are {sampled:.3} s; the program's own clock: {own:.3} s"
    ));
    assert!((sampled - own).abs() <= 0.03 * own, "samples against CPU time");
    Ok(())
}

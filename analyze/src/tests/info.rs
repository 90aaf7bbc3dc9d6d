use serde_json::json;

use crate::info::{InfoOptions, info};
use crate::testing::{Tape, busy};

#[test]
fn info_counts_rows_losses_and_stacks() {
    let tape = busy(1, 130);
    let found: serde_json::Value =
        serde_json::from_slice(&crate::render::json(&info(&tape.trace(), InfoOptions::default())))
            .expect("JSON");
    assert_eq!(found["capture"]["hostname"], "host");
    assert_eq!(found["capture"]["state"], "complete");
    let rows = found["records"].as_array().expect("records");
    let off_cpu = rows.iter().find(|row| row["record"] == "off_cpu").expect("off_cpu");
    assert_eq!(off_cpu["rows"], 130);
    assert_eq!((&off_cpu["produced"], &off_cpu["lost"]), (&json!(2000), &json!(17)));
    assert_eq!(off_cpu["lost_percentage"], 0.85);
    let truncated = found["stacks"].as_array().expect("stacks").iter();
    let truncated: Vec<_> = truncated.filter(|row| row["end"] == "truncated").collect();
    assert_eq!(truncated.len(), 1);
    assert_eq!((&truncated[0]["stacks"], &truncated[0]["percentage"]), (&json!(1), &json!(25.0)));
    assert_eq!(found["notes"][0]["kind"], "loss");
}

#[test]
fn an_empty_trace_has_an_info_and_reports() {
    let trace = Tape::new().trace();
    let found: serde_json::Value =
        serde_json::from_slice(&crate::render::json(&info(&trace, InfoOptions::default())))
            .expect("JSON");
    assert_eq!(found["file"]["facts"], 0);
    for entry in crate::reports::REPORTS {
        let matches = entry.augment(clap::Command::new("report")).get_matches_from(["report"]);
        let answer = entry.run(&matches, &trace, &crate::run::Query::default()).expect("an answer");
        let page = crate::render::text(&answer, crate::render::Style::Color);
        assert!(!page.is_empty());
    }
}

#[test]
fn sizes_of_columns_add_up_to_those_of_records() {
    let trace = busy(2, 3000).trace();
    let page = |sizes| {
        let bytes = crate::render::json(&info(&trace, InfoOptions { sizes }));
        serde_json::from_slice::<serde_json::Value>(&bytes).expect("JSON")
    };
    let (all, sizes) = (page(false), page(true));
    let sizes = sizes["sizes"].as_array().expect("sizes");
    for record in all["records"].as_array().expect("records") {
        let of = sizes.iter().filter(|row| row["record"] == record["record"]);
        let bytes: u64 = of.clone().filter_map(|row| row["size_bytes"].as_u64()).sum();
        assert_eq!(Some(bytes), record["size_bytes"].as_u64(), "{}", record["record"]);
        assert!(of.clone().any(|row| row["column"] == "(heads)"));
    }
    let end = sizes.iter().find(|row| row["record"] == "off_cpu" && row["column"] == "end");
    assert_eq!(end.expect("a column")["rows"], 3000);
}

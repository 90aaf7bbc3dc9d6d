use crate::answer::{Answer, Block, Cell, Facts, Group, Show, Table};
use crate::query::FilterArgs;
use crate::render::{Style, csv, json, text};
use crate::reports::offcpu::{By, OffCpu as Report};
use crate::run::{Query, run};
use crate::testing::{START, Tape};
use ktape_schema::OffCpu;

/// A thread whose name is an attack on the terminal, on CSV and on JSON.
const NAME: &[u8] = b"\x1b]0;x\x07,\"\n\xff\xe2\x80\xae=1+1";

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, NAME);
    tape.off_cpu(OffCpu { end: START, duration: 5, tid: 10, tgid: 10, ..OffCpu::default() });
    tape
}

#[test]
fn names_cannot_leave_their_place() {
    let query = Query { filter: FilterArgs::default(), threads: 1 };
    let answer = run(&Report { by: By::Thread, ..Report::default() }, &tape().trace(), &query)
        .expect("an answer");
    let shown = "\\x1b]0;x\\x07,\"\\x0a\\xff\\xe2\\x80\\xae=1+1";
    let page = String::from_utf8(text(&answer, Style::Plain)).expect("UTF-8");
    assert!(page.contains(shown), "{page}");
    let table = String::from_utf8(csv(&answer)).expect("UTF-8");
    assert!(table.contains(&format!("\"{}\"", shown.replace('"', "\"\""))), "{table}");
    let found: serde_json::Value = serde_json::from_slice(&json(&answer)).expect("JSON");
    assert_eq!(found["threads"][0]["comm"], "\u{1b}]0;x\u{7},\"\n\\xff\u{202e}=1+1");
    for page in [text(&answer, Style::Plain), csv(&answer), json(&answer)] {
        let page = String::from_utf8(page).expect("UTF-8");
        assert!(page.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'));
    }
}

#[test]
fn sort_and_top_apply_to_main_tables() {
    let query = Query::default();
    let tape = crate::testing::busy(3, 300);
    let mut answer = run(&Report { by: By::Thread, ..Report::default() }, &tape.trace(), &query)
        .expect("an answer");
    answer.sort("tid:asc").expect("a column");
    answer.top(Some(3), 0);
    let found: serde_json::Value = serde_json::from_slice(&json(&answer)).expect("JSON");
    let rows = found["threads"].as_array().expect("rows");
    let tids: Vec<u64> = rows.iter().filter_map(|row| row["tid"].as_u64()).collect();
    assert_eq!(tids, [100, 101, 102]);
    let page = String::from_utf8(text(&answer, Style::Plain)).expect("UTF-8");
    assert!(page.contains("more (--top 0 shows all)"), "{page}");
    let error = answer.sort("nonsense").expect_err("no such column");
    assert!(error.is_usage() && error.to_string().contains("total_time_ns"), "{error}");
}

#[test]
fn a_label_of_several_columns_is_no_column() {
    let columns = [("queue_max_ns", "max"), ("service_max_ns", "max")];
    let table = Table::main("devices", &columns);
    let mut answer = Answer { blocks: vec![Block::Table(table)], ..Answer::default() };
    let error = answer.sort("max").expect_err("two of them").to_string();
    assert!(error.contains("queue_max_ns, service_max_ns"), "{error}");
    answer.sort("queue_max_ns").expect("one of them");
}

#[test]
fn keys_tell_units() {
    let tape = crate::testing::busy(3, 300);
    for entry in crate::reports::REPORTS {
        let matches = entry.augment(clap::Command::new("report")).get_matches_from(["report"]);
        let answer = entry.run(&matches, &tape.trace(), &Query::default()).expect("an answer");
        check_blocks(&answer.blocks);
    }
}

fn check_blocks(blocks: &[crate::answer::Block]) {
    let mut keys: Vec<&str> = blocks.iter().flat_map(keys).collect();
    keys.sort_unstable();
    assert!(keys.iter().all(|key| !key.is_empty()), "{keys:?}");
    assert!(keys.windows(2).all(|two| two[0] != two[1]), "{keys:?}");
    for block in blocks {
        match block {
            Block::Facts(facts) => facts.rows.iter().for_each(|(key, _, cell)| check(key, cell)),
            Block::Table(table) => {
                for row in &table.rows {
                    assert_eq!(row.len(), table.columns.len(), "table {}", table.key);
                    table
                        .columns
                        .iter()
                        .zip(row)
                        .for_each(|(column, cell)| check(column.key, cell));
                }
            }
            Block::Group(group) => check_blocks(&group.blocks),
            Block::Stacks(_) | Block::Heading(_) | Block::Histogram(_) => {}
        }
    }
}

/// The keys that a block adds in JSON. Facts may have none of their own, but those of their rows.
fn keys(block: &Block) -> Vec<&str> {
    match block {
        Block::Heading(_) => Vec::new(),
        Block::Facts(Facts { show: Show::Text, .. })
        | Block::Table(Table { show: Show::Text, .. })
        | Block::Group(Group { show: Show::Text, .. }) => Vec::new(),
        Block::Facts(facts) if facts.key.is_empty() => {
            facts.rows.iter().map(|(key, ..)| *key).collect()
        }
        Block::Facts(facts) => vec![facts.key],
        Block::Table(table) => vec![table.key],
        Block::Histogram(histogram) => vec![histogram.key],
        Block::Stacks(stacks) => vec![stacks.key],
        Block::Group(group) => vec![group.key],
    }
}

/// The key of a number with a unit ends in it.
fn check(key: &str, cell: &Cell) {
    let unit = match cell {
        Cell::DurNs(_) | Cell::Time(_) | Cell::Calendar(_) => "_ns",
        Cell::Millis(_) => "_ms",
        Cell::Bytes(_) => "_bytes",
        Cell::Percent { .. } => "percentage",
        Cell::Rate { .. } if key.ends_with("_per_sec") => return,
        Cell::Rate { .. } => "_per_s",
        _ => return,
    };
    assert!(key.ends_with(unit), "{key} holds {cell:?}");
}

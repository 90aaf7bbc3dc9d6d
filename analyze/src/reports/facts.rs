//! `report facts`.

mod answer;
mod groups;
mod percentile;
mod ranks;
mod rows;

use ktape_format::{Batch, ChunkInfo};
use ktape_schema::{Class, Desc, Field, Kind, RECORDS, Type};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::error::{Error, Result};
use crate::query::{Filter, parse_duration};
use crate::run::{Again, Read, Report};
use groups::{Groups, Part};
use percentile::Percentile;
use rows::Rows;

/// Facts of any record, counted and added up by any of their fields.
///
/// How many there are, the sum, the largest and percentiles of one field (the duration, unless --of
/// names another), by up to two fields, by host and by interval of time. EVENTS.md lists records and
/// fields.
///
/// Groups whose stacks read the same are one. A percentile is exact: of N numbers in rising order, p99
/// is the one at place N x 0.99, rounded up, as `percentile_disc` of SQL has it. It takes further passes
/// over the facts, and memory that does not grow with them.
#[derive(clap::Args, Clone, Debug)]
pub struct Facts {
    /// The record.
    #[arg(long, value_name = "RECORD", default_value = "off_cpu")]
    pub record: String,
    /// Tell groups apart by these fields, at most two, and by `host`.
    #[arg(long, value_name = "FIELD,..", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Add this field up [default: the record's duration].
    #[arg(long, value_name = "FIELD")]
    pub of: Option<String>,
    /// Show these percentiles of the numbers of each group.
    #[arg(long, value_enum, value_name = "PERCENT,..", value_delimiter = ',')]
    pub percentile: Vec<Percentile>,
    /// Count only.
    #[arg(long, conflicts_with_all = ["of", "histogram", "percentile"])]
    pub count: bool,
    /// Leave out groups of fewer facts: the p99 of ten of them is their largest.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub at_least: u64,
    /// Tell intervals of this length apart, from the start of the recording, like 1s.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub every: Option<u64>,
    /// Show how the numbers of each group are distributed over powers of two.
    #[arg(long)]
    pub histogram: bool,
    /// How many numbers all threads together keep at a time while they look for percentiles.
    #[arg(skip = ranks::KEPT)]
    pub(crate) kept: u64,
}

/// What the flags name, found in the schema.
struct Asked {
    desc: &'static Desc,
    /// At most two.
    by: Vec<&'static Field>,
    /// Whether hosts are told apart.
    host: bool,
    /// In rising order.
    percentiles: Vec<Percentile>,
    of: Option<&'static Field>,
    time: Option<&'static Field>,
}

impl Facts {
    fn asked(&self) -> Result<Asked> {
        let desc = ktape_schema::by_name(&self.record)
            .filter(|desc| desc.class == Class::Fact)
            .ok_or_else(|| {
                let facts = RECORDS.iter().filter(|desc| desc.class == Class::Fact);
                let names: Vec<&str> = facts.map(|desc| desc.name).collect();
                option("--record", &self.record, format!("there are {}", names.join(", ")))
            })?;
        let field = |flag: &'static str, name: &String| {
            let mut numbers = desc.fields.iter().filter(|field| field.ty != Type::Text);
            numbers.find(|field| field.name == name).ok_or_else(|| {
                let names: Vec<&str> = desc.fields.iter().map(|field| field.name).collect();
                option(flag, name, format!("{} has {}", desc.name, names.join(", ")))
            })
        };
        let fields = || self.by.iter().filter(|name| *name != HOST);
        if let Some(third) = fields().nth(2) {
            return Err(option("--by", third, "two fields are the most".to_owned()));
        }
        let first = |kind: Kind| desc.fields.iter().find(|field| field.kind == kind);
        let of = match &self.of {
            _ if self.count => None,
            Some(name) => Some(field("--of", name)?),
            None => first(Kind::DurNs),
        };
        if let Some(signed) = of.filter(|field| matches!(field.ty, Type::I32 | Type::I64)) {
            let why = "its numbers can be negative, and do not add up to anything";
            return Err(option("--of", signed.name, why.to_owned()));
        }
        let time = first(Kind::TimeNs);
        if self.every == Some(0) {
            return Err(option("--every", "0", "an interval has a length".to_owned()));
        }
        if self.every.is_some() && time.is_none() {
            let why = "its facts do not say when they were: leave --every out".to_owned();
            return Err(option("--record", desc.name, why));
        }
        let mut percentiles = self.percentile.clone();
        percentiles.sort_unstable();
        percentiles.dedup();
        if (self.histogram || !percentiles.is_empty()) && of.is_none() {
            return Err(option("--record", desc.name, "name the numbers with --of".to_owned()));
        }
        let by = fields().map(|name| field("--by", name)).collect::<Result<_>>()?;
        let host = self.by.iter().any(|name| name == HOST);
        Ok(Asked { desc, by, host, percentiles, of, time })
    }

    /// What is asked of a batch of this ring.
    fn part(&self, asked: &Asked, cx: &Context<'_>, ring: u16) -> Part {
        Part {
            by: asked.by.iter().map(|field| (field.name, field.ty)).collect(),
            of: asked.of.map(|field| (field.name, field.ty)),
            every: self.every.zip(asked.time.map(|field| field.name)),
            start: cx.start(),
            histogram: self.histogram,
            host: asked.host_of(cx, ring),
        }
    }
}

impl Asked {
    /// The number of the host that a ring is of, when hosts are told apart.
    fn host_of(&self, cx: &Context<'_>, ring: u16) -> u64 {
        if self.host { cx.hosts().of_ring(ring) as u64 } else { 0 }
    }

    /// Whether groups are told apart by a stack.
    fn by_stack(&self) -> bool {
        self.by.iter().any(|field| field.kind == Kind::StackId)
    }
}

/// What `--by` calls the host: no record has such a field.
const HOST: &str = "host";

/// What has been folded.
#[derive(Default)]
pub struct State {
    groups: Groups,
    /// The groups as they are shown, once percentiles are known.
    rows: Option<Rows>,
}

fn option(option: &'static str, value: &str, reason: String) -> Error {
    Error::Option { option, value: value.to_owned(), reason }
}

impl Report for Facts {
    const NAME: &'static str = "facts";
    type State = State;

    fn check(&self) -> Result<()> {
        self.asked().map(drop)
    }

    fn needs(&self) -> Needs {
        // By others than the facts' own threads and processes: by wakers, owners ..
        let own = |name: &String| matches!(name.as_str(), "tid" | "tgid" | HOST);
        let code = self.asked().is_ok_and(|asked| asked.by_stack());
        Needs { others: !self.by.iter().all(own), code, ..Needs::NAMES }
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let Ok(asked) = self.asked() else { return Vec::new() };
        let every = asked.time.filter(|_| self.every.is_some());
        let mut read = Read::of(asked.desc.name, &[]);
        for field in asked.by.iter().copied().chain(asked.of).chain(every) {
            if !read.columns.contains(&field.name) {
                read.columns.push(field.name);
            }
        }
        let counted = asked.of.map(|field| field.name);
        let keys = asked.by.iter().map(|field| field.name).filter(|&name| Some(name) != counted);
        read.keyed = keys.filter(|&name| every.is_none_or(|time| time.name != name)).collect();
        vec![read]
    }

    fn skim(&self, cx: &Context<'_>, chunk: &ChunkInfo, state: &mut State) -> bool {
        let Ok(asked) = self.asked() else { return false };
        let Some(every) = self.every else { return false };
        if !asked.by.is_empty() || asked.of.is_some() {
            return false;
        }
        let bin = |time: u64| time.saturating_sub(cx.start()) / every;
        let same = bin(chunk.first) == bin(chunk.last) && chunk.first >= cx.start();
        if same {
            let host = asked.host_of(cx, chunk.ring);
            state.groups.count(bin(chunk.first), host, u64::from(chunk.rows));
        }
        same
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let Ok(asked) = self.asked() else { return };
        state.groups.add(&self.part(&asked, cx, batch.ring()), batch);
    }

    fn merge(&self, into: &mut State, from: State) {
        into.groups.merge(from.groups);
    }

    fn look_again(&self, again: &Again<'_>, state: &mut State) -> Result<()> {
        let asked = self.asked()?;
        if asked.percentiles.is_empty() {
            return Ok(());
        }
        let mut rows = Rows::of(&asked, again.cx(), std::mem::take(&mut state.groups));
        ranks::find(self, &asked, again, &mut rows)?;
        state.rows = Some(rows);
        Ok(())
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        let Ok(asked) = self.asked() else { return Answer::default() };
        let rows = state.rows.unwrap_or_else(|| Rows::of(&asked, cx, state.groups));
        answer::answer(self, &asked, cx, rows)
    }
}

//! `report facts`.

mod answer;
mod groups;

use ktape_format::{Batch, ChunkInfo};
use ktape_schema::{Class, Desc, Field, Kind, RECORDS, Type};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::error::{Error, Result};
use crate::query::{Filter, parse_duration};
use crate::run::{Read, Report};
use groups::{Groups, Part};

/// Facts of any record, counted and added up by any of their fields.
///
/// How many there are, the sum and the largest of one field (the duration, unless --of names another),
/// by up to two fields and by interval of time. EVENTS.md lists records and fields.
#[derive(clap::Args, Clone, Debug)]
pub struct Facts {
    /// The record.
    #[arg(long, value_name = "RECORD", default_value = "off_cpu")]
    pub record: String,
    /// Tell groups apart by these fields, at most two.
    #[arg(long, value_name = "FIELD,..", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Add this field up [default: the record's duration].
    #[arg(long, value_name = "FIELD")]
    pub of: Option<String>,
    /// Count only.
    #[arg(long, conflicts_with_all = ["of", "histogram"])]
    pub count: bool,
    /// Tell intervals of this length apart, from the start of the recording, like 1s.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub every: Option<u64>,
    /// Show how the numbers of each group are distributed over powers of two.
    #[arg(long)]
    pub histogram: bool,
}

/// What the flags name, found in the schema.
struct Asked {
    desc: &'static Desc,
    by: Vec<&'static Field>,
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
        if let Some(third) = self.by.get(2) {
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
        if self.histogram && of.is_none() {
            return Err(option("--record", desc.name, "name the numbers with --of".to_owned()));
        }
        let by = self.by.iter().map(|name| field("--by", name)).collect::<Result<_>>()?;
        Ok(Asked { desc, by, of, time })
    }
}

fn option(option: &'static str, value: &str, reason: String) -> Error {
    Error::Option { option, value: value.to_owned(), reason }
}

impl Report for Facts {
    const NAME: &'static str = "facts";
    type State = Groups;

    fn check(&self) -> Result<()> {
        self.asked().map(drop)
    }

    fn needs(&self) -> Needs {
        // By others than the facts' own threads and processes: by wakers, owners ..
        let own = |name: &String| matches!(name.as_str(), "tid" | "tgid");
        Needs { others: !self.by.iter().all(own), ..Needs::NAMES }
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

    fn skim(&self, cx: &Context<'_>, chunk: &ChunkInfo, state: &mut Groups) -> bool {
        let Ok(asked) = self.asked() else { return false };
        let Some(every) = self.every else { return false };
        if !asked.by.is_empty() || asked.of.is_some() {
            return false;
        }
        let bin = |time: u64| time.saturating_sub(cx.start()) / every;
        let same = bin(chunk.first) == bin(chunk.last) && chunk.first >= cx.start();
        if same {
            state.count(bin(chunk.first), u64::from(chunk.rows));
        }
        same
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut Groups) {
        let Ok(asked) = self.asked() else { return };
        let part = Part {
            by: asked.by.iter().map(|field| (field.name, field.ty)).collect(),
            of: asked.of.map(|field| (field.name, field.ty)),
            every: self.every.zip(asked.time.map(|field| field.name)),
            start: cx.start(),
            histogram: self.histogram,
        };
        state.add(&part, batch);
    }

    fn merge(&self, into: &mut Groups, from: Groups) {
        into.merge(from);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: Groups) -> Answer {
        match self.asked() {
            Ok(asked) => answer::answer(self, &asked, cx, state),
            Err(_) => Answer::default(),
        }
    }
}

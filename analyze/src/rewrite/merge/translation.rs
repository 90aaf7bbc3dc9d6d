//! `Translation`: what the numbers of a trace become in a merged one.

use ktape_format::{Batch, RecordSchema};
use ktape_schema::{Device, Kind};
use rustc_hash::FxHashMap;

use super::dictionary::Renumbered;
use super::numbers::{Space, space_of};
use crate::context::{Hosts, NO_DEVICE};
use crate::error::{Error, Result};
use crate::rewrite::role::is_id;

/// What the numbers of one trace become.
#[derive(Debug)]
pub(super) struct Translation<'a> {
    /// All hosts of the new trace.
    pub(super) hosts: &'a Hosts,
    /// The one that this trace is of.
    pub(super) host: usize,
    /// What its times are moved by, ns.
    pub(super) shift: u64,
    /// Ids of entries of dictionaries.
    pub(super) ids: Renumbered,
    /// What is added to numbers that its recorder gave, per space.
    pub(super) added: [u32; Space::COUNT],
    /// Network namespaces that another host has, too.
    pub(super) namespaces: FxHashMap<u64, u64>,
    /// Texts of names of devices, in a trace of several hosts.
    pub(super) device_names: FxHashMap<u32, u32>,
}

impl<'a> Translation<'a> {
    pub(super) fn new(hosts: &'a Hosts, host: usize, shift: u64) -> Self {
        Self {
            hosts,
            host,
            shift,
            ids: Renumbered::default(),
            added: [0; Space::COUNT],
            namespaces: FxHashMap::default(),
            device_names: FxHashMap::default(),
        }
    }

    /// Whether nothing changes.
    pub(super) fn is_none(&self) -> bool {
        !self.hosts.several()
            && self.shift == 0
            && self.ids.is_same()
            && self.added == [0; Space::COUNT]
            && self.namespaces.is_empty()
    }

    /// What a number of a field becomes; `None` when that is not possible.
    pub(super) fn number(&self, record: &str, field: &str, kind: &str, number: u64) -> Option<u64> {
        let word = || u32::try_from(number).ok();
        if record == Device::DESC.name && field == "name" {
            let name = self.device_names.get(&word()?);
            return Some(name.copied().unwrap_or_else(|| self.ids.id(kind, number as u32)).into());
        }
        if kind == Kind::DeviceId.name() {
            let device = self.ids.id(kind, word()?);
            let unknown = device == NO_DEVICE && self.hosts.several();
            return Some(if unknown { NO_DEVICE - self.host as u32 } else { device }.into());
        }
        if is_id(kind) {
            return Some(self.ids.id(kind, word()?).into());
        }
        if kind == Kind::TimeNs.name() {
            // 0 is no time.
            return if number == 0 { Some(0) } else { number.checked_add(self.shift) };
        }
        if kind == Kind::Tid.name() || kind == Kind::Tgid.name() {
            return self.hosts.tid(self.host, word()?).map(u64::from);
        }
        if kind == Kind::Cpu.name() {
            return self.hosts.cpu(self.host, word()?).map(u64::from);
        }
        match space_of(record, field) {
            _ if number == 0 => Some(0),
            Some(Space::Namespace) => Some(self.namespaces.get(&number).copied().unwrap_or(number)),
            Some(space) => word()?.checked_add(self.added[space as usize]).map(u64::from),
            None => Some(number),
        }
    }

    /// Translates all columns of a batch.
    pub(super) fn apply(&self, schema: &RecordSchema, batch: &mut Batch) -> Result<()> {
        if self.is_none() {
            return Ok(());
        }
        let names: Vec<String> = batch.names().map(str::to_owned).collect();
        for (at, name) in names.iter().enumerate() {
            let Some(field) = schema.fields.iter().find(|field| field.name == *name) else {
                continue;
            };
            let changes = |kind: &str| {
                let numbers = [Kind::TimeNs, Kind::Tid, Kind::Tgid, Kind::Cpu];
                is_id(kind) || numbers.iter().any(|own| own.name() == kind)
            };
            if !changes(&field.kind) && space_of(&schema.name, name).is_none() {
                continue;
            }
            let mut wrong = None;
            let fits = batch.update(at, |number| {
                self.number(&schema.name, name, &field.kind, number).unwrap_or_else(|| {
                    wrong.get_or_insert(number);
                    number
                })
            });
            if wrong.is_some() || !fits {
                let number = wrong.map_or_else(String::new, |number| format!(" {number}"));
                return Err(Error::Rewrite(format!(
                    "{}.{name}: the number{number} has no place in the merged trace",
                    schema.name
                )));
            }
        }
        Ok(())
    }

    /// Refuses fields of kinds that a newer program made: nobody here knows what they point at.
    pub(super) fn check(&self, schema: &[RecordSchema]) -> Result<()> {
        if self.is_none() {
            return Ok(());
        }
        for record in schema {
            let unknown = record
                .fields
                .iter()
                .find(|field| Kind::NAMES.iter().all(|name| *name != field.kind));
            if let Some(field) = unknown {
                return Err(Error::Rewrite(format!(
                    "{}.{} is of the kind {}, which this ktape does not know: use a newer one",
                    record.name, field.name, field.kind
                )));
            }
        }
        Ok(())
    }
}

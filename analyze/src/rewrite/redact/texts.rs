//! `Texts`: the texts of a redacted trace.

use std::collections::BTreeMap;

use ktape_format::{Batch, Column, RecordSchema};
use ktape_schema::{Kind, Module, StringText, Symbol, module_kind};
use rustc_hash::FxHashMap;

use super::class::{Class, class_of};
use super::options::Redact;
use super::pseudonyms::Pseudonyms;
use crate::context::Context;

/// An id that no redacted trace defines.
const UNDEFINED: u32 = u32::MAX;

/// Which texts are used as what, and their new ids: a text that is used as two classes becomes two.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// By old id and class: the new id.
    ids: BTreeMap<(u32, Class), u32>,
    /// By module: whether its functions are replaced, and whether its path and build-id are.
    picked: FxHashMap<u32, (bool, bool)>,
}

impl Texts {
    /// Nothing yet.
    pub(super) fn new(cx: &Context<'_>, options: &Redact) -> Self {
        let modules = cx.code().modules();
        let picked = modules
            .map(|(id, module)| {
                let picked = options.picks(module.kind, cx.strings().get(module.path));
                // These tell who built the kernel, as the end of its release does.
                let of_kernel =
                    [module_kind::KERNEL, module_kind::KERNEL_MODULE, module_kind::VDSO];
                (id, (picked, picked || of_kernel.contains(&module.kind)))
            })
            .collect();
        Self { ids: BTreeMap::new(), picked }
    }

    /// Takes notice of the texts that the rows of a batch name.
    pub(super) fn take(&mut self, cx: &Context<'_>, schema: &RecordSchema, batch: &Batch) {
        for at in fields(schema, batch) {
            let Column::U32(ids) = batch.column(at.0) else { continue };
            for (row, &id) in ids.iter().enumerate() {
                if id != 0 && cx.strings().defines(id) {
                    let class = self.class(cx, schema, &at.1, batch, row);
                    self.ids.insert((id, class), 0);
                }
            }
        }
    }

    /// Gives all of them ids, in the order of the old ones.
    pub(super) fn number(&mut self) {
        for (new, id) in (1u32..).zip(self.ids.values_mut()) {
            *id = new;
        }
    }

    /// All texts: class, as it is, and its new id.
    pub(super) fn all<'c>(
        &self,
        cx: &'c Context<'_>,
    ) -> impl Iterator<Item = (Class, &'c [u8], u32)> {
        self.ids.iter().map(|(&(old, class), &new)| (class, cx.strings().get(old), new))
    }

    /// The rows of the new dictionary.
    pub(super) fn rows(
        &self,
        cx: &Context<'_>,
        pseudonyms: &Pseudonyms<'_>,
    ) -> Vec<(u32, Vec<u8>)> {
        self.all(cx).map(|(class, text, id)| (id, pseudonyms.of(class, text))).collect()
    }

    /// Gives the rows of a batch their new ids.
    pub(super) fn apply(&self, cx: &Context<'_>, schema: &RecordSchema, batch: &mut Batch) {
        for (at, field) in fields(schema, batch) {
            let Column::U32(ids) = batch.column(at) else { continue };
            let new: Vec<u32> = ids
                .iter()
                .enumerate()
                .map(|(row, &id)| match id {
                    0 => 0,
                    id => {
                        let class = self.class(cx, schema, &field, batch, row);
                        self.ids.get(&(id, class)).copied().unwrap_or(UNDEFINED)
                    }
                })
                .collect();
            let mut new = new.into_iter();
            batch.update(at, |_| new.next().unwrap_or(UNDEFINED).into());
        }
    }

    /// What the text of a row is.
    fn class(
        &self,
        cx: &Context<'_>,
        schema: &RecordSchema,
        field: &str,
        batch: &Batch,
        row: usize,
    ) -> Class {
        let picked = |module: u32| self.picked.get(&module).copied().unwrap_or((true, true));
        let public = match schema.name.as_str() {
            name if name == Module::DESC.name => !picked(batch.u32("id")[row]).1,
            name if name == Symbol::DESC.name => {
                let frame = cx.code().frame(batch.u32("frame")[row]);
                let is_function = class_of(&schema.name, field) == Class::Symbol;
                frame.is_some_and(|frame| match (is_function, picked(frame.module)) {
                    (true, (functions, _)) => !functions,
                    (false, (_, others)) => !others,
                })
            }
            _ => false,
        };
        if public { Class::Public } else { class_of(&schema.name, field) }
    }
}

/// The columns of a batch that name texts: place and name.
fn fields(schema: &RecordSchema, batch: &Batch) -> Vec<(usize, String)> {
    let names = batch.names().enumerate();
    let named = names.filter(|(_, name)| {
        let field = schema.fields.iter().find(|field| field.name == *name);
        field.is_some_and(|field| field.kind == Kind::StringId.name())
            && (schema.name != StringText::DESC.name)
    });
    named.map(|(at, name)| (at, name.to_owned())).collect()
}

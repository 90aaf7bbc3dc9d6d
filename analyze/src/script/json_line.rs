//! A row as a JSON object on one line.

use std::fmt::Write;

use ktape_format::{Batch, FieldSchema, Value};

use super::frames::{Frames, Place};
use super::merge::Job;
use crate::answer::FrameKind;
use crate::context::Context;
use crate::render::json_string;
use crate::row_layout::{bits_of, name_of, number};
use crate::syscall_table::NO_SYSCALL;

/// Appends `{"record": .., "comm": .., "start": .., field: value, ..}` and a line break.
///
/// Every field stands under its name with its number as stored; what a number stands for follows as
/// `FIELD_name`, `FIELD_names` (flags), `FIELD_text`, `FIELD_path`, `FIELD_comm`, `FIELD_frames` (when
/// asked for, root first). `comm` is the thread's name at that time, `start` the time minus the
/// duration; both stay out of records that have fields of these names.
pub(super) fn json_line(
    cx: &Context<'_>,
    job: &Job<'_>,
    batch: &Batch,
    row: usize,
    mut frames: Option<&mut Frames<'_>>,
    out: &mut String,
) {
    out.push('{');
    key("record", out);
    json_string(out, job.schema.name.as_bytes());
    if cx.hosts().several() {
        key("host", out);
        let host = &cx.hosts().list()[cx.hosts().of_ring(batch.ring())];
        json_string(out, host.name.as_bytes());
    }
    let time = job.layout.time(batch, row);
    if let Some(thread) = job.layout.thread(cx, batch, row)
        && job.schema.field("comm").is_none()
    {
        key("comm", out);
        json_string(out, cx.thread_comm_at(thread, time));
    }
    if let (Some(_), Some(duration), None) =
        (job.layout.time, job.layout.duration, job.schema.field("start"))
    {
        key("start", out);
        let _ = write!(out, "{}", time.saturating_sub(number(batch, duration, row)));
    }
    for (at, field) in job.schema.fields.iter().enumerate() {
        key(&field.name, out);
        match batch.value(at, row) {
            Value::U64(number) => {
                _ = write!(out, "{}", cx.hosts().local(&field.kind, number));
            }
            Value::I64(number) => _ = write!(out, "{number}"),
            Value::Text(text) => json_string(out, text),
        }
        resolved(cx, job, field, batch, at, row, frames.as_deref_mut(), out);
    }
    out.push_str("}\n");
}

/// Begins a member.
fn key(name: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    json_string(out, name.as_bytes());
    out.push(':');
}

#[expect(clippy::too_many_arguments, reason = "a field of a row of a batch of a record of a trace")]
fn resolved(
    cx: &Context<'_>,
    job: &Job<'_>,
    field: &FieldSchema,
    batch: &Batch,
    at: usize,
    row: usize,
    frames: Option<&mut Frames<'_>>,
    out: &mut String,
) {
    let raw = number(batch, at, row);
    let mut named = |suffix: &str| key(&format!("{}_{suffix}", field.name), out);
    match field.kind.as_str() {
        "enum" => {
            named("name");
            match name_of(&field.names, raw) {
                Some(name) => json_string(out, name.as_bytes()),
                None => out.push_str("null"),
            }
        }
        "flags" => {
            named("names");
            let (names, _) = bits_of(&field.names, raw);
            list(&names, out, |name, out| json_string(out, name.as_bytes()));
        }
        "syscall" => {
            named("name");
            match raw {
                raw if raw == u64::from(NO_SYSCALL) => out.push_str("null"),
                raw => json_string(
                    out,
                    cx.syscalls().name(raw.min(u64::from(u32::MAX)) as u32).as_bytes(),
                ),
            }
        }
        "string_id" | "module_id" | "device_id" if field.name == "id" => {}
        "string_id" => {
            named("text");
            json_string(out, cx.strings().get(raw as u32));
        }
        "module_id" => {
            named("path");
            let path = cx.code().module(raw as u32).map_or(0, |module| module.path);
            json_string(out, cx.strings().get(path));
        }
        "device_id" => {
            named("name");
            json_string(out, &cx.device_name(raw as u32));
        }
        "tid" if job.layout.tid != Some(at) => {
            named("comm");
            if raw == 0 {
                out.push_str("null");
            } else {
                let time = job.layout.time(batch, row);
                let thread = cx.tasks().thread_key(raw as u32, 0, time);
                json_string(out, cx.thread_comm_at(thread, time));
            }
        }
        "stack_id" => {
            let Some(frames) = frames else { return };
            named("frames");
            list(&frames.of(raw as u32), out, frame);
        }
        _ => {}
    }
}

fn list<T>(items: &[T], out: &mut String, mut each: impl FnMut(&T, &mut String)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        each(item, out);
    }
    out.push(']');
}

fn frame(place: &Place, out: &mut String) {
    out.push('{');
    key("name", out);
    json_string(out, &place.name);
    key("kind", out);
    let kind = match place.kind {
        FrameKind::Comm => "comm",
        FrameKind::User => "user",
        FrameKind::Kernel => "kernel",
        FrameKind::Inlined => "inlined",
        FrameKind::Mark => "mark",
    };
    json_string(out, kind.as_bytes());
    if place.kind != FrameKind::Mark {
        if let Some(offset) = place.in_function {
            key("offset", out);
            let _ = write!(out, "{offset}");
        }
        key("module", out);
        json_string(out, &place.module);
        key("module_offset", out);
        let _ = write!(out, "{}", place.offset);
    }
    if !place.file.is_empty() {
        key("file", out);
        json_string(out, &place.file);
        key("line", out);
        let _ = write!(out, "{}", place.line);
    }
    out.push('}');
}

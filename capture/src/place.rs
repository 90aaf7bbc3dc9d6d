//! Opens the place that a recording goes to.

use crate::error::Result;
use crate::flight::Flight;
use crate::options::{Files, Options, Output};
use crate::output::{Sink, sync_folder};
use crate::recording::Recording;
use crate::reel::Reel;
use crate::switched::{Making, Switched};
use crate::writing::Writing;
use ktape_format::Meta;
use std::path::PathBuf;
use std::sync::mpsc::channel;

/// Opens the output and starts the thread that writes to it.
pub(crate) fn open(options: &Options, meta: Meta) -> Result<Writing> {
    let path = match &options.output {
        Output::File(path) => path.clone(),
        Output::Stdout => PathBuf::from("(standard output)"),
    };
    let (tell, news) = channel();
    let (level, sync) = (options.level, options.sync.is_some());
    let making =
        |keep| Making { path: path.clone(), meta: meta.clone(), level, sync, keep, news: tell };
    let reel = || {
        let sink = Sink::open(&options.output)?;
        if sync && options.output != Output::Stdout {
            sync_folder(&path)?;
        }
        Reel::new(sink, path.clone(), meta.clone(), level)
    };
    let recording = match &options.files {
        Files::One => Recording::One { reel: reel()?, sync },
        Files::Switched { keep, .. } => Recording::Switched(Switched::new(making(*keep), reel()?)),
        Files::Overwritten(overwrite) => {
            let making = making(overwrite.keep);
            Recording::Flight(Flight::new(making, overwrite.time, overwrite.bytes)?)
        }
    };
    Writing::start(recording, news, options.sync)
}

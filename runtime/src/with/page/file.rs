//! `GRACEFUL_TIMELINE`: the stop as a file, written when it is over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::life::lifecycle::Lifecycle;
use crate::os::threads;
use crate::report::status::Status;
use crate::say::page as lines;
use crate::with::page::{document, snapshot};

/// Writes it on a thread of its own, since a file may block: the end of the process waits for that, but not for long.
pub(super) fn begin(life: &Arc<Lifecycle>, path: PathBuf) {
    let job = life.listeners.viewers.begin_job();
    let life = Arc::clone(life);
    let run = move || {
        if let Some(text) = text(&life, &path)
            && let Err(error) = write(&path, &text)
        {
            life.writer.say(lines::no_timeline(&path, &error));
        }
        drop((life, job));
    };
    // Without a thread there is no picture: it is not worth the risk of an end that hangs.
    let _ = threads::start("graceful-timeline", Box::new(run));
}

/// `None` where no stop was asked for.
fn text(life: &Lifecycle, path: &Path) -> Option<String> {
    let earlier = life.diagnostics.first_sample.get();
    let status = Status::take(life, earlier);
    let picture = snapshot::picture(life, &status, true)?;
    let is_page = path.extension().is_some_and(|kind| kind == "html");
    Some(if is_page { document::of_file(life, &status) } else { picture })
}

/// Beside it first: what is there is a whole picture, even if the process ends in the middle. What is no file, such as a
/// pipe, is written to as it is.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return fs::write(path, text);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    fs::write(&beside, text)?;
    fs::rename(&beside, path).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

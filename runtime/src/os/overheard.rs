//! What some code writes to standard error, written there and kept.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::Duration;

use crate::os::{sys, threads};

/// How much of it is kept: the end.
const KEPT: usize = 4096;

/// How long the text may take from the pipe to its place, once all is written.
const SETTLING: Duration = Duration::from_millis(100);

/// Runs `write`, and returns what was written to standard error meanwhile. It gets there a moment later, in its order.
/// Where that cannot be done, `write` runs all the same.
pub(crate) fn overhear<T>(write: impl FnOnce() -> T) -> (T, String) {
    let Ok((before, kept)) = begin() else {
        return (write(), String::new());
    };
    let result = write();
    // This also closes the pipe, as far as this process has it open.
    drop(sys::replace_stderr(before.as_fd()));
    let kept = kept.recv_timeout(SETTLING).unwrap_or_default();
    (result, String::from_utf8_lossy(&kept).into_owned())
}

fn begin() -> io::Result<(File, mpsc::Receiver<Vec<u8>>)> {
    let (mut reader, writer) = io::pipe()?;
    let before = File::from(sys::replace_stderr(writer.as_fd())?);
    let mut place = before.try_clone()?;
    let (kept, all) = mpsc::channel();
    let copy = move || {
        let (mut buffer, mut end) = ([0; KEPT], Vec::new());
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            let _ = place.write_all(&buffer[..read]);
            end.extend_from_slice(&buffer[..read]);
            end.drain(..end.len().saturating_sub(KEPT));
        }
        let _ = kept.send(end);
    };
    if let Err(error) = threads::start("graceful-last", Box::new(copy)) {
        drop(sys::replace_stderr(before.as_fd()));
        return Err(error);
    }
    Ok((before, all))
}

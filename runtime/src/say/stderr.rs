//! Standard error, as the writer uses it: whole lines, past a lock that another thread keeps, and on a terminal or a
//! pipe that does not take them at once.

use std::fs::File;
use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsHandle;

use crate::os::sys;

/// Whether a line can be written to standard error without waiting for its reader.
#[cfg(unix)]
pub(crate) fn has_room() -> bool {
    sys::is_writable(io::stderr().as_fd())
}

/// Windows does not tell.
#[cfg(windows)]
pub(crate) fn has_room() -> bool {
    false
}

/// Whether standard error is a stream of systemd's journal, which takes the level of each line: that is the file that
/// `JOURNAL_STREAM` names. A process whose standard error was redirected inherits the variable, not the file.
#[cfg(all(unix, feature = "systemd"))]
pub(crate) fn is_journal() -> bool {
    use std::os::unix::fs::MetadataExt;

    let stream = std::env::var("JOURNAL_STREAM").ok();
    stream.is_some_and(|stream| {
        let own = io::stderr().as_fd().try_clone_to_owned();
        let own = own.and_then(|own| File::from(own).metadata());
        own.is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
    })
}

#[cfg(not(all(unix, feature = "systemd")))]
pub(crate) fn is_journal() -> bool {
    false
}

/// Writes to standard error past std's lock, which a stuck thread may hold.
pub(crate) fn write_past_the_lock(text: &str) {
    let stderr = io::stderr();
    // A console takes UTF-16; std would see to that, under its lock.
    #[cfg(windows)]
    if sys::write_to_console(stderr.as_handle(), text) {
        return;
    }
    #[cfg(unix)]
    let own = stderr.as_fd().try_clone_to_owned();
    #[cfg(windows)]
    let own = stderr.as_handle().try_clone_to_owned();
    sys::from_the_background(|| match own {
        Ok(own) => write_all(&mut File::from(own), text.as_bytes()),
        Err(_) => write_all(&mut stderr.lock(), text.as_bytes()),
    });
}

/// Writes all of it to standard error; one that is closed is no failure. If it does not block (`O_NONBLOCK`, which all
/// processes with the same pipe share), this waits for it all the same.
pub(crate) fn write_all(stderr: &mut dyn Write, mut text: &[u8]) {
    while !text.is_empty() {
        match stderr.write(text) {
            Ok(0) => return,
            Ok(written) => text = &text[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            #[cfg(unix)]
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sys::wait_writable(io::stderr().as_fd());
            }
            Err(_) => return,
        }
    }
}

//! The file with the number of the process that serves.

use std::path::Path;
use std::{fs, io, process};

/// Writes the file as a whole: no reader finds a part of it.
pub(crate) fn write(path: &Path) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", process::id()));
    let replaced = fs::write(&beside, format!("{}\n", process::id())).and_then(|()| fs::rename(&beside, path));
    replaced.inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// Removes the file, unless it is another process's.
pub(crate) fn remove(path: &Path) {
    if fs::read_to_string(path).is_ok_and(|text| text.trim_end() == process::id().to_string()) {
        let _ = fs::remove_file(path);
    }
}

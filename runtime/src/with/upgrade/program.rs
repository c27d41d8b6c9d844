//! What this process was started as: what the next one is started as, too.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::model::settings::PREDECESSOR;
use crate::os::sys;
use crate::os::sys::Image;
use crate::say::upgrades;

/// As it was when the lifecycle began.
static PROGRAM: OnceLock<Program> = OnceLock::new();

/// Variables that speak of one process, by its number. The next one has another.
const OF_ONE_PROCESS: [&str; 6] =
    ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID", PREDECESSOR];

#[derive(Debug)]
pub(super) struct Program {
    /// Absolute, unless the working directory was not known.
    path: Result<PathBuf, String>,
    directory: Result<PathBuf, String>,
    environment: Vec<(OsString, OsString)>,
}

/// Notes what this process was started as, before code of the user's can change it.
pub(super) fn note() {
    PROGRAM.get_or_init(Program::of_this_process);
}

/// What is started.
pub(super) fn get() -> &'static Program {
    PROGRAM.get_or_init(Program::of_this_process)
}

/// A path that was meant to begin at the working directory.
pub(super) fn absolute(path: &Path) -> PathBuf {
    match &get().directory {
        Ok(directory) => directory.join(path),
        Err(_) => path.to_owned(),
    }
}

impl Program {
    fn of_this_process() -> Self {
        let directory = env::current_dir().map_err(|error| upgrades::no_place(&error));
        let environment = env::vars_os().filter(|(name, _)| OF_ONE_PROCESS.iter().all(|one| name != one)).collect();
        Self { path: path(directory.as_deref().map_err(String::as_str)), directory, environment }
    }

    /// What the system executes, if the program is there now.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(super) fn image(&self) -> Result<Image, String> {
        let (path, directory) = (self.path.clone()?, self.directory.clone()?);
        fs::metadata(&directory).map_err(|error| upgrades::no_directory(&directory, &error))?;
        fs::metadata(&path).map_err(|error| upgrades::no_program(&path, &error))?;
        let of_system = |error: io::Error| upgrades::no_program(&path, &error);
        let mut image = Image::new(&path, env::args_os(), &directory).map_err(of_system)?;
        for (name, value) in &self.environment {
            image.add_variable(name, value).map_err(of_system)?;
        }
        Ok(image)
    }

    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new("?"))
    }
}

/// The path this process was started by. Links in it are followed anew at each start: a deployment moves them.
fn path(directory: Result<&Path, &str>) -> Result<PathBuf, String> {
    if let Some(path) = sys::executed_path().filter(|path| is_a_name_of_its_own(path)) {
        return at(directory, path);
    }
    // What the caller has put there may be made up: only if it is the program that runs here.
    let own = env::current_exe();
    if let (Some(name), Ok(own)) = (env::args_os().next(), &own)
        && let Ok(path) = at(directory, PathBuf::from(name))
        && is_same(&path, own)
    {
        return Ok(path);
    }
    own.map_err(|error: io::Error| error.to_string())
}

/// `fexecve` leaves a path of a file that is open in this process alone.
fn is_a_name_of_its_own(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.starts_with("/dev/fd") && !path.starts_with("/proc/self/fd")
}

fn at(directory: Result<&Path, &str>, path: PathBuf) -> Result<PathBuf, String> {
    if path.is_absolute() { Ok(path) } else { Ok(directory?.join(path)) }
}

fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use std::ffi::{CString, OsStr};
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn it_is_this_program_in_this_directory() {
        let program = Program::of_this_process();
        let image = program.image().expect("it is there");
        let path = |text: &CString| PathBuf::from(OsStr::from_bytes(text.as_bytes()));
        assert!(is_same(&path(&image.path), &env::current_exe().expect("it is known")));
        assert_eq!(Some(path(&image.directory)), env::current_dir().ok());
        assert_eq!(image.arguments.len(), env::args_os().count());
    }

    #[test]
    fn what_is_missing_is_named() {
        let program = |path: &str, directory: &str| Program {
            path: Ok(path.into()),
            directory: Ok(directory.into()),
            environment: Vec::new(),
        };
        let why = program("/nowhere/at/all", "/").image().expect_err("it is missing");
        assert!(why.starts_with("/nowhere/at/all: "), "{why}");
        let why = program("/", "/nowhere/at/all").image().expect_err("it is missing");
        assert!(why.starts_with("its working directory /nowhere/at/all: "), "{why}");
    }
}

//! A user that runs nothing else, so that a limit on its threads limits a single process.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs, process};

use nix::unistd::geteuid;

/// The first id of such users, beyond those of people and of services.
const FIRST: u32 = 0x4000_0000;

/// What a shell does to become the user 65534 without capabilities, if the test runs as root; otherwise it stays the
/// same user, without a way to more.
pub(crate) const NOBODY: &str = "if [ \"$(id -u)\" = 0 ]; then cd / && exec setpriv --reuid 65534 --regid 65534 \
     --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs -- \"$@\"; fi; exec setpriv --no-new-privs -- \"$@\"";

/// The program, where such a user may run it.
pub(crate) fn program() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    let built = Path::new(env!("CARGO_BIN_EXE_fault"));
    if !geteuid().is_root() {
        return built;
    }
    COPY.get_or_init(|| {
        let folder = env::temp_dir().join(format!("graceful-faults-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for the program");
        let copy = folder.join("fault");
        fs::copy(built, &copy).expect("a copy of the program");
        for path in [&folder, &copy] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("anybody may run it");
        }
        copy
    })
}

/// Has the command run as such a user, if the test runs as root; otherwise as the same user.
pub(crate) fn become_one(command: &mut Command, number: usize) {
    if geteuid().is_root() {
        let number = u32::try_from(number).expect("there are fewer runs than users");
        command.uid(FIRST + number).gid(FIRST + number).current_dir("/");
    }
}

/// Removes the copy.
pub(crate) fn tidy_up() {
    let _ = fs::remove_dir_all(env::temp_dir().join(format!("graceful-faults-{}", process::id())));
}

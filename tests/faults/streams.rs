//! Pipes that cannot be written to.

use std::io::{ErrorKind, PipeReader, PipeWriter, Write, pipe};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// A pipe that takes nothing more. The reader has to live as long.
pub(crate) fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can be non-blocking");
    let filled = loop {
        // Byte by byte at the end: a whole page may not fit where a short line does.
        if let Err(error) = writer.write_all(&[b'.'; 4096]).and_then(|()| writer.flush()) {
            while writer.write(b".").is_ok() {}
            break error;
        }
    };
    assert_eq!(filled.kind(), ErrorKind::WouldBlock);
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).expect("a pipe can be blocking");
    (reader, writer)
}

/// A pipe without a reader: writing to it is an error.
pub(crate) fn broken_pipe() -> PipeWriter {
    pipe().expect("a pipe").1
}

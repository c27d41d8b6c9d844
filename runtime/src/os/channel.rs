//! What a process and its successor say to each other: frames on a pair of sockets, with a file in some of them.
//!
//! A frame is a byte for its kind, four for the length of what follows, and that. Both sides say the version of these
//! rules in their first frame.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::os::sys;

/// Changes whenever a process would misread another version of this crate.
pub(crate) const VERSION: u32 = 1;

/// The longest that a frame may be.
pub(crate) const LONGEST: usize = 4 << 20;

/// Kind and length.
const HEAD: usize = 5;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// To the successor, first: version and generation.
    Hello = b'H',
    /// To the successor: a socket.
    Socket = b'S',
    /// To the successor: a name, and bytes that were left for it.
    Bytes = b'B',
    /// To the successor: there is no more.
    End = b'E',
    /// To the successor: the service is its own.
    Go = b'G',
    /// To the predecessor: version and number of the process that is ready.
    Ready = b'R',
    /// To the predecessor: why the successor ends before it was ready.
    Failed = b'F',
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Hello, Self::Socket, Self::Bytes, Self::End, Self::Go, Self::Ready, Self::Failed]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A frame, and the file that came with it.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) text: Vec<u8>,
    pub(crate) file: Option<OwnedFd>,
}

/// A frame as it is sent.
pub(crate) fn frame(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| 4 + part.len()).sum();
    let mut bytes = vec![kind as u8];
    bytes.extend(number(length));
    for part in parts {
        bytes.extend(number(part.len()));
        bytes.extend_from_slice(part);
    }
    bytes
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

impl Frame {
    /// The parts of which it was made; nothing if they are not as many.
    pub(crate) fn parts<const N: usize>(&self) -> Option<[&[u8]; N]> {
        let mut rest = &*self.text;
        let mut parts = [&[][..]; N];
        for part in &mut parts {
            let (length, more) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            (*part, rest) = more.split_at_checked(length)?;
        }
        rest.is_empty().then_some(parts)
    }

    /// The same where each is a number.
    pub(crate) fn numbers<const N: usize>(&self) -> Option<[u32; N]> {
        let mut numbers = [0; N];
        for (number, part) in numbers.iter_mut().zip(self.parts::<N>()?) {
            *number = u32::from_le_bytes(part.try_into().ok()?);
        }
        Some(numbers)
    }
}

/// Waits for a frame. `None` when the other side has closed its end.
pub(crate) fn receive(socket: &UnixStream) -> io::Result<Option<Frame>> {
    let mut reader = Reader::default();
    loop {
        if let Some(frame) = reader.read(socket)? {
            return Ok(Some(frame));
        }
        if reader.is_at_end {
            return Ok(None);
        }
    }
}

/// Sends a frame as a whole, or fails: it is short, and the socket has room.
pub(crate) fn send(mut socket: &UnixStream, frame: &[u8]) -> io::Result<()> {
    socket.write_all(frame)
}

/// Sends a frame and a file. `false`: the socket has no room now.
pub(crate) fn send_with(socket: &UnixStream, frame: &[u8], file: RawFd) -> io::Result<bool> {
    match sys::send_with(socket.as_fd(), frame, file) {
        Ok(sent) if sent == frame.len() => Ok(true),
        Ok(_) => Err(io::Error::other("a message was cut short")),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Frames as they arrive.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
    file: Option<OwnedFd>,
    /// The other side has closed its end.
    pub(crate) is_at_end: bool,
}

impl Reader {
    /// Reads once, and returns a frame if it is whole now. With a socket that does not block, nothing means that there is
    /// nothing to read, too.
    pub(crate) fn read(&mut self, mut socket: &UnixStream) -> io::Result<Option<Frame>> {
        let missing = self.missing()?;
        let mut buffer = vec![0; missing.min(64 << 10)];
        let read = if self.bytes.is_empty() {
            sys::receive_with(socket.as_fd(), &mut buffer).map(|(read, file)| {
                self.file = file;
                read
            })
        } else {
            socket.read(&mut buffer)
        };
        match read {
            Ok(0) => self.is_at_end = true,
            Ok(read) => self.bytes.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // It was killed with something unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.is_at_end = true,
            Err(error) => return Err(error),
        }
        if self.bytes.len() < HEAD || self.missing()? > 0 {
            return Ok(None);
        }
        let bytes = std::mem::take(&mut self.bytes);
        let kind = Kind::of(bytes[0]).ok_or_else(misread)?;
        Ok(Some(Frame { kind, text: bytes[HEAD..].to_vec(), file: self.file.take() }))
    }

    /// How many bytes the head lacks; then, how many the frame lacks.
    fn missing(&self) -> io::Result<usize> {
        let Some(head) = self.bytes.first_chunk::<HEAD>() else {
            return Ok(HEAD - self.bytes.len());
        };
        let [_, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(misread());
        }
        Ok(HEAD + length - self.bytes.len())
    }
}

fn misread() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "another version of graceful-runtime, or another program, is at the other end",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Seek;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_frame_arrives_as_it_was_sent_however_it_is_cut() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let bytes = frame(Kind::Bytes, &[b"cache", &[7; 1000]]);
        let (first, second) = bytes.split_at(3);
        (&ours).write_all(first).expect("there is room");
        let mut reader = Reader::default();
        assert!(reader.read(&theirs).expect("it is read").is_none());
        (&ours).write_all(second).expect("there is room");
        let mut whole = None;
        while whole.is_none() {
            whole = reader.read(&theirs).expect("it is read");
        }
        let whole = whole.expect("it is whole");
        assert_eq!(whole.kind, Kind::Bytes);
        assert_eq!(whole.parts::<2>(), Some([&b"cache"[..], &[7; 1000]]));
        assert_eq!(whole.parts::<1>(), None);
        assert_eq!(whole.parts::<3>(), None);
        drop(ours);
        assert!(receive(&theirs).expect("it is read").is_none());
    }

    #[test]
    fn a_file_goes_with_its_frame() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let mut file = File::open("/proc/self/status").or_else(|_| File::open("/dev/null")).expect("there is one");
        file.rewind().expect("it can be rewound");
        send(&ours, &frame(Kind::Hello, &[&VERSION.to_le_bytes(), &2_u32.to_le_bytes()])).expect("there is room");
        assert!(send_with(&ours, &frame(Kind::Socket, &[b"http"]), file.as_raw_fd()).expect("there is room"));
        send(&ours, &frame(Kind::End, &[])).expect("there is room");
        let hello = receive(&theirs).expect("it is read").expect("it is whole");
        assert_eq!((hello.numbers(), hello.file.is_none()), (Some([VERSION, 2]), true));
        let socket = receive(&theirs).expect("it is read").expect("it is whole");
        assert_eq!((socket.kind, socket.file.is_some()), (Kind::Socket, true));
        let end = receive(&theirs).expect("it is read").expect("it is whole");
        assert_eq!((end.kind, end.file.is_none()), (Kind::End, true));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for wrong in [&b"GET / HTTP/1.1"[..], &[b'H', 0xff, 0xff, 0xff, 0xff], &[b'?', 0, 0, 0, 0]] {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            (&ours).write_all(wrong).expect("there is room");
            let error = receive(&theirs).expect_err("it is misread");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{wrong:?}");
        }
    }
}

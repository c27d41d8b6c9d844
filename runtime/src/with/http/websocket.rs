//! The end of a WebSocket: whether the server has said Close.
//!
//! Only the bytes that the server sends are read: its frames are not masked. After its Close nothing but the client's
//! Close is missing, and a client that has gone never sends it.

/// What the bytes so far belong to.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// What comes before its frames. This of the next pattern of the head, `HTTP/1.1 101` or the empty line, has matched.
    Head(&'static [u8], usize),
    /// The beginning of a frame.
    Frame { start: [u8; LONGEST], length: usize },
    /// So much of a frame's payload is missing.
    Payload(u64),
    /// The server has said Close.
    Closed,
}

/// The first two bytes of a frame, and a length of eight more.
const LONGEST: usize = 10;

const STATUS: &[u8] = b"HTTP/1.1 101 ";
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// The low half of a frame's first byte.
const CLOSE: u8 = 8;

impl Outgoing {
    pub(super) fn new() -> Self {
        Self::Head(STATUS, 0)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// These bytes have been sent.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            match self {
                Self::Head(pattern, count) => {
                    *count = matched(pattern, *count, byte);
                    if *count == pattern.len() {
                        *self = if *pattern == STATUS { Self::Head(EMPTY_LINE, 0) } else { Self::frame() };
                    }
                }
                Self::Frame { start, length } => {
                    start[*length] = byte;
                    *length += 1;
                    if let Some(payload) = payload(&start[..*length]) {
                        *self = match payload {
                            _ if start[0] & 0x0f == CLOSE => Self::Closed,
                            0 => Self::frame(),
                            payload => Self::Payload(payload),
                        };
                    }
                }
                Self::Payload(missing) => {
                    // The byte that was taken is one of it.
                    let rest = (*missing - 1).min(bytes.len() as u64);
                    bytes = &bytes[usize::try_from(rest).unwrap_or(bytes.len())..];
                    *missing -= 1 + rest;
                    if *missing == 0 {
                        *self = Self::frame();
                    }
                }
                Self::Closed => return,
            }
        }
    }

    fn frame() -> Self {
        Self::Frame { start: [0; LONGEST], length: 0 }
    }
}

/// How much of the pattern has been seen with this byte. No pattern here has a beginning that it repeats, apart from its
/// first byte.
fn matched(pattern: &[u8], count: usize, byte: u8) -> usize {
    if pattern[count] == byte { count + 1 } else { usize::from(pattern[0] == byte) }
}

/// The length of the payload, once the beginning of a frame is whole.
fn payload(start: &[u8]) -> Option<u64> {
    let &[_, second, ref extended @ ..] = start else { return None };
    match (second & 0x7f, extended) {
        (126, &[a, b]) => Some(u16::from_be_bytes([a, b]).into()),
        (127, bytes) => bytes.try_into().ok().map(u64::from_be_bytes),
        (126, _) => None,
        (length, _) => Some(length.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::Outgoing;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

    /// Whether a Close has been said by the end, whatever the size of the writes.
    fn says_close(bytes: &[u8]) -> bool {
        let closed = [1, 2, 3, 7, bytes.len()].map(|size| {
            let mut outgoing = Outgoing::new();
            bytes.chunks(size).for_each(|part| outgoing.sent(part));
            outgoing.is_closed()
        });
        assert!(closed.iter().all(|is| *is == closed[0]), "it depends on the writes");
        closed[0]
    }

    fn frames(parts: &[&[u8]]) -> Vec<u8> {
        [HEAD, &parts.concat()].concat()
    }

    #[test]
    fn a_close_is_seen_after_frames_of_each_length() {
        let close: &[u8] = &[0x88, 2, 3, 0xe8];
        for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
            // Every byte of the payload could be taken for a Close.
            let payload = vec![0x88; length];
            let short = u8::try_from(length).ok().filter(|length| *length < 126).map(|length| vec![0x82, length]);
            let medium = u16::try_from(length).ok().map(|length| [&[0x82, 126][..], &length.to_be_bytes()].concat());
            let long = [&[0x82, 127][..], &(length as u64).to_be_bytes()].concat();
            let start = short.or(medium).unwrap_or(long);
            assert!(!says_close(&frames(&[&start, &payload])), "{length}");
            assert!(says_close(&frames(&[&start, &payload, close])), "{length}");
        }
    }

    #[test]
    fn a_close_without_a_reason_is_one() {
        assert!(says_close(&frames(&[&[0x88, 0]])));
        assert!(!says_close(&frames(&[&[0x88]])), "it is not whole");
        assert!(!says_close(&frames(&[&[0x89, 0, 0x8a, 0]])), "ping and pong");
    }

    #[test]
    fn an_answer_before_the_upgrade_is_no_frame() {
        let before = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\x88\x00".as_slice();
        assert!(!says_close(before));
        assert!(!says_close(&[before, HEAD].concat()));
        assert!(says_close(&[before, HEAD, &[0x88, 0]].concat()));
    }
}

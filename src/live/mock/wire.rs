//! One connection: bytes in with a deadline, bytes out, and waits that notice when the other side has gone.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// A wait shorter than this is slept through. A longer one watches the socket first, for half of what is left at a
/// time: the kernel ends a wait on a socket up to an eighth of its length late, and by a tick or two (its timer wheel),
/// but a sleep within 50 µs.
const SLEPT: Duration = Duration::from_millis(80);
/// The longest single wait on a socket, so that a server that stops is noticed.
const GLANCE: Duration = Duration::from_millis(500);
/// The most bytes of further requests that are read before their turn.
const MOST_AHEAD: usize = 1024 * 1024;
/// How long a caller may leave what is written to it unread.
const UNREAD: Duration = Duration::from_secs(30);

/// The other side has closed the connection, or does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// The reason why no bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// The other side has closed the connection.
    Gone,
    /// No bytes came before the deadline.
    Late,
}

/// A connection, with the bytes that were read from it and not yet used.
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
    pub(super) unused: Vec<u8>,
}

impl Wire {
    /// Takes over the connection `socket`.
    pub(super) fn new(socket: TcpStream) -> io::Result<Wire> {
        // Disables Nagle's algorithm: a token that waits for an acknowledgement of the previous one would be late.
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(UNREAD))?;
        Ok(Wire {
            socket,
            unused: Vec::new(),
        })
    }

    /// Adds the next bytes to the unused ones, if any arrive before `deadline`.
    pub(super) fn fill(&mut self, deadline: Instant) -> Result<(), Silent> {
        let mut bytes = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Silent::Late);
            }
            self.socket.set_read_timeout(Some(left)).map_err(|_| Silent::Gone)?;
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(Silent::Gone),
                Ok(n) => {
                    self.unused.extend_from_slice(&bytes[..n]);
                    return Ok(());
                }
                Err(e) if is_nothing(&e) => {}
                Err(_) => return Err(Silent::Gone),
            }
        }
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.socket.write_all(bytes).map_err(|_| Gone)
    }

    /// Waits until `due`, or while `goes_on` is true if there is no such moment.
    pub(super) fn wait(&mut self, due: Option<Instant>, goes_on: impl Fn() -> bool) -> Result<(), Gone> {
        loop {
            let left = match due {
                Some(due) => due.saturating_duration_since(Instant::now()),
                None if goes_on() => 2 * GLANCE,
                None => return Err(Gone),
            };
            if left.is_zero() {
                return Ok(());
            }
            // A caller that sends further requests before this one is answered is read on, up to a point: its hang-up
            // comes after them.
            if left < SLEPT || self.unused.len() > MOST_AHEAD {
                std::thread::sleep(if due.is_some() { left } else { GLANCE });
                continue;
            }
            let glance = (left / 2).min(GLANCE);
            if self.fill(Instant::now() + glance) == Err(Silent::Gone) {
                return Err(Gone);
            }
        }
    }

    /// Ends the sending side, and reads on for a moment: unread bytes would reset the connection, and discard what was
    /// sent last.
    pub(super) fn close_gently(mut self) {
        if self.socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let deadline = Instant::now() + GLANCE;
        let mut most = 64;
        while most > 0 && self.fill(deadline).is_ok() {
            self.unused.clear();
            most -= 1;
        }
    }
}

/// Whether a read has just found nothing.
fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Wire::new(listener.accept().unwrap().0).unwrap(), client)
    }

    #[test]
    fn a_wait_never_ends_early_and_ends_when_the_other_side_goes() {
        let (mut wire, client) = pair();
        for millis in [0, 3, 30, 200] {
            let due = Instant::now() + Duration::from_millis(millis);
            assert_eq!(wire.wait(Some(due), || true), Ok(()));
            assert!(Instant::now() >= due, "{millis} ms");
        }
        drop(client);
        let far = Instant::now() + Duration::from_secs(3600);
        assert_eq!(wire.wait(Some(far), || true), Err(Gone));
        assert_eq!(wire.wait(None, || true), Err(Gone));
    }

    #[test]
    fn a_wait_without_an_end_ends_with_the_server_and_bytes_ahead_do_not_end_it() {
        let (mut wire, mut client) = pair();
        client.write_all(b"GET").unwrap();
        assert_eq!(wire.wait(None, || false), Err(Gone));
        let due = Instant::now() + Duration::from_millis(200);
        assert_eq!(wire.wait(Some(due), || true), Ok(()));
        assert!(Instant::now() >= due);
        assert_eq!(wire.unused, b"GET");
        assert_eq!(wire.fill(Instant::now() + Duration::from_millis(5)), Err(Silent::Late));
        drop(client);
        assert_eq!(wire.wait(None, || true), Err(Gone), "the end is seen behind the bytes");
    }
}

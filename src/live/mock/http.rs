//! HTTP/1.1 requests (RFC 9112), bounded in size and time, and the heads of responses.
//!
//! A head has at most 64 KiB and 100 fields, a body 16 MiB; both must be complete within [`Bounds::request`]. Where the
//! end of a request cannot be determined, the connection is closed after the response.

use std::time::{Duration, Instant};

use httparse::{Error, Status};

use super::problem::Problem;
use super::wire::{Silent, Wire};

const MOST_HEAD: usize = 64 * 1024;
const MOST_BODY: usize = 16 * 1024 * 1024;
const MOST_FIELDS: usize = 100;
/// The longest line at the start of a chunk, extensions included, in bytes.
const MOST_CHUNK_LINE: usize = 4096;

/// The longest waits for a caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The longest wait for the next request on a connection to begin.
    pub(super) idle: Duration,
    /// The longest time from then until the request is complete.
    pub(super) request: Duration,
}

impl Bounds {
    /// The bounds that servers on the internet commonly have.
    pub(super) const USUAL: Bounds = Bounds {
        idle: Duration::from_secs(75),
        request: Duration::from_secs(30),
    };
}

/// A request that has been read completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path of the target, without the query.
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    /// Whether the caller supports chunked transfer coding: HTTP/1.1.
    pub(super) is_1_1: bool,
    /// Whether the connection stays open after the answer.
    pub(super) keeps_open: bool,
    /// When its last byte had been read.
    pub(super) read_at: Instant,
}

/// The reason why there is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoRequest {
    /// The caller has gone, or sends nothing more.
    Over,
    /// The request is malformed, too large or too slow: the response to send before the connection is closed.
    Bad(Box<Problem>),
}

impl From<Problem> for NoRequest {
    fn from(problem: Problem) -> NoRequest {
        NoRequest::Bad(Box::new(problem))
    }
}

/// What a head says about its body and the connection.
#[derive(Debug)]
struct Head {
    request: Request,
    length: Length,
    expects_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
}

/// Reads the next request from `wire`; waits for it to begin for as long as `goes_on` is true.
pub(super) fn read_request(wire: &mut Wire, bounds: Bounds, goes_on: impl Fn() -> bool) -> Result<Request, NoRequest> {
    let idle_until = Instant::now() + bounds.idle;
    while wire.unused.is_empty() {
        let glance = Instant::now() + Duration::from_millis(500);
        match wire.fill(glance.min(idle_until)) {
            Ok(()) => {}
            Err(Silent::Late) if Instant::now() < idle_until && goes_on() => {}
            Err(_) => return Err(NoRequest::Over),
        }
    }
    let deadline = Instant::now() + bounds.request;
    let Head {
        mut request,
        length,
        expects_continue,
    } = loop {
        if let Some((head, used)) = read_head(&wire.unused)? {
            wire.unused.drain(..used);
            break head;
        }
        if wire.unused.len() > MOST_HEAD {
            return Err(Problem::bad(431, format!("the head of the request is longer than {MOST_HEAD} bytes")).into());
        }
        more(wire, deadline)?;
    };
    if expects_continue && wire.unused.is_empty() && length != Length::Known(0) {
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            .map_err(|_| NoRequest::Over)?;
    }
    request.body = match length {
        Length::Known(length) => take(wire, length, deadline)?,
        Length::Chunked => read_chunks(wire, deadline)?,
    };
    request.read_at = Instant::now();
    Ok(request)
}

/// Reads more of a request that is not complete.
fn more(wire: &mut Wire, deadline: Instant) -> Result<(), NoRequest> {
    wire.fill(deadline).map_err(|silent| match silent {
        Silent::Gone => NoRequest::Over,
        Silent::Late => Problem::bad(408, "the request did not come to an end in time").into(),
    })
}

/// The next `length` bytes.
fn take(wire: &mut Wire, length: usize, deadline: Instant) -> Result<Vec<u8>, NoRequest> {
    while wire.unused.len() < length {
        more(wire, deadline)?;
    }
    let rest = wire.unused.split_off(length);
    Ok(std::mem::replace(&mut wire.unused, rest))
}

/// Reads a chunked body, and the trailer after it, which is ignored.
fn read_chunks(wire: &mut Wire, deadline: Instant) -> Result<Vec<u8>, NoRequest> {
    let malformed = || Problem::bad(400, "the chunks of the body are malformed");
    let mut body = Vec::new();
    loop {
        let size = loop {
            match httparse::parse_chunk_size(&wire.unused) {
                Ok(Status::Complete((used, size))) => {
                    wire.unused.drain(..used);
                    break size;
                }
                Ok(Status::Partial) if wire.unused.len() < MOST_CHUNK_LINE => more(wire, deadline)?,
                Ok(Status::Partial) | Err(_) => return Err(malformed().into()),
            }
        };
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MOST_BODY - body.len() {
            return Err(too_large().into());
        }
        body.append(&mut take(wire, size, deadline)?);
        if take(wire, 2, deadline)? != b"\r\n" {
            return Err(malformed().into());
        }
    }
    let mut left = MOST_HEAD;
    loop {
        match wire.unused.iter().position(|&b| b == b'\n') {
            Some(end) => {
                let line: Vec<u8> = wire.unused.drain(..=end).collect();
                if line == b"\r\n" || line == b"\n" {
                    return Ok(body);
                }
                left = left.saturating_sub(line.len());
            }
            None => more(wire, deadline)?,
        }
        if wire.unused.len() > MOST_HEAD || left == 0 {
            return Err(malformed().into());
        }
    }
}

fn too_large() -> Problem {
    Problem::bad(413, format!("the body is longer than {MOST_BODY} bytes"))
}

/// The head at the beginning of `bytes` and its length, once it is complete.
fn read_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, NoRequest> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let used = match parsed.parse(bytes) {
        Ok(Status::Complete(used)) if used <= MOST_HEAD => used,
        Ok(Status::Complete(_)) => {
            return Err(Problem::bad(431, format!("the head of the request is longer than {MOST_HEAD} bytes")).into());
        }
        Ok(Status::Partial) => return Ok(None),
        Err(Error::TooManyHeaders) => {
            return Err(Problem::bad(431, format!("the request has more than {MOST_FIELDS} header fields")).into());
        }
        Err(Error::Version) => {
            return Err(Problem::bad(505, "this is not HTTP/1.1").into());
        }
        Err(error) => return Err(Problem::bad(400, format!("this is no HTTP request: {error}")).into()),
    };
    let is_1_1 = parsed.version == Some(1);
    let mut length = None;
    let mut is_chunked = false;
    let mut keeps_open = is_1_1;
    let mut expects_continue = false;
    let mut hosts = 0;
    for field in parsed.headers.iter() {
        let value = String::from_utf8_lossy(field.value).trim().to_ascii_lowercase();
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            let given = digits.then(|| value.parse::<usize>().unwrap_or(usize::MAX));
            if given.is_none() || length.is_some_and(|other| Some(other) != given) {
                return Err(Problem::bad(400, "`Content-Length` is not one number of bytes").into());
            }
            length = given;
        } else if is("transfer-encoding") {
            if value != "chunked" || is_chunked {
                return Err(Problem::bad(501, "`Transfer-Encoding` may only be `chunked`").into());
            }
            is_chunked = true;
        } else if is("connection") {
            for token in value.split(',') {
                match token.trim() {
                    "close" => keeps_open = false,
                    "keep-alive" => keeps_open = true,
                    _ => {}
                }
            }
        } else if is("expect") {
            if value != "100-continue" {
                return Err(Problem::bad(417, "`Expect` may only be `100-continue`").into());
            }
            expects_continue = is_1_1;
        } else if is("host") {
            hosts += 1;
        }
    }
    if is_1_1 && hosts != 1 {
        return Err(Problem::bad(400, "a request has one `Host`").into());
    }
    let length = match (length, is_chunked) {
        // Two parties that disagree on which length counts can be made to see different requests (request smuggling).
        (Some(_), true) => {
            return Err(Problem::bad(400, "`Content-Length` beside `Transfer-Encoding`").into());
        }
        (Some(length), false) if length > MOST_BODY => return Err(too_large().into()),
        (length, false) => Length::Known(length.unwrap_or(0)),
        (None, true) => Length::Chunked,
    };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path(parsed.path.unwrap_or_default()).to_owned(),
        body: Vec::new(),
        is_1_1,
        keeps_open,
        read_at: Instant::now(),
    };
    let head = Head {
        request,
        length,
        expects_continue,
    };
    Ok(Some((head, used)))
}

/// The path of a target, which may be an absolute URI (RFC 9112, 3.2.2) and have a query.
fn path(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => target,
    };
    path.split(['?', '#']).next().unwrap_or_default()
}

/// The framing of a body: how its end is determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The body has this many bytes.
    Length(usize),
    /// The body ends with an empty chunk.
    Chunks,
    /// The body ends when the connection does.
    UntilClosed,
}

/// Formats the head of a response.
pub(super) fn head(
    status: u16,
    kind: &str,
    framing: Framing,
    keeps_open: bool,
    fields: &[(&'static str, String)],
) -> String {
    let mut head = format!("HTTP/1.1 {status} {}\r\ncontent-type: {kind}\r\n", reason(status));
    match framing {
        Framing::Length(bytes) => head.push_str(&format!("content-length: {bytes}\r\n")),
        Framing::Chunks => head.push_str("transfer-encoding: chunked\r\n"),
        Framing::UntilClosed => {}
    }
    if !keeps_open {
        head.push_str("connection: close\r\n");
    }
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        529 => "Overloaded",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    const QUICK: Bounds = Bounds {
        idle: Duration::from_millis(200),
        request: Duration::from_millis(200),
    };

    /// The result of reading from a caller that sends these pieces, with a pause between them, and stays connected.
    fn read(pieces: &[&[u8]]) -> (Result<Request, NoRequest>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        let mut wire = Wire::new(listener.accept().unwrap().0).unwrap();
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|p| p.to_vec()).collect();
        let sender = std::thread::spawn(move || {
            for piece in pieces {
                // The server may have hung up.
                let _ = client.write_all(&piece);
                std::thread::sleep(Duration::from_millis(2));
            }
            client
        });
        let found = read_request(&mut wire, QUICK, || true);
        (found, sender.join().unwrap())
    }

    fn status(pieces: &[&[u8]]) -> u16 {
        match read(pieces).0 {
            Err(NoRequest::Bad(problem)) => problem.status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_body_comes_by_length_or_in_chunks_however_it_is_cut() {
        let by_length = b"POST /v1/x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".as_slice();
        let chunked =
            b"POST http://a:1/v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nSum: 1\r\n\r\n"
                .as_slice();
        for whole in [by_length, chunked] {
            for pieces in [vec![whole], whole.chunks(7).collect::<Vec<_>>()] {
                let request = read(&pieces).0.unwrap();
                assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/x"));
                assert_eq!(request.body, b"hello");
                assert!(request.keeps_open && request.is_1_1);
            }
        }
    }

    #[test]
    fn who_expects_to_be_told_to_go_on_is_told() {
        let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n".as_slice();
        let (request, mut client) = read(&[head, b"", b"", b"ok"]);
        assert_eq!(request.unwrap().body, b"ok");
        let mut told = [0; 25];
        client.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[test]
    fn what_is_no_request_or_too_large_or_too_slow_is_answered() {
        let field = format!("a: {}\r\n", "b".repeat(1000));
        let long = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", field.repeat(70));
        let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(200));
        for (bytes, expected) in [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01".as_slice(), 400),
            (b"GET / HTTP/3.0\r\n\r\n", 505),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
            (
                b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
                400,
            ),
            (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -3\r\n\r\n", 400),
            (
                b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999999\r\n\r\n",
                413,
            ),
            (
                b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
                400,
            ),
            (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
            (
                b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
                400,
            ),
            (
                b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
                413,
            ),
            (
                b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabcd\r\n",
                400,
            ),
            (b"POST / HTTP/1.1\r\nhost: a\r\nexpect: cake\r\n\r\n", 417),
            (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel", 408),
            (b"GET / HT", 408),
            (long.as_bytes(), 431),
            (many.as_bytes(), 431),
        ] {
            assert_eq!(status(&[bytes]), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn who_says_nothing_is_let_go_and_1_0_closes() {
        assert_eq!(read(&[]).0, Err(NoRequest::Over));
        let request = read(&[b"GET / HTTP/1.0\r\n\r\n"]).0.unwrap();
        assert_eq!((request.is_1_1, request.keeps_open), (false, false));
        let request = read(&[b"GET / HTTP/1.1\r\nhost: a\r\nConnection: Close\r\n\r\n"])
            .0
            .unwrap();
        assert!(!request.keeps_open);
    }
}

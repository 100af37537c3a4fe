//! One probe: a chat completion that is sent, timed and classified. It never retries, follows no redirect (a key must
//! not travel), and ends by its deadlines whatever the endpoint does.
//!
//! Times count from just before the connection is requested, so that TTFT includes all that a user waits for; the parts
//! of making the connection are recorded separately. TTFT is the first chunk with content (reasoning counts
//! separately), stamped when its bytes left the socket (`wire`), before parsing. A last chunk with usage only is not a
//! token. A stream that ends without `[DONE]` and without a finish reason is truncated; an error in it is a failure,
//! whatever the status. All 2xx statuses are answers. The idle timeout is the time without a *token*: comments that
//! keep a connection alive do not extend it.

use std::io::Read;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ureq::http::{HeaderMap, HeaderValue, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

use super::key::Key;
use super::stream::{Ended, Stream};
use super::wire::{self, Deadline};
use crate::calibrate::answer::{self, ApiError};
use crate::calibrate::headers;
use crate::calibrate::probe::{Connection, Ending, Probe};
use crate::words::Outcome;

/// The longest wait for each part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The longest wait for a connection, name lookup and TLS included.
    pub connect: Duration,
    /// The longest wait for the first token of a stream, from when the probe was sent.
    pub ttft: Duration,
    /// The longest wait for each further token.
    pub idle: Duration,
    /// The longest duration of the whole probe.
    pub total: Duration,
}

/// The most bytes that are read of an answer, and of an error's body.
const MOST_BYTES: usize = 64 << 20;
const MOST_ERROR_BYTES: u64 = 64 << 10;

/// The longest text of an error that is kept, in characters.
const MOST_WORDS: usize = 200;

/// How long the end of a body may take after its `[DONE]`, for the connection to be used again.
const DRAIN: Duration = Duration::from_millis(200);

/// A client of one endpoint, with a pool of connections.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    key: Option<(String, Key)>,
    timeouts: Timeouts,
}

/// The request of one probe.
#[derive(Debug)]
pub struct Sent<'a> {
    /// The JSON body.
    pub body: &'a [u8],
    /// Whether it requests a stream.
    pub stream: bool,
    /// The most output tokens that it allows.
    pub max_output: u32,
}

impl Client {
    /// A client for the endpoint at `base_url`; the key goes into the header named beside it. `roots` are trusted in
    /// place of the public certificates.
    pub fn new(
        base_url: &str,
        key: Option<(String, Key)>,
        timeouts: Timeouts,
        roots: Option<&[Certificate<'static>]>,
    ) -> Client {
        /// The most idle connections that are kept for later probes.
        const KEPT: usize = 1024;
        const BUFFER: usize = 32 << 10;
        let roots = roots.map_or(RootCerts::WebPki, RootCerts::new_with_certs);
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(timeouts.connect))
            .user_agent(concat!("simcap/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(KEPT)
            .max_idle_connections_per_host(KEPT)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        let base = base_url.trim_end_matches('/');
        let url = if base.ends_with("/chat/completions") {
            base.to_owned()
        } else {
            format!("{base}/chat/completions")
        };
        Client {
            agent: wire::agent(config),
            url,
            key,
            timeouts,
        }
    }

    /// Sends a probe now and fills in the measured fields of `probe`. Returns when it was sent.
    pub fn send(&self, sent: &Sent<'_>, probe: &mut Probe) -> Instant {
        let began = Instant::now();
        let total = Deadline {
            at: began + self.timeouts.total,
            outcome: Outcome::TimeoutTotal,
        };
        let ttft = Deadline {
            at: began + self.timeouts.ttft,
            outcome: Outcome::TimeoutTtft,
        };
        wire::begin(if sent.stream { nearer(total, ttft) } else { total });
        let mut watch = Watch { began, total, probe };
        let ended = match self.request(sent) {
            Ok(response) => self.read(response, sent, &mut watch),
            Err(error) => Err(failed(&error, false)),
        };
        let now = watch.at(Instant::now());
        if probe.end_us == 0 {
            probe.end_us = now;
        }
        if probe.connection.is_none() {
            probe.connection = wire::seen().made;
        }
        if let Err(failure) = ended {
            probe.outcome = Ending(failure.outcome);
            probe.error = Some(self.words(&failure.words));
        }
        began
    }

    fn request(&self, sent: &Sent<'_>) -> Result<Response<Body>, Error> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header(
                "accept",
                if sent.stream {
                    "text/event-stream"
                } else {
                    "application/json"
                },
            );
        if let Some((header, key)) = &self.key {
            let bearer = header.eq_ignore_ascii_case("authorization");
            let text = format!("{}{}", if bearer { "Bearer " } else { "" }, key.reveal());
            let mut value = HeaderValue::from_str(&text).map_err(|_| Error::BadUri("the key".into()))?;
            value.set_sensitive(true);
            request = request.header(header.as_str(), value);
        }
        request.send(sent.body)
    }

    fn read(&self, response: Response<Body>, sent: &Sent<'_>, watch: &mut Watch<'_>) -> Result<(), Failure> {
        let status = response.status().as_u16();
        watch.probe.status = Some(status);
        watch.probe.headers_us = Some(watch.at_read());
        watch.probe.connection = Some(wire::seen().made.unwrap_or(Connection {
            reused: true,
            ..Connection::default()
        }));
        let said = said(response.headers());
        watch.probe.retry_after_us = said.retry_after_us;
        watch.probe.quotas = said.quotas;
        if !(200..300).contains(&status) {
            return Err(refused(status, response, watch));
        }
        let kind = content_type(response.headers());
        let reader = response.into_body().into_with_config().reader();
        if sent.stream {
            if !matches!(kind.as_str(), "text/event-stream" | "") {
                return Err(Failure::malformed(format!("asked for a stream, got {kind}")));
            }
            stream(reader, sent.max_output, self.timeouts.idle, watch)
        } else {
            whole(reader, watch)
        }
    }

    /// Text from the endpoint in the form in which it may be kept: without the key, short, on one line.
    fn words(&self, text: &str) -> String {
        let start: String = text.chars().take(8 * MOST_WORDS).collect();
        let clean = match &self.key {
            Some((_, key)) => key.scrub(&start),
            None => start,
        };
        let line: String = clean.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut words = line.chars();
        let kept: String = words.by_ref().take(MOST_WORDS).collect();
        if words.next().is_some() { kept + "…" } else { kept }
    }
}

fn nearer(a: Deadline, b: Deadline) -> Deadline {
    if b.at < a.at { b } else { a }
}

fn said(headers: &HeaderMap) -> headers::Said {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    headers::read(pairs, now.as_micros() as u64)
}

/// The media type, without parameters; empty if there is none.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get("content-type")
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let value = value.unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A probe under way.
struct Watch<'a> {
    began: Instant,
    total: Deadline,
    probe: &'a mut Probe,
}

impl Watch<'_> {
    fn at(&self, when: Instant) -> u64 {
        when.saturating_duration_since(self.began).as_micros() as u64
    }

    /// When bytes last arrived.
    fn at_read(&self) -> u64 {
        self.at(wire::seen().read.unwrap_or_else(Instant::now))
    }
}

/// How a probe failed.
struct Failure {
    outcome: Outcome,
    words: String,
}

impl Failure {
    /// A response that is not a valid answer, by the endpoint's fault.
    fn malformed(words: String) -> Failure {
        Failure {
            outcome: Outcome::ServerError,
            words: format!("malformed answer: {words}"),
        }
    }
}

/// What an error of the connection means, before or after the response's head was there.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's errors, of which there may be more"
)]
fn failed(error: &Error, answered: bool) -> Failure {
    let outcome = match (error, wire::seen().expired) {
        (_, Some(expired)) => expired,
        (Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve), _) => Outcome::TimeoutConnect,
        (Error::Timeout(_), _) => Outcome::TimeoutTotal,
        (Error::Protocol(_) | Error::Http(_) | Error::LargeResponseHeader(..) | Error::BodyStalled, _) => {
            return Failure::malformed(format!("not HTTP as it should be: {error}"));
        }
        _ if answered => Outcome::Truncated,
        _ => Outcome::ConnectionError,
    };
    let words = match error {
        Error::Timeout(_) => outcome.name().replace('_', " "),
        _ => error.to_string(),
    };
    Failure { outcome, words }
}

/// The failure that an error inside a reader means (see [`failed`]).
fn broken(error: std::io::Error) -> Failure {
    failed(&Error::from(error), true)
}

fn refused(status: u16, response: Response<Body>, watch: &Watch<'_>) -> Failure {
    // An error body that arrives slowly is not worth the whole timeout.
    wire::set_deadline(nearer(
        watch.total,
        Deadline {
            at: Instant::now() + Duration::from_secs(5),
            outcome: Outcome::TimeoutTotal,
        },
    ));
    let mut body = Vec::new();
    // However much of it arrived is enough.
    let _ = response
        .into_body()
        .into_reader()
        .take(MOST_ERROR_BYTES)
        .read_to_end(&mut body);
    let error = if (300..400).contains(&status) {
        ApiError {
            message: "a redirect, which is not followed: give the address it leads to".into(),
            ..ApiError::default()
        }
    } else {
        answer::error_of_body(&body)
    };
    Failure {
        outcome: error.outcome(Some(status)),
        words: format!("{status} {} {}", error.kinds, error.message),
    }
}

/// Reads an answer that comes whole, without streaming.
fn whole(reader: impl Read, watch: &mut Watch<'_>) -> Result<(), Failure> {
    let mut reader = reader.take(MOST_BYTES as u64 + 1);
    let mut body = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        match reader.read(&mut piece).map_err(broken)? {
            0 => break,
            n => {
                let at = watch.at_read();
                watch.probe.first_byte_us.get_or_insert(at);
                body.extend_from_slice(&piece[..n]);
            }
        }
    }
    watch.probe.end_us = watch.at_read();
    if body.len() > MOST_BYTES {
        return Err(Failure::malformed(format!("more than {MOST_BYTES} bytes")));
    }
    let chunk = answer::read(&body).map_err(Failure::malformed)?;
    watch.probe.usage = chunk.usage;
    if let Some(error) = chunk.error {
        return Err(Failure {
            outcome: error.outcome(None),
            words: format!("{} {}", error.kinds, error.message),
        });
    }
    match chunk.finish.as_deref() {
        Some("content_filter") => Err(Failure {
            outcome: Outcome::ContentFiltered,
            words: "finish_reason content_filter".into(),
        }),
        None if !chunk.content && !chunk.reasoning => Err(Failure::malformed("JSON without an answer in it".into())),
        _ => Ok(()),
    }
}

/// Reads an answer that comes as a stream.
fn stream(mut reader: impl Read, max_output: u32, idle: Duration, watch: &mut Watch<'_>) -> Result<(), Failure> {
    let mut stream = Stream::new(max_output);
    let mut piece = [0; 16 << 10];
    let mut bytes = 0;
    let failure = loop {
        let n = match reader.read(&mut piece) {
            Ok(0) => break None,
            Ok(n) => n,
            Err(error) => break Some(broken(error)),
        };
        let at = watch.at_read();
        watch.probe.first_byte_us.get_or_insert(at);
        bytes += n;
        stream.feed(&piece[..n], at);
        if stream.ended().is_some() {
            break None;
        }
        if bytes > MOST_BYTES {
            break Some(Failure::malformed(format!("more than {MOST_BYTES} bytes")));
        }
        if let Some(last) = stream.last_token_us() {
            let at = watch.began + Duration::from_micros(last) + idle;
            let idle = Deadline {
                at,
                outcome: Outcome::TimeoutIdle,
            };
            wire::set_deadline(nearer(watch.total, idle));
        }
    };
    watch.probe.end_us = if failure.is_none() {
        watch.at_read()
    } else {
        watch.at(Instant::now())
    };
    if matches!(stream.ended(), Some(Ended::Done)) {
        wire::set_deadline(Deadline {
            at: Instant::now() + DRAIN,
            outcome: Outcome::TimeoutTotal,
        });
        // Reads to the end so that the connection can be reused; a failure here loses nothing.
        while matches!(reader.read(&mut piece), Ok(1..)) {}
    }
    stream.write(watch.probe);
    match (stream.ended(), failure) {
        (_, Some(failure)) => Err(failure),
        (Some(Ended::Malformed(words)), _) => Err(Failure::malformed(words.clone())),
        (Some(Ended::Error(error)), _) => Err(Failure {
            outcome: error.outcome(None),
            words: format!("in the stream: {} {}", error.kinds, error.message),
        }),
        (ended, None) => match stream.finish() {
            Some("content_filter") => Err(Failure {
                outcome: Outcome::ContentFiltered,
                words: "finish_reason content_filter".into(),
            }),
            None if ended.is_none() => Err(Failure {
                outcome: Outcome::Truncated,
                words: "the stream ended without [DONE] and without a finish_reason".into(),
            }),
            _ => Ok(()),
        },
    }
}

//! The connection under the HTTP client: name lookup, TCP and TLS timed one by one, each arrival of bytes stamped,
//! deadlines kept.
//!
//! A stamp is taken when a read of the socket returns, before TLS or any parsing: a chunk's time is that of the read
//! that delivered its last byte. The code that reads an answer sets the [`Deadline`] and finds the stamps in a
//! thread-local, because a probe lives on one thread while pooled connections pass from one probe to the next. Names
//! are looked up only where a new connection is made. Built on ureq 3.5's `unversioned` transport traits. Left out:
//! HTTP/2, SOCKS proxies; the time that a CONNECT proxy takes counts as TCP.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::{Duration, Instant as UreqInstant};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector, TcpConnector,
    Transport,
};
use ureq::{Agent, Error};

use crate::calibrate::probe::Connection;
use crate::words::Outcome;

/// When reading must end, and the outcome if it is not finished by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) outcome: Outcome,
}

/// The observations on this thread's connection since [`begin`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// When bytes last arrived.
    pub(super) read: Option<Instant>,
    /// How the connection was made, as far as it was; `None` if it was reused.
    pub(super) made: Option<Connection>,
    /// The deadline that passed.
    pub(super) expired: Option<Outcome>,
}

thread_local! {
    static SEEN: Cell<Seen> = const { Cell::new(Seen { read: None, made: None, expired: None }) };
    static DEADLINE: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// Clears this thread's observations, and sets its deadline.
pub(super) fn begin(deadline: Deadline) {
    SEEN.set(Seen::default());
    DEADLINE.set(Some(deadline));
}

/// Replaces this thread's deadline.
pub(super) fn set_deadline(deadline: Deadline) {
    DEADLINE.set(Some(deadline));
}

/// This thread's observations.
pub(super) fn seen() -> Seen {
    SEEN.get()
}

fn note(change: impl FnOnce(&mut Seen)) {
    let mut seen = SEEN.get();
    change(&mut seen);
    SEEN.set(seen);
}

fn micros(since: Instant) -> u64 {
    since.elapsed().as_micros() as u64
}

/// An HTTP client with such connections.
pub(super) fn agent(config: Config) -> Agent {
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(Dial(TcpConnector::default()))
            .chain(Wrap(RustlsConnector::default()));
    Agent::with_parts(config, connector, Later)
}

/// A resolver that leaves the lookup to [`Dial`]: ureq calls it for every request, even where a connection is reused.
#[derive(Debug)]
struct Later;

impl Resolver for Later {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// Looks up the name and opens a socket.
#[derive(Debug)]
struct Dial(TcpConnector);

impl<In: Transport> Connector<In> for Dial {
    type Out = Either<In, Stamped>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(proxied) = chained {
            return Ok(Some(Either::A(proxied)));
        }
        let began = Instant::now();
        let addrs = addresses(details)?;
        let dns_us = micros(began);
        let mut timeout = details.timeout;
        if !timeout.after.is_not_happening() {
            timeout.after = Duration::from(timeout.after.saturating_sub(began.elapsed()));
        }
        let resolved = ConnectionDetails {
            uri: details.uri,
            addrs,
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: UreqInstant::now(),
            timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        note(|seen| {
            seen.made = Some(Connection {
                dns_us,
                ..Connection::default()
            });
        });
        let began = Instant::now();
        let socket = Connector::<()>::connect(&self.0, &resolved, None)?.ok_or(Error::ConnectionFailed)?;
        note(|seen| {
            if let Some(made) = &mut seen.made {
                made.tcp_us = micros(began);
            }
        });
        Ok(Some(Either::B(Stamped(Box::new(socket)))))
    }
}

/// The addresses of a host; an IP address needs no lookup.
fn addresses(details: &ConnectionDetails) -> Result<ResolvedSocketAddrs, Error> {
    let uri = details.uri;
    let host = uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(ip) => {
            let mut addrs = Later.empty();
            addrs.push(SocketAddr::new(ip, uri.port_u16().unwrap_or(default)));
            Ok(addrs)
        }
        Err(_) => DefaultResolver::default().resolve(uri, details.config, details.timeout),
    }
}

/// Wraps the socket in TLS if the address requires it.
#[derive(Debug)]
struct Wrap(RustlsConnector);

impl<In: Transport> Connector<In> for Wrap {
    type Out = <RustlsConnector as Connector<In>>::Out;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let began = Instant::now();
        let wrapped = self.0.connect(details, chained);
        if details.needs_tls() {
            note(|seen| {
                if let Some(made) = &mut seen.made {
                    made.tls_us = micros(began);
                }
            });
        }
        wrapped
    }
}

/// A socket whose reads are stamped and whose reads and writes end at the thread's deadline.
#[derive(Debug)]
struct Stamped(Box<dyn Transport>);

/// The shorter of two timeouts, and the deadline if that is the shorter one.
fn capped(timeout: NextTimeout) -> Result<(NextTimeout, Option<Deadline>), Error> {
    let Some(deadline) = DEADLINE.get() else {
        return Ok((timeout, None));
    };
    let left = deadline.at.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(expire(deadline));
    }
    let left = Duration::from(left);
    if left < timeout.after {
        let mut timeout = timeout;
        timeout.after = left;
        Ok((timeout, Some(deadline)))
    } else {
        Ok((timeout, None))
    }
}

fn expire(deadline: Deadline) -> Error {
    note(|seen| seen.expired = Some(deadline.outcome));
    Error::Timeout(ureq::Timeout::Global)
}

fn told(error: Error, deadline: Option<Deadline>) -> Error {
    match (&error, deadline) {
        (Error::Timeout(_), Some(deadline)) => expire(deadline),
        _ => error,
    }
}

impl Transport for Stamped {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let (timeout, deadline) = capped(timeout)?;
        self.0
            .transmit_output(amount, timeout)
            .map_err(|error| told(error, deadline))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let (timeout, deadline) = capped(timeout)?;
        let came = self.0.await_input(timeout);
        // The stamp comes before anything is done with the bytes.
        let now = Instant::now();
        let came = came.map_err(|error| told(error, deadline))?;
        note(|seen| seen.read = Some(now));
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

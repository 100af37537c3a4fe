//! The server: a listener, one thread for each connection, and the summary at the end.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::answer::JSON;
use super::connection;
use super::fleet::Fleet;
use super::http::{Framing, head};
use super::problem::Problem;
use super::source::Providers;
use crate::kernel::sampler::Sampler;
use crate::words::Outcome;

/// A thread's stack: parsing JSON 128 levels deep takes the most.
const STACK: usize = 512 * 1024;

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The address to listen on; port 0 for any free port.
    pub address: SocketAddr,
    /// The seed of every draw.
    pub seed: u64,
    /// The law of output lengths. Default: as many tokens as `max_tokens` says, else 128.
    pub output: Option<Sampler>,
    /// The most connections at once; further ones get a 503.
    pub max_connections: usize,
    /// Whether the chunk of each token carries the time at which it was sent, in microseconds since 1970, as
    /// `simcap_sent_us`.
    pub stamps: bool,
    /// Whether headers report what is left of the quotas.
    pub quota_headers: bool,
    /// Whether a request is refused that has fields without an effect here.
    pub strict: bool,
    /// Further names that requests may give as their `model`, each with the name of the provider that serves it.
    pub aliases: BTreeMap<String, String>,
}

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) fleet: Fleet,
    pub(super) stamps: bool,
    pub(super) quota_headers: bool,
    pub(super) strict: bool,
    /// Further names of providers, by what requests call them.
    pub(super) aliases: BTreeMap<String, String>,
    stop: Arc<AtomicBool>,
    bad: AtomicU64,
    open: AtomicUsize,
}

impl Shared {
    /// Whether the server has been told to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Counts a request that reached no model.
    pub(super) fn note_bad(&self) {
        self.bad.fetch_add(1, Ordering::Relaxed);
    }
}

/// A server that is listening.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    most: usize,
    shared: Arc<Shared>,
}

/// A handle that stops a server from another thread.
#[derive(Clone, Debug)]
pub struct Stop {
    stop: Arc<AtomicBool>,
    address: SocketAddr,
}

impl Stop {
    /// Tells the server to stop. Returns whether it had been told before.
    pub fn stop(&self) -> bool {
        let before = self.stop.swap(true, Ordering::Relaxed);
        // The listener waits for a connection: this is one. If it fails, the listener notices the stop with the next
        // one.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        before
    }
}

/// The requests to a server, by how they ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Requests to a model that have ended, by outcome; [`Outcome::Cancelled`] if the caller hung up.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Requests to a model that were under way when it stopped.
    pub under_way: u64,
    /// Requests that reached no model.
    pub bad: u64,
    /// Prompt tokens of the requests to models.
    pub input: u64,
    /// Output tokens of the answers to them.
    pub output: u64,
}

impl Summary {
    /// Requests that reached a model.
    pub fn requests(&self) -> u64 {
        self.outcomes.iter().map(|(_, n)| n).sum::<u64>() + self.under_way
    }
}

impl Server {
    /// Listens for requests to `providers`, whose clock starts now.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn bind(providers: Providers, serving: Serving) -> io::Result<Server> {
        let listener = TcpListener::bind(serving.address)?;
        let address = listener.local_addr()?;
        let shared = Shared {
            fleet: Fleet::new(providers, serving.output, serving.seed),
            stamps: serving.stamps,
            quota_headers: serving.quota_headers,
            strict: serving.strict,
            aliases: serving.aliases,
            stop: Arc::default(),
            bad: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        };
        Ok(Server {
            listener,
            address,
            most: serving.max_connections,
            shared: Arc::new(shared),
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle that stops the server.
    pub fn stopper(&self) -> Stop {
        let mut address = self.address;
        // A server that listens on all addresses is reached through loopback.
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Stop {
            stop: Arc::clone(&self.shared.stop),
            address,
        }
    }

    /// Serves until it is told to stop. Answers under way are then cut off.
    pub fn run(self) -> Summary {
        while !self.shared.is_stopping() {
            match self.listener.accept() {
                Ok((socket, _)) if !self.shared.is_stopping() => self.serve(socket),
                Ok(_) => {}
                // A connection was given up, or no file descriptor is free: later ones may succeed.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
        let counts = self.shared.fleet.counts();
        let of = |outcome: Outcome| (outcome, counts.outcomes[outcome.index()]);
        Summary {
            outcomes: Outcome::ALL.map(of).into_iter().filter(|&(_, n)| n > 0).collect(),
            under_way: counts.under_way,
            bad: self.shared.bad.load(Ordering::Relaxed),
            input: counts.input,
            output: counts.output,
        }
    }

    fn serve(&self, socket: TcpStream) {
        let shared = Arc::clone(&self.shared);
        if shared.open.load(Ordering::Relaxed) >= self.most {
            return self.turn_away(
                &socket,
                &format!("{} connections are open, as many as the mock serves", self.most),
            );
        }
        shared.open.fetch_add(1, Ordering::Relaxed);
        let spare = socket.try_clone();
        let work = move || {
            connection::serve(socket, &shared);
            shared.open.fetch_sub(1, Ordering::Relaxed);
        };
        if thread::Builder::new().stack_size(STACK).spawn(work).is_err() {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
            if let Ok(socket) = spare {
                self.turn_away(&socket, "the mock has no thread left for another connection");
            }
        }
    }

    /// Answers 503, without waiting for anything.
    fn turn_away(&self, mut socket: &TcpStream, why: &str) {
        let problem = Problem {
            kind: "server_error",
            code: Some("mock_is_full"),
            ..Problem::bad(503, why)
        };
        self.shared.note_bad();
        let body = problem.body();
        let text = head(503, JSON, Framing::Length(body.len()), false, &[]) + &body;
        // A response that cannot be written at once is dropped.
        let _ = socket.set_nonblocking(true);
        let _ = socket.write_all(text.as_bytes());
        let _ = socket.shutdown(Shutdown::Write);
        let _ = socket.read(&mut [0; 16 * 1024]);
    }
}

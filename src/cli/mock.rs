//! `simcap mock`: modelled providers as a server.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use clap::Args;

use super::{Done, Exit, Failure, print, signals, traces};
use crate::experiment::load::load;
use crate::form::diagnose::nearest;
use crate::live::mock::{Server, Serving, SourceError, Stop, Summary, from_experiment, from_models, output_law};
use crate::report::format;

const AFTER: &str = "\
A request's `model` says which model it is for. Served: POST /v1/chat/completions and /v1/completions (streamed or whole), \
GET /v1/models, GET /health. Any key is good. A token is a word: whatever stands between white space. The same seed gives \
the same answers to the same requests in the same order. Time goes on as the clock does: quotas refill, and outages come \
when they are due, counted from the start. A hang lasts until the client gives up; a client that closes its side of the \
connection has hung up.

Examples:
  simcap mock gpt-4.1 claude-sonnet-4.5@r3 --port 8080
  simcap mock models/mine.json --output '{\"lognormal\": {\"median\": 200, \"sigma\": 0.7}}'
  curl -N http://127.0.0.1:8080/v1/chat/completions -d '{\"model\": \"gpt-4.1\", \"stream\": true,
    \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"max_tokens\": 20}'

Exit codes:
  0  ended by Ctrl-C, SIGTERM or SIGHUP
  2  bad input or usage
  3  cannot listen";

/// Arguments of `simcap mock`.
#[derive(Debug, Args)]
#[command(after_help = AFTER, after_long_help = AFTER)]
pub(super) struct Mock {
    /// Models: names (models/NAME.json in this folder or above it, else built in) or files, each with @VARIANT if need be
    #[arg(value_name = "MODEL", required_unless_present = "experiment")]
    models: Vec<String>,
    /// Serve every provider of this experiment, under its name there, instead of models
    #[arg(long, value_name = "FILE", conflicts_with_all = ["models", "variant"])]
    experiment: Option<PathBuf>,
    /// The variant of models that name none [default: the one that the model says]
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// The port; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// The address to listen at
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The seed of every draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Output tokens: a number or a law as in a model file, cut at a request's `max_tokens` [default: `max_tokens`, else 128]
    #[arg(long, value_name = "LAW")]
    output: Option<String>,
    /// The most connections at once, a thread each; further ones get a 503
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_connections: u32,
    /// Say in each token's chunk when it was sent: `simcap_sent_us`, microseconds since 1970
    #[arg(long)]
    stamps: bool,
    /// Leave out the x-ratelimit-* headers, as servers do that say nothing of their quotas; a 429 keeps its Retry-After
    #[arg(long)]
    no_quota_headers: bool,
    /// Refuse requests with fields that have no effect here; else the header x-simcap-ignored names them
    #[arg(long)]
    strict: bool,
    /// A further name for a model that is served, as in `--alias gpt-4o=mine`; may be given again
    #[arg(long, value_name = "NAME=MODEL", value_parser = alias)]
    alias: Vec<(String, String)>,
}

/// A name and the model that it stands for.
fn alias(text: &str) -> Result<(String, String), String> {
    let both = text
        .split_once('=')
        .filter(|(name, model)| !name.is_empty() && !model.is_empty());
    let (name, model) = both.ok_or("must be a name, = and a model that is served, as in gpt-4o=mine")?;
    Ok((name.to_owned(), model.to_owned()))
}

/// The aliases that were asked for, of models called `names`.
fn aliases(asked: &[(String, String)], names: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut aliases = BTreeMap::new();
    for (name, model) in asked {
        let refuse = |why: String| Err(Failure::Input(format!("--alias {name}={model}: {why}")));
        if !names.contains(model) {
            let meant = nearest(model, names.iter().map(String::as_str));
            let meant = meant.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
            return refuse(format!(
                "no model \"{model}\" is served{meant}\n  served: {}",
                names.join(", ")
            ));
        }
        if names.contains(name) || aliases.insert(name.clone(), model.clone()).is_some() {
            return refuse(format!("\"{name}\" is the name of another model already"));
        }
    }
    Ok(aliases)
}

impl Mock {
    pub(super) fn run(self) -> Done {
        let server_at_work: Arc<OnceLock<Stop>> = Arc::default();
        let to_stop = Arc::clone(&server_at_work);
        signals::watch(move || match to_stop.get() {
            Some(stop) => {
                stop.stop();
            }
            // Nothing has been served yet.
            None => std::process::exit(Exit::Fine as i32),
        });
        let output = self.output.as_deref().map(output_law).transpose()?;
        let providers = match &self.experiment {
            Some(file) => from_experiment(&load(file, &traces(None))?)?,
            None => from_models(&self.models, self.variant.as_deref())?,
        };
        let names: Vec<String> = providers.names().map(str::to_owned).collect();
        let address = SocketAddr::new(self.host, self.port);
        let serving = Serving {
            address,
            seed: self.seed,
            output,
            max_connections: self.max_connections as usize,
            stamps: self.stamps,
            quota_headers: !self.no_quota_headers,
            strict: self.strict,
            aliases: aliases(&self.alias, &names)?,
        };
        let server = Server::bind(providers, serving).map_err(|error| {
            let why = match error.kind() {
                ErrorKind::AddrInUse => {
                    "the port is in use; choose another with --port, or any that is free with --port 0".to_owned()
                }
                ErrorKind::AddrNotAvailable => "this machine has no such address; see --host".to_owned(),
                ErrorKind::PermissionDenied => "not permitted; ports below 1024 often are not".to_owned(),
                _ => error.to_string(),
            };
            Failure::Runtime(anyhow::anyhow!("cannot listen on {address}: {why}"))
        })?;
        if !self.host.is_loopback() {
            tell!(
                "note: {} is not loopback: every machine that reaches this one can use the mock",
                self.host
            );
        }
        server_at_work.get_or_init(|| server.stopper());
        print(&format!(
            "listening on http://{}/v1 (models: {}; seed {}; Ctrl-C ends it)\n",
            server.address(),
            names.join(", "),
            self.seed
        ))?;
        print(&line(&server.run()))?;
        Ok(Exit::Fine)
    }
}

/// What came of it, in a line.
fn line(summary: &Summary) -> String {
    let mut parts: Vec<String> = (summary.outcomes.iter())
        .map(|(outcome, n)| format!("{} {}", format::count(*n), outcome.name()))
        .collect();
    if summary.under_way > 0 {
        parts.push(format!("{} under way", format::count(summary.under_way)));
    }
    let of = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    };
    let bad = match summary.bad {
        0 => String::new(),
        bad => format!("; {} that reached no model", format::count(bad)),
    };
    format!(
        "{}{of}{bad}; {} prompt and {} completion tokens\n",
        match summary.requests() {
            1 => "1 request".to_owned(),
            n => format!("{} requests", format::count(n)),
        },
        format::count(summary.input),
        format::count(summary.output)
    )
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Failure {
        Failure::Input(error.to_string())
    }
}

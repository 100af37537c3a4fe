//! One connection: serves its requests one after the other.

use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use super::answer::{Delivered, Delivery, JSON};
use super::body::{Body, Form};
use super::http::{Bounds, Framing, NoRequest, Request, head, read_request};
use super::problem::Problem;
use super::server::Shared;
use super::wire::{Gone, Wire};
use crate::form::diagnose::nearest;

/// Serves `socket` until it is closed, or the server stops.
pub(super) fn serve(socket: TcpStream, shared: &Shared) {
    let Ok(mut wire) = Wire::new(socket) else { return };
    let goes_on = || !shared.is_stopping();
    while goes_on() {
        match read_request(&mut wire, Bounds::USUAL, goes_on) {
            Ok(request) => match answer(&mut wire, &request, shared) {
                Ok(true) => {}
                Ok(false) => return wire.close_gently(),
                Err(Gone) => return,
            },
            Err(NoRequest::Over) => return,
            Err(NoRequest::Bad(problem)) => {
                shared.note_bad();
                if reply(&mut wire, &problem, false, false).is_ok() {
                    wire.close_gently();
                }
                return;
            }
        }
    }
}

/// What is served, for the answer to a request for something else.
const SERVED: &str = "there are: POST /v1/chat/completions, POST /v1/completions, GET /v1/models, GET /health";

/// What OpenAI's server has and this one does not, because it has no model of it: a client is told so, rather than that its URL is wrong.
const NOT_SERVED: [&str; 8] = [
    "/v1/responses",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/batches",
];

/// Answers `request`. Returns whether the connection stays open.
fn answer(wire: &mut Wire, request: &Request, shared: &Shared) -> Result<bool, Gone> {
    let method = request.method.as_str();
    let is_head = method == "HEAD";
    let found = match request.path.as_str() {
        "/v1/chat/completions" if method == "POST" => return complete(wire, request, Form::Chat, shared),
        "/v1/completions" if method == "POST" => return complete(wire, request, Form::Text, shared),
        "/v1/chat/completions" | "/v1/completions" => Err(wrong_method(method, "POST")),
        "/v1/models" | "/health" if !matches!(method, "GET" | "HEAD") => Err(wrong_method(method, "GET, HEAD")),
        "/health" => Ok(json!({ "status": "ok" })),
        "/v1/models" => {
            let names = shared.fleet.names().iter().chain(shared.aliases.keys());
            let models: Vec<_> = names.map(|name| listed(name)).collect();
            Ok(json!({ "object": "list", "data": models }))
        }
        path if NOT_SERVED.contains(&path) => Err(Problem {
            code: Some("unsupported_endpoint"),
            ..Problem::bad(400, format!("{path} is not served by this mock; {SERVED}"))
        }),
        path => match path.strip_prefix("/v1/models/") {
            Some(_) if !matches!(method, "GET" | "HEAD") => Err(wrong_method(method, "GET, HEAD")),
            Some(name) => model(shared, name).map(|_| listed(name)),
            None => Err(Problem {
                code: Some("unknown_url"),
                ..Problem::bad(404, format!("nothing is served at {path}; {SERVED}"))
            }),
        },
    };
    match found {
        Ok(body) => {
            let body = body.to_string();
            let mut text = head(200, JSON, Framing::Length(body.len()), request.keeps_open, &[]);
            if !is_head {
                text.push_str(&body);
            }
            wire.send(text.as_bytes())?;
        }
        Err(problem) => {
            shared.note_bad();
            reply(wire, &problem, request.keeps_open, is_head)?;
        }
    }
    Ok(request.keeps_open)
}

/// Answers a request for a completion.
fn complete(wire: &mut Wire, request: &Request, form: Form, shared: &Shared) -> Result<bool, Gone> {
    let body = Body::read(form, &request.body, shared.strict);
    let asked = body.and_then(|body| model(shared, &body.model).map(|provider| (body, provider)));
    let (body, provider) = match asked {
        Ok(asked) => asked,
        Err(problem) => {
            shared.note_bad();
            reply(wire, &problem, request.keeps_open, false)?;
            return Ok(request.keeps_open);
        }
    };
    let attempt = shared.fleet.begin(provider, &body.wanted, request.read_at);
    let delivery = Delivery {
        wire,
        attempt: &attempt,
        body: &body,
        form,
        retry_after: shared.fleet.provider(provider).retry_after,
        quota_headers: shared.quota_headers,
        stamps: shared.stamps,
        is_1_1: request.is_1_1,
        keeps_open: request.keeps_open,
        goes_on: || !shared.is_stopping(),
    };
    let Delivered { outcome, keeps_open } = delivery.run();
    shared.fleet.end(&attempt, outcome, Instant::now());
    Ok(keeps_open)
}

/// The number of the provider that is served as `name`.
fn model(shared: &Shared, name: &str) -> Result<usize, Problem> {
    let names = shared.fleet.names();
    let meant = shared.aliases.get(name).map_or(name, String::as_str);
    names.iter().position(|n| n == meant).ok_or_else(|| {
        let names: Vec<&str> = (names.iter().chain(shared.aliases.keys()))
            .map(String::as_str)
            .collect();
        let are = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? There"),
            None => "there".to_owned(),
        };
        Problem {
            param: Some("model".to_owned()),
            code: Some("model_not_found"),
            ..Problem::bad(
                404,
                format!("there is no model `{name}` here; {are} are: {}", names.join(", ")),
            )
        }
    })
}

fn listed(name: &str) -> serde_json::Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "simcap" })
}

fn wrong_method(found: &str, allowed: &'static str) -> Problem {
    Problem {
        allow: Some(allowed),
        ..Problem::bad(405, format!("{found} is not served here; there is: {allowed}"))
    }
}

/// Answers with an error.
fn reply(wire: &mut Wire, problem: &Problem, keeps_open: bool, is_head: bool) -> Result<(), Gone> {
    let body = problem.body();
    let fields: Vec<_> = problem
        .allow
        .map(|allow| ("allow", allow.to_owned()))
        .into_iter()
        .collect();
    let mut text = head(problem.status, JSON, Framing::Length(body.len()), keeps_open, &fields);
    if !is_head {
        text.push_str(&body);
    }
    wire.send(text.as_bytes())
}

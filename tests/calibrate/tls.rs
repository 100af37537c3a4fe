//! TLS, with the public certificates and with a company's own, and proxies.
//!
//! `tls/` holds an authority, a certificate of its for localhost and 127.0.0.1, and that one's key: made with openssl for
//! these tests alone (P-256, valid for a hundred years), worth nothing anywhere else.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::{Server, good, read, say};
use super::{ask, probes, said, simcap, text};

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calibrate/tls/authority.pem");

/// An HTTPS server whose every answer is good; its address.
fn secure() -> String {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(StreamOwned::new(session, stream));
                while read(&mut reader).is_some() {
                    if reader.get_mut().write_all(good().as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    format!("https://localhost:{}/v1", address.port())
}

const TWO: [&str; 4] = ["--concurrency", "1", "--requests", "2"];

#[test]
fn a_company_s_own_certificates_are_trusted_if_they_are_given() {
    let url = secure();
    let folder = tempfile::tempdir().unwrap();
    let trusting = [&TWO[..], &["--ca-file", AUTHORITY]].concat();
    let output = ask(folder.path(), &url, &trusting).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let probes = probes(folder.path());
    let connections: Vec<_> = probes.iter().map(|probe| &probe["connection"]).collect();
    assert_eq!(
        (&connections[0]["reused"], &connections[1]["reused"]),
        (&false.into(), &true.into())
    );
    assert!(connections[0]["tls_us"].as_u64().unwrap() > 0);
    assert_eq!(connections[1]["tls_us"], 0);
}

#[test]
fn nobody_else_s_are() {
    let folder = tempfile::tempdir().unwrap();
    let output = ask(folder.path(), &secure(), &TWO).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let note = "mock: 2 × connection_error (the first: ";
    let why = "invalid peer certificate: UnknownIssuer";
    assert!(
        said(&output).contains(note) && said(&output).contains(why),
        "{}",
        said(&output)
    );
    assert!(probes(folder.path()).iter().all(|probe| probe["cost_pd"] == 0));
}

#[test]
fn a_file_without_certificates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (file, expected) in [
        ("none.pem", "none.pem: No such file or directory (os error 2)"),
        (
            "empty.pem",
            "empty.pem: there is no certificate in it: it must be PEM (-----BEGIN CERTIFICATE-----)",
        ),
    ] {
        std::fs::write(folder.path().join("empty.pem"), "").unwrap();
        let arguments = [&TWO[..], &["--ca-file", file]].concat();
        let output = ask(folder.path(), "https://127.0.0.1:9/v1", &arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(text(&output.stderr), format!("error: --ca-file: {expected}\n"));
    }
}

/// A proxy that passes on what it is asked to connect; the requests that it got.
fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let request = read(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
            let line = request.head.lines().next().unwrap().to_owned();
            let target = line.split(' ').nth(1).unwrap().to_owned();
            seen.lock().unwrap().push(line);
            let Ok(there) = TcpStream::connect(target) else {
                continue;
            };
            say(&mut stream, "HTTP/1.1 200 Connection established\r\n\r\n");
            let ends = [
                (stream.try_clone().unwrap(), there.try_clone().unwrap()),
                (there, stream),
            ];
            for (mut from, mut to) in ends {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    (format!("http://{address}"), asked)
}

#[test]
fn the_proxy_of_the_environment_is_used_and_its_exceptions_are_kept() {
    let url = secure();
    let host = url.trim_start_matches("https://").trim_end_matches("/v1").to_owned();
    let (address, asked) = proxy();
    let trusting = [&TWO[..], &["--ca-file", AUTHORITY]].concat();
    let run = |exception: &str| {
        let folder = tempfile::tempdir().unwrap();
        let output = ask(folder.path(), &url, &trusting)
            .env("HTTPS_PROXY", &address)
            .env("NO_PROXY", exception)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        asked.lock().unwrap().clone()
    };
    assert_eq!(run("localhost"), [""; 0]);
    assert_eq!(run("example.com"), [format!("CONNECT {host} HTTP/1.1")]);
}

/// A plan's files lie beside it, wherever the command is called.
#[test]
fn a_plan_names_its_certificates_and_its_experiment_by_files_beside_it() {
    let server = Server::new(|_, _, s| say(s, good()));
    let folder = tempfile::tempdir().unwrap();
    let plans = folder.path().join("plans");
    std::fs::create_dir(&plans).unwrap();
    std::fs::copy(AUTHORITY, plans.join("ca.pem")).unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/tiered.json");
    let experiment = std::fs::read_to_string(example).unwrap();
    std::fs::write(plans.join("shop.json"), experiment).unwrap();
    let plan = serde_json::json!({
        "name": "p",
        "targets": {
            "open": { "base_url": server.url(), "model": "m", "prices": { "input": "$0/Mtok", "output": "$0/Mtok" } },
            "secure": { "base_url": secure(), "model": "m", "ca_file": "ca.pem", "prices": { "input": "$0/Mtok", "output": "$0/Mtok" } }
        },
        "experiment": "shop.json",
        "load": { "closed": { "concurrency": 1 } },
        "requests": 20,
        "max_cost": "$1",
        "dispatch_bound": "1h"
    });
    std::fs::write(plans.join("plan.json"), plan.to_string()).unwrap();
    let output = simcap(folder.path(), &["plans/plan.json", "--out", "out"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let probes = probes(folder.path());
    let secure = probes.iter().filter(|probe| probe["target"] == "secure");
    assert_eq!(secure.filter(|probe| probe["outcome"] == "success").count(), 20);
    let classes: std::collections::BTreeSet<_> = probes.iter().map(|probe| probe["class"].to_string()).collect();
    assert!(classes.len() > 1, "{classes:?}");

    let mut both = plan;
    both["classes"] = serde_json::json!({ "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } });
    std::fs::write(plans.join("plan.json"), both.to_string()).unwrap();
    let output = simcap(folder.path(), &["plans/plan.json"]).output().unwrap();
    let message = "error: plans/plan.json: it has both `classes` and `experiment`, whose classes would take their place: leave one out\n";
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(2), message)
    );
}

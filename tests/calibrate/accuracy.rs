//! How far off a time to first token is, against a server that says when it sent it: by hand, on a machine that is calm.
//!
//! `cargo test --release --test calibrate -- --ignored --nocapture accuracy`
//!
//! 200 streams at once. The server notes the clock just before it writes the first content of each, and tells it in the
//! place of the prompt's tokens (in microseconds modulo 2³¹), so that the line that the probe writes can be held against it: the start
//! of the run, when the probe was due, its delay and its TTFT add up to the time of arrival. Both clocks are one machine's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::server::{DONE, HEAD, ROLE, STOP, Server, TOKEN, hang_up, say, usage};
use super::{ask, probes, said};

const MODULUS: u64 = 1 << 31;

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

#[test]
#[ignore = "measures the machine as much as the probe"]
fn accuracy_of_the_first_token_at_200_streams() {
    let server = Server::new(|before, _, s| {
        // Streams of 1 to 2 seconds that do not march in step.
        let own = (before as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
        let wait = |ms: u64| {
            std::thread::sleep(Duration::from_millis(ms));
            true
        };
        say(s, HEAD) && say(s, ROLE) && wait(500 + own) && {
            let sent = now_us();
            say(s, TOKEN)
                && (0..20).all(|_| wait(20 + own % 20) && say(s, TOKEN))
                && say(s, STOP)
                && say(s, usage((sent % MODULUS) as u32, 21))
                && say(s, DONE)
                && hang_up()
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--concurrency", "200", "--requests", "3000", "--output", "32"];
    let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let first = std::fs::read_to_string(folder.path().join("out/probes.jsonl")).unwrap();
    let run: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let start = run["run"]["unix_us"].as_u64().unwrap();
    let mut errors: Vec<i64> = probes(folder.path())
        .iter()
        .filter(|probe| probe["in_flight"].as_u64().unwrap() > 150)
        .map(|probe| {
            let at = |field: &str| probe[field].as_u64().unwrap();
            let seen = start + at("due_us") + at("dispatch_us") + at("first_content_us");
            let sent = probe["usage"]["input"].as_u64().unwrap();
            let late = (seen % MODULUS + MODULUS - sent) % MODULUS;
            if late > MODULUS / 2 {
                late as i64 - MODULUS as i64
            } else {
                late as i64
            }
        })
        .collect();
    errors.sort_unstable();
    let quantile = |q: f64| errors[((q * errors.len() as f64) as usize).min(errors.len() - 1)];
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "TTFT error of {} streams, {} to {} µs: p50 {} µs, p90 {} µs, p99 {} µs; load average {}",
        errors.len(),
        errors[0],
        errors[errors.len() - 1],
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        load.trim()
    );
    assert!(quantile(0.99) < 1000);
}

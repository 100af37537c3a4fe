//! Any bytes as a file of claims: a mistake is said at its place, and what is accepted is held against figures, known and unknown.

use simcap::experiment::claims::{Claims, Seen};
use simcap::report::audit::{Audit, FORMAT};
use simcap::stats::interval::Estimate;
use simcap::study::audit;

/// The longest message: a file's own text in it is cut.
const MESSAGE: usize = 20_000;

/// Panics where what holds of any bytes does not hold of these.
pub(crate) fn check(bytes: &[u8]) {
    let claims = match Claims::from_bytes("fuzz.json", bytes) {
        Ok(claims) => claims,
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("fuzz.json:") && said.len() < MESSAGE && !said.contains('\u{1b}'));
            return;
        }
    };
    for estimate in [
        Estimate::NONE,
        Estimate::symmetric(3.0, Some(1.0), 8, 0),
        Estimate::symmetric(0.0, None, 1, 0),
    ] {
        let audited = audit(&claims, &|simulated| Seen {
            estimate,
            unit: simulated.metric.unit(),
            note: None,
            source: simulated.metric.to_string(),
        });
        match audited {
            Err(error) => {
                let said = error.to_string();
                assert!(said.starts_with("fuzz.json:") && said.len() < MESSAGE && !said.contains('\u{1b}'));
            }
            Ok(audited) => {
                let all = Audit {
                    format: FORMAT.into(),
                    version: String::new(),
                    reports: vec![audited],
                    runs: Vec::new(),
                };
                for text in [all.text(80, false, false), all.text(80, false, true)] {
                    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
                }
                let _ = (all.markdown(), all.csv(), all.surprises());
            }
        }
    }
}

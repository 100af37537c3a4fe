//! Any bytes as a trace, with and without what is kept of whose its requests are: rows in order of time, or a short message without what drives
//! a terminal.

use simcap::import::source::Rows;
use simcap::import::trace;
use simcap::traffic::arrivals::Reading;
use simcap::traffic::kept::Keep;

/// What is kept besides: columns of LiteLLM's logs, and an attribute of spans.
fn keeping() -> Reading {
    let mut keep = Keep {
        user: Some("end_user".to_owned()),
        class: Some("model".to_owned()),
        ..Keep::default()
    };
    keep.tags = [("team".to_owned(), "request_tags".to_owned())].into_iter().collect();
    Reading {
        keep: Some(keep),
        skip_bad_rows: 3,
        ..Reading::default()
    }
}

/// Panics where what holds of any bytes does not hold of these.
pub(crate) fn check(bytes: &[u8]) {
    for reading in [Reading::default(), keeping()] {
        let mut source = Rows::of(bytes, 1_000_000_000);
        match trace::read(&mut source, &reading) {
            Ok(trace) => {
                let rows: Vec<_> = trace.rows.iter().collect();
                assert!(!rows.is_empty() && rows[0].at.nanos() == 0);
                assert!(rows.is_sorted_by_key(|row| row.at));
                assert!(rows.iter().all(|row| row.output > 0));
                assert_eq!(trace.kept.is_some(), reading.keep.is_some());
                if let Some(kept) = trace.kept {
                    assert_eq!(kept.of_row.len(), rows.len());
                    assert!(kept.of_row.iter().all(|row| (*row as usize) < kept.each.len()));
                }
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.chars().count() < 2000, "{said}");
                assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said}");
            }
        }
    }
}

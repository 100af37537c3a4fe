//! A pipeline through the whole engine: one that reads rate-limit headers, and one that counts as its gateway does.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;
use simcap::words::Outcome;

/// A thousand requests, one a second: a may have ten a minute, b is slow and has no limit.
fn run(filters: &str) -> Tally {
    let text = format!(
        r#"{{
        "name": "pipeline",
        "traffic": {{ "arrivals": {{ "regular": {{ "rate": "1/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 100 }}, "output": {{ "constant": 1 }} }} }} }},
        "providers": {{
            "a": {{ "response": {{ "constant": "10ms" }}, "prices": {{ "per_request": {{ "price": "$0" }} }},
                "limits": [ {{ "fixed_window": {{ "unit": "requests", "limit": 10, "window": "60s" }} }} ] }},
            "b": {{ "response": {{ "constant": "1s" }}, "prices": {{ "per_request": {{ "price": "$0" }} }} }}
        }},
        "policies": [ {{ "name": "only", "policy": {{ "pipeline": {{
            "filters": [ {filters} {{ "order": {{ "levels": [["a"], ["b"]] }} }} ] }} }} }} ],
        "plan": {{ "duration": "1000s", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, 1).remove(0)
}

fn refused(tally: &Tally) -> u64 {
    tally.providers[0].outcomes[Outcome::RateLimited.index()]
}

/// 16 whole minutes and the 40 seconds after them: 170 requests that a allows.
#[test]
fn whoever_reads_headers_is_never_refused() {
    let blind = run("");
    assert_eq!(blind.ended(Outcome::Success), 170);
    assert_eq!(refused(&blind), blind.requests() - 170);
    for filter in [r#""headers","#, r#""limits","#] {
        let tally = run(filter);
        assert_eq!(
            (refused(&tally), tally.ended(Outcome::Success)),
            (0, tally.requests()),
            "{filter}"
        );
        assert_eq!(tally.providers[0].outcomes[Outcome::Success.index()], 170, "{filter}");
    }
}

//! A budget spread over the day against one that is spent as it comes.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;

/// So many hours of a request a second: dear costs a cent, cheap a tenth of that. All dear would
/// be $864, all cheap $86.4; $400 pays for 40.3 % of dear ones.
fn day(policy: &str, client: &str, hours: u64) -> Tally {
    let provider = |price: &str| {
        let prices = format!(r#"{{ "per_token": {{ "input": "{price}/Mtok", "output": "{price}/Mtok" }} }}"#);
        format!(r#"{{ "response": {{ "constant": "1s" }}, "prices": {prices} }}"#)
    };
    let text = format!(
        r#"{{
        "name": "day",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "1/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ "dear": {}, "cheap": {} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {policy} }} ],
        "plan": {{ "duration": "{hours}h", "warmup": "0s" }}
    }}"#,
        provider("$5000"),
        provider("$500"),
    );
    replications(&plan(&text).scenarios[0], 4, 1).remove(0)
}

fn of(tally: &Tally, provider: usize) -> f64 {
    tally.providers[provider].outcomes.iter().sum::<u64>() as f64
}

fn spent(tally: &Tally) -> f64 {
    tally.providers.iter().map(|p| p.cost as f64).sum::<f64>() / 1e12
}

/// Share of the dear one in each third of the day: the runs of 8, 16 and 24 hours are the same as far as they go.
fn thirds(policy: &str, client: &str) -> (Vec<f64>, f64) {
    let runs = [8, 16, 24].map(|hours| day(policy, client, hours));
    let mut shares = Vec::new();
    let (mut dear, mut all) = (0.0, 0.0);
    for run in &runs {
        let (d, a) = (of(run, 0), of(run, 0) + of(run, 1));
        shares.push((d - dear) / (a - all));
        (dear, all) = (d, a);
    }
    (shares, spent(&runs[2]))
}

#[test]
fn a_paced_budget_lasts_the_day_and_is_spent_at_its_end() {
    for law in ["fixed_step", "in_proportion"] {
        let policy =
            format!(r#"{{ "budget_paced": {{ "providers": ["dear", "cheap"], "money": "$400", "law": "{law}" }} }}"#);
        let (shares, spent) = thirds(&policy, "");
        assert!((spent / 400.0 - 1.0).abs() < 0.02, "{law}: ${spent}");
        for share in shares {
            assert!((share / 0.403 - 1.0).abs() < 0.1, "{law}: {share}");
        }
    }
}

/// The daily budget of the article on a multi-model router: everything to the dear one until $400 are spent, after 40,000 s,
/// and then to the cheapest, which costs $46 more.
#[test]
fn a_hard_stop_spends_it_all_before_noon() {
    let client = r#""budgets": [ { "per": "day", "money": "$400", "on_exhausted": "cheapest" } ]"#;
    let (shares, spent) = thirds(r#"{ "single": { "provider": "dear" } }"#, client);
    assert_eq!((shares[0], shares[2]), (1.0, 0.0));
    assert!(
        (shares[1] - (40_000.0 - 28_800.0) / 28_800.0).abs() < 0.02,
        "{shares:?}"
    );
    assert!((spent / 446.4 - 1.0).abs() < 0.01, "${spent}");
}

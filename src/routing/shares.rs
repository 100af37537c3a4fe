//! Tests of every policy that draws: with one of ten equal providers closed, the nine others have equal shares.
//!
//! A policy that draws a closed provider and draws again must not use the same bits again: they are known to have pointed there, so
//! that its neighbour would get its share as well. Of 45,000 calls each open provider is to get 5,000; the sum of (count − 5,000)² /
//! 5,000 is chi-square with 8 degrees of freedom, and above 40 by chance three times in a million (scipy's `chi2.sf(40, 8)`).

use super::testing::*;
use super::*;
use crate::form::build::{Known, Names};
use crate::kernel::time::Time;

/// Policies to which ten idle providers of one price and no history are alike.
const ALIKE: [&str; 23] = [
    r#""p2c""#,
    r#""peak_ewma""#,
    r#"{"peak_ewma": {"default_rtt": "30ms"}}"#,
    r#""helicone""#,
    r#""envoy_least_request""#,
    r#"{"envoy_least_request": {"choice_count": 5}}"#,
    r#""least_in_flight""#,
    r#"{"least_tokens_in_flight": {"choices": 3}}"#,
    r#""least_tokens_in_flight""#,
    r#""jiq""#,
    r#""latency_based""#,
    r#""usage_based""#,
    r#""simple_shuffle""#,
    r#""openrouter""#,
    r#""prequal""#,
    r#""thompson""#,
    r#"{"weighted": {"weights": {"0":1,"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1}}}"#,
    r#"{"priority": {"levels": [{"0":1,"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1}]}}"#,
    r#"{"pipeline": {"pick": "random"}}"#,
    r#"{"pipeline": {"pick": "p2c"}}"#,
    r#"{"pipeline": {"pick": {"top": {"k": 9}}}}"#,
    r#"{"canary": {"share": "50%", "by": "request", "canary": "p2c", "stable": "simple_shuffle"}}"#,
    r#"{"sticky": {"policy": "p2c"}}"#,
];

#[test]
fn nine_open_ones_of_ten_share_alike() {
    let (providers, classes): (Vec<String>, _) = ((0..10).map(|p| p.to_string()).collect(), ["x".to_owned()]);
    let known = vec![
        Known {
            price: Some((1_000_000, 1_000_000)),
            quality: vec![900_000],
            ..Known::default()
        };
        10
    ];
    let names = Names {
        providers: &providers,
        classes: &classes,
        known: &known,
        users: Some(50_000),
        ..Names::default()
    };
    let mut unequal = Vec::new();
    for closed in [0, 4, 9] {
        let hosts = many_hosts(10, &[closed]);
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        for json in ALIKE {
            let spec: PolicySpec = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
            let mut policy = spec.as_dyn().build(&names).unwrap_or_else(|r| panic!("{json}: {r:?}"));
            let mut counts = [0_u32; 10];
            for id in 0..45_000 {
                counts[policy.choose(&call(id, 0), &fleet).unwrap()] += 1;
            }
            let off = |n: u32| libm::pow(f64::from(n) - 5000.0, 2.0) / 5000.0;
            let open = counts.iter().enumerate().filter(|&(p, _)| p != closed);
            let chi_square: f64 = open.map(|(_, &n)| off(n)).sum();
            if counts[closed] > 0 || chi_square >= 40.0 {
                unequal.push(format!("{json}: {chi_square} {counts:?}"));
            }
        }
    }
    assert!(unequal.is_empty(), "{unequal:#?}");
}

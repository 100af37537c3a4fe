//! Files in which something is missing.

use insta::assert_snapshot;

use super::said;

#[test]
fn no_name() {
    assert_snapshot!(said(r#""name": "shop","#, ""), @r#"
    shop.json:1:1: missing field `name`
        1 | {
          | ^
    "#);
}

#[test]
fn no_traffic() {
    assert_snapshot!(said(r#""traffic": {"#, r#""trafic": {"#), @r#"
    shop.json:3:3: trafic: unknown field `trafic`
        3 |   "trafic": {
          |   ^
       help: did you mean `traffic`?
       allowed: $schema, format, name, about, imported, currency, traffic, providers, accounts, hosts, quality, client, policies, rank_by, objectives, uncertain, plan
    "#);
}

#[test]
fn no_arrivals() {
    assert_snapshot!(said(r#""arrivals": { "poisson": { "rate": "5/s" } },"#, ""), @r#"
    shop.json:3:14: traffic: `arrivals` is missing: when requests come, like {"poisson": {"rate": "5/s"}}, or `streams` that have arrivals of their own
        3 |   "traffic": {
          |              ^
    "#);
}

#[test]
fn no_rate() {
    assert_snapshot!(said(r#"{ "rate": "5/s" }"#, "{}"), @r#"
    shop.json:4:30: traffic.arrivals.poisson: missing field `rate`
        4 |     "arrivals": { "poisson": {} },
          |                              ^
    "#);
}

#[test]
fn a_bare_name_that_needs_parameters() {
    assert_snapshot!(said(r#"{ "poisson": { "rate": "5/s" } }"#, r#""poisson""#), @r#"
    shop.json:4:17: traffic.arrivals: missing field `rate`: `poisson` needs parameters, as in {"poisson": {…}}
        4 |     "arrivals": "poisson",
          |                 ^
    "#);
}

#[test]
fn no_plan() {
    assert_snapshot!(said(r#",
  "plan": { "duration": "1h", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95 }"#, ""), @r#"
    shop.json:1:1: missing field `plan`
        1 | {
          | ^
    "#);
}

#[test]
fn no_policy() {
    assert_snapshot!(said(r#""name": "one", "policy": { "single": { "provider": "dear" } }"#, r#""name": "one""#), @r#"
    shop.json:42:5: policies[0]: missing field `policy`
       42 |     { "name": "one" },
          |     ^
    "#);
}

#[test]
fn no_metric() {
    assert_snapshot!(said(r#""metric": "ttft.p95", "#, ""), @r#"
    shop.json:59:5: objectives[0]: missing field `metric`
       59 |     { "at_most": "3s" },
          |     ^
    "#);
}

#[test]
fn no_sigma() {
    assert_snapshot!(said(r#""median": 400, "sigma": 0.5"#, r#""median": 400"#), @r#"
    shop.json:11:34: traffic.classes.hard.output.lognormal: missing field `sigma`
       11 |         "output": { "lognormal": { "median": 400 } },
          |                                  ^
    "#);
}

#[test]
fn no_unit() {
    assert_snapshot!(said(r#""unit": "requests", "rate""#, r#""rate""#), @r#"
    shop.json:24:27: providers.own.limits[0].token_bucket: missing field `unit`
       24 |         { "token_bucket": { "rate": "1000/min" } },
          |                           ^
    "#);
}

#[test]
fn no_tier_providers() {
    assert_snapshot!(said(r#""providers": ["dear"], "#, ""), @r#"
    shop.json:50:13: policies[2].policy.tiered.tiers[1]: missing field `providers`
       50 |             { "name": "high", "classes": ["hard"] }
          |             ^
    "#);
}

#[test]
fn a_bare_law() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#""lognormal""#), @r#"
    shop.json:6:39: traffic.classes.easy.input: missing field `median`: `lognormal` needs parameters, as in {"lognormal": {…}}
        6 |       "easy": { "share": 70, "input": "lognormal", "output": { "uniform": { "min": 50, "max": 200 } …
          |                                       ^
    "#);
}

#[test]
fn a_bare_constant() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#""constant""#), @r#"
    shop.json:6:39: traffic.classes.easy.input: `constant` needs its value, as in {"constant": …}
        6 |       "easy": { "share": 70, "input": "constant", "output": { "uniform": { "min": 50, "max": 200 } }…
          |                                       ^
    "#);
}

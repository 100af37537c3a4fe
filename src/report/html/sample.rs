//! A made-up report with everything awkward in it, for tests of the ways a report is shown.
//!
//! Four policies over three providers: a good one, one with an outage, one that never settles, and one in which a figure does
//! not exist. Figures come from formulas, not from a simulation; they are plausible, and the same every time.

use crate::report::*;
use crate::stats::compare::{Paired, Side};
use crate::stats::interval::Confidence;

const PROVIDERS: [&str; 3] = [
    "openai/gpt-4.1",
    "anthropic/claude-sonnet-4-5",
    "self-hosted-llama-3.3-70b",
];

/// The report that the tests of the page show.
pub(crate) fn sample() -> Report {
    let policies = vec![
        policy(
            0,
            "weighted 70/20/10",
            "weighted",
            1.0,
            0.004,
            41_200.0,
            [0.7, 0.2, 0.1],
        ),
        policy(
            1,
            "cheapest first, with fallback",
            "tiered",
            0.8,
            0.031,
            23_800.0,
            [0.1, 0.2, 0.7],
        ),
        policy(
            2,
            "everything to one provider",
            "single",
            2.4,
            0.012,
            38_700.0,
            [1.0, 0.0, 0.0],
        ),
        policy(
            3,
            "an-experimental-policy-with-a-name-that-nobody-would-want-to-read-aloud",
            "round_robin",
            1.1,
            0.007,
            40_900.0,
            [0.34, 0.33, 0.33],
        ),
    ];
    Report {
        given: None,
        outside: Vec::new(),
        scheduled: Vec::new(),
        uncertain: vec![
            "small: TTFT p95 1.2 s ± 0.1 s, of which the models' measurements leave open ±0.09 s and the run ±0.04 s"
                .into(),
        ],
        format: "simcap.result/2".into(),
        version: "0.1.0".into(),
        experiment: "Support chat, three providers".into(),
        about: "Which routing holds p95 under 6 s through an outage of the cheap provider? <script>alert(1)</script>"
            .into(),
        asked: vec![],
        inputs: vec![
            Input {
                name: "support-chat.json".into(),
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            },
            Input {
                name: "gpt-4.1.json".into(),
                sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".into(),
            },
        ],
        seed: 42,
        replications_planned: 20,
        replications_finished: 14,
        confidence: 0.95,
        start: Start::Given,
        warmup: 600.0,
        counted: 7200.0,
        month_days: 30.0,
        currency: None,
        warnings: vec![
            "The run was interrupted: 14 of 20 replications are finished.".into(),
            "\"everything to one provider\" does not settle: its queue grows to the end.".into(),
        ],
        assumptions: vec!["load at `small`: latency is the same at any traffic".into()],
        models: vec![
            ModelNote {
                measured: None,
                provider: PROVIDERS[0].into(),
                model: "gpt-4.1 (2025-04-14), tier 3".into(),
                source: "published limits and prices; latency from 1,200 probes over one week".into(),
                assumed: vec![
                    ("latency.tail".into(), "lognormal beyond the 99th percentile".into()),
                    ("faults".into(), "one outage of 12 minutes a month".into()),
                ],
                overrides: vec!["limits.tokens_per_minute = 2,000,000".into()],
                published: vec![("prices".into(), "gpt-4.1: a price table".into())],
                calibration: Some(Standing::Calibrated(
                    "p95 TTFT predicted within 3 % (1,200 held-out probes, 2026-11-21)".into(),
                )),
            },
            ModelNote {
                measured: None,
                provider: PROVIDERS[1].into(),
                model: "claude-sonnet-4-5".into(),
                source: "published limits and prices".into(),
                assumed: vec![],
                overrides: vec![],
                published: vec![],
                calibration: Some(Standing::Uncalibrated),
            },
        ],
        comparisons: comparisons(&policies),
        ranking: Some(crate::report::Ranking {
            metric: Metric::GOODPUT,
            rows: policies
                .iter()
                .map(|policy| crate::report::Ranked {
                    policy: policy.name.clone(),
                    behind: policy.metrics[0].estimate,
                    may_be_best: true,
                })
                .collect(),
        }),
        objectives: objectives(&policies),
        scorecard: crate::report::sample::scorecard(&objectives(&policies)),
        joined: None,
        policies,
    }
}

/// Not random, but as uneven as noise: between -1 and 1.
fn wobble(index: usize, salt: usize) -> f64 {
    let mut mixed = (index as u64 * 7919 + salt as u64 * 104_729 + 17).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40;
    mixed as f64 / f64::from(1 << 23) - 1.0
}

fn estimate(mean: f64, relative: f64) -> Estimate {
    Estimate::symmetric(mean, Some(mean.abs() * relative), 14, 0)
}

fn policy(at: usize, name: &str, kind: &str, slow: f64, errors: f64, month: f64, shares: [f64; 3]) -> PolicyReport {
    let figure = |metric: &Metric| match metric.to_string().as_str() {
        "ttft.p50" => 0.42 * slow,
        "ttft.p95" => 1.31 * slow,
        "ttft.p99" => 2.9 * slow,
        "ttft.mean" => 0.6 * slow,
        "e2e.p50" => 2.6 * slow,
        "e2e.p95" => 5.4 * slow,
        "e2e.p99" => 9.8 * slow,
        "e2e.mean" => 3.0 * slow,
        "wait.p50" => 0.0,
        "wait.p95" => 0.018 * slow,
        "wait.p99" => 0.25 * slow,
        "wait.mean" => 0.0042 * slow,
        "error_rate" => errors,
        "throughput" => 24.8 * (1.0 - errors),
        "goodput" => 23.9 * (1.0 - errors) / slow.max(1.0),
        "attempts_per_request" => 1.0 + 3.0 * errors,
        "cost_per_1k" => month / 64_281.6,
        "cost_per_1k_answers" => month / 64_000.0,
        "cost_per_month" => month,
        "quality" => 0.93 - 0.02 * slow,
        other => panic!("{other} is not standard"),
    };
    let undefined = Estimate {
        undefined: 14,
        ..Estimate::NONE
    };
    let metrics = Metric::standard().enumerate().map(|(place, (metric, _))| {
        let (estimate, note) = match at {
            3 if metric == Metric::QUALITY => (
                undefined,
                Some("no class of this traffic states a quality for this provider".into()),
            ),
            3 if metric == Metric::E2E_P99 => (
                Estimate::symmetric(figure(&metric), None, 14, 0),
                Some("too few requests for a 99th percentile: 210 of 368".into()),
            ),
            _ => (
                estimate(figure(&metric), 0.02 + 0.02 * at as f64 + 0.01 * wobble(place, at)),
                None,
            ),
        };
        Measured {
            residuals: Vec::new(),
            parts: None,
            metric,
            estimate,
            of_all: None,
            note,
            replayed: false,
        }
    });
    PolicyReport {
        name: name.into(),
        kind: kind.into(),
        requests: 2_499_840,
        attempts: (2_499_840.0 * figure(&"attempts_per_request".parse().unwrap())) as u64,
        metrics: metrics.collect(),
        outcomes: vec![
            OutcomeShare {
                outcome: Outcome::Success,
                share: estimate(1.0 - errors, 0.001),
            },
            OutcomeShare {
                outcome: Outcome::ServerError,
                share: estimate(0.7 * errors, 0.1),
            },
            OutcomeShare {
                outcome: Outcome::TimeoutTtft,
                share: estimate(0.2 * errors, 0.2),
            },
            OutcomeShare {
                outcome: Outcome::RateLimited,
                share: estimate(0.1 * errors, 0.3),
            },
        ],
        providers: PROVIDERS
            .iter()
            .zip(shares)
            .enumerate()
            .map(|(index, (name, share))| ProviderReport {
                name: (*name).into(),
                served: estimate(share, 0.02),
                cost: estimate(share * [1.1, 1.2, 0.4][index], 0.02),
                failed: if share > 0.0 {
                    estimate([0.004, 0.008, 0.05][index], 0.1)
                } else {
                    undefined
                },
                in_flight: estimate(60.0 * share * slow, 0.03),
                cached: None,
                trips: estimate([0.0, 0.0, 2.5][index] * share, 0.4),
            })
            .collect(),
        classes: vec![
            class("chat", 0.8, slow, errors, month),
            class(
                "summaries of long documents",
                0.2,
                2.0 * slow,
                1.5 * errors,
                3.0 * month,
            ),
        ],
        incidents: vec![IncidentReport {
            provider: PROVIDERS[2].into(),
            from: 1800.0,
            until: 2700.0,
            ejected: estimate(if at == 0 { 0.0 } else { 1.0 }, 0.0),
            time_to_eject: match at {
                0 => undefined,
                _ => estimate(2.4, 0.1),
            },
            leaked: estimate(if at == 0 { 8_123.0 } else { 17.0 }, 0.02),
            error_rate: estimate(if at == 0 { 0.31 } else { 0.002 }, 0.05),
            recovered: estimate(1.0, 0.0),
            time_to_recover: estimate(if at == 0 { 6.5 } else { 21.0 }, 0.2),
            time_to_return: Some(estimate(if at == 0 { 0.4 } else { 12.0 }, 0.2)),
        }],
        effort: Vec::new(),
        response_cache: None,
        quotas: vec![QuotaReport {
            provider: Some(PROVIDERS[0].into()),
            account: None,
            quota: "12,000 input tokens a minute".into(),
            used: estimate(0.34 + 0.05 * at as f64, 0.003),
        }],
        bounds: match at {
            2 => vec![
                bound(BoundKind::Quota, Some(PROVIDERS[0]), Some(10_000), 0.82),
                bound(BoundKind::InFlight, None, Some(200), 0.34),
            ],
            1 => vec![
                bound(BoundKind::Breaker, Some(PROVIDERS[2]), None, 0.1),
                bound(BoundKind::Connections, Some(PROVIDERS[2]), Some(64), 0.034),
            ],
            _ => vec![],
        },
        bill: Bill::default(),
        alerts: vec![],
        milestones: vec![],
        identities: vec![],
        supposed: Vec::new(),
        alone: Vec::new(),
        missed: Vec::new(),
        steady: match at {
            2 => Steady {
                settled: false,
                why: "Requests in the system grow by 3.1 a minute to the end (14 of 14 replications).".into(),
            },
            _ => Steady {
                settled: true,
                why: "No trend in latency or in requests in the system after the warm-up.".into(),
            },
        },
        curves: Curves {
            ttft: curve(0.42 * slow, 0.69),
            e2e: curve(2.6 * slow, 0.45),
            wait: curve(0.002 * slow, 1.5),
        },
        series: (0..120).map(|bin| moment(bin, at, slow, errors, shares)).collect(),
    }
}

/// A lognormal distribution function, by the logistic approximation of the normal one.
fn curve(median: f64, sigma: f64) -> Vec<(f64, f64)> {
    (0..60)
        .map(|point| {
            let z = f64::from(point) / 59.0 * 6.4 - 3.2;
            (median * libm::exp(sigma * z), 1.0 / (1.0 + libm::exp(-1.702 * z)))
        })
        .collect()
}

fn moment(bin: usize, at: usize, slow: f64, errors: f64, shares: [f64; 3]) -> Moment {
    let outage = at == 1 && (55..68).contains(&bin);
    let arrivals = 24.8 + 5.0 * libm::sin(bin as f64 / 19.0) + wobble(bin, at);
    let shares = if outage { [0.3, 0.65, 0.05] } else { shares };
    Moment {
        until: 60.0 * (bin + 1) as f64,
        arrivals,
        error_rate: (bin > 0).then(|| {
            if outage {
                0.24 + 0.05 * wobble(bin, at)
            } else {
                (0.6 * errors * (1.0 + 0.6 * wobble(bin, at))).max(0.0)
            }
        }),
        limited: None,
        e2e: (bin > 0).then(|| 3.0 * slow * (1.0 + 0.1 * wobble(bin, at + 9))),
        in_system: if at == 2 {
            60.0 + 4.0 * bin as f64 + 5.0 * wobble(bin, 5)
        } else {
            74.0 * slow + 6.0 * wobble(bin, at + 5)
        },
        sent: shares
            .iter()
            .enumerate()
            .map(|(index, share)| (arrivals * share * (1.0 + 0.1 * wobble(bin, 20 + index))).max(0.0))
            .collect(),
    }
}

fn class(name: &str, share: f64, slow: f64, errors: f64, month: f64) -> ClassReport {
    ClassReport {
        name: name.into(),
        share: estimate(share, 0.001),
        ttft_p95: estimate(1.2 * slow, 0.03),
        ttft_p95_of_all: None,
        e2e_p95: estimate(5.0 * slow, 0.03),
        e2e_p95_of_all: None,
        error_rate: estimate(errors, 0.1),
        cost_per_1k: estimate(month / 90_000.0, 0.02),
        quality: estimate(0.91, 0.004),
    }
}

fn bound(what: BoundKind, provider: Option<&str>, limit: Option<u64>, share: f64) -> BoundReport {
    BoundReport {
        what,
        provider: provider.map(Into::into),
        limit,
        budget: None,
        share: estimate(share, 0.05),
    }
}

fn comparisons(policies: &[PolicyReport]) -> Vec<Comparison> {
    let sentences = [
        "is cheaper (−42 % a month) and faster (E2E p95 −20 %), but fails more often (+2.7 pp).",
        "is slower (E2E p95 +140 %); whether it is cheaper the runs cannot tell.",
        "is slower (E2E p95 +10 %); of cost and errors the runs cannot tell.",
    ];
    let baseline = &policies[0];
    let further = policies[1..].iter().zip(sentences);
    further
        .enumerate()
        .map(|(index, (policy, sentence))| Comparison {
            policy: policy.name.clone(),
            baseline: baseline.name.clone(),
            differences: Metric::standard()
                .enumerate()
                .map(|(place, (metric, _))| {
                    let side = |policy: &PolicyReport, salt| {
                        let mean = policy.metrics[place].estimate.value;
                        let one = |run| mean * (1.0 + 0.12 * wobble(run, salt + 16 * place));
                        Side::of_replications(&(0..14).map(one).collect::<Vec<f64>>(), Confidence::P95)
                    };
                    let paired = Paired::compare(&side(baseline, 1), &side(policy, 2 + index), Confidence::P95);
                    Difference {
                        metric,
                        difference: paired.difference,
                        relative: paired.relative,
                        verdict: paired.verdict,
                        matters: true,
                    }
                })
                .collect(),
            sentence: format!("{} {sentence}", policy.name),
        })
        .collect()
}

fn objectives(policies: &[PolicyReport]) -> Vec<Judgement> {
    let bounds = [
        (Metric::TTFT_P95, 1.4, true),
        (Metric::E2E_P95, 6.0, true),
        (Metric::ERROR_RATE, 0.01, true),
        (Metric::QUALITY, 0.9, false),
    ];
    let judge = |policy: &PolicyReport, (metric, bound, at_most): (Metric, f64, bool)| {
        let estimate = crate::report::estimate(policy, &metric);
        let kept = |figure: f64| (figure <= bound) == at_most;
        let judged = match (estimate.lo, estimate.hi) {
            (Some(lo), Some(hi)) if kept(lo) && kept(hi) => Judged::Pass,
            (Some(lo), Some(hi)) if !kept(lo) && !kept(hi) => Judged::Fail,
            _ => Judged::Undecided,
        };
        Judgement {
            policy: policy.name.clone(),
            metric,
            bound,
            at_most,
            estimate,
            endless: 0.0,
            judged,
        }
    };
    policies
        .iter()
        .flat_map(|policy| bounds.clone().map(|objective| judge(policy, objective)))
        .collect()
}

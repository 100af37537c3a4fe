//! A report for tests: three policies over two providers, with a case of everything that can be shown.
//!
//! The figures are made up and need not agree with one another. The second policy is quicker and dearer than the first,
//! the third cannot be told from it; one figure has no interval, and says why.

use super::*;
use crate::stats::interval::Estimate;

/// The report that the tests of the terminal, CSV and JSON show.
pub(crate) fn sample() -> Report {
    let names = [
        ("round-robin", "round_robin"),
        ("quickest", "least_latency"),
        ("weighted-70-30", "weighted"),
    ];
    let policies: Vec<PolicyReport> = names.iter().enumerate().map(|(i, name)| policy(i, *name)).collect();
    Report {
        given: None,
        outside: Vec::new(),
        scheduled: Vec::new(),
        uncertain: Vec::new(),
        format: json::FORMAT.into(),
        version: "0.1.0".into(),
        experiment: "support-chat".into(),
        about: "Two providers behind one gateway.".into(),
        inputs: vec![Input {
            name: "support-chat.json".into(),
            sha256: "0123456789abcdef".repeat(4),
        }],
        seed: 42,
        replications_planned: 10,
        replications_finished: 10,
        confidence: 0.95,
        start: Start::Given,
        warmup: 60.0,
        counted: 600.0,
        month_days: 30.0,
        currency: None,
        warnings: vec![
            "round-robin does not settle: requests in the system grow by 2.1 a second until the end, so its latencies \
             depend on how long the run is"
                .into(),
        ],
        assumptions: vec![
            "load at all providers: latency is the same at any traffic".into(),
            "error in the figures of `relay`: published or assumed, not validated against measurements".into(),
        ],
        models: vec![ModelNote {
            measured: None,
            provider: "relay".into(),
            model: "relay-fast/1".into(),
            source: "published benchmark".into(),
            assumed: vec![("latency.ttft.shape".into(), "log-normal".into())],
            overrides: vec!["connections".into()],
            published: Vec::new(),
            calibration: Some(Standing::Uncalibrated),
        }],
        comparisons: policies[1..]
            .iter()
            .map(|policy| comparison(policy, &policies[0]))
            .collect(),
        ranking: None,
        asked: vec![],
        objectives: objectives(&policies),
        scorecard: scorecard(&objectives(&policies)),
        joined: None,
        policies,
    }
}

/// A scorecard of judgements that are in the order of policies.
pub(crate) fn scorecard(objectives: &[Judgement]) -> Scorecard {
    let groups = objectives.chunk_by(|a, b| a.policy == b.policy);
    let rows: Vec<Scored> = (groups.clone())
        .map(|of_policy| {
            let judged: Vec<Option<Judged>> = of_policy.iter().map(|o| Some(o.judged)).collect();
            let worst = [Judged::Fail, Judged::Undecided]
                .into_iter()
                .find(|it| judged.contains(&Some(*it)));
            Scored {
                policy: of_policy[0].policy.clone(),
                judged,
                overall: worst.unwrap_or(Judged::Pass),
            }
        })
        .collect();
    let cheapest = rows
        .iter()
        .find(|row| row.overall == Judged::Pass)
        .map(|row| row.policy.clone());
    Scorecard {
        headline: vec![format!(
            "Only {} meets every objective.",
            cheapest.as_deref().unwrap_or("none")
        )],
        cheapest,
        goals: groups
            .clone()
            .next()
            .into_iter()
            .flatten()
            .map(Judgement::goal)
            .collect(),
        rows,
    }
}

/// The sample with its policies ranked in reverse order, the first two level.
pub(super) fn ranked() -> Report {
    let mut report = sample();
    let rows = report.policies.iter().rev().enumerate().map(|(place, policy)| Ranked {
        policy: policy.name.clone(),
        behind: estimate(-0.25 * place as f64, 0.3),
        may_be_best: place < 2,
    });
    report.ranking = Some(Ranking {
        metric: Metric::GOODPUT,
        rows: rows.collect(),
    });
    report
}

/// An estimate from ten replications.
pub(super) fn estimate(mean: f64, half_width: f64) -> Estimate {
    Estimate::symmetric(mean, Some(half_width), 10, 0)
}

/// What each policy's figures are, times those of the first.
const FACTORS: [f64; 3] = [1.0, 0.75, 1.015625];

fn figure(metric: &Metric) -> (f64, f64) {
    match metric.to_string().as_str() {
        "ttft.p50" => (0.4, 0.0042),
        "ttft.p95" => (1.24, 0.03),
        "ttft.p99" => (2.5, 0.21),
        "ttft.mean" => (0.53, 0.005),
        "e2e.p50" => (3.25, 0.04),
        "e2e.p95" => (8.5, 0.12),
        "e2e.p99" => (14.2, 0.9),
        "e2e.mean" => (3.9, 0.05),
        "wait.p50" => (0.0, 0.0),
        "wait.p95" => (0.012, 0.002),
        "wait.p99" => (0.31, 0.04),
        "wait.mean" => (0.008, 0.001),
        "error_rate" => (0.0125, 0.0011),
        "throughput" => (49.4, 0.2),
        "goodput" => (47.1, 0.35),
        "attempts_per_request" => (1.08, 0.004),
        "cost_per_1k" => (4.2, 0.02),
        "cost_per_1k_answers" => (4.25, 0.02),
        "cost_per_month" => (12_345.0, 60.0),
        "quality" => (0.93, 0.0002),
        other => panic!("{other} is not standard"),
    }
}

fn policy(index: usize, (name, kind): (&str, &str)) -> PolicyReport {
    let factor = FACTORS[index];
    let metrics = Metric::standard().map(|(metric, _)| {
        let (mean, half_width) = figure(&metric);
        let dearer = [Metric::COST_PER_1K, Metric::COST_PER_1K_ANSWERS, Metric::COST_PER_MONTH].contains(&metric);
        let mean = if dearer { mean / factor } else { mean * factor };
        let alone = index == 2 && metric == Metric::TTFT_P99;
        Measured {
            residuals: Vec::new(),
            parts: None,
            metric,
            estimate: Estimate::symmetric(mean, (!alone).then_some(half_width), 10, 0),
            of_all: None,
            note: alone.then(|| "too few successes for a p99: 368 are needed".into()),
            replayed: false,
        }
    });
    PolicyReport {
        name: name.into(),
        kind: kind.into(),
        requests: 300_000,
        attempts: 324_000,
        metrics: metrics.collect(),
        outcomes: outcomes(index),
        providers: vec![
            provider("relay", 0.7 * factor),
            provider("direct, \"EU\"", 1.0 - 0.7 * factor),
        ],
        classes: vec![class("short", 0.8), class("long", 0.2)],
        bounds: bounds(index),
        quotas: vec![],
        bill: Bill::default(),
        alerts: vec![],
        milestones: vec![],
        identities: vec![],
        incidents: incidents(index),
        effort: vec![EffortReport {
            what: EffortKind::Retries,
            per_1k: estimate(80.0 * factor, 1.5),
        }],
        response_cache: None,
        supposed: Vec::new(),
        alone: Vec::new(),
        missed: Vec::new(),
        steady: Steady {
            settled: index != 0,
            why: "mean time of the last third against the middle third".into(),
        },
        curves: Curves {
            ttft: vec![(0.1, 0.0), (0.4 * factor, 0.5), (2.5, 1.0)],
            e2e: vec![(1.0, 0.0), (3.25 * factor, 0.5), (15.0, 1.0)],
            wait: vec![(0.0, 0.875), (0.3, 1.0)],
        },
        series: (1..=3_u32)
            .map(|bin| Moment {
                until: 220.0 * f64::from(bin),
                arrivals: 50.0,
                error_rate: (bin > 1).then_some(0.01),
                limited: None,
                e2e: (bin > 1).then_some(3.9 * factor),
                in_system: 190.0 + f64::from(bin),
                sent: vec![35.0, 15.0 + f64::from(bin)],
            })
            .collect(),
    }
}

fn outcomes(index: usize) -> Vec<OutcomeShare> {
    let mut shares = vec![(Outcome::Success, 0.9875), (Outcome::RateLimited, 0.0101)];
    if index == 0 {
        shares.push((Outcome::TimeoutTotal, 0.0024));
    }
    let shares = shares.into_iter().map(|(outcome, share)| OutcomeShare {
        outcome,
        share: estimate(share, 0.001),
    });
    shares.collect()
}

fn provider(name: &str, served: f64) -> ProviderReport {
    ProviderReport {
        name: name.into(),
        served: estimate(served, 0.004),
        cost: estimate(0.5, 0.01),
        failed: estimate(0.02, 0.001),
        in_flight: estimate(95.0, 1.5),
        cached: None,
        trips: estimate(0.2, 0.3),
    }
}

fn class(name: &str, share: f64) -> ClassReport {
    ClassReport {
        name: name.into(),
        share: estimate(share, 0.001),
        ttft_p95: estimate(1.2, 0.03),
        ttft_p95_of_all: None,
        e2e_p95: estimate(8.1, 0.12),
        e2e_p95_of_all: None,
        error_rate: estimate(0.0125, 0.001),
        cost_per_1k: estimate(4.2, 0.02),
        quality: estimate(0.93, 0.0002),
    }
}

/// One outage; the second policy ejects the provider in one replication only.
fn incidents(index: usize) -> Vec<IncidentReport> {
    let ejects = index != 1;
    let once = Estimate::symmetric(61.0, None, 1, 9);
    vec![IncidentReport {
        provider: "relay".into(),
        from: 240.0,
        until: 330.0,
        ejected: if ejects { estimate(1.0, 0.0) } else { estimate(0.1, 0.2) },
        time_to_eject: if ejects { estimate(1.4, 0.2) } else { once },
        leaked: if ejects {
            estimate(12.0, 1.5)
        } else {
            estimate(3150.0, 40.0)
        },
        error_rate: if ejects {
            estimate(0.004, 0.0006)
        } else {
            estimate(0.7, 0.01)
        },
        recovered: estimate(if ejects { 1.0 } else { 0.0 }, 0.0),
        time_to_recover: if ejects {
            estimate(14.0, 0.1)
        } else {
            Estimate {
                undefined: 10,
                ..Estimate::NONE
            }
        },
        time_to_return: Some(if ejects {
            estimate(12.0, 0.4)
        } else {
            Estimate {
                undefined: 10,
                ..Estimate::NONE
            }
        }),
    }]
}

fn bounds(index: usize) -> Vec<BoundReport> {
    let bound = |what, provider: Option<&str>, limit, share| BoundReport {
        what,
        provider: provider.map(Into::into),
        limit,
        budget: None,
        share: estimate(share, 0.01),
    };
    match index {
        0 => vec![
            bound(BoundKind::Connections, Some("relay"), Some(50), 0.97),
            bound(BoundKind::Queue, None, Some(1000), 0.31),
            bound(BoundKind::Breaker, Some("relay"), None, 0.05),
            bound(BoundKind::InFlight, None, Some(4000), 0.004),
        ],
        1 => vec![bound(BoundKind::Quota, Some("direct, \"EU\""), None, 0.12)],
        _ => Vec::new(),
    }
}

fn comparison(policy: &PolicyReport, baseline: &PolicyReport) -> Comparison {
    let differences = policy.metrics.iter().zip(&baseline.metrics).map(|(one, other)| {
        let (one, other) = (one.estimate, other.estimate);
        let difference = estimate(one.value - other.value, 0.02 * other.value.abs());
        let verdict = match (difference.lo, difference.hi) {
            _ if difference.value == 0.0 => Verdict::Same,
            (_, Some(hi)) if hi < 0.0 => Verdict::Lower,
            (Some(lo), _) if lo > 0.0 => Verdict::Higher,
            _ => Verdict::CannotTell,
        };
        let relative = (other.value != 0.0).then(|| difference.value / other.value);
        (difference, relative, verdict)
    });
    let differences: Vec<_> = differences
        .zip(Metric::standard())
        .map(|((difference, relative, verdict), (metric, _))| Difference {
            metric,
            difference,
            relative,
            verdict,
            matters: true,
        })
        .collect();
    let tells = differences
        .iter()
        .any(|difference| difference.verdict == Verdict::Lower);
    let sentence = if tells {
        format!(
            "{} has a lower TTFT p95 and E2E p95 than {} and costs more for each month of this traffic.",
            policy.name, baseline.name
        )
    } else {
        format!("These runs cannot tell {} from {}.", policy.name, baseline.name)
    };
    Comparison {
        policy: policy.name.clone(),
        baseline: baseline.name.clone(),
        differences,
        sentence,
    }
}

fn objectives(policies: &[PolicyReport]) -> Vec<Judgement> {
    let judged = [Judged::Undecided, Judged::Pass, Judged::Fail];
    let one = |(policy, judged): (&PolicyReport, Judged)| {
        let estimate = |metric: &Metric| super::estimate(policy, metric);
        [(Metric::TTFT_P95, 1.25, true), (Metric::QUALITY, 0.5, false)].map(|(metric, bound, at_most)| Judgement {
            policy: policy.name.clone(),
            estimate: estimate(&metric),
            metric,
            bound,
            at_most,
            endless: 0.0,
            judged: if at_most { judged } else { Judged::Pass },
        })
    };
    policies.iter().zip(judged).flat_map(one).collect()
}

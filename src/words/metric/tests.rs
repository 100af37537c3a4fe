//! Metrics as text, and the set that every report holds.

use proptest::prelude::*;

use super::*;

fn metric(text: &str) -> Metric {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The names that results have had from the start, in their order.
#[test]
fn the_standard_set_is_what_results_always_held() {
    let names: Vec<String> = Metric::standard().map(|(metric, _)| metric.to_string()).collect();
    let expected = [
        "ttft.p50",
        "ttft.p95",
        "ttft.p99",
        "ttft.mean",
        "e2e.p50",
        "e2e.p95",
        "e2e.p99",
        "e2e.mean",
        "wait.p50",
        "wait.p95",
        "wait.p99",
        "wait.mean",
        "error_rate",
        "throughput",
        "goodput",
        "attempts_per_request",
        "cost_per_1k",
        "cost_per_1k_answers",
        "cost_per_month",
        "quality",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_metric_has_its_title_its_unit_and_its_direction() {
    let cny = Code::new("CNY");
    for (text, title, unit, lower) in [
        ("ttft.p95", "TTFT p95", Unit::Seconds, true),
        ("tpot.p99.9", "TPOT p99.9", Unit::Seconds, true),
        ("e2e.mean{class=chat}", "E2E mean {class=chat}", Unit::Seconds, true),
        ("error_rate", "errors", Unit::Share, true),
        ("goodput", "goodput", Unit::PerSecond, false),
        ("share.success", "requests success", Unit::Share, false),
        ("share.rate_limited", "requests rate limited", Unit::Share, true),
        ("attempts.cancelled", "attempts cancelled", Unit::Share, true),
        ("attempts_per_request", "attempts / request", Unit::Number, true),
        ("cost_per_month", "CNY / month", Unit::Money(cny.unwrap()), true),
    ] {
        let metric = metric(text);
        assert_eq!(metric.title_in(cny), title);
        assert_eq!((metric.unit_in(cny), metric.lower_is_better()), (unit, lower), "{text}");
    }
}

#[test]
fn constants_are_the_metrics_of_their_names() {
    for (constant, text) in [
        (Metric::TTFT_P95, "ttft.p95"),
        (Metric::TTFT_P99, "ttft.p99"),
        (Metric::E2E_P95, "e2e.p95"),
        (Metric::E2E_P99, "e2e.p99"),
        (Metric::E2E_MEAN, "e2e.mean"),
        (Metric::ERROR_RATE, "error_rate"),
        (Metric::THROUGHPUT, "throughput"),
        (Metric::GOODPUT, "goodput"),
        (Metric::COST_PER_1K, "cost_per_1k"),
        (Metric::COST_PER_1K_ANSWERS, "cost_per_1k_answers"),
        (Metric::COST_PER_MONTH, "cost_per_month"),
        (Metric::QUALITY, "quality"),
    ] {
        assert_eq!(constant, metric(text));
        assert!(constant.as_standard().is_some());
        assert!(constant.within(Key::Class, "a").as_standard().is_none());
    }
}

#[test]
fn a_quantity_takes_only_its_own_statistics() {
    assert_eq!(Metric::new(Quantity::ErrorRate, Statistic::Mean), None);
    assert_eq!(Metric::new(Quantity::Ttft, Statistic::Whole), None);
    assert_eq!(Metric::new(Quantity::Share, Statistic::Mean), None);
    assert_eq!(Metric::new(Quantity::E2e, Statistic::Mean), Some(Metric::E2E_MEAN));
}

#[test]
fn the_schema_takes_what_is_read() {
    let schema = Metric::json_schema(&mut SchemaGenerator::default());
    let pattern = schema.get("pattern").and_then(|p| p.as_str()).unwrap();
    let pattern = regex_lite::Regex::new(pattern).unwrap();
    let examples = schema.get("examples").and_then(|e| e.as_array()).unwrap();
    for example in examples {
        let text = example.as_str().unwrap();
        assert!(pattern.is_match(text), "{text}");
        assert_eq!(metric(text).to_string(), text);
    }
    for (standard, _) in Metric::standard() {
        assert!(pattern.is_match(&standard.to_string()));
    }
    for text in [
        "ttft.95",
        "ttft",
        "error_rate.p95",
        "share.none",
        "e2e.mean{}",
        "ttft.p100",
    ] {
        assert!(!pattern.is_match(text), "{text}");
    }
}

fn statistics() -> impl Strategy<Value = (Quantity, Statistic)> {
    let any = (
        0..Quantity::ALL.len(),
        1_u32..100_000_000,
        0..Outcome::COUNT,
        any::<bool>(),
    );
    any.prop_map(|(quantity, millionths, outcome, mean)| {
        let quantity = Quantity::ALL[quantity];
        let statistic = match quantity.row().takes {
            Takes::Nothing => Statistic::Whole,
            Takes::Statistic if mean => Statistic::Mean,
            Takes::Statistic => {
                let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
                Statistic::Percentile(Percentile::read(&text).unwrap())
            }
            Takes::Outcome => Statistic::Outcome(Outcome::ALL[outcome]),
        };
        (quantity, statistic)
    })
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(
        (quantity, statistic) in statistics(),
        class in proptest::option::of(".*"),
        provider in proptest::option::of("[a-z'\"{}=, \\\\]*"),
        tags in proptest::collection::btree_map(".*", ".*", 0..3),
        window in proptest::option::of("[a-z0-9-]{1,8}"),
    ) {
        let mut metric = Metric::new(quantity, statistic).unwrap();
        let keys = [(Key::Window, window), (Key::Provider, provider), (Key::Class, class)];
        for (key, value) in keys.into_iter().chain(tags.into_iter().map(|(name, value)| (Key::Tag(name), Some(value)))) {
            if let Some(value) = value {
                metric = metric.within(key, value);
            }
        }
        let text = metric.to_string();
        prop_assert_eq!(text.parse::<Metric>(), Ok(metric.clone()));
        // As JSON too, where quotes and control characters are escaped once more.
        let json = serde_json::to_string(&metric).unwrap();
        prop_assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric);
    }

    #[test]
    fn no_text_panics(text in ".*", scope in "[a-z.='\\\\{},\" ]*") {
        let _ = text.parse::<Metric>();
        let _ = format!("e2e.p50{{{scope}").parse::<Metric>();
    }
}

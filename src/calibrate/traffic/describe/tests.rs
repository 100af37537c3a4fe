//! What is said of traces, against figures by hand.

use super::*;
use crate::import::trace;
use crate::traffic::arrivals::Reading;

fn read(text: &str) -> Description {
    describe("x.csv", &trace::read(text.as_bytes(), &Reading::default()).unwrap())
}

fn rows(n: u64, mut at: impl FnMut(u64) -> String) -> String {
    let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    (0..n).fold(head, |text, i| {
        text + &format!("{},{},{}\n", at(i), 100 + i % 7, 10 + i % 3)
    })
}

#[test]
fn a_trace_with_dates_says_when_it_was() {
    let it = read(&rows(3000, |i| {
        format!("2024-05-10 {:02}:{:02}:{:02}.5", i / 3600, i / 60 % 60, i % 60)
    }));
    assert_eq!(it.starts.as_deref(), Some("2024-05-10T00:00Z"));
    assert_eq!((it.requests, it.rows, it.seconds), (3000, 3000, 2999.0));
    assert_eq!(it.rate, 1.0);
    assert!(it.gap_cv.unwrap() < 1e-9);
    assert_eq!(it.dispersion[1].index, Some(0.0));
    assert!(
        it.means.starts_with("more regular than a Poisson process"),
        "{}",
        it.means
    );
    assert!(it.warnings[0].contains("less than a day"), "{:?}", it.warnings);
    assert_eq!((it.input.p50, it.input.max, it.output.p99), (103, 106, 12));
    assert_eq!(it.peak_minute.unwrap().requests, 60);
}

#[test]
fn what_misleads_is_told() {
    let steps = read(&rows(3000, |i| format!("{}", i / 10 * 3)));
    assert!(
        steps.warnings.iter().any(|w| w.contains("steps of 3 s")),
        "{:?}",
        steps.warnings
    );
    assert_eq!((steps.gap_cv, steps.dispersion[0].index), (None, None));
    assert!(steps.peak_second.is_none());
    let whole = read(&rows(300, |i| format!("{}", i * 7 + i % 2)));
    assert!(
        whole.warnings.iter().any(|w| w.contains("multiples of 1 s")),
        "{:?}",
        whole.warnings
    );
    let twice = read(&rows(200, |i| format!("{}.125", i / 20 * 3)).replace(",10\n", ",11\n"));
    assert!(twice.duplicates > 0);
}

/// Poisson with the sine of a day for a rate, over a day and a half: its gaps are exponential, at the rate at which each begins.
#[test]
fn a_poisson_process_with_a_course_is_not_called_bursty() {
    use crate::kernel::chance::{Chance, Purpose, unit};
    let chance = Chance::new(1, 0);
    let mut at = 0.0;
    let it = read(&rows(60_000, |i| {
        let rate = 0.45 + 0.4 * libm::sin(at * std::f64::consts::TAU / 86_400.0);
        at += -libm::log(1.0 - unit(chance.request(i).draw(Purpose::Gap))) / rate;
        format!("{at:.6}")
    }));
    assert!(it.dispersion[2].index.unwrap() > 5.0, "{:?}", it.dispersion);
    assert!(
        it.means.starts_with("as a Poisson process around a rate that moves"),
        "{} {:?}",
        it.means,
        it.dispersion
    );
}

/// A rate that jumps morning and evening, regular in between: calmer than Poisson about its course, whatever the jumps do.
#[test]
fn a_rate_that_jumps_is_not_called_bursty() {
    let mut at = 0_u64;
    let it = read(&rows(60_000, |_| {
        let is_day = (8..18).contains(&(at / 3600 % 24));
        at += if is_day { 3 } else { 60 };
        format!("{at}.5")
    }));
    assert!(it.dispersion.iter().all(|of| of.is_calm), "{:?}", it.dispersion);
    assert!(
        it.means.starts_with("as a Poisson process around a rate that moves") && it.means.contains("calmer"),
        "{} {:?}",
        it.means,
        it.dispersion
    );
}

/// Of three days the hour of the day is the mean over them.
#[test]
fn hours_are_those_of_the_day() {
    let it = read(&rows(3 * 86_400 / 30, |i| {
        format!(
            "2024-05-{:02} {:02}:{:02}:{:02}",
            10 + i / 2880,
            i / 120 % 24,
            i / 2 % 60,
            i % 2 * 30
        )
    }));
    let hours = it.hours.unwrap();
    assert!(hours.iter().all(|rate| (rate - 1.0 / 30.0).abs() < 1e-3), "{hours:?}");
    assert!(it.warnings[0].contains("less than a week"));
}

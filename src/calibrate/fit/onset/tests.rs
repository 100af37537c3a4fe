//! Tests with buckets and windows that are written out here.

use super::*;

/// Pseudo-random numbers in [0, 1): the upper bits of a linear congruential generator.
fn chance(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1_u64 << 24) as f64
    }
}

/// Poisson arrivals: (requests a second, seconds) one after the other.
fn arrivals(seed: u64, steps: &[(f64, f64)]) -> Vec<f64> {
    let (mut uniform, mut at, mut ends, mut times) = (chance(seed), 0.0, 0.0, Vec::new());
    for (rate, lasts) in steps {
        ends += lasts;
        while at < ends {
            times.push(at);
            at -= libm::log(1.0 - uniform()) / rate;
        }
    }
    times
}

/// The decisions of a server on requests sent at `times` that reach it up to `delay` later: a bucket, kept in levels.
fn by_bucket(times: &[f64], burst: f64, rate: f64, delay: f64, seed: u64) -> Vec<Sent> {
    let mut uniform = chance(seed);
    let mut reach: Vec<(f64, f64)> = times.iter().map(|t| (t + delay * uniform(), *t)).collect();
    reach.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut level, mut last) = (burst, 0.0);
    let decide = |(now, at): (f64, f64)| {
        level = f64::min(level + (now - last) * rate, burst);
        last = now;
        let refused = level < 1.0;
        level -= if refused { 0.0 } else { 1.0 };
        Sent { at, refused }
    };
    let mut sent: Vec<Sent> = reach.into_iter().map(decide).collect();
    sent.sort_by(|a, b| a.at.total_cmp(&b.at));
    sent
}

fn holds(interval: [f64; 3], truth: f64) -> bool {
    interval[0] <= truth && truth <= interval[2]
}

/// Twenty times each: 60 s of overload, and a ladder that ends soon after the first refusal, decided at once or up to 30 ms late.
#[test]
fn the_truth_lies_within_the_bounds_of_a_bucket() {
    for (burst, rate, steps) in [
        (20.0, 2.0, &[(4.0, 70.0)][..]),
        (5.0, 8.0, &[(12.0, 60.0)]),
        (1.0, 2.0, &[(5.0, 60.0)]),
        (40.0, 10.0, &[(5.0, 10.0), (10.0, 10.0), (25.0, 12.0)]),
    ] {
        for seed in 0..20 {
            let delay = if seed % 2 == 0 { 0.0 } else { 0.03 };
            let sent = by_bucket(&arrivals(seed, steps), burst, rate, delay, seed + 1000);
            let found = of(&sent, delay).unwrap_or_else(|| panic!("{burst} {rate} {seed}: {:?}", bucket(&sent, delay)));
            assert_eq!(found.kind, Kind::Bucket, "{burst} {rate} {seed}");
            assert!(holds(found.rate, rate), "{burst} {rate} {seed}: {found:?}");
            assert!(holds(found.burst, burst), "{burst} {rate} {seed}: {found:?}");
            if steps.len() == 1 {
                // One at once and two a second is hard to distinguish from 1.1 and 1.8, where both are asked so seldom.
                let off = if burst == 1.0 { 0.15 } else { 0.015 };
                let is_near = (found.rate[1] / rate - 1.0).abs() < off && (found.burst[1] - burst).abs() <= 0.5;
                assert!(is_near, "{burst} {rate} {seed}: {found:?}");
            }
        }
    }
}

/// A client that waits as long as it is told sees few refusals, and only the beginnings of windows.
#[test]
fn the_truth_lies_within_the_bounds_of_a_window() {
    for seed in 0..20 {
        for waits in [false, true] {
            let (limit, length, begins) = (20, 10.0, 3.7);
            let (mut used, mut window, mut paused, mut sent) = (0, -1.0, 0.0, Vec::new());
            for at in arrivals(seed, &[(6.0, 60.0)]) {
                if at < paused {
                    continue;
                }
                let number = ((at + begins) / length).floor();
                (used, window) = if number == window { (used, window) } else { (0, number) };
                let refused = used == limit;
                used += i32::from(!refused);
                if refused && waits {
                    // Whole seconds, rounded up.
                    paused = at + ((number + 1.0) * length - begins - at).ceil();
                }
                sent.push(Sent { at, refused });
            }
            let found = of(&sent, 0.0).unwrap_or_else(|| panic!("{seed} {waits}"));
            assert!(holds(found.rate, 2.0), "{seed} {waits}: {found:?}");
            assert_eq!(found.kind, Kind::Window(10.0), "{seed} {waits}: {found:?}");
            assert_eq!(found.burst[1], 20.0, "{seed} {waits}: {found:?}");
        }
    }
}

/// 30 % refused at random are not a quota, and neither are 3 %.
#[test]
fn chance_is_no_quota() {
    let mut told = 0;
    for seed in 0..100 {
        let mut uniform = chance(seed + 5000);
        let share = if seed % 2 == 0 { 0.3 } else { 0.03 };
        let sent: Vec<Sent> = arrivals(seed, &[(10.0, 60.0)])
            .into_iter()
            .map(|at| Sent {
                at,
                refused: uniform() < share,
            })
            .collect();
        told += usize::from(of(&sent, 0.005).is_some());
    }
    assert!(told <= 1, "{told} of 100");
}

/// A sliding log, fourteen in any 7 s, is neither: the rate that was admitted is reported all the same, roughly.
#[test]
fn what_is_neither_is_told_roughly() {
    let (mut log, mut sent): (Vec<f64>, Vec<Sent>) = (Vec::new(), Vec::new());
    for at in arrivals(7, &[(20.0, 100.0)]) {
        log.retain(|t| at - t < 7.0);
        let refused = log.len() >= 14;
        if !refused {
            log.push(at);
        }
        sent.push(Sent { at, refused });
    }
    let found = of(&sent, 0.0).unwrap();
    assert!((found.rate[1] / 2.0 - 1.0).abs() < 0.1, "{found:?}");
}

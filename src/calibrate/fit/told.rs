//! A quota inferred from headers: its size, what is left of it, and when it is whole again.
//!
//! For a bucket that refills continuously (OpenAI's and Anthropic's documented rule) the missing amount over the time
//! until it is whole is the rate. Headers round: `remaining` down to whole units, so that if m units are missing,
//! between m − 1 and m really are; and the time to a millisecond, or to a second. Each answer thus bounds the rate from
//! both sides, and the rate is in the intersection of all bounds. With nothing remaining more than all may be missing
//! (a debt), and there is no upper bound. For a fixed window the moment when it is whole is the same for every answer
//! within it, and the next one is a window later.

use super::onset::USUAL;
use super::regimes::median;

/// The fewest answers from which a quota is inferred.
const ENOUGH: usize = 5;

/// What one answer said of a quota.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said {
    /// When it was sent, in seconds, if that is known.
    pub(super) at: Option<f64>,
    /// The amount that is missing from the limit.
    pub(super) missing: u64,
    /// Whether anything is left.
    pub(super) is_left: bool,
    /// Microseconds until it is whole.
    pub(super) reset_us: u64,
}

/// How a quota comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comes {
    /// Continuously, at this rate a second: lower bound, likely value, upper bound.
    Back([f64; 3]),
    /// All at once, after this many seconds: lower bound, likely value, upper bound.
    Anew([f64; 3]),
    /// All at once, after this many seconds or more: the end of only one window was seen.
    AnewOnce(f64),
}

/// How a quota comes back by these answers, in which something of it is missing; `None` if they are inconsistent.
pub(super) fn comes(said: &[Said]) -> Option<Comes> {
    if said.len() < ENOUGH {
        return None;
    }
    // The server's rounding; or a second, if it gives the time of day in whole seconds or its clock is slightly off.
    let is_whole = |unit: u64| said.iter().all(|s| s.reset_us.is_multiple_of(unit));
    let unit = [1_000_000, 1000, 1].into_iter().find(|unit| is_whole(*unit))?;
    let grain = unit as f64 / 1e6;
    back(said, grain).or_else(|| anew(said)).or_else(|| back(said, 1.0))
}

fn back(said: &[Said], grain: f64) -> Option<Comes> {
    let (mut low, mut high, mut likely) = (0.0_f64, f64::INFINITY, f64::INFINITY);
    for s in said {
        let (missing, reset) = (s.missing as f64, s.reset_us as f64 / 1e6);
        low = low.max((missing - 1.0) / (reset + grain));
        if s.is_left {
            likely = likely.min(missing / reset);
            high = high.min(if reset > grain {
                missing / (reset - grain)
            } else {
                f64::INFINITY
            });
        }
    }
    if low > high || !high.is_finite() {
        return None;
    }
    // Where little was ever missing there is hardly a lower bound, and the upper one is exact unless the time is
    // coarse: one was missing of a whole.
    let near = if grain < 0.01 { 0.95 } else { 0.5 };
    let likely = if low > near * high {
        f64::midpoint(low, high)
    } else {
        likely
    };
    Some(Comes::Back([low, likely.clamp(low, high), high]))
}

fn anew(said: &[Said]) -> Option<Comes> {
    let mut ends: Vec<f64> = said
        .iter()
        .map(|s| Some(s.at? + s.reset_us as f64 / 1e6))
        .collect::<Option<_>>()?;
    ends.sort_by(f64::total_cmp);
    let longest = said.iter().map(|s| s.reset_us).max()? as f64 / 1e6;
    // Answers of one window lie together: none of them states a longer wait than the window lasts.
    let mut windows: Vec<Vec<f64>> = Vec::new();
    for end in ends {
        match windows.last_mut() {
            Some(window) if end - window[window.len() - 1] < longest / 3.0 => window.push(end),
            _ => windows.push(vec![end]),
        }
    }
    let width = |window: &Vec<f64>| window[window.len() - 1] - window[0];
    let spread = windows.iter().map(width).fold(0.0, f64::max);
    if spread > 0.2 * longest {
        return None;
    }
    let middles: Vec<f64> = windows.iter().map(|window| median(window)).collect();
    let (first, last) = (middles[0], middles[middles.len() - 1]);
    let Some(apart) = middles.windows(2).map(|w| w[1] - w[0]).min_by(f64::total_cmp) else {
        // The ends of two windows were not seen: enough answers of one distinguish it from a bucket.
        return Some(Comes::AnewOnce(longest));
    };
    let many = ((last - first) / apart).round();
    let length = (last - first) / many;
    let off = f64::max(2.0 * spread / many, 1e-3 * length);
    if length + off + spread < longest {
        return None;
    }
    let usual = USUAL.into_iter().find(|usual| (usual - length).abs() <= off);
    Some(Comes::Anew([length - off, usual.unwrap_or(length), length + off]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of a bucket of `burst` that gains `rate` a second, charged one at each of `at`: written out anew, in
    /// seconds.
    fn bucket(burst: f64, rate: f64, at: &[f64], grain: f64) -> Vec<Said> {
        let (mut level, mut last, mut said) = (burst, 0.0, Vec::new());
        for &t in at {
            level = f64::min(burst, level + rate * (t - last));
            last = t;
            if level >= 1.0 {
                level -= 1.0;
            }
            let reset = (burst - level) / rate;
            said.push(Said {
                at: Some(t),
                missing: burst as u64 - level.floor() as u64,
                is_left: level >= 1.0,
                reset_us: ((reset / grain).ceil() * grain * 1e6).round() as u64,
            });
        }
        said
    }

    /// 120 a minute and 20 at once, asked at every load: whatever is missing is rounded, and the rate is within a percent.
    #[test]
    fn rounding_does_not_move_the_rate() {
        for every in [0.13, 0.37, 0.61] {
            let at: Vec<f64> = (0..200).map(|i| every * f64::from(i)).collect();
            for grain in [0.001, 1.0] {
                let told = comes(&bucket(20.0, 2.0, &at, grain));
                if (every, grain) == (0.61, 1.0) {
                    // One is missing and it takes up to a second, each time: that could be any rate.
                    assert_eq!(told, None);
                    continue;
                }
                let Some(Comes::Back([low, likely, high])) = told else {
                    panic!("every {every} s, {grain} s")
                };
                assert!(low <= 2.0 && 2.0 <= high, "{low} {high}");
                let off = if grain == 1.0 { 0.1 } else { 0.01 };
                assert!((likely / 2.0 - 1.0).abs() < off, "every {every} s, {grain} s: {likely}");
            }
        }
    }

    /// One a second of a hundred a minute: each time one is missing, and the lower bound is that of nothing.
    #[test]
    fn a_light_load_gives_the_rate_and_no_lower_bound() {
        let at: Vec<f64> = (0..20).map(f64::from).collect();
        let Some(Comes::Back([low, likely, high])) = comes(&bucket(100.0, 100.0 / 60.0, &at, 0.001)) else {
            panic!()
        };
        assert_eq!(low, 0.0);
        assert!(
            (likely * 60.0 - 100.0).abs() < 0.5 && high >= 100.0 / 60.0,
            "{likely} {high}"
        );
    }

    /// Thirty in each 10 s, from 4 s on, asked four times a second, told 50 ms late at most.
    #[test]
    fn a_window_is_told_by_when_it_ends() {
        let said = |lasts: f64| -> Vec<Said> {
            let at = (0..).map(|i| 0.25 * f64::from(i)).take_while(|t| *t < lasts);
            at.map(|t| {
                let end = 4.0 + 10.0 * ((t - 4.0) / 10.0).floor() + 10.0;
                let used = 1 + (4.0 * (10.0 - (end - t))) as u64;
                Said {
                    at: Some(t - 0.05 * (t * 7.0).fract()),
                    missing: used.min(30),
                    is_left: used < 30,
                    reset_us: ((end - t) * 1e6) as u64,
                }
            })
            .collect()
        };
        let Some(Comes::Anew([low, likely, high])) = comes(&said(50.0)) else {
            panic!("{:?}", comes(&said(50.0)))
        };
        assert_eq!(likely, 10.0);
        assert!(low < 10.0 && 10.0 < high && high - low < 0.1, "{low} {high}");
        let once: Vec<Said> = said(50.0)
            .into_iter()
            .filter(|s| (4.0..14.0).contains(&s.at.unwrap()))
            .collect();
        assert_eq!(comes(&once), Some(Comes::AnewOnce(10.0)));
    }

    #[test]
    fn what_does_not_fit_together_says_nothing() {
        let at: Vec<f64> = (0..40).map(|i| 0.3 * f64::from(i)).collect();
        let mut said = bucket(20.0, 2.0, &at, 0.001);
        for (i, s) in said.iter_mut().enumerate() {
            s.reset_us *= 1 + (i as u64 * 7) % 5;
        }
        assert_eq!(comes(&said), None);
        assert_eq!(comes(&bucket(20.0, 2.0, &[0.0, 0.1, 0.2, 0.3], 0.001)), None);
    }
}

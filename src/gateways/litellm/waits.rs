//! How long LiteLLM goes on trying where a retry policy grants the tries.
//!
//! Without a policy a request ends as soon as no deployment of its group is healthy. With one for its kind of failure it goes on
//! (1.109.1, `async_function_with_retries`: `_retry_policy_applies` passes over `should_retry_this_error`). After the failure of try k,
//! from 0, it sleeps min(8, max(`retry_after`, 0.5 × 2ᵏ)) + U(0, 0.75) s, the last one included, unless the group has another
//! deployment that is healthy: then not at all. A try that finds all of them cooling fails without an attempt. When the
//! cooldown is over all are tried anew, and cool again.
//!
//! Held against the running router 1.109.1 with two to four deployments and one to five retries: attempts and times are inside.
//!
//! Sleeps are random, so whether a try comes before or after the end of a cooldown may be too: both are followed, and the bounds are those
//! of all ways together. Left out: a Retry-After, which stands in the place of a sleep and of the cooldown; cooldowns of single deployments
//! (the shortest is taken); the time of the answers.

/// The largest addition to a sleep, in seconds.
pub(super) const JITTER: f64 = 0.75;

/// The tries that a policy grants, and what they meet.
pub(super) struct Granted {
    /// Retries after the first try.
    pub(super) retries: u64,
    /// Failures until every deployment of the group cools.
    pub(super) until_all_cool: u64,
    /// Whether the group has one deployment, so that every failure is followed by a sleep.
    pub(super) alone: bool,
    /// The length of a cooldown in seconds.
    pub(super) cooldown: f64,
}

/// The seconds of a sleep after the failure of try `k`, from 0, without its jitter.
pub(super) fn sleep(k: u64, least: f64) -> f64 {
    f64::min(8.0, f64::max(least, 0.5 * libm::exp2(k.min(10) as f64)))
}

/// Attempts and seconds, at least and at most.
type Bounds = (u64, (f64, f64));

fn widen(there: Option<Bounds>, (attempts, (least, most)): Bounds) -> Option<Bounds> {
    Some(match there {
        None => (attempts, (least, most)),
        Some((n, (a, b))) => (n.max(attempts), (a.min(least), b.max(most))),
    })
}

impl Granted {
    /// The most attempts of a request whose every attempt fails, and the bounds of its sleeps; `least` is `retry_after`.
    pub(super) fn walk(&self, least: f64) -> Bounds {
        if self.retries == 0 {
            return (1, (0.0, 0.0));
        }
        let last = self.retries;
        let sleep = |k: u64| sleep(k, least);
        // By the try at which all deployments are healthy: what is behind it.
        let mut begins: Vec<Option<Bounds>> = vec![None; last as usize + 2];
        begins[0] = Some((0, (0.0, 0.0)));
        let mut ends = None;
        for first in 0..=last {
            let Some((mut attempts, (mut from, mut to))) = begins[first as usize] else {
                continue;
            };
            let full = first + self.until_all_cool.max(1) - 1;
            attempts += full.min(last) - first + 1;
            if self.alone {
                for k in first..full.min(last) {
                    from += sleep(k);
                    to += sleep(k) + JITTER;
                }
            }
            if full > last {
                // The last failure leaves a deployment that is healthy, or sleeps if there is no other.
                let after = if self.alone { (sleep(last), JITTER) } else { (0.0, 0.0) };
                ends = widen(ends, (attempts, (from + after.0, to + after.0 + after.1)));
                continue;
            }
            // How long all have been cooling when the next try comes.
            let (mut low, mut high) = (0.0, 0.0);
            for k in full..=last {
                (low, high) = (low + sleep(k), high + sleep(k) + JITTER);
                if k == last {
                    ends = widen(ends, (attempts, (from + low, to + high)));
                    break;
                }
                let next = k as usize + 1;
                if high >= self.cooldown {
                    let healthy = (attempts, (from + f64::max(low, self.cooldown), to + high));
                    begins[next] = widen(begins[next], healthy);
                }
                if low >= self.cooldown {
                    break;
                }
                high = high.min(self.cooldown);
            }
        }
        ends.unwrap_or((1, (0.0, 0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(retries: u64, members: u64, cooldown: f64) -> Bounds {
        let of = Granted {
            retries,
            until_all_cool: members,
            alone: members == 1,
            cooldown,
        };
        of.walk(0.0)
    }

    #[test]
    fn tries_beyond_the_deployments_wait_while_all_cool() {
        // One try each, at once; then 1 + 2 + 4 s and three jitters, the last sleep after the last failure.
        assert_eq!(walk(3, 2, 60.0), (2, (7.0, 9.25)));
        // The last failure is that of the last deployment: none is left, and it sleeps.
        assert_eq!(walk(1, 2, 5.0), (2, (1.0, 1.75)));
        // Another is healthy still.
        assert_eq!(walk(1, 3, 5.0), (2, (0.0, 0.0)));
        assert_eq!(walk(0, 3, 5.0), (1, (0.0, 0.0)));
    }

    #[test]
    fn a_cooldown_that_ends_lets_both_be_tried_again() {
        // 1 + 2 + 4 s are beyond the 5 s of the cooldown: the fifth and sixth tries are attempts, and the last sleeps 8 s.
        assert_eq!(walk(5, 2, 5.0), (4, (15.0, 18.0)));
        // The fifth is the last one: the other deployment is healthy, and nothing is slept.
        assert_eq!(walk(4, 2, 5.0), (3, (7.0, 9.25)));
    }

    #[test]
    fn where_a_jitter_decides_both_ways_are_followed() {
        // After 1 + 2 s and two jitters the third sleep ends before or after 3.5 s of cooling.
        let (attempts, (least, most)) = walk(4, 2, 3.5);
        assert_eq!(attempts, 4);
        // Healthy at 3.5 to 4.5 s: two more attempts, and 8 s after the last; else 7 to 8.5 s or so, one attempt more.
        assert!(
            (least - 7.0).abs() < 1e-9 && (most - 13.25).abs() < 1e-9,
            "{least} {most}"
        );
    }
}

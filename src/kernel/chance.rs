//! Chance by key: a draw is a pure function of (seed, replication, request, attempt, purpose).
//!
//! Two policies that meet the same request therefore meet the same randomness, whatever either did before it: their
//! difference is paired (common random numbers), and one request can be replayed alone. The mixer is SplitMix64
//! (Steele, Lea, Flood 2014, finaliser of Stafford's variant 13), keyed twice: once from the replication to the
//! request, once from the request to the draw. There is no state to share, so no thread order can matter.
//!
//! It is not a cryptographic generator.

use std::convert::Infallible;

use rand::TryRng;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Draws that one attempt may ask for; purposes are numbered below it.
const PURPOSES: u64 = 32;

/// What a draw decides. The numbers are part of the results: changing one changes every simulated figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The gap between an arrival and the one before it.
    Gap = 0,
    /// The class of the request.
    Class = 1,
    /// The number of input tokens.
    Input = 2,
    /// The number of output tokens.
    Output = 3,
    /// The class for which a classifier takes the request.
    Classify = 4,
    /// A policy's own random choice.
    Route = 5,
    /// The time to first token.
    Ttft = 6,
    /// The decode speed, in tokens per second.
    Tps = 7,
    /// The network overhead.
    Network = 8,
    /// Whether the provider fails this attempt, and how.
    Fault = 9,
    /// The jitter of a back-off.
    Jitter = 10,
    /// Whether a client's adaptive throttle lets the request through.
    Throttle = 11,
    /// How much of the input is in the provider's prompt cache.
    Cache = 12,
    /// What happens to a provider independently of its requests: its regimes and how long they last.
    Weather = 13,
    /// The place at which an answer breaks off.
    Break = 14,
    /// The jitter of how long a breaker ejects a provider.
    Eject = 15,
    /// The user who makes the request.
    User = 16,
    /// Whether an answer is good.
    Good = 17,
    /// Whether the judge of an answer accepts it.
    Judge = 18,
    /// Whether an answer receives a grade that the policy can learn from.
    Grade = 19,
    /// Whether a mirrored copy, whose answer is discarded, goes to another provider.
    Mirror = 20,
    /// The gateway, of those that run side by side, at which a request arrives.
    Gateway = 21,
    /// How long a provider takes to fail.
    FailAfter = 22,
    /// The seed of the pilot that finds how long a plan warms up.
    Pilot = 23,
    /// How difficult a request is, for every model alike.
    Difficulty = 24,
    /// Which of a model's possible parameters are the true ones.
    Parameters = 25,
    /// The time that the gateway itself takes.
    Gateways = 26,
    /// Which of the prompts that come back a request has.
    Prompt = 27,
    /// The value of a tag that requests or their users carry.
    Tag = 28,
    /// What the gateway's response cache makes of a request.
    ResponseCache = 29,
    /// The level of priority that takes an attempt, and further draws in it.
    Level = 30,
    /// How long a request's user waits for its answer to begin.
    Patience = 31,
}

/// The randomness of one replication.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    base: u64,
    parameters: Parameters,
}

/// Replications that share what a model's parameters are taken to be: as many as tell what parameters change from what chance does.
pub const ALIKE: u64 = 2;

/// What the parameters of models that are not known exactly are taken to be in a replication.
///
/// Replications in a row share them, [`ALIKE`] at a time, and so do all policies in them. Following groups take following ones of the
/// possible parameters, from a place that the seed and the model say, so that none comes twice before all have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    seed: u64,
    group: u64,
}

impl Parameters {
    /// Which of `n` possible parameters, `n` above 0, are those of model number `model`.
    pub fn index(self, model: u64, n: usize) -> usize {
        let from = Key(mix(self.seed ^ model.wrapping_mul(GOLDEN))).draw(Purpose::Parameters);
        let n = n as u64;
        ((from % n + self.group % n) % n) as usize
    }
}

/// The randomness of one request, or of one attempt at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

/// A stream of draws for code that needs an unknown number of them (rejection sampling, shuffles).
///
/// It implements [`rand::Rng`], so every law of `rand_distr` can draw from it.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

#[inline]
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Chance {
    /// The randomness of replication number `replication` under `seed`.
    pub const fn new(seed: u64, replication: u64) -> Chance {
        Chance {
            base: mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(replication.wrapping_mul(GOLDEN))),
            parameters: Parameters {
                seed: mix(seed.wrapping_add(GOLDEN)),
                group: replication / ALIKE,
            },
        }
    }

    /// What the parameters of models are taken to be in this replication.
    pub const fn parameters(self) -> Parameters {
        self.parameters
    }

    /// The randomness of the `id`-th request.
    #[inline]
    pub const fn request(self, id: u64) -> Key {
        Key(mix(self.base.wrapping_add(id.wrapping_mul(GOLDEN))))
    }

    /// The randomness of the `n`-th process that runs independently of requests, such as the regimes of a provider.
    pub const fn surroundings(self, n: u64) -> Key {
        Key(mix(mix(!self.base).wrapping_add(n.wrapping_mul(GOLDEN))))
    }
}

impl Key {
    /// The key where there is no request, and hence no randomness.
    pub const NONE: Key = Key(0);

    /// The randomness of attempt number `n` (from 0) at this request. Attempt 0 shares the request's own draws.
    #[inline]
    pub const fn attempt(self, n: u64) -> Key {
        Key(self.0.wrapping_add((n * PURPOSES).wrapping_mul(GOLDEN)))
    }

    /// 64 uniform bits for `purpose`. Every call with one key and one purpose returns the same bits.
    #[inline]
    pub const fn draw(self, purpose: Purpose) -> u64 {
        mix(self.0.wrapping_add((purpose as u64 + 1).wrapping_mul(GOLDEN)))
    }

    /// The randomness of the `n`-th of several parts that draw for the same purpose. Part 0 shares the key's own draws.
    #[inline]
    pub const fn part(self, n: u64) -> Key {
        if n == 0 {
            self
        } else {
            Key(mix(self.0 ^ n.wrapping_mul(GOLDEN)))
        }
    }

    /// A stream of draws for `purpose`, unrelated to the single draws.
    pub const fn stream(self, purpose: Purpose) -> Stream {
        Stream {
            state: mix(self.draw(purpose) ^ GOLDEN),
        }
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.step() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.step())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.step().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl Stream {
    fn step(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }
}

/// 64 bits that stand for `number` in every run: a hash that no seed goes into. Another `salt` gives an unrelated one.
#[inline]
pub const fn hash(number: u64, salt: u64) -> u64 {
    mix(mix(salt.wrapping_add(GOLDEN)).wrapping_add(number.wrapping_mul(GOLDEN)))
}

/// The number of 64-bit draws, out of 2⁶⁴, that fall under probability `p`: `draw < threshold(p)` has that chance.
///
/// Exact at 0; at 1 it misses one draw in 2⁶⁴.
pub fn threshold(p: f64) -> u64 {
    (p * 18_446_744_073_709_551_616.0) as u64
}

/// Maps a draw onto `0..n` without bias worth the name (Lemire's multiply-shift; `n` ≤ 2³²).
#[inline]
pub fn index(draw: u64, n: usize) -> usize {
    ((u128::from(draw) * n as u128) >> 64) as usize
}

/// Maps a draw onto [0, 1) with 53 bits.
#[inline]
pub fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// Maps a draw onto (0, 1) with 53 bits, where neither end would do.
#[inline]
pub fn inner_unit(draw: u64) -> f64 {
    ((draw >> 11) as f64 + 0.5) * (1.0 / 9_007_199_254_740_992.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_draw_depends_on_every_part_of_its_key() {
        let of = |seed, rep, id, attempt, purpose| Chance::new(seed, rep).request(id).attempt(attempt).draw(purpose);
        let it = of(1, 2, 3, 1, Purpose::Ttft);
        assert_eq!(it, of(1, 2, 3, 1, Purpose::Ttft));
        for other in [
            of(2, 2, 3, 1, Purpose::Ttft),
            of(1, 3, 3, 1, Purpose::Ttft),
            of(1, 2, 4, 1, Purpose::Ttft),
            of(1, 2, 3, 2, Purpose::Ttft),
            of(1, 2, 3, 1, Purpose::Tps),
        ] {
            assert_ne!(it, other);
        }
    }

    /// Expected values from an independent SplitMix64: `tests/oracle/chance.py`.
    #[test]
    fn draws_keep_their_values() {
        let key = Chance::new(1, 0).request(0);
        assert_eq!(
            [
                key.draw(Purpose::Gap),
                key.draw(Purpose::Ttft),
                key.attempt(1).draw(Purpose::Ttft)
            ],
            [0x5f47_167d_ab1e_6f33, 0xb7a6_8831_28ba_c506, 0xba84_4db3_4b6c_c4d6]
        );
    }

    /// Correlation of neighbours over n pairs of uniforms has a standard deviation of 1/sqrt(n).
    #[test]
    fn neighbouring_keys_are_uncorrelated() {
        let n = 200_000u64;
        let chance = Chance::new(7, 0);
        type Pair = fn(Chance, u64) -> (u64, u64);
        let pairs: [(&str, Pair); 4] = [
            ("requests", |c, i| {
                (c.request(i).draw(Purpose::Ttft), c.request(i + 1).draw(Purpose::Ttft))
            }),
            ("purposes", |c, i| {
                (c.request(i).draw(Purpose::Ttft), c.request(i).draw(Purpose::Tps))
            }),
            ("attempts", |c, i| {
                (
                    c.request(i).draw(Purpose::Ttft),
                    c.request(i).attempt(1).draw(Purpose::Ttft),
                )
            }),
            ("replications", |_, i| {
                let first = |r| Chance::new(7, r).request(0).draw(Purpose::Gap);
                (first(i), first(i + 1))
            }),
        ];
        for (what, pair) in pairs {
            let covariance: f64 = (0..n)
                .map(|i| pair(chance, i))
                .map(|(a, b)| (unit(a) - 0.5) * (unit(b) - 0.5))
                .sum::<f64>()
                / n as f64;
            let correlation = covariance * 12.0;
            assert!(correlation.abs() < 4.5 / (n as f64).sqrt(), "{what}: {correlation}");
        }
    }

    /// Chi-square of 256 equal bins, 255 degrees of freedom: 99.99 % of good generators lie under 347.
    #[test]
    fn high_bytes_of_consecutive_requests_are_uniform() {
        let mut bins = [0f64; 256];
        let n = 256_000u64;
        for i in 0..n {
            bins[(Chance::new(3, 5).request(i).draw(Purpose::Gap) >> 56) as usize] += 1.0;
        }
        let expected = n as f64 / 256.0;
        let chi2: f64 = bins.iter().map(|b| (b - expected).powi(2) / expected).sum();
        assert!((170.0..347.0).contains(&chi2), "{chi2}");
    }

    /// Two replications in a row share them; in ten of them five, all different.
    #[test]
    fn parameters_are_shared_by_pairs_and_come_once_each() {
        let of = |seed, replication, model| Chance::new(seed, replication).parameters().index(model, 24);
        let ten: Vec<usize> = (0..10).map(|r| of(1, r, 0)).collect();
        assert!(ten.chunks(2).all(|pair| pair[0] == pair[1]), "{ten:?}");
        let mut different = ten.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 5);
        assert!((0..8).any(|model| of(1, 0, model) != of(1, 0, 0)) && (0..8).any(|seed| of(seed, 0, 0) != of(8, 0, 0)));
    }

    #[test]
    fn a_stream_fills_any_length() {
        let mut stream = Chance::new(1, 1).request(1).stream(Purpose::Route);
        let mut bytes = [0u8; 13];
        stream.fill_bytes(&mut bytes);
        assert!(bytes.iter().any(|&b| b != 0));
    }

    /// Its values are part of the results: expected ones from an independent SplitMix64, as those of the draws.
    #[test]
    fn a_hash_keeps_its_values_whatever_the_seed() {
        assert_eq!(
            [hash(0, 0), hash(1, 0), hash(0, 1)],
            [0x4821_8226_ff3c_d4bf, 0xa706_dd2f_4d19_7e6f, 0xdce4_23fc_82c0_d5b8]
        );
    }

    #[test]
    fn index_and_threshold_cover_their_ends() {
        assert_eq!((index(0, 7), index(u64::MAX, 7)), (0, 6));
        assert_eq!(threshold(0.0), 0);
        assert_eq!(threshold(1.0), u64::MAX);
        assert_eq!(threshold(0.5), 1 << 63);
    }
}

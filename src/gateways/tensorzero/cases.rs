//! What happens to a request of a function when providers fail, in closed form.
//!
//! A variant of n providers with r retries makes (r + 1) × n attempts, and waits d + U(0, d) after each try but the last, d = min(1 s × 2ⁿ,
//! `max_delay_s`). A request goes through all variants; a provider that fails while the others are well costs its own attempts up to the first
//! that answers.

use super::{Drawn, Variant};
use crate::gateways::model::Case;
use crate::report::format::share;

/// Seconds at least and at most.
type Seconds = (f64, f64);

/// The waits between the tries of a variant.
fn waits(variant: &Variant) -> Seconds {
    let wait = |n: u64| libm::exp2(n.min(30) as f64).min(variant.max_delay.max(0.0));
    let sum: f64 = (0..variant.retries).map(wait).sum();
    (sum, 2.0 * sum)
}

/// The attempts of a variant of which every one fails, and how long it takes; each hangs until its timeout if `hangs`.
fn of_variant(variant: &Variant, hangs: bool) -> (u64, Seconds) {
    let tries = variant.retries + 1;
    let (least, most) = waits(variant);
    let try_lasts = match hangs {
        false => 0.0,
        true => {
            let sum: f64 = variant.model.chain.iter().filter_map(|member| member.timeout).sum();
            variant.model.total.map_or(sum, |total| sum.min(total))
        }
    };
    let whole = |waits: f64| {
        let seconds = waits + tries as f64 * try_lasts;
        variant.total.map_or(seconds, |total| seconds.min(total))
    };
    (tries * variant.model.chain.len() as u64, (whole(least), whole(most)))
}

/// The attempts of a request that meets nothing but failures, and how long it takes.
pub(super) fn all(drawn: &Drawn, hangs: bool) -> (u64, Seconds) {
    let each = drawn.candidates.iter().chain(&drawn.fallbacks);
    each.map(|variant| of_variant(variant, hangs))
        .fold((0, (0.0, 0.0)), |(n, (a, b)), (more, (c, d))| {
            (n + more, (a + c, b + d))
        })
}

/// All that may happen.
pub(super) fn cases(drawn: &Drawn) -> Vec<Case> {
    let mut cases = Vec::new();
    let several = drawn.candidates.len() > 1;
    let sum: f64 = drawn.candidates.iter().map(|variant| variant.weight).sum();
    let first = match drawn.candidates.is_empty() {
        true => drawn.fallbacks.get(..1).unwrap_or_default(),
        false => &drawn.candidates[..],
    };
    let variants = drawn.candidates.len() + drawn.fallbacks.len();
    let is_lone = variants == 1 && first.iter().all(|variant| variant.model.chain.len() == 1);
    for variant in first.iter().filter(|_| !is_lone) {
        let branch = match several {
            true => format!("{}: {} of them", variant.name, share(variant.weight / sum)),
            false => String::new(),
        };
        let lasts = variant
            .model
            .chain
            .first()
            .and_then(|member| member.timeout)
            .unwrap_or(0.0);
        for (when, hangs) in [
            ("the first answers 429", false),
            ("the first answers 500", false),
            ("the first hangs", true),
        ] {
            let hang = if hangs { lasts } else { 0.0 };
            let case = match variant.model.chain.get(1) {
                Some(next) => Case::new(when, 2, (hang, hang), format!("{} answers", next.name)),
                None => {
                    let (attempts, seconds) = of_variant(variant, hangs);
                    Case::new(when, attempts + 1, seconds, "another variant answers")
                }
            };
            cases.push(case.of_branch(&branch));
        }
    }
    for (when, alone, hangs) in [
        ("all answer 429", "it answers 429", false),
        ("all answer 500", "it answers 500", false),
        ("all hang", "it hangs", true),
    ] {
        let (attempts, seconds) = all(drawn, hangs);
        let when = if is_lone { alone } else { when };
        cases.push(Case::new(
            when,
            attempts,
            seconds,
            "the caller is told a 502; nobody is left out for it",
        ));
    }
    cases
}

//! What a reader must know beside the policy that is named first: what it costs against the baseline, what is faster, and what it is worse in.

use super::{Given, per};
use crate::decide::gone::sentence;
use crate::report::{Metric, Unit, format};
use crate::stats::compare::Verdict;

/// A difference of shares below this is not told.
const NOTABLE: f64 = 0.005;

/// What the choice costs against the first policy of the experiment.
pub(super) fn against_baseline(
    given: &Given<'_>,
    cost: &Metric,
    choice: usize,
    meeting: &[usize],
    undecided: &[usize],
) -> Option<String> {
    let paired = given.paired(cost, 0, choice, 1)?;
    let relative = paired.relative.filter(|_| paired.verdict == Verdict::Lower)?;
    let also = match (meeting.contains(&0), undecided.contains(&0)) {
        (true, _) => "which meets them too",
        (false, true) => "of which the runs cannot tell whether it meets them all",
        (false, false) => "which does not meet them all",
    };
    let less = format::relative(relative.abs());
    Some(format!(
        "That is {} less than {}, {also}.",
        less.trim_start_matches('+'),
        given.name(0)
    ))
}

/// A policy that meets the objectives too and is faster than the choice, and what that costs.
pub(super) fn faster(given: &Given<'_>, cost: &Metric, choice: usize, meeting: &[usize]) -> Option<String> {
    let mut bounded = given.plan.objectives.iter().map(|o| &o.metric);
    let time = bounded.find(|metric| metric.percentile().is_some() && metric.unit() == Unit::Seconds);
    let time = time.cloned().unwrap_or(Metric::E2E_P95);
    let fastest = *given.by(&time, meeting).first()?;
    let gain = given
        .paired(&time, choice, fastest, meeting.len() - 1)
        .filter(|paired| paired.verdict == Verdict::Lower)?;
    let more = given.paired(cost, choice, fastest, meeting.len() - 1)?;
    let matters = gain.relative.is_none_or(|share| share.abs() >= given.plan.matters);
    let known = gain.difference.value.is_finite() && more.difference.value.is_finite();
    if fastest == choice || !matters || !known {
        return None;
    }
    let unit = cost.unit_in(given.code);
    let by = format::value(Unit::Seconds, gain.difference.value.abs());
    let at = match more.verdict {
        Verdict::Higher => format!("for {} more{}", format::value(unit, more.difference.value), per(cost)),
        Verdict::Lower | Verdict::Same | Verdict::CannotTell => "at a cost that the runs cannot tell apart".to_owned(),
    };
    Some(format!(
        "{} is faster by {by} ({}) {at}.",
        given.name(fastest),
        time.title()
    ))
}

/// That a policy answers less well than the first one, where neither an objective nor the ranking asks for quality: what it saves may be
/// saved on that.
pub(super) fn less_good(given: &Given<'_>, choice: usize) -> Option<String> {
    let metric = Metric::QUALITY;
    let is_asked = given
        .plan
        .objectives
        .iter()
        .any(|o| o.metric.quantity() == metric.quantity())
        || given.ranking.is_some_and(|ranking| ranking.metric == metric);
    let paired = given
        .paired(&metric, 0, choice, 1)
        .filter(|_| choice != 0 && !is_asked)?;
    let is_less = paired.verdict == Verdict::Lower && -paired.difference.value >= NOTABLE;
    is_less.then(|| {
        let quality = |p| format::value(metric.unit(), given.over_all(&metric, p).value);
        format!(
            "Its quality is lower: {}, and {} under {}.",
            quality(choice),
            quality(0),
            given.name(0)
        )
    })
}

/// That the cheapest fails more requests than another that meets the objectives too: what fails is not billed, or less.
pub(super) fn fails_more(given: &Given<'_>, choice: usize, meeting: &[usize]) -> Option<String> {
    let metric = Metric::ERROR_RATE;
    let least = *given.by(&metric, meeting).first().filter(|least| **least != choice)?;
    let paired = given.paired(&metric, least, choice, meeting.len() - 1)?;
    let is_more = paired.verdict == Verdict::Higher && paired.difference.value >= NOTABLE;
    is_more.then(|| {
        let errors = |p| format::value(metric.unit(), given.over_all(&metric, p).value);
        format!(
            "It fails more requests: {}, and {} under {}.",
            errors(choice),
            errors(least),
            given.name(least)
        )
    })
}

/// That some of these policies leave a provider out for good.
pub(super) fn gone(given: &Given<'_>, of: &[usize]) -> Option<String> {
    let window = given.plan.scenarios.first()?.window;
    sentence(of.iter().map(|&p| &given.policies[p]), window.counted().seconds())
}

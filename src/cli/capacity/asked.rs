//! What `simcap capacity` is asked, as text: a precision, a growth, a traffic to carry, a stream.

use std::str::FromStr;

use crate::experiment::load::Loaded;
use crate::form::units::{Rate, UnitError};
use crate::report::capacity::CountedIn;

/// A growth of the traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth(f64);

impl Growth {
    /// As a share of a month.
    pub(super) const fn a_month(self) -> f64 {
        self.0
    }
}

impl FromStr for Growth {
    type Err = String;

    /// Reads `5%/month`: also a week (of which a month has 30/7) and a year (twelve months), compounded.
    fn from_str(text: &str) -> Result<Growth, String> {
        let form = "a share and a time, week, month or year, like 5%/month or 60%/year";
        let (share, time) = text.split_once('/').ok_or(form)?;
        let months = match time.trim() {
            "week" => 7.0 / 30.0,
            "month" => 1.0,
            "year" => 12.0,
            _ => return Err(form.into()),
        };
        let share = share_of(share).ok_or(form)?;
        let in_range = share > 0.0 && share <= 100.0;
        in_range
            .then(|| Growth(libm::expm1(libm::log1p(share) / months)))
            .ok_or_else(|| "a growth is above 0 and at most 10000%".into())
    }
}

/// A number, or a percentage as a share.
fn share_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    }
}

/// Reads a precision: from 0.1 % to 50 %.
pub(super) fn precision(text: &str) -> Result<f64, String> {
    let share = share_of(text).filter(|share| (0.001..=0.5).contains(share));
    share.ok_or_else(|| "a share from 0.1% to 50%, like 2%".to_owned())
}

/// The traffic that must be carried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Carried {
    /// So many requests in a time.
    Rate(Rate),
    /// So many times that of the file.
    Times(f64),
}

impl FromStr for Carried {
    type Err = String;

    fn from_str(text: &str) -> Result<Carried, String> {
        if let Some(times) = text.strip_suffix('x') {
            let times = times.parse::<f64>().ok().filter(|times| (1e-3..=1e3).contains(times));
            return times
                .map(Carried::Times)
                .ok_or_else(|| "a factor from 0.001x to 1000x".into());
        }
        text.parse()
            .map(Carried::Rate)
            .map_err(|error: UnitError| error.to_string())
    }
}

impl Carried {
    /// The factor on the traffic of the file, which comes at the rate `declared`.
    pub(super) fn times(self, declared: Option<f64>) -> Result<f64, String> {
        match (self, declared) {
            (Carried::Times(times), _) => Ok(times),
            (Carried::Rate(rate), Some(declared)) => Ok(rate.per_second() / declared),
            (Carried::Rate(rate), None) => Err(format!(
                "--carry {rate}: the file does not say what its traffic is in requests a second, as of a trace or of users who wait for \
                 answers: give a factor, like 2x"
            )),
        }
    }
}

/// The name of the stream whose rate `path` is; nothing for that of all traffic.
pub(super) fn is_of_stream(path: &str) -> Result<Option<String>, String> {
    let stream = path
        .strip_prefix("traffic.streams.")
        .and_then(|rest| rest.strip_suffix(".rate"));
    match (path, stream) {
        ("traffic.rate" | "traffic", _) => Ok(None),
        (_, Some(name)) if !name.is_empty() => Ok(Some(name.trim_matches('"').to_owned())),
        _ => Err(format!(
            "--over {path}: what grows is traffic.rate or traffic.streams.NAME.rate; for another number there are --carry and --smallest"
        )),
    }
}

/// The mean rate of the traffic, or of one stream, as the file says it: nothing where arrivals follow answers or a trace, of which only
/// a run says what comes.
pub(super) fn rate(base: &Loaded, stream: Option<&str>) -> Option<f64> {
    let mut sum = 0.0;
    for origin in base
        .experiment
        .traffic
        .origins()
        .filter(|origin| stream.is_none() || origin.name == stream)
    {
        let arrivals = origin.arrivals.as_dyn();
        if arrivals.follows_ends() {
            return None;
        }
        sum += arrivals.rate()?;
    }
    Some(sum)
}

/// The mean number of conversations and agent runs that begin in a second, of the traffic or of one stream; nothing where other requests come
/// too.
pub(super) fn starts(base: &Loaded, stream: Option<&str>) -> Option<f64> {
    let origins = base.experiment.traffic.origins();
    let mut of = origins.filter(|origin| stream.is_none() || origin.name == stream);
    of.try_fold(0.0, |sum, origin| Some(sum + origin.arrivals.as_dyn().starts()?))
}

/// What the traffic, or one stream, grows by where it is not requests: users of closed loops, or conversations and agent runs that begin; nothing of
/// several kinds together.
pub(super) fn counted_in(base: &Loaded, stream: Option<&str>) -> Option<CountedIn> {
    let origins = || {
        let all = base.experiment.traffic.origins();
        all.filter(|origin| stream.is_none() || origin.name == stream)
    };
    let users = origins().try_fold(0.0, |sum, origin| {
        let arrivals = origin.arrivals.as_dyn();
        Some(sum + f64::from(arrivals.users().filter(|_| arrivals.is_closed())?))
    });
    let starts = || starts(base, stream).map(CountedIn::Starts);
    users.map(CountedIn::Users).or_else(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growth_is_compounded() {
        let month = |text: &str| text.parse::<Growth>().unwrap().a_month();
        assert!((month("5%/month") - 0.05).abs() < 1e-12);
        assert!((month("0.05/month") - 0.05).abs() < 1e-12);
        assert!((month("100%/year") - (libm::pow(2.0, 1.0 / 12.0) - 1.0)).abs() < 1e-12);
        assert!(month("1%/week") > 0.04);
        for wrong in ["5%", "5%/day", "x/month", "0%/month", "-5%/month", ""] {
            assert!(wrong.parse::<Growth>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_to_be_carried_is_a_rate_or_a_factor() {
        let times = |text: &str, declared| text.parse::<Carried>().and_then(|carried| carried.times(declared));
        assert_eq!(times("40/s", Some(20.0)), Ok(2.0));
        assert_eq!(times("2x", None), Ok(2.0));
        assert!(times("40/s", None).unwrap_err().contains("2x"));
        assert!("0x".parse::<Carried>().is_err() && "many".parse::<Carried>().is_err());
    }

    #[test]
    fn what_grows_is_traffic() {
        assert_eq!(is_of_stream("traffic.rate"), Ok(None));
        assert_eq!(is_of_stream("traffic.streams.a.rate"), Ok(Some("a".into())));
        assert!(
            is_of_stream("providers.a.connections")
                .unwrap_err()
                .contains("--smallest")
        );
        assert_eq!((precision("2%"), precision("0.1")), (Ok(0.02), Ok(0.1)));
        assert!(precision("0").is_err() && precision("90%").is_err());
    }
}

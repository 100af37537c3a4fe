//! A profile of the week: a rate that goes by the hour of the day and the day of the week.
//!
//! Each hour has a level, by a preset or as `hours` says, and goes to that of the next in a straight line from the middle of one to
//! the middle of the other. `peak` and `trough` are the rates of the highest and the lowest level; with `peak` alone levels are shares of it, with
//! `mean` the week has that mean. Hours are those of `zone`; the plan begins on Monday, 00:00 UTC, unless it says otherwise (`plan.starts`),
//! and a week follows the other without summer time or dates. What comes at that rate is a Poisson process unless `over` names another.
//!
//! With `growth` the rate grows besides, exponentially from the plan's beginning on, as long plans see it: over six months of 5 % a month by a
//! third. Within an hour it goes straight. How long until a capacity is used up is `simcap capacity --grows`.
//!
//! A month is told from a run of whole weeks, or of whole days where all days are alike; from another run it is not told. With `growth` it is told
//! from a run of whole months.
//!
//! Presets: `consumer` has the hours of a chat service in Alibaba Model Studio, the median over 14 days of each hour of its day (ServeGen, Xiang et al.,
//! 2025, `m-small`; lowest at four, highest at eight in the evening, 2.1 to 1), all days alike. `office` is an assumption: weekdays from eight to six with a dip at
//! noon, a quarter of that on evenings, a tenth at night and on weekends a fifth at most. `steady` has no hours: for `days` alone.
//!
//! ```json
//! { "profile": { "preset": "office", "peak": "40/s", "trough": "5/s", "zone": "Europe/Berlin" } }
//! ```

use jiff::Timestamp;
use jiff::tz::{Dst, TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::curve::{Curve, FASTEST, Piece};
use super::{Arrivals, ArrivalsSpec, BuildArrivals, maybe};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Growth, Rate};
use crate::kernel::time::Span;
use crate::traffic::rows::Rows;

/// Arrivals whose rate goes by the hour of the day and the day of the week.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Levels that are ready. Either this or `hours`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The level of each hour of a day from midnight on: 24 numbers, 0 and more, of which only proportions matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minItems" = 24, "maxItems" = 24))]
    pub hours: Option<Vec<f64>>,
    /// The level of each hour on Saturday and Sunday, in place of `hours`. Default: those of the other days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minItems" = 24, "maxItems" = 24))]
    pub weekend: Option<Vec<f64>>,
    /// By how much each day is higher or lower, from Monday on: seven factors, 0 and more. Default: 1 for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minItems" = 7, "maxItems" = 7))]
    pub days: Option<Vec<f64>>,
    /// The rate of the busiest hour. Either this or `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<Rate>,
    /// The rate of the quietest hour, between which and `peak` levels lie. Default: as far below `peak` as its level is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trough: Option<Rate>,
    /// The mean rate of a week. Either this or `peak`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Rate>,
    /// By how much the rate grows as the plan goes on, compounded: `5%/month`, or shrinks: `-2%/week`. The rates above are those at the plan's
    /// beginning; it ends when they are ten thousand times as high. Default: it does not grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// The zone whose hours these are: `Europe/Berlin`, `UTC` or `+02:00`, without summer time. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The process that the rate is laid over: poisson, regular, gamma, weibull or mmpp. Its own rate does not matter. Default: poisson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Box<ArrivalsSpec>>,
}

/// Hours of the week that are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// A chat service for the public, as measured: all days alike, highest in the evening.
    Consumer,
    /// People at work, as assumed: weekdays from eight to six.
    Office,
    /// Every hour like the others, for factors by day alone.
    Steady,
}

const DAY: usize = 24;
const WEEK: usize = 7 * DAY;
const HOUR: Span = Span::from_secs(3600);

const CONSUMER: [f64; DAY] = [
    0.85, 0.72, 0.72, 0.69, 0.67, 0.69, 0.77, 0.85, 1.01, 1.13, 1.12, 1.14, 1.07, 1.11, 1.05, 1.01, 1.03, 1.01, 1.03,
    1.19, 1.39, 1.39, 1.29, 1.07,
];
const OFFICE: [f64; DAY] = [
    0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.15, 0.35, 0.7, 0.95, 1.0, 0.95, 0.75, 0.85, 1.0, 1.0, 0.9, 0.65, 0.4, 0.25, 0.25,
    0.2, 0.15, 0.1,
];
const OFFICE_WEEKEND: [f64; DAY] = [
    0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.12, 0.15, 0.2, 0.2, 0.15, 0.15, 0.2, 0.2, 0.15, 0.15, 0.15, 0.15, 0.15,
    0.12, 0.1, 0.1,
];

impl Preset {
    fn hours(self) -> ([f64; DAY], [f64; DAY]) {
        match self {
            Preset::Consumer => (CONSUMER, CONSUMER),
            Preset::Office => (OFFICE, OFFICE_WEEKEND),
            Preset::Steady => ([1.0; DAY], [1.0; DAY]),
        }
    }
}

impl Profile {
    /// Requests a second in the middle of each hour of the week, from Monday on.
    fn rates(&self) -> Built<Vec<f64>> {
        let (hours, weekend) = self.levels()?;
        let days = match &self.days {
            Some(days) => numbers::<7>("days", days)?,
            None => [1.0; 7],
        };
        let level = |hour: usize| {
            let of = if hour / DAY < 5 { &hours } else { &weekend };
            of[hour % DAY] * days[hour / DAY]
        };
        let levels: Vec<f64> = (0..WEEK).map(level).collect();
        let (least, most) = levels
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(a, b), &x| (a.min(x), b.max(x)));
        if most == 0.0 {
            return Err(Refusal::new("every level is 0, so that no request ever comes").at("hours"));
        }
        let per_second = |rate: Rate| rate.per_second();
        match (
            self.peak.map(per_second),
            self.trough.map(per_second),
            self.mean.map(per_second),
        ) {
            (None, _, None) => Err(Refusal::new("`peak` or `mean` is missing: a rate, like \"40/s\"")),
            (Some(_), _, Some(_)) => Err(Refusal::new("either `peak` or `mean`, not both").at("mean")),
            (None, Some(_), Some(_)) => Err(Refusal::new("`trough` goes with `peak`, and here is `mean`").at("trough")),
            (None, None, Some(mean)) => {
                let own = levels.iter().sum::<f64>() / WEEK as f64;
                Ok(levels.iter().map(|level| mean * level / own).collect())
            }
            (Some(peak), None, None) => Ok(levels.iter().map(|level| peak * level / most).collect()),
            (Some(peak), Some(trough), None) if trough > peak => {
                Err(Refusal::new("the quietest hour has a higher rate than the busiest").at("trough"))
            }
            (Some(_), Some(_), None) if least == most => {
                let text = "every hour has the same level, so that there is no quietest one: leave this out";
                Err(Refusal::new(text).at("trough"))
            }
            (Some(peak), Some(trough), None) => {
                let between = |level: &f64| trough + (peak - trough) * (level - least) / (most - least);
                Ok(levels.iter().map(between).collect())
            }
        }
    }

    /// The levels of the hours of a weekday, and of a day of the weekend.
    fn levels(&self) -> Built<([f64; DAY], [f64; DAY])> {
        let (hours, weekend) = match (self.preset, &self.hours) {
            (None, None) => return Err(Refusal::new("`preset` or `hours` is missing: the level of each hour")),
            (Some(_), Some(_)) => return Err(Refusal::new("either `preset` or `hours`, not both").at("hours")),
            (Some(preset), None) => preset.hours(),
            (None, Some(hours)) => {
                let hours = numbers::<DAY>("hours", hours)?;
                (hours, hours)
            }
        };
        let weekend = match &self.weekend {
            Some(own) => numbers::<DAY>("weekend", own)?,
            None => weekend,
        };
        Ok((hours, weekend))
    }

    /// How far the clocks of the zone are ahead of UTC, in seconds.
    fn ahead(&self) -> Built<i64> {
        let Some(zone) = &self.zone else { return Ok(0) };
        offset(zone).map(i64::from).ok_or_else(|| {
            Refusal::new(format!(
                "no zone `{zone}`: a name like Europe/Berlin, or an offset like +02:00"
            ))
            .at("zone")
        })
    }
}

/// So many finite numbers, 0 and more.
fn numbers<const N: usize>(field: &'static str, given: &[f64]) -> Built<[f64; N]> {
    let all = <[f64; N]>::try_from(given)
        .map_err(|_| Refusal::new(format!("{} numbers: must be {N}", given.len())).at(field))?;
    match all.iter().position(|x| !(x.is_finite() && *x >= 0.0)) {
        Some(i) => Err(Refusal::new(format!("{}: must be 0 or more", all[i])).at(i).at(field)),
        None => Ok(all),
    }
}

/// The offset of a zone from UTC outside summer time, in seconds.
fn offset(zone: &str) -> Option<i32> {
    if let Some(digits) = zone.strip_prefix(['+', '-']) {
        let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
        let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
        let fits = (0..=14).contains(&hours) && (0..60).contains(&minutes);
        let seconds = hours * 3600 + minutes * 60;
        return fits.then_some(if zone.starts_with('-') { -seconds } else { seconds });
    }
    let zone = TimeZone::get(zone).ok()?;
    // 2026-01-15 and 2026-07-15: one of them is outside summer time in either half of the world.
    let offsets = [1_768_435_200, 1_784_073_600].map(|second| {
        let at = Timestamp::from_second(second).ok()?;
        let info = zone.to_offset_info(at);
        Some((info.dst(), info.offset().seconds()))
    });
    let standard = offsets.iter().flatten().find(|(dst, _)| *dst == Dst::No);
    standard.or(offsets[0].as_ref()).map(|(_, seconds)| *seconds)
}

impl BuildArrivals for Profile {
    fn build(&self, _trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let rates = self.rates()?;
        if let Some(rate) = rates.iter().find(|rate| **rate > FASTEST) {
            let text = format!("{rate:.1e} requests a second in the busiest hour: at most {FASTEST:.0e} are simulated");
            return Err(Refusal::new(text).at(self.rate_field()));
        }
        // Where the days are alike, a day is as long as the course is.
        let alike = (DAY..WEEK).all(|hour| rates[hour] == rates[hour - DAY]);
        let length = if alike { DAY } else { WEEK };
        let piece = |hour: usize| Piece {
            lasts: HOUR,
            from: rates[hour],
            to: rates[(hour + 1) % length],
        };
        let total = HOUR.times(length as u64).nanos() as i64;
        let monday = names.calendar.minute(names.origin) as i64 * 60;
        // Pieces go from the middle of one hour to that of the next.
        let begins = (monday + self.ahead()? - 1800) * 1_000_000_000;
        let curve = Curve {
            pieces: (0..length).map(piece).collect(),
            repeats: true,
            begins: Span::from_nanos(begins.rem_euclid(total) as u64),
            grows: self.growth.map_or(0.0, Growth::a_second),
            what: if self.growth.is_some() {
                "the growth of the traffic"
            } else if alike {
                "the hours of the day in the traffic"
            } else {
                "the hours of the week in the traffic"
            },
        };
        curve.arrivals(self.over.as_deref(), names)
    }

    fn rate(&self) -> Option<f64> {
        let rates = self.rates().ok()?;
        Some(rates.iter().sum::<f64>() / WEEK as f64)
    }

    fn rate_field(&self) -> &'static str {
        if self.mean.is_some() { "mean" } else { "peak" }
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let [peak, trough, mean] = [self.peak, self.trough, self.mean].map(|rate| maybe(rate, factor));
        let scaled = Profile {
            peak: peak?,
            trough: trough?,
            mean: mean?,
            ..self.clone()
        };
        Some(scaled.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::times;
    use super::*;
    use crate::kernel::calendar::Calendar;

    fn spec(json: &str) -> Profile {
        serde_json::from_str(json).unwrap()
    }

    /// Regular arrivals within each hour of the week, if the plan begins on Monday, 00:00 UTC.
    fn by_hour(json: &str, hours: usize) -> Vec<usize> {
        let built = spec(json).build(None, &Names::default()).unwrap();
        let mut counts = vec![0; hours];
        for at in times(&*built, 0, 3600.0 * hours as f64) {
            counts[(at / 3600.0) as usize] += 1;
        }
        counts
    }

    /// But for what lies on the edge between two stretches.
    fn is_near(found: usize, expected: usize) -> bool {
        found.abs_diff(expected) <= 2
    }

    const REGULAR: &str = r#""over": { "regular": { "rate": "1/s" } }"#;

    #[test]
    fn the_week_has_its_mean_and_its_hours() {
        let of = |json: String| spec(&json).rate().unwrap();
        assert!((of(r#"{ "preset": "consumer", "mean": "3/s" }"#.into()) - 3.0).abs() < 1e-12);
        let weekday = vec!["1"; 24].join(",");
        let weekend = vec!["0.3"; 24].join(",");
        let json = format!(r#"{{ "hours": [{weekday}], "weekend": [{weekend}], "peak": "10/s", {REGULAR} }}"#);
        assert!((of(json.clone()) - (5.0 * 10.0 + 2.0 * 3.0) / 7.0).abs() < 1e-12);
        let counts = by_hour(&json, 168 + 24);
        // From half an hour before Saturday to half an hour after its beginning the rate goes straight from 10 to 3: 4.75 in the mean of
        // the second half.
        for (hour, expected) in [
            (30, 36_000),
            (132, 10_800),
            (180, 36_000),
            (120, 1800 * 475 / 100 + 1800 * 3),
        ] {
            assert!(is_near(counts[hour], expected), "{hour}: {}", counts[hour]);
        }
    }

    #[test]
    fn the_busiest_and_the_quietest_hour_have_the_rates_that_are_given() {
        let rates = spec(r#"{ "preset": "office", "peak": "40/s", "trough": "5/s" }"#)
            .rates()
            .unwrap();
        let (least, most) = rates
            .iter()
            .fold((f64::MAX, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
        assert_eq!((least, most), (5.0, 40.0));
        assert_eq!((rates[10], rates[3]), (40.0, 5.0), "Monday at ten and at three");
        assert!(rates[5 * 24 + 10] < 10.0, "Saturday at ten");
    }

    /// Regular arrivals of one a second that double every 30 days: by then ∫ 2^(t/30 d) dt = 30 d / ln 2, and in the hour after 60 days
    /// four a second. The plan may begin in the middle of a week.
    #[test]
    fn the_rate_grows_from_the_beginning_of_the_plan_on() {
        let json = format!(r#"{{ "preset": "steady", "mean": "0.1/s", "growth": "100%/month", {REGULAR} }}"#);
        for minute in [0, 4000] {
            let names = Names {
                calendar: Calendar::starting(Span::from_secs(minute * 60)),
                ..Names::default()
            };
            let built = spec(&json).build(None, &names).unwrap();
            let day = 86_400.0;
            let all = times(&*built, 0, 61.0 * day);
            let until = |day_of: f64| all.iter().filter(|at| **at < day_of * day).count() as f64;
            let wanted = 0.1 * 30.0 * day / std::f64::consts::LN_2;
            assert!(
                (until(30.0) / wanted - 1.0).abs() < 1e-4,
                "{minute}: {} {wanted}",
                until(30.0)
            );
            let hour = until(60.0 + 1.0 / 24.0) - until(60.0);
            assert!((hour - 4.0 * 360.0).abs() < 5.0, "{minute}: {hour}");
        }
    }

    /// Nine in the morning in Berlin is eight in UTC, in Kolkata it is 3:30, in Sydney eleven in the evening of the day before.
    #[test]
    fn hours_are_those_of_the_zone() {
        let mut hours = vec!["0"; 24];
        hours[9] = "1";
        let hours = hours.join(",");
        let busiest = |zone: &str| {
            let json = format!(r#"{{ "hours": [{hours}], "peak": "1/s", "zone": "{zone}", {REGULAR} }}"#);
            let counts = by_hour(&json, 24);
            (0..24).filter(|&h| counts[h] > 1000).collect::<Vec<_>>()
        };
        assert_eq!(busiest("UTC"), [9]);
        assert_eq!(busiest("Europe/Berlin"), [8]);
        assert_eq!(busiest("-05:00"), [14]);
        assert_eq!(busiest("Australia/Sydney"), [23]);
        assert_eq!(busiest("Asia/Kolkata"), [3, 4]);
        assert!(
            spec(&format!(
                r#"{{ "hours": [{hours}], "peak": "1/s", "zone": "Nowhere/Else" }}"#
            ))
            .build(None, &Names::default())
            .is_err()
        );
    }

    #[test]
    fn the_plan_begins_when_its_calendar_says() {
        let names = |hours: u64| Names {
            calendar: Calendar::starting(HOUR.times(hours)),
            ..Names::default()
        };
        let spec = spec(&format!(
            r#"{{ "preset": "office", "peak": "2/s", "trough": "1/s", {REGULAR} }}"#
        ));
        let first = |hours: u64| times(&*spec.build(None, &names(hours)).unwrap(), 0, 600.0).len();
        assert!(is_near(first(3), 600), "{}", first(3));
        assert!((1180..=1200).contains(&first(10)), "{}", first(10));
        assert!(first(5 * 24 + 10) < 700, "Saturday");
    }

    #[test]
    fn what_makes_no_profile_is_refused() {
        for (json, message) in [
            (
                r#"{ "peak": "1/s" }"#,
                "`preset` or `hours` is missing: the level of each hour",
            ),
            (
                r#"{ "preset": "office" }"#,
                "`peak` or `mean` is missing: a rate, like \"40/s\"",
            ),
            (
                r#"{ "preset": "office", "mean": "1/s", "peak": "2/s" }"#,
                "either `peak` or `mean`, not both",
            ),
            (
                r#"{ "preset": "office", "trough": "3/s", "peak": "2/s" }"#,
                "the quietest hour has a higher rate than the busiest",
            ),
            (r#"{ "hours": [1, 2], "peak": "2/s" }"#, "2 numbers: must be 24"),
            (
                r#"{ "preset": "steady", "trough": "1/s", "peak": "2/s" }"#,
                "every hour has the same level, so that there is no quietest one: leave this out",
            ),
        ] {
            assert_eq!(
                spec(json).build(None, &Names::default()).err().unwrap().message,
                message
            );
        }
    }
}

//! Times of a zone as seconds since 1970, over the hours in which its clocks step back.
//!
//! A log in local time has one hour twice when summer time ends. Which of the two a row is of follows from its neighbours: the
//! reading that is the nearer to the row before it. Of the first row it follows from what comes after. The rules of the
//! zones are those of the IANA database, which the jiff crate holds, so they do not hang on the machine. A local time that
//! clocks skipped in spring counts by the offset before.

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// Seconds by which a clock that steps back does so at the least, for a note: less is requests that overtake each other.
const STEP: f64 = 1_800.0;

/// Seconds by which it does so at the most.
const LARGEST_STEP: f64 = 7_200.0;

/// A zone, by its name in the IANA database or by its offset from UTC.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// Reads `Europe/Berlin`, `UTC` or `+02:00`.
    pub(super) fn parse(text: &str) -> Option<Zone> {
        if let Some(digits) = text.strip_prefix(['+', '-']) {
            let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
            let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
            let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
            let sign = if text.starts_with('-') { -1 } else { 1 };
            return Offset::from_seconds(sign * seconds)
                .ok()
                .map(|offset| Zone(TimeZone::fixed(offset)));
        }
        TimeZone::get(text).ok().map(Zone)
    }

    /// What a clock of the zone may have meant by `local` seconds since 1970: the earlier and the later reading, which are
    /// the same but where clocks step back.
    fn readings(&self, local: f64) -> [f64; 2] {
        let second = Timestamp::from_second(local.floor() as i64);
        let Ok(second) = second else { return [local; 2] };
        let offset = self.0.to_ambiguous_timestamp(Offset::UTC.to_datetime(second)).offset();
        let by = |offset: Offset| local - f64::from(offset.seconds());
        match offset {
            AmbiguousOffset::Unambiguous { offset } => [by(offset); 2],
            AmbiguousOffset::Gap { before, .. } => [by(before); 2],
            AmbiguousOffset::Fold { before, after } => [by(before), by(after)],
        }
    }

    /// A local time that is not before `start`, an instant: the first reading that is not.
    pub(super) fn after(&self, start: f64, local: f64) -> f64 {
        let [early, late] = self.readings(local);
        if early >= start { early } else { late }
    }

    /// Local times, in the order in which they happened, as instants.
    pub(super) fn instants(&self, locals: &[f64]) -> Vec<f64> {
        let mut instants: Vec<f64> = Vec::with_capacity(locals.len());
        let mut before = self.before_the_first(locals);
        for local in locals {
            let [early, late] = self.readings(*local);
            let nearer = before.is_some_and(|before| (late - before).abs() < (early - before).abs());
            let instant = if nearer { late } else { early };
            instants.push(instant);
            before = Some(instant);
        }
        instants
    }

    /// Near which instant the first is, where that has two readings: the later one if its hour goes on into the time after
    /// it without a step back.
    fn before_the_first(&self, locals: &[f64]) -> Option<f64> {
        let is_twice = |local: &f64| {
            let [early, late] = self.readings(*local);
            early < late
        };
        let twice = locals.iter().take_while(|local| is_twice(local)).count();
        let steps_back = locals[..twice].windows(2).any(|pair| pair[0] - pair[1] >= STEP);
        let goes_on = locals
            .get(twice)
            .is_some_and(|next| *next > *locals.first().unwrap_or(next));
        (twice > 0 && !steps_back && goes_on).then(|| self.readings(locals[0])[1])
    }
}

/// Whether times are the newest first.
pub(super) fn is_newest_first(times: &[f64]) -> bool {
    let down = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    2 * down > times.len().saturating_sub(1)
}

/// Where a clock steps back in times that rise otherwise: the place of the row after it, and the seconds.
pub(super) fn step_back(times: &[f64]) -> Option<(usize, f64)> {
    let back = |place: usize| times[place - 1] - times[place];
    let is_step = |place: &usize| (STEP..=LARGEST_STEP).contains(&back(*place));
    let falls = (1..times.len()).filter(|place| back(*place) > 60.0).count();
    // Rows that are in no order have many.
    let rises = falls <= 1 + times.len() / 100;
    (1..times.len())
        .find(is_step)
        .filter(|_| rises)
        .map(|place| (place, back(place)))
}

/// A time in UTC, to the second: "2025-10-26T01:00:00Z".
pub(super) fn utc(unix: f64) -> String {
    Timestamp::from_second(unix.floor() as i64).map_or_else(|_| format!("second {unix:.0}"), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-10-26, the day on which summer time ended in Berlin at 01:00 UTC, at `hour:minute` by its clocks.
    fn local(hour: u32, minute: u32) -> f64 {
        1_761_436_800.0 + f64::from(60 * (60 * hour + minute))
    }

    /// Python: datetime(2025, 10, 26, h, m, fold=…, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() - 1_761_436_800.
    #[test]
    fn an_hour_that_comes_twice_is_told_by_its_neighbours() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let hours = |clock: &[(u32, u32)]| -> Vec<f64> {
            let locals: Vec<f64> = clock.iter().map(|(h, m)| local(*h, *m)).collect();
            zone.instants(&locals)
                .iter()
                .map(|t| (t - 1_761_436_800.0) / 60.0)
                .collect()
        };
        assert_eq!(
            hours(&[(1, 59), (2, 30), (2, 59), (2, 1), (2, 25), (2, 50), (3, 0)]),
            [-1.0, 30.0, 59.0, 61.0, 85.0, 110.0, 120.0]
        );
        // Requests that overtake each other about the step.
        assert_eq!(hours(&[(2, 58), (2, 0), (2, 59), (2, 1)]), [58.0, 60.0, 59.0, 61.0]);
        // A log that begins in the second of the two hours, and one that does not say.
        assert_eq!(hours(&[(2, 50), (2, 55), (3, 0)]), [110.0, 115.0, 120.0]);
        assert_eq!(hours(&[(2, 50), (2, 55)]), [50.0, 55.0]);
        // An answer that was sent before the step and came after it.
        let sent = zone.instants(&[local(2, 59)])[0];
        assert_eq!(zone.after(sent, local(2, 1)) - sent, 120.0);
    }

    #[test]
    fn zones_are_names_or_offsets() {
        let at = |zone: &str| Zone::parse(zone).map(|zone| local(12, 0) - zone.instants(&[local(12, 0)])[0]);
        for (zone, offset) in [
            ("UTC", 0.0),
            ("+02:00", 7200.0),
            ("-0530", f64::NAN),
            ("-05:30", -19_800.0),
            ("America/New_York", -14_400.0),
            ("Asia/Kolkata", 19_800.0),
        ] {
            if offset.is_nan() {
                assert_eq!(at(zone), None, "{zone}");
            } else {
                assert_eq!(at(zone), Some(offset), "{zone}");
            }
        }
        assert!(
            Zone::parse("Europe/Berlni").is_none() && Zone::parse("ms").is_none() && Zone::parse("+99:00").is_none()
        );
    }

    #[test]
    fn a_step_back_is_seen_in_times_that_rise() {
        let mut times: Vec<f64> = (0..100).map(|i| f64::from(i) * 60.0).collect();
        assert_eq!(step_back(&times), None);
        times.iter_mut().skip(40).for_each(|t| *t -= 3_600.0);
        assert_eq!(step_back(&times), Some((40, 3_540.0)));
        assert!(!is_newest_first(&times));
        times.reverse();
        assert!(is_newest_first(&times) && step_back(&times).is_none());
        assert_eq!(utc(1_761_436_800.7), "2025-10-26T00:00:00Z");
    }
}

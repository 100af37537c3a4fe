//! How many requests come, and how many users send theirs only when they have their answers.

use crate::engine::scenario::Scenario;
use crate::experiment::file::Origin;
use crate::experiment::load::Loaded;
use crate::kernel::chance::Chance;
use crate::kernel::time::Time;
use crate::traffic::stream::Stream;

/// Arrivals that tell a rate that no parameter says.
const DRAWN_ARRIVALS: usize = 20_000;

/// What comes, of all streams together.
#[derive(Default)]
pub(super) struct Coming {
    /// Requests of a replication, and of a second, that come by the clock alone.
    pub(super) requests: f64,
    pub(super) rate: f64,
    /// The users that wait for their answers, and the requests a second that they would send if answers took no time, by stream.
    pub(super) loops: Vec<(f64, f64)>,
}

impl Coming {
    /// What comes in `scenario`, which is one of `loaded`.
    pub(super) fn of(loaded: &Loaded, scenario: &Scenario) -> Coming {
        let mut coming = Coming::default();
        for (origin, stream) in loaded.experiment.traffic.origins().zip(&scenario.traffic.streams) {
            let spec = origin.arrivals.as_dyn();
            if let Some(users) = spec.users().filter(|_| spec.is_closed()) {
                // Users without a think time are held back by their answers alone.
                let most = spec.rate().unwrap_or(f64::INFINITY);
                coming.loops.push((f64::from(users), most));
                continue;
            }
            let (requests, rate) = of_stream(&origin, stream, scenario.window.end);
            coming.requests += requests;
            coming.rate += rate;
        }
        coming
    }
}

/// Requests of a replication, and of a second, of one stream.
fn of_stream(origin: &Origin<'_>, stream: &Stream, end: Time) -> (f64, f64) {
    let spec = origin.arrivals.as_dyn();
    let seconds = end.seconds();
    let unbounded = spec.is_closed().then_some(f64::INFINITY);
    if let Some(rate) = spec.rate().or(unbounded) {
        return (rate * seconds, rate);
    }
    let most = if spec.ends() { usize::MAX } else { DRAWN_ARRIVALS };
    let chance = Chance::new(0, 0);
    let mut source = stream.arrivals.fresh(chance.surroundings(0));
    let times = (0..).map_while(|id| source.next(chance.request(id)).map(|a| a.at));
    let (count, last) = times
        .take_while(|&at| at < end)
        .take(most)
        .fold((0usize, Time::ZERO), |(n, _), at| (n + 1, at));
    if count < most {
        return (count as f64, count as f64 / seconds);
    }
    let rate = count as f64 / last.seconds().max(1e-9);
    (rate * seconds, rate)
}

#[cfg(test)]
mod tests {
    use crate::experiment::assemble::assemble;
    use crate::experiment::estimate::estimate;
    use crate::experiment::load::from_text;

    /// 30 and 20 open requests a second of one second each, and 60 users who think for two: by Little's law 50 in the system, and of the
    /// users a third, who send 60 / (2 + 1) = 20 a second.
    #[test]
    fn streams_and_users_who_wait_add_up() {
        let text = r#"{ "name": "x",
            "traffic": { "streams": {
                    "a": { "arrivals": { "poisson": { "rate": "30/s" } } },
                    "b": { "arrivals": { "closed_loop": { "users": 60, "think": "2s" } } },
                    "c": { "arrivals": { "regular": { "rate": "20/s" } } } },
                "classes": { "c": { "input": 100, "output": 51 } } },
            "providers": { "p": { "response": "1s", "prices": { "per_request": { "price": "$0" } } } },
            "policies": [{ "name": "s", "policy": "round_robin" }],
            "plan": { "duration": "1h", "warmup": "0s", "replications": 2 } }"#;
        let loaded = from_text("x.json", text).unwrap();
        let plan = assemble(&loaded).unwrap();
        let it = &estimate(&loaded, &plan, 2).policies[0];
        assert_eq!((it.rate, it.requests, it.in_system), (70.0, 252_000.0, 70.0));
    }
}

//! The M/M/1 in `desque`, after that crate's own example `mm1_queue`: one event type for each kind, boxed by the engine.

use desque::serial::{Event, Simulation};
use desque::{Result, SimState, SimTime};

use super::{At, Outcome, Shop};

#[derive(Debug)]
struct Arrival;

#[derive(Debug)]
struct Departure;

/// Serves `customers`.
///
/// # Panics
///
/// If the engine refuses an event, which it does for times in the past only.
pub fn run(customers: u64, seed: u64) -> Outcome {
    let (shop, first) = Shop::open(customers, seed);
    let mut simulation = Simulation::new(shop, At(0.0));
    simulation
        .schedule(Arrival, At(first))
        .and_then(|()| simulation.run())
        .expect("no event lies in the past");
    simulation.state().outcome()
}

impl SimTime for At {}

impl SimState<At> for Shop {}

impl Event<Shop, At> for Arrival {
    fn execute(&mut self, simulation: &mut Simulation<Shop, At>) -> Result {
        let now = simulation.current_time().0;
        let next = simulation.state_mut().arrive(now);
        if let Some(delay) = next.arrival {
            simulation.schedule(Arrival, At(now + delay))?;
        }
        if let Some(delay) = next.departure {
            simulation.schedule(Departure, At(now + delay))?;
        }
        Ok(())
    }
}

impl Event<Shop, At> for Departure {
    fn execute(&mut self, simulation: &mut Simulation<Shop, At>) -> Result {
        let now = simulation.current_time().0;
        match simulation.state_mut().depart(now) {
            Some(delay) => simulation.schedule(Departure, At(now + delay)),
            None => Ok(()),
        }
    }
}

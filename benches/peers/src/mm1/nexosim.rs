//! The M/M/1 in `nexosim`: one model that schedules its own inputs, on one thread, the fastest form the engine has.
//!
//! One unit of the queue's time is one second of the engine's, which counts nanoseconds.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use nexosim::model::{BuildContext, Context, Model, ProtoModel, schedulable};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

use super::{Outcome, Shop};

/// The model. Its state lives in [`Room`], because the engine would want to save it otherwise.
#[derive(Serialize, Deserialize)]
struct Desk;

/// What the model is built from.
struct Opening(Room);

/// The shop, when its first customer comes, and where to send the outcome.
struct Room {
    shop: Shop,
    first: f64,
    done: Sender<Outcome>,
}

/// Serves `customers`.
///
/// # Panics
///
/// If the engine refuses the model, which would be a mistake in this file.
pub fn run(customers: u64, seed: u64) -> Outcome {
    let (shop, first) = Shop::open(customers, seed);
    let (done, outcome) = channel();
    SimInit::with_num_threads(1)
        .add_model(Opening(Room { shop, first, done }), Mailbox::new(), "desk")
        .init(MonotonicTime::EPOCH)
        .expect("the model is complete")
        .run()
        .expect("the model neither blocks nor fails");
    outcome.recv().expect("the last departure sends the outcome")
}

impl ProtoModel for Opening {
    type Model = Desk;

    fn build(self, _: &mut BuildContext<Self>) -> (Desk, Room) {
        (Desk, self.0)
    }
}

#[Model(type Env = Room)]
impl Desk {
    #[nexosim(init)]
    async fn init(&mut self, context: &Context<Self>, room: &mut Room) {
        schedule_arrival(context, room.first);
    }

    #[nexosim(schedulable)]
    fn arrive(&mut self, _: (), context: &Context<Self>, room: &mut Room) {
        let next = room.shop.arrive(now(context));
        if let Some(delay) = next.arrival {
            schedule_arrival(context, delay);
        }
        if let Some(delay) = next.departure {
            schedule_departure(context, delay);
        }
    }

    #[nexosim(schedulable)]
    fn depart(&mut self, _: (), context: &Context<Self>, room: &mut Room) {
        if let Some(delay) = room.shop.depart(now(context)) {
            schedule_departure(context, delay);
        }
        if room.shop.is_done() {
            room.done.send(room.shop.outcome()).expect("the caller waits for it");
        }
    }
}

fn schedule_arrival(context: &Context<Desk>, delay: f64) {
    context
        .schedule_event(span(delay), schedulable!(Desk::arrive), ())
        .expect("the delay is positive");
}

fn schedule_departure(context: &Context<Desk>, delay: f64) {
    context
        .schedule_event(span(delay), schedulable!(Desk::depart), ())
        .expect("the delay is positive");
}

fn now(context: &Context<Desk>) -> f64 {
    context.time().duration_since(MonotonicTime::EPOCH).as_secs_f64()
}

/// The engine takes no event for the present instant.
fn span(delay: f64) -> Duration {
    Duration::from_secs_f64(delay).max(Duration::from_nanos(1))
}

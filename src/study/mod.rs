//! Studies: questions about an experiment that take many runs of it.
//!
//! `search` looks for the value of a lever (a factor on the traffic, a number of the file) at which a policy just meets its objectives.
//! What a lever does is the caller's: it makes the experiment at a value. Points are run one after the other, the replications of each
//! side by side, with the same seed at each, so that neighbours meet the same draws. `select` chooses among candidates, which all meet the same
//! draws, the cheapest that keeps to every objective. `audit` judges published figures by runs that the caller makes. `hypercube` spreads draws of inputs that are not
//! known exactly, and `risk` says what the runs at them make of a decision. Left out: sweeps,
//! which the command line makes of
//! single runs.

mod answer;
mod audit;
mod binds;
mod burst;
mod end;
mod front;
mod hypercube;
mod noise;
mod optimum;
mod point;
pub mod risk;
mod root;
mod search;
mod select;

pub use answer::{Beside, Count, answer};
pub use audit::audit;
pub use end::{End, Found};
pub use hypercube::hypercube;
pub use optimum::{Again, Among, leading, optimum, worth};
pub use point::{Excess, Fault, Lever, Seen, Warmth, alone};
pub use search::{Search, Told};
pub use select::{Candidates, Choose, Chosen, FIRST, Out, Selection, Tried};

//! From a log to a provider model, with the evidence for it.

mod choose;
mod empirical;
mod family;
mod gamma;
mod goodness;
mod lognormal;
mod mixture;
mod optimum;
mod percentiles;
mod sample;
mod serial;
mod shift;
mod special;
mod tail;
mod weibull;

pub use choose::{Candidate, Choice, Parameter, choose};
pub use family::{Family, Fitted, Params};
pub use goodness::{Goodness, goodness};
pub use mixture::Two;
pub use percentiles::Percentile;
pub use sample::{Curve, Sample};
pub use serial::Serial;
pub use tail::Tailed;

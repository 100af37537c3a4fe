//! What can be concluded from replications: mergeable summaries, honest intervals, paired comparisons.
//!
//! A replication fills [`histogram`]s and [`moments`]; [`warmup`] says what to cut and [`correlation`] how long a process remembers;
//! [`interval`] turns one figure per replication into an estimate, [`ratio`] a numerator and a denominator per replication,
//! [`quantile`] a histogram per replication, [`crossing`] a line per replication into where it crosses zero; [`order`] bounds the quantiles of one sample, and [`compare`] turns two estimates and what
//! the replications add to their errors into a verdict. [`spread`] says between which ends one more value lies, [`crossed`] how a spread over points and replications splits into both. [`sorting`] puts short lists in order, and `knots` draws lines through a sample. [`critical`] holds the confidence levels that they share.
//! There is no I/O here, and no figure depends on the order of threads as long as replications are given in their
//! order.

pub mod compare;
pub mod correlation;
pub mod critical;
pub mod crossed;
pub mod crossing;
pub mod histogram;
pub mod interval;
pub(crate) mod knots;
pub mod moments;
pub mod order;
pub mod parts;
pub mod quantile;
pub mod ratio;
pub mod sorting;
pub mod spread;
pub mod warmup;

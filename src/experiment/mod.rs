//! What an experiment file says, and how it becomes scenarios that run.
//!
//! [`file`](mod@file) and [`model`] are the files' own types; [`load`] finds and reads everything that an experiment names;
//! [`assemble`] checks it and builds the scenarios, [`pilot`] finds how long they warm up; [`estimate`] says what they will take;
//! [`domain`] says where a fitted model holds, and [`uncertainty`] how far it is known; [`uncertain_inputs`] says which inputs of an experiment are not known exactly; [`differs`] says where two experiments differ; [`kinds`] lists the kinds of parts that a file can name; [`claims`] reads published figures that are held against experiments; [`format`](mod@format) knows the versions of the format. Files say
//! things in the form of [`crate::form`].

pub mod assemble;
pub mod axis;
pub mod calibration;
pub mod caveats;
pub mod claims;
pub mod differs;
pub mod domain;
pub mod drill;
pub mod estimate;
pub mod file;
mod foreign;
pub mod format;
pub mod kinds;
pub mod knobs;
pub mod load;
pub mod model;
pub mod pilot;
pub mod reach;
pub mod settings;
pub mod uncertain_inputs;
pub mod uncertainty;

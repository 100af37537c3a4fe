//! The tests that measure time over sockets: `simcap calibrate` and `simcap mock`. They are a program of their own, so that
//! nothing that computes runs beside them.

#![cfg(feature = "live")]

mod calibrate;
mod common {
    pub(crate) mod mock;
}
mod mock;
mod mock_http;

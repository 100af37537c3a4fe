//! Any bytes as a log of measurements, told by its content and by a mapping of columns: what is read is finite and not negative, and
//! what is refused is refused in a message that no terminal obeys.

use simcap::calibrate::log::{Log, Timing};
use simcap::calibrate::logs::{self, Mapping, ReadError};

/// The longest message. That of an unknown log lists all that are known.
const MESSAGE: usize = 5000;

/// Panics where what holds of any bytes does not hold of these.
pub(crate) fn check(bytes: &[u8]) {
    hold(logs::read("fuzz.log", bytes));
    let mapping = Mapping::parse(
        "at=at,first=first,end=end,ttft=ttft:ms,e2e=e2e,input=input,output=output,status=status,error=error",
    );
    hold(logs::read_mapped("fuzz.csv", bytes, &mapping.expect("it is a mapping")));
}

fn hold(read: Result<Log, ReadError>) {
    match read {
        Ok(log) => {
            for observation in &log.observations {
                for timing in [observation.ttft, observation.e2e] {
                    if let Timing::Seen(seconds) | Timing::AtLeast(seconds) = timing {
                        assert!(seconds.is_finite() && seconds >= 0.0, "{seconds}");
                    }
                }
                assert!(usize::from(observation.target) < log.targets.len());
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.chars().count() < MESSAGE, "{said}");
            assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said}");
        }
    }
}

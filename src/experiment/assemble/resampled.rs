//! What a trace that is put together anew from its own stretches can tell: no more than its length does, and no bursts longer than a stretch.
//!
//! The bootstrap of blocks stands for the traffic as far as the trace does. Its intervals are too narrow where there are few blocks, and
//! where more is simulated than was recorded, since they go on narrowing with the simulated time. Blocks that are shorter than bursts
//! take them apart, which the index of dispersion shows (`traffic::dispersion`). Left out: how wide the intervals should be.

use std::path::Path;

use crate::engine::scenario::Window;
use crate::experiment::load::Loaded;
use crate::kernel::time::Span;
use crate::traffic::arrivals::ArrivalsSpec;
use crate::traffic::dispersion::of_counts;

/// Stretches that a trace should have.
const FEW: f64 = 10.0;
/// How many times longer than the trace the counted time is where that is worth a word.
const MUCH: f64 = 1.1;
/// The time over which bunches are looked for that stretches may take apart.
const BUNCHES: Span = Span::from_secs(60);
/// How many times more counts vary over that than within a stretch for it to be worth a word.
const MORE: f64 = 2.0;

/// A sentence for each thing that the experiment's resampled traces cannot tell.
pub(super) fn cautions(loaded: &Loaded, window: Window) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for origin in loaded.experiment.traffic.origins() {
        let ArrivalsSpec::replay(replay) = origin.arrivals else {
            continue;
        };
        let (Some(stretch), Some(rows)) = (replay.resample, loaded.trace_of(origin.arrivals)) else {
            continue;
        };
        let stretch = stretch.span();
        let name = Path::new(&replay.trace).file_name();
        let name = name.map_or_else(|| replay.trace.clone(), |name| name.display().to_string());
        let lasts = replay.recorded(&rows).lasts;
        let counted = window.counted();
        if counted.seconds() > MUCH * lasts.seconds() {
            said.push(format!(
                "traffic: {counted} are put together from {lasts} of {}: what is known of such traffic is what those tell, however long is \
                 simulated, and the intervals, which narrow with the simulated time, are too narrow",
                name
            ));
        }
        let stretches = lasts.seconds() * replay.speed / stretch.seconds();
        if stretches < FEW {
            said.push(format!(
                "traffic: {} has {stretches:.1} stretches of {stretch}, so that replications are much the same and the intervals too narrow: \
                 let `resample` be a tenth of the trace or less",
                name
            ));
        }
        let of = |width| of_counts(&rows, width);
        if let (true, Some(whole), Some(within)) = (stretch < BUNCHES, of(BUNCHES), of(stretch))
            && whole > MORE * within.max(1.0)
        {
            said.push(format!(
                "traffic: stretches of {stretch} take the bursts of {} apart: its counts in {BUNCHES} vary {whole:.1} times as much as those of \
                 independent requests, and within a stretch {within:.1} times: let `resample` be minutes",
                name
            ));
        }
    }
    said
}

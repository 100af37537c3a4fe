//! t
use simcap::engine::run::{Control, run};
fn main() {
    let loaded = simcap::spec::load::load(std::path::Path::new("experiments/tiered.json"), &[]).unwrap();
    let plan = simcap::spec::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    for rep in 0..5 {
        let t = std::time::Instant::now();
        let tally = run(&plan.scenarios[0], 1, rep, &Control::default()).unwrap();
        let s = t.elapsed().as_secs_f64();
        let n = tally.requests();
        println!(
            "{} requests {:.1} ns {:.2} M/s peak {} outcomes {:?} attempts {}",
            n,
            s * 1e9 / (n as f64 / 0.9),
            n as f64 / 0.9 / s / 1e6,
            tally.peak_in_system,
            tally.classes[0].outcomes,
            tally.attempts()
        );
    }
}

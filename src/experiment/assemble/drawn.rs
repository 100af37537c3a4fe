//! What a provider may be instead of what its model says, where the model tells how far its parameters are known.
//!
//! What the experiment says itself of a provider is taken as it is: only what comes from the model is drawn.

use crate::experiment::file::ProviderSpec;
use crate::experiment::model::{ModelSpec, prefill};
use crate::experiment::uncertainty::Uncertainty;
use crate::form::build::{Built, Names};
use crate::kernel::sampler::Sampler;
use crate::provider::Drawn;
use crate::provider::faults::{BuildFault, Fault};
use crate::provider::latency::{Latency, Streaming};

/// The possible forms of the provider that `spec` says by `model`; nothing if its parameters are exact. `number` is that of the model.
pub(super) fn drawn(
    spec: &ProviderSpec,
    model: &ModelSpec,
    number: u64,
    network: &Sampler,
    names: &Names<'_>,
) -> Built<Option<Drawn>> {
    let said = &model.uncertainty;
    let of = Uncertainty {
        ttft: if spec.ttft.is_some() || spec.response.is_some() {
            Vec::new()
        } else {
            said.ttft.clone()
        },
        tps: if spec.tps.is_some() || spec.response.is_some() {
            Vec::new()
        } else {
            said.tps.clone()
        },
        requests: said.requests.filter(|_| spec.faults.is_none()),
    };
    // Times of the experiment's own are not for this to build: with them only shares of failures could be drawn.
    let has_own_times = spec.ttft.is_some() || spec.tps.is_some() || spec.response.is_some();
    if of.is_none() || (of.ttft.is_empty() && of.tps.is_empty() && has_own_times) {
        return Ok(None);
    }
    let point = |given: Option<&Sampler>, law: &Sampler| given.unwrap_or(law).clone();
    let ttft = match &spec.ttft {
        Some(own) => own.sampler(names).map_err(|r| r.at("ttft"))?,
        None => model.ttft.sampler(names)?,
    };
    let tps = match &spec.tps {
        Some(own) => own.sampler(names).map_err(|r| r.at("tps"))?,
        None => model.tps.sampler(names)?,
    };
    let ttfts: Vec<Sampler> = of.ttft.iter().map(|law| law.sampler(names)).collect::<Built<_>>()?;
    let speeds: Vec<Sampler> = of.tps.iter().map(|law| law.sampler(names)).collect::<Built<_>>()?;
    let speed_of_prompt = prefill(spec.prefill.or(model.prefill))?;
    let mut all = Vec::with_capacity(of.many());
    for draw in 0..of.many() {
        let at = |laws: &'_ [Sampler], law: &Sampler| point(laws.get(draw % laws.len().max(1)), law);
        let latency: Box<dyn Latency> = Box::new(Streaming {
            ttft: at(&ttfts, &ttft),
            prefill: speed_of_prompt,
            tps: at(&speeds, &tps),
            network: network.clone(),
        });
        let faults: Vec<Box<dyn Fault>> = match &spec.faults {
            Some(own) => (own.iter().enumerate())
                .map(|(i, f)| f.as_dyn().build(names).map_err(|r| r.at(f.name()).at(i).at("faults")))
                .collect::<Built<_>>()?,
            None => vec![of.faults(&model.faults, draw).build(names)?],
        };
        all.push((latency, faults));
    }
    Ok(Some(Drawn { model: number, all }))
}

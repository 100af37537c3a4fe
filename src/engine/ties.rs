//! How the answers to one request hang together: what is difficult for one model is difficult for the others.
//!
//! Each request has a difficulty, drawn once. Whether an answer to it is good hangs on that as [`crate::kernel::copula`] has it: an
//! answer of quality q is good with probability q over all requests, whatever the loading of its provider, and two answers to one
//! request are good together the oftener the larger the product of their loadings is. With loading 0 every answer is drawn by itself.
//!
//! What a cascade gains hangs on it: the second model is asked where the first was turned down, which is where requests are
//! difficult. Measured answers bear that out. Points of quality that a cascade gains over its strong model alone, behind a perfect
//! judge and behind one that takes 0.9 of good and 0.2 of bad answers, on the half of the prompts that the correlation was not fitted
//! to (`tests/quality.rs`; intervals of 95 % for what both halves happened to be):
//!
//! | prompts | weak, strong | judge | measured | correlated | independent |
//! |---|---|---|---|---|---|
//! | MMLU, 14,042 | Mixtral-8x7B, GPT-4 Turbo | perfect | +5.2 ± 0.7 | +5.4 | +13.2 |
//! | | | errs | +1.2 ± 0.7 | +1.3 | +6.7 |
//! | GSM8K, 1,319 | the same | perfect | +6.6 ± 2.7 | +7.8 | +9.9 |
//! | | | errs | −0.2 ± 2.8 | +1.6 | +3.0 |
//! | RouterArena, 809 | Claude 3 Haiku, Gemini 2.0 Flash | perfect | +5.9 ± 3.2 | +4.3 | +15.6 |
//! | | | errs | +0.8 ± 3.3 | −0.6 | +7.3 |
//! | LLMRouter, 6,108 | Mistral-7B, Nemotron-49B | perfect | +9.4 ± 1.5 | +9.0 | +15.1 |
//! | | | errs | +2.5 ± 1.5 | +2.0 | +6.2 |
//!
//! With more models one factor promises somewhat too much, since some requests are beyond all of them: of LLMRouter's nine models at
//! least one is right in 0.80 of prompts; one difficulty with a loading for each model says 0.83, independent answers 0.995. Sources:
//! the scores in the repositories of RouteLLM, RouterArena and LLMRouter.
//!
//! Left out: that one model asked twice answers alike beyond what the difficulty does; that difficult requests are longer.

/// How strongly the worth of answers hangs on the difficulty of their request: loadings, each from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Ties {
    /// Not at all.
    #[default]
    None,
    /// By class, for all providers alike.
    OfClasses(Vec<f64>),
    /// By provider, for all classes alike.
    OfProviders(Vec<f64>),
}

/// The correlations at which the quality of judged answers is reported besides the one that is assumed.
pub const SUPPOSED: [f64; 3] = [0.0, 0.4, 1.0];

impl Ties {
    /// The loading of answers of `provider` to requests of `class`.
    #[inline]
    pub fn loading(&self, provider: usize, class: usize) -> f64 {
        match self {
            Ties::None => 0.0,
            Ties::OfClasses(all) => all[class],
            Ties::OfProviders(all) => all[provider],
        }
    }
}

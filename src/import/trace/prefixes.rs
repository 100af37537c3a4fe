//! How much of a trace's prompts an earlier prompt began with, where its rows name the blocks that prompts are made of (`hash_ids`).
//!
//! A block's number stands for all of the prompt up to its end, as Mooncake's traces have it (512 tokens a block, one number for each
//! remapped hash of a prefix); so the blocks that were seen before are the beginning that a prompt cache may have. Counted is a cache that
//! forgets nothing, of all prompts in the order of the file: the most that a provider could find. A replay does not know which row shares
//! what with which: what is counted here is told, for a prompt cache that finds as much.

use std::collections::BTreeSet;

use super::forms::Column;
use super::records::Records;

/// The column that names blocks.
const BLOCKS: &str = "hash_ids";

/// The most blocks that are remembered: some 100 MB of them.
const MOST: usize = 4_000_000;

/// What has been counted so far.
#[derive(Debug)]
pub(super) struct Prefixes {
    column: Column,
    seen: BTreeSet<u64>,
    is_full: bool,
    /// Prompts, and those that began as an earlier one did.
    prompts: u64,
    found: u64,
    /// Tokens of all prompts, and those of known beginnings.
    tokens: u64,
    known: f64,
}

impl Prefixes {
    /// A count for rows with this header, if they name blocks.
    pub(super) fn of(header: &[String]) -> Option<Prefixes> {
        let place = header.iter().position(|name| name == BLOCKS)?;
        let name = BLOCKS.to_owned();
        Some(Prefixes {
            column: Column { place, name },
            seen: BTreeSet::new(),
            is_full: false,
            prompts: 0,
            found: 0,
            tokens: 0,
            known: 0.0,
        })
    }

    /// Counts the row that `records` is at, whose prompt has `input` tokens.
    pub(super) fn add(&mut self, records: &dyn Records, input: u32) {
        let text = records.text(&self.column);
        let blocks = text.trim().trim_start_matches('[').trim_end_matches(']').split(',');
        let (mut all, mut first) = (0_u64, 0_u64);
        let mut is_known = true;
        for block in blocks.filter_map(|block| block.trim().parse().ok()) {
            all += 1;
            is_known &= self.seen.contains(&block);
            first += u64::from(is_known);
            if self.seen.len() < MOST {
                self.seen.insert(block);
            } else {
                self.is_full = true;
            }
        }
        self.prompts += 1;
        self.tokens += u64::from(input);
        if first > 0 {
            self.found += 1;
            self.known += f64::from(input) * first as f64 / all as f64;
        }
    }

    /// What is to be said of all of them.
    pub(super) fn note(&self) -> Option<String> {
        if self.prompts == 0 || self.tokens == 0 {
            return None;
        }
        let hit = self.found as f64 / self.prompts as f64;
        let known = self.known / self.tokens as f64;
        let percent = |of: f64| format!("{:.3}", 100.0 * of).parse::<f64>().unwrap_or(0.0);
        let within = match self.is_full {
            true => format!(" (of the first {MOST} blocks)"),
            false => String::new(),
        };
        let told = format!(
            "which prompts begin alike (`{BLOCKS}`) is not heeded row by row: {:.1}% of the prompts begin with what an earlier one began with, \
             {:.1}% of all their tokens{within}, the most that a prompt cache could find",
            100.0 * hit,
            100.0 * known
        );
        Some(if self.found > 0 {
            // Independent of its length, a hit finds so much that the tokens found are as many.
            let share = (known / hit).min(1.0);
            format!(
                "{told}: `\"prompt_cache\": {{ \"random\": {{ \"hit\": \"{}%\", \"share\": \"{}%\" }} }}`",
                percent(hit),
                percent(share)
            )
        } else {
            told
        })
    }
}

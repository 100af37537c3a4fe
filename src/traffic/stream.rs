//! A stream: a source of requests with arrivals, classes, users and tags of its own; traffic is several of them at once.
//!
//! The superposition is exact: of all streams' next arrivals the earliest comes, and of several at one time that of the stream named
//! first. A stream's draws are keyed by its name, so that another stream beside it, or another order, leaves its requests what they
//! were: times, users, classes, lengths, and what is drawn for them at providers. Traffic without named streams is one stream without
//! a name, whose requests are numbered from 0.
//!
//! Users are numbered on from stream to stream, and are others in each. So a stream that is put before another changes the numbers of
//! the other's users, though not which of them asks, what, and when.

use crate::form::build::{Built, Refusal};
use crate::kernel::chance::{Key, hash};

use super::arrivals::{Arrival, Arrivals, Dialogues, Turn};
use super::kept::{Identified, Said};
use super::users::Users;

/// The most streams of one traffic.
pub const MOST_STREAMS: usize = 64;

/// A source of requests.
#[derive(Debug)]
pub struct Stream {
    /// What its requests are keyed by; `None` in traffic without named streams.
    pub mark: Option<Mark>,
    /// The name, if it has one.
    pub name: Option<String>,
    /// The arrival process.
    pub arrivals: Box<dyn Arrivals>,
    /// The classes of its requests: a uniform draw at or below the first number (and above the one before) makes a request one of the
    /// class behind it. The last has `u64::MAX`.
    pub classes: Vec<(u64, u16)>,
    /// The users behind its requests; `None` gives every request a user of its own, unless its arrivals have users.
    pub users: Option<Users>,
    /// The number of its first user.
    pub first_user: u32,
    /// What its conversations or agent runs have in common, if its requests are turns of such.
    pub dialogues: Option<Dialogues>,
    /// Whose the rows of its trace are, if it replays one and keeps that.
    pub kept: Option<Identified>,
}

/// Users that are told apart where each dialogue has one of its own; after so many their numbers begin anew.
pub const MOST_DIALOGUES: u32 = 1 << 20;

impl Stream {
    /// The number of its request `n` ([`crate::words::Ask::id`]).
    #[inline]
    pub(super) fn id(&self, n: u64) -> u64 {
        self.mark.map_or(n, |mark| mark.request(n))
    }

    /// The number of the request that is `turn` of one of its users.
    #[inline]
    pub(super) fn id_of_turn(&self, turn: Turn) -> u64 {
        self.mark
            .map_or_else(|| turn.id(), |mark| mark.turn(turn, self.of_user()))
    }

    /// What would have been the number of its request `id` if it had no mark.
    pub(super) fn unmarked(&self, id: u64) -> u64 {
        self.mark.map_or(id, |_| Mark::unmarked(id, self.of_user()))
    }

    /// The bits of a marked number that say the user: there are many dialogues, of few turns.
    const fn of_user(&self) -> u32 {
        match self.dialogues {
            None => 20,
            Some(_) => 31,
        }
    }

    /// Input tokens before the first message of a dialogue.
    #[inline]
    pub(super) const fn before(&self) -> u32 {
        match self.dialogues {
            None => 0,
            Some(all) => all.before,
        }
    }

    /// The user, from 0, whose turn it is.
    #[inline]
    pub(super) const fn user_of(&self, turn: Turn) -> u32 {
        match self.dialogues {
            None => turn.user,
            Some(_) => turn.user % MOST_DIALOGUES,
        }
    }

    /// What the row says that `arrival` comes from.
    #[inline]
    pub(super) fn said(&self, arrival: &Arrival) -> Said {
        match (&self.kept, arrival.row) {
            (Some(kept), Some(row)) => kept.of(row),
            (None, _) | (_, None) => Said::default(),
        }
    }

    /// What keys that which its arrivals go through by themselves, of which `own` is all traffic's.
    pub(super) fn own(&self, own: Key) -> Key {
        self.mark.map_or(own, |mark| own.part(mark.0 + 1))
    }
}

/// What tells the requests of a named stream from those of others: 20 bits of its name's hash in the numbers of its requests, above 43 that
/// count them or say the user and the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    const COUNTED: u32 = 43;
    const OF_TURN: u64 = 1 << 63;

    /// The mark of the stream called `name`.
    pub fn of(name: &str) -> Mark {
        let whole = name
            .bytes()
            .fold(name.len() as u64, |sum, byte| hash(u64::from(byte), sum));
        Mark(whole >> (Mark::COUNTED + 1))
    }

    /// The marks of streams of these names, all different.
    ///
    /// # Errors
    /// If two names happen to have one mark, which is about one pair in a million.
    pub fn all(names: &[String]) -> Built<Vec<Mark>> {
        let marks: Vec<Mark> = names.iter().map(|name| Mark::of(name)).collect();
        for (i, mark) in marks.iter().enumerate() {
            if let Some(first) = marks[..i].iter().position(|other| other == mark) {
                let text = format!(
                    "this name and `{}` happen to stand for the same draws: rename one",
                    names[first]
                );
                return Err(Refusal::new(text).at(names[i].as_str()));
            }
        }
        Ok(marks)
    }

    /// The number of the first user of a stream without users, in which each request has a user of its own: beyond all that are counted.
    pub fn beyond_users(self) -> u32 {
        1 << 31 | (self.0 as u32) << 10
    }

    /// A number that says the stream and one of its users, and is not 0 for the first user of any.
    pub(super) fn user(self, user: u32) -> u64 {
        (self.0 + 1) << 32 | u64::from(user)
    }

    const fn request(self, n: u64) -> u64 {
        self.0 << Mark::COUNTED | n & ((1 << Mark::COUNTED) - 1)
    }

    /// The number of `turn`, whose user has `of_user` bits. With 20, turns begin anew after eight million of one user, and there are as many
    /// users as a file can have; with 31, after 4,096.
    const fn turn(self, turn: Turn, of_user: u32) -> u64 {
        let number = (turn.number as u64) << of_user | turn.user as u64 & ((1 << of_user) - 1);
        Mark::OF_TURN | self.request(number)
    }

    /// What a stream without a mark would have had as the number of its request `id`.
    const fn unmarked(id: u64, of_user: u32) -> u64 {
        let rest = id & ((1 << Mark::COUNTED) - 1);
        if id & Mark::OF_TURN == 0 {
            return rest;
        }
        let turn = Turn {
            user: (rest & ((1 << of_user) - 1)) as u32,
            number: (rest >> of_user) as u32,
        };
        turn.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_number_says_what_the_unmarked_one_did() {
        let mark = Mark::of("search");
        for n in [0, 1, 99_999_999_999] {
            assert_eq!(Mark::unmarked(mark.request(n), 20), n);
            assert_eq!(Turn::of(mark.request(n)), None);
        }
        for (user, number, bits) in [
            (0, 0, 20),
            (999_999, 0, 20),
            (7, 8_388_607, 20),
            (2_000_000_000, 4095, 31),
        ] {
            let turn = Turn { user, number };
            assert_eq!(Turn::of(Mark::unmarked(mark.turn(turn, bits), bits)), Some(turn));
        }
    }

    /// Of 2,000 names about 2 pairs have one mark (2,000² / 2²¹); more than 8 come once in 4,000 times.
    #[test]
    fn names_hardly_ever_share_a_mark() {
        let mut marks: Vec<u64> = (0..2000).map(|i| Mark::of(&format!("team-{i}")).0).collect();
        marks.sort_unstable();
        assert!(marks.iter().all(|&mark| mark < 1 << 20));
        let doubles = marks.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(doubles <= 8, "{doubles}");
    }

    #[test]
    fn the_second_of_two_names_with_one_mark_is_refused() {
        let names: Vec<String> = (0..5000).map(|i| format!("team-{i}")).collect();
        let refused = Mark::all(&names).unwrap_err();
        assert!(
            refused.message.starts_with("this name and `team-"),
            "{}",
            refused.message
        );
    }
}

//! Any bytes as a stream of events: no panic, the same events however they are cut, and none larger than allowed.
//!
//! The first byte says where to cut. What the events hold is read as chunks of an answer, which may fail but not panic.

use simcap::calibrate::answer;
use simcap::calibrate::sse::{LONGEST, Malformed, Parser};

type Events = (Vec<(String, String)>, Option<Malformed>);

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Events {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for piece in pieces {
        let fed = parser.feed(piece, |event| {
            events.push((event.name.to_owned(), event.data.to_owned()))
        });
        if let Err(error) = fed {
            return (events, Some(error));
        }
    }
    (events, None)
}

/// Panics where what holds of any bytes does not hold of these.
pub(crate) fn check(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = events(std::iter::once(bytes));
    assert_eq!(events(bytes.chunks(usize::from(cut) + 1)), whole);
    for (_, data) in &whole.0 {
        assert!(data.len() <= LONGEST);
        if let Ok(chunk) = answer::read(data.as_bytes())
            && let Some(error) = chunk.error
        {
            error.outcome(None);
        }
        let error = answer::error_of_body(data.as_bytes());
        error.outcome(Some(400 + u16::from(cut)));
    }
}

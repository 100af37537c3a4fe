//! Stories as a trace in the Trace Event Format, which Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing` open.
//!
//! Source: "Trace Event Format" (Google, 2016): complete events (`"ph": "X"`) with `ts` and `dur` in microseconds, named processes and
//! threads (`"ph": "M"`). A request under a policy is a process; its first thread shows the request with its stays inside, and each attempt has
//! a thread of its own, since copies overlap and events of one thread must nest: connection, queue, prefill and decode inside the attempt.
//! Times are those of the plan, so that two requests stand where they were. Left out: arrows between threads.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Nanos, Story};

/// The trace as a JSON document.
pub fn render(stories: &[Story]) -> String {
    let mut events = Vec::new();
    for (number, story) in stories.iter().enumerate() {
        of_story(number + 1, story, &mut events);
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Trace {
        display_time_unit: &'static str,
        trace_events: Vec<Value>,
    }
    let trace = Trace {
        display_time_unit: "ms",
        trace_events: events,
    };
    // Numbers and text alone: nothing in it can fail to be written.
    serde_json::to_string(&trace).unwrap_or_default() + "\n"
}

/// Where the events of a story go.
struct Thread<'a> {
    process: usize,
    number: usize,
    story: &'a Story,
}

impl Thread<'_> {
    fn named(&self, name: &str) -> Value {
        json!({"ph": "M", "name": "thread_name", "pid": self.process, "tid": self.number, "args": {"name": name}})
    }

    /// A span between two moments after the request's arrival.
    fn span(&self, name: &str, category: &str, from: Nanos, until: Nanos, args: &Value) -> Value {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        json!({
            "ph": "X", "name": name, "cat": category, "pid": self.process, "tid": self.number,
            "ts": self.story.arrived * 1e6 + micros(from.0), "dur": micros(until.0 - from.0), "args": args,
        })
    }

    fn instant(&self, name: &str, at: Nanos, args: &Value) -> Value {
        json!({
            "ph": "i", "s": "t", "name": name, "cat": "step", "pid": self.process, "tid": self.number,
            "ts": self.story.arrived * 1e6 + at.0 as f64 / 1e3, "args": args,
        })
    }
}

fn of_story(process: usize, story: &Story, events: &mut Vec<Value>) {
    let copy = if story.mirrored { " (mirrored copy)" } else { "" };
    let name = format!("request {}{copy} under {}", story.id, story.policy);
    events.push(json!({"ph": "M", "name": "process_name", "pid": process, "args": {"name": name}}));
    let main = Thread {
        process,
        number: 0,
        story,
    };
    events.push(main.named("request"));
    let about = json!({
        "policy": story.policy, "class": story.class, "input": story.input, "output": story.output,
        "outcome": story.outcome.name(), "cost": story.cost.units(),
    });
    events.push(main.span(&name, "request", Nanos(0), story.e2e, &about));
    for stay in &story.stays {
        events.push(main.span(stay.place.name(), "stay", stay.from, stay.until, &json!({})));
    }
    for step in &story.steps {
        let about = json!({"text": step.text, "seen": step.seen});
        events.push(main.instant(step.what, step.at, &about));
    }
    for (i, attempt) in story.attempts.iter().enumerate() {
        let thread = Thread {
            process,
            number: i + 1,
            story,
        };
        let hedge = if attempt.hedge { ", a hedge" } else { "" };
        events.push(thread.named(&format!("attempt {}{hedge}", i + 1)));
        let about = json!({"outcome": attempt.outcome.name(), "cost": attempt.cost.units()});
        events.push(thread.span(&attempt.provider, "attempt", attempt.made, attempt.over, &about));
        let mut from = attempt.made;
        let parts = [
            ("connection", attempt.connection),
            ("queue", attempt.queue),
            ("prefill", attempt.prefill),
            ("decode", attempt.decode),
        ];
        for (name, lasts) in parts {
            let until = Nanos(from.0 + lasts.0);
            if lasts.0 > 0 {
                events.push(thread.span(name, "part", from, until, &json!({})));
            }
            from = until;
        }
    }
}

//! What the kernel's parts cost: the event set at four sizes, tables, keyed draws, a token bucket, a histogram.
//!
//! `cargo bench --bench kernel -- --quick`. The event set is timed under the hold model (Jones, "An empirical comparison
//! of priority-queue and event-set implementations", 1986): take the earliest event, schedule another, so that the number
//! pending stays. Random inputs are drawn beforehand or by one mix of a counter, which is small beside what is timed.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use simcap::kernel::bucket::Bucket;
use simcap::kernel::chance::{Chance, Purpose};
use simcap::kernel::law::{Exponential, Lognormal};
use simcap::kernel::queue::EventQueue;
use simcap::kernel::table::Table;
use simcap::kernel::time::{Span, Time};
use simcap::stats::histogram::Histogram;

/// Precomputed inputs, a power of two of them.
const INPUTS: usize = 1 << 12;

/// Exponential spans of a mean of one second.
fn spans() -> Vec<Span> {
    let table = Table::new(&Exponential::new(1e9, 0.0).expect("the mean is positive"));
    let chance = Chance::new(1, 0);
    (0..INPUTS as u64)
        .map(|id| Span::from_nanos(table.at(chance.request(id).draw(Purpose::Gap)) as u64))
        .collect()
}

fn event_queue(c: &mut Criterion) {
    let spans = spans();
    let mut group = c.benchmark_group("event queue, hold");
    for pending in [10_usize, 200, 2_000, 20_000] {
        group.bench_function(BenchmarkId::from_parameter(pending), |b| {
            let mut queue = EventQueue::with_capacity(pending);
            (0..pending).for_each(|i| queue.push(Time::ZERO + spans[i % INPUTS], i as u32));
            let mut i = 0;
            b.iter(|| {
                let (now, payload) = queue.pop().unwrap_or((Time::ZERO, 0));
                i = (i + 1) % INPUTS;
                queue.push(now + spans[i], payload);
            });
        });
    }
    group.finish();
}

fn draws(c: &mut Criterion) {
    let chance = Chance::new(1, 0);
    let table = Table::new(&Lognormal::new(280.0, 0.6, 0.0).expect("the parameters are positive"));
    let mut id = 0_u64;
    c.bench_function("keyed draw, one request each", |b| {
        b.iter(|| {
            id += 1;
            chance.request(black_box(id)).draw(Purpose::Input)
        });
    });
    c.bench_function("keyed draw from a table", |b| {
        b.iter(|| {
            id += 1;
            table.at(chance.request(black_box(id)).draw(Purpose::Input))
        });
    });
    let mut bits = 0_u64;
    c.bench_function("table at random bits", |b| {
        b.iter(|| {
            bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
            table.at(black_box(bits))
        });
    });
}

fn bucket(c: &mut Criterion) {
    let mut bucket = Bucket::new(2_000_000, Span::from_secs(60), 50_000).expect("the bucket is within range");
    let mut now = Time::ZERO;
    c.bench_function("bucket, ask and take", |b| {
        b.iter(|| {
            now += Span::from_millis(10);
            let ready = bucket.ready_at(now, black_box(300));
            if ready <= now {
                bucket.take(300);
            }
            ready
        });
    });
}

fn histogram(c: &mut Criterion) {
    let spans = spans();
    let mut histogram = Histogram::new();
    let mut i = 0;
    c.bench_function("histogram, record", |b| {
        b.iter(|| {
            i = (i + 1) % INPUTS;
            histogram.record(spans[i]);
        });
    });
}

criterion_group!(kernel, event_queue, draws, bucket, histogram);
criterion_main!(kernel);

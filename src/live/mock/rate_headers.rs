//! Quota headers of a response: `x-ratelimit-*` as OpenAI spells them, `retry-after` or `retry-after-ms`.
//!
//! A reset is worded as OpenAI words it: `20ms`, `1.5s`, `6m0s`, `1h0m0s` (API reference, "Rate limits in headers", 2026).

use crate::kernel::time::Span;
use crate::provider::RetryAfter;
use crate::words::Headers;

/// The quota headers of a response.
pub(super) fn rate_headers(
    headers: &Headers,
    retry_after: Option<Span>,
    wording: RetryAfter,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(left) = headers.requests {
        lines.push(("x-ratelimit-limit-requests", left.limit.to_string()));
        lines.push(("x-ratelimit-remaining-requests", left.remaining.to_string()));
        lines.push(("x-ratelimit-reset-requests", reset(left.reset)));
    }
    if let Some(left) = headers.tokens {
        lines.push(("x-ratelimit-limit-tokens", left.limit.to_string()));
        lines.push(("x-ratelimit-remaining-tokens", left.remaining.to_string()));
        lines.push(("x-ratelimit-reset-tokens", reset(left.reset)));
    }
    // A provider that states no wait for its quotas may still state one in an outage.
    match (retry_after, wording) {
        (Some(wait), RetryAfter::Milliseconds) => {
            lines.push(("retry-after-ms", wait.nanos().div_ceil(1_000_000).to_string()));
        }
        (Some(wait), RetryAfter::Seconds | RetryAfter::None) => {
            lines.push(("retry-after", wait.nanos().div_ceil(1_000_000_000).to_string()));
        }
        (None, _) => {}
    }
    lines
}

/// A span as OpenAI words a reset, rounded up to the millisecond.
fn reset(span: Span) -> String {
    let millis = span.nanos().div_ceil(1_000_000);
    if millis < 1000 {
        return if millis == 0 {
            "0s".to_owned()
        } else {
            format!("{millis}ms")
        };
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let (whole, fraction) = (rest / 1000, rest % 1000);
    let seconds = match fraction {
        0 => format!("{whole}s"),
        _ => format!("{}s", format!("{whole}.{fraction:03}").trim_end_matches('0')),
    };
    match minutes {
        0 => seconds,
        1..60 => format!("{minutes}m{seconds}"),
        _ => format!("{}h{}m{seconds}", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Left;

    /// What Go's time.Duration prints for these spans.
    #[test]
    fn a_reset_is_worded_as_a_go_duration() {
        let worded = |nanos| reset(Span::from_nanos(nanos));
        assert_eq!(worded(0), "0s");
        assert_eq!(worded(1), "1ms");
        assert_eq!(worded(20_000_000), "20ms");
        assert_eq!(worded(1_500_000_000), "1.5s");
        assert_eq!(worded(8_640_000_000), "8.64s");
        assert_eq!(worded(60_000_000_000), "1m0s");
        assert_eq!(worded(360_000_000_000), "6m0s");
        assert_eq!(worded(3_600_005_000_000), "1h0m0.005s");
    }

    #[test]
    fn a_refusal_says_when_to_come_back_as_the_provider_words_it() {
        let of = |wording| rate_headers(&Headers::default(), Some(Span::from_millis(1201)), wording);
        assert_eq!(of(RetryAfter::Seconds), [("retry-after", "2".to_owned())]);
        assert_eq!(of(RetryAfter::Milliseconds), [("retry-after-ms", "1201".to_owned())]);
        assert_eq!(of(RetryAfter::None), of(RetryAfter::Seconds));
        let headers = Headers {
            tokens: Some(Left {
                limit: 10,
                remaining: 4,
                reset: Span::from_secs(6),
            }),
            ..Headers::default()
        };
        let lines = rate_headers(&headers, None, RetryAfter::Seconds);
        assert_eq!(
            lines,
            [
                ("x-ratelimit-limit-tokens", "10".to_owned()),
                ("x-ratelimit-remaining-tokens", "4".to_owned()),
                ("x-ratelimit-reset-tokens", "6s".to_owned())
            ]
        );
    }
}

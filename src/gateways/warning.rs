//! Warnings: what in a configuration does nothing, or not what it seems to do.
//!
//! Each kind is a row of one table: its code, how bad it is, what it means and what to do.

use super::tree::Place;
use crate::stats::sorting;

/// How bad a warning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Requests fail, or a part that is meant to help does nothing.
    Error,
    /// Something behaves otherwise than it reads.
    Warning,
    /// Good to know.
    Note,
}

impl Level {
    /// The level's name, which is SARIF's too.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// A kind of warning.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The code of the kind.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// A warning at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The kind of warning.
    pub kind: &'static Kind,
    /// What it is about; empty for the whole file.
    pub subject: String,
    /// The place, if it has one.
    pub at: Option<Place>,
    /// Further words: figures, the nearest name.
    pub detail: String,
}

impl Warning {
    /// A warning of the kind `code`, which must be in the table.
    pub fn new(code: &str, subject: impl Into<String>, at: Option<Place>) -> Warning {
        Warning {
            kind: KINDS.iter().find(|kind| kind.code == code).unwrap_or(&KINDS[0]),
            subject: subject.into(),
            at,
            detail: String::new(),
        }
    }

    /// This warning with further words.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Warning {
        self.detail = detail.into();
        self
    }
}

/// Sorts warnings: worst first, then by place.
pub fn sort(warnings: &mut [Warning]) {
    sorting::by_key(warnings, |warning| (warning.kind.level, warning.at));
}

const fn kind(code: &'static str, level: Level, means: &'static str, remedy: &'static str) -> Kind {
    Kind {
        code,
        level,
        means,
        remedy,
    }
}

use Level::{Error, Note, Warning as Warn};

/// Every kind of warning.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    kind("wrong-value", Error, "the value is not one that the setting can have; here it is read as if it were not there, and the gateway may refuse it or do something else", "correct the value"),
    kind("further-document", Error, "the file has a further YAML document: only the first one is read here, and a loader that expects one (LiteLLM's does) refuses the file", "give one document, or put the others into files of their own"),
    kind("unknown-value", Error, "the gateway knows no such value of the setting and refuses it", "name one that it knows"),
    kind("does-not-start", Error, "the gateway does not start with it", "write it as the documentation does"),
    kind("weight-0-counts-for-nothing", Warn, "a weight of 0 leaves a deployment out only beside one above 0: this one gets its share all the same", "give the others a `weight`, or take the deployment out of the list"),
    kind("weight-0", Warn, "a target with a weight of 0 is never drawn: it gets no request", "give it a weight above 0, or take it out; what should answer when others fail is a target of a `fallback`"),
    kind("virtual-key-allows-nothing", Warn, "the virtual key allows no model or no key there: what asks with it is refused, and goes to no provider", "name models in `allowed_models` and keys in `key_ids`, or `*`"),
    kind("virtual-key-is-off", Note, "the virtual key is not active: what asks with it is refused", "nothing, if that is meant"),
    kind("misspelt", Warn, "nothing reads a key of this name: what it was meant to set stays as it is by default", "correct its spelling"),
    kind("misspelt-and-refused", Error, "the gateway refuses a file that has a key of this name", "correct its spelling"),
    kind("unknown-and-refused", Error, "the version that is known here refuses a file that has a key of this name", "remove it, or correct its name"),
    kind("unknown-section", Warn, "nothing reads a section of this name, so that all in it does nothing", "correct its spelling"),
    kind("unknown-key", Warn, "no version that is known has this key; it is skipped", "remove it, or correct its spelling"),
    kind("alias-is-a-list", Error, "an alias must name one group; every request to this one is answered with a 400", "name one group, and put the others into `fallbacks`"),
    kind("undefined-alias", Error, "the alias leads to a group that does not exist; every request to it fails", "define the group, or correct the name"),
    kind("undefined-fallback", Error, "the fallback leads to a group that does not exist; it is accepted and fails when it is needed", "define the group, or correct the name"),
    kind("unknown-strategy", Error, "the gateway does not start with it", "name one of simple-shuffle, least-busy, latency-based-routing, usage-based-routing-v2, cost-based-routing"),
    kind("undefined-target", Error, "it names a target that does not exist", "define the target, or correct the name"),
    kind("unknown-parameter", Warn, "the gateway does not know the parameter and sends it to the provider with every request, which may refuse it", "remove it, or correct its spelling"),
    kind("deployment-without-model", Error, "the gateway does not start with a deployment that names no model", "give `litellm_params.model`"),
    kind("wrong-shape", Warn, "the value has another form than what reads it expects; it is accepted and does nothing", "write it as the documentation does"),
    kind("wrong-section", Warn, "nothing reads the key in this section", "move it where it is read"),
    kind("unknown-name", Warn, "names that are unknown are dropped without a word", "use the documented names"),
    kind("no-effect", Warn, "nothing that is configured looks at it", "remove it, or configure what reads it"),
    kind("zero-weight", Warn, "beside others that have the value, one without it has weight 0 and gets no request", "give every member of the group the value, or none"),
    kind("plugin-is-not-simulated", Warn, "the plugin refuses, bounds or answers requests before a proxy has them; neither what is said here nor a simulation has it", "give its limits to the experiment as `client.limiters`, or read every figure as one without the plugin"),
    kind("rpm-is-a-weight", Warn, "rpm and tpm are weights of the draw and a bound on calls at once, not limits of the rate", "use `weight` for shares, and `optional_pre_call_checks: [enforce_model_rate_limits]` for limits"),
    kind("lone-primary-never-cools", Warn, "a group of one is never left out by the rules by default: through a whole outage every request tries it to the end before it falls back", "give `allowed_fails` (it counts for a group of one that has a fallback), or a second deployment"),
    kind("retries-multiply", Warn, "every group of the chain makes all of its own tries for one failing request", "lower `num_retries`, or shorten the chain"),
    kind("fallback-cycle", Warn, "the groups fall back to each other: in an outage of one the other has the load of both and their retries", "let the chain end at a group that is not in it"),
    kind("fallback-same-account", Warn, "both use one account: a refusal for its quota there is one here", "fall back to another account"),
    kind("timeout-longer-than-the-callers", Warn, "when providers hang, the caller has given up before the chain has ended", "set a timeout so that tries × timeout stays below the caller's"),
    kind("overridden", Warn, "another section says the same and goes before it", "say it once"),
    kind("secret-in-file", Warn, "a secret stands in the file in plain text", "refer to the environment or a secret store"),
    kind("include-replaces-section", Warn, "an included file replaces the whole section; only lists are joined", "say the section in one file"),
    kind("repeated-key", Warn, "the key stands here twice; only the last one counts", "remove one"),
    kind("counts-are-per-replica", Warn, "without a shared store each replica counts calls, failures and limits by itself", "configure Redis, or read every limit as one a replica"),
    kind("config-by-reference", Error, "the target is another config of the account; it is left out here", "give that config in its place"),
    kind("loadbalance-has-no-failover", Warn, "the target that was drawn keeps the request: while it fails, its share of requests fails", "put the targets into a fallback, or a fallback into the target"),
    kind("falls-back-on-400", Warn, "without `on_status_codes` any failure goes on to the next target, a malformed request too", "give `on_status_codes`"),
    kind("request_timeout-ends-at-headers", Warn, "the timeout ends with the answer's headers: a stream that stops later is waited for without end", "bound the whole answer in the caller"),
    kind("no-timeout", Warn, "no timeout is given: a provider that hangs is waited for without end", "give `request_timeout`"),
    kind("breaker-needs-the-hosted-gateway", Warn, "the open gateway reads `cb_config` and has no breaker", "use the hosted gateway, or do not count on it"),
    kind("priority-without-retry", Warn, "without retries a further level is reached only when hosts of the first are ejected, never by a 429", "let requests be tried again: Envoy Gateway by a BackendTrafficPolicy with `retry`, plain Envoy by a `retry_policy` with `retry_priority`"),
    kind("429-is-not-an-outlier", Warn, "outlier detection never sees a 429: a host that is at its quota stays in", "let retries go on 429, and know that each costs a call"),
    kind("quota-does-not-reroute", Warn, "beyond the quota the caller is told a 429; no other backend is asked", "leave room above the quota, or balance in the caller"),
    kind("stream-timeout", Warn, "the timeout of a request ends streams too", "make it longer than the longest answer"),
    kind("no-retry_on", Error, "a retry policy without `retry_on` tries nothing again", "say what is tried again, like `retry_on: 5xx,reset,connect-failure`"),
    kind("codes-are-not-read", Warn, "the list of statuses counts only where `retry_on` has the word `retriable-status-codes`", "add the word to `retry_on`"),
    kind("retries-are-bounded", Warn, "retries of the whole cluster at once are bounded, back-offs included; one more is not made, and where answers take seconds to begin most are not", "give `circuit_breakers.thresholds` a `retry_budget`, or `max_retries` near the retries of an outage: rate x share that fails x seconds to the first token"),
    kind("timeout-never-strikes", Warn, "the timeout of an attempt is not shorter than that of the whole request, which strikes first: it never ends an attempt, and none that lasts so long is tried again", "make it shorter than the request's timeout, so that there is time for a retry"),
    kind("no-per_try_timeout", Warn, "without `per_try_timeout` an attempt that hangs lasts until the timeout of the whole request: it is never tried again", "give `per_try_timeout`"),
    kind("retry-may-stay", Warn, "a retry is a choice like any other and may go to the host that has just failed", "give `retry_host_predicate` `previous_hosts` with `host_selection_retry_max_attempts`"),
    kind("retry-stays-on-its-level", Note, "a retry goes to the level that the healthy hosts say, which a single failure does not change", "give `retry_priority` `previous_priorities`, if retries should go down a level"),
    kind("no-outlier-detection", Warn, "nothing leaves a host out that fails: it keeps its share of the requests", "give `outlier_detection`, or `health_checks`"),
    kind("never-ejects", Warn, "one host is more than `max_ejection_percent` of the cluster: outlier detection never ejects any", "raise `max_ejection_percent`, or set `always_eject_one_host`"),
    kind("limit-is-not-enforced", Error, "a local rate limit without `filter_enabled` and `filter_enforced` above 0 limits nothing", "set both to 100 of HUNDRED"),
    kind("max_pending_requests-0", Warn, "a request takes a place among those that wait while its connection opens: with none, every request that finds no idle connection is refused", "allow some"),
    kind("balancer-is-approximated", Warn, "the balancer is not simulated: hosts are asked in turn by weight", "nothing, if that is near enough"),
    kind("cluster-by-header", Warn, "the cluster is what a header of the request says: which, the file does not tell", "say one route for each cluster"),
    kind("429-is-not-retried", Note, "a 429 is the caller's answer at once", "add 429 to `retriable_status_codes` and the word to `retry_on`, if another host may take it"),
    kind("post-is-retried", Note, "Envoy tries a POST again like anything else: of an attempt that was cut off an answer may have been made and billed", "nothing, if that is meant"),
    kind("longest-timeout-for-all", Note, "routes have timeouts of their own: here the longest bounds every request, and a shorter one each attempt", "nothing, if that is near enough"),
    kind("endpoints-not-in-file", Note, "the cluster's hosts come from elsewhere: here it is one provider", "give its hosts in `load_assignment`"),
    kind("dns-is-one-host", Note, "every address that the name resolves to is a host of its own in Envoy; here the name is one", "list the addresses, if there are several"),
    kind("routes-not-in-file", Warn, "routes come by RDS and are not in this file", "give the routes in `route_config`"),
    kind("limits-not-in-file", Note, "the limits are in the rate limit service's own configuration", "say them as limiters of the experiment"),
    kind("use_retry_after_header-needs-a-patch", Note, "the package on npm lacks the patch that heeds the header: there, waits stay 1, 2, 4 s, and a request whose last failure is a 429 ends as a 500", "build the gateway from its repository, or say `\"version\": \"npm\"` in the experiment's retry rule"),
    kind("shadow-mode", Note, "the rule counts and does not refuse", "nothing, if that is meant"),
    kind("backend-not-in-file", Note, "the route names backends that are not in this file", "give their documents as well, if they say limits"),
    kind("pool-is-one-provider", Note, "the pods behind an endpoint picker are one provider here", "give their number and speed in the assumptions"),
    kind("no-non_idempotent", Error, "a request to a model is a POST: without `non_idempotent` it never fails over, whatever else is listed", "add `non_idempotent` to `failover_criteria`"),
    kind("500-and-502-do-not-fail-over", Warn, "a 500 or a 502 is the caller's answer at once", "add `http_500` and `http_502` to `failover_criteria`"),
    kind("429-does-not-fail-over", Warn, "a 429 is the caller's answer at once", "add `http_429` to `failover_criteria`"),
    kind("post-needs-non_idempotent", Note, "POSTs fail over, because `non_idempotent` is listed", "nothing"),
    kind("deck-env", Note, "a reference to decK's environment, which is not resolved", "nothing"),
    kind("vault-reference", Note, "a reference to a vault, which is not resolved", "nothing"),
    kind("key-allows-nothing", Warn, "an empty list of models allows none: the key is never used", "name models, or `*`"),
    kind("duration-letters", Note, "in durations `m` is a minute and `M` a month", "nothing, if that is meant"),
    kind("no-model", Note, "the target names no model: it is the request's own", "say in the assumptions which models are asked for"),
    kind("secret-reference", Note, "a reference to a key of the account; it tells accounts apart and is not resolved", "nothing"),
    kind("provider-integration", Note, "an integration of the account: its budget and its limits are not in this file", "say its limits in the assumptions"),
    kind("models-in-database", Note, "models may also be in the database; the file may not be all", "give the output of /model/info as well"),
    kind("ties-to-the-first", Note, "of equal members the first in the file is taken: an idle gateway sends it everything", "put the one first that should have the most"),
    kind("unresolved-model", Note, "the model is named by the environment: its price and its limits are not known here", "say which model it is in the assumptions"),
    kind("wildcard-needs-traffic", Note, "the group stands for any model that callers name", "name the models in the assumptions, or give a log"),
    kind("yaml-anchor", Note, "values are shared by an anchor: a change of one is a change of all", "nothing, if that is meant"),
    kind("top-level-unknown", Note, "nothing reads this part of the file by itself", "nothing, if it only holds anchors"),
    kind("max_retries-is-not-used", Note, "the provider library's retries are switched off by the router", "use `num_retries`"),
    kind("cache-share-unknown", Note, "how many requests the response cache answers is in no configuration; none is assumed, so that cost and load are at their highest", "give `response_cache` in the assumptions, or --usage with a log that tells hits"),
    kind("cache-not-for-chat", Warn, "the response cache leaves out chat completions: it answers none of them", "add `acompletion` and `completion` to `supported_call_types`, or leave it out"),
    kind("cache-needs-a-key", Warn, "without a key in the request, or one by default, nothing is looked up", "give `default_cache_key`, or send x-bf-cache-key"),
    kind("cache-needs-the-hosted-gateway", Warn, "the open gateway has no cache that goes by meaning", "use `simple`, or the hosted gateway"),
    kind("mock-response", Note, "the deployment answers by itself and calls nobody", "remove `mock_response` before production"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_row_speaks() {
        for (number, kind) in KINDS.iter().enumerate() {
            assert!(!kind.means.is_empty() && !kind.remedy.is_empty());
            assert!(
                KINDS[number + 1..].iter().all(|other| other.code != kind.code),
                "{}",
                kind.code
            );
        }
    }
}

//! The traffic as the file says it: its classes, and when requests of them come, from one source or from several streams.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::Refusal;
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Money};
use crate::traffic::arrivals::ArrivalsSpec;
use crate::traffic::pairs::PairsSpec;
use crate::traffic::prompts::PromptsSpec;
use crate::traffic::tags::Shares;
use crate::traffic::users::UsersSpec;

/// The requests: when they arrive, of which classes and users, and how large they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficSpec {
    /// The arrival process: when requests arrive. Left out beside `streams`, which have their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalsSpec>,
    /// The streams that make up the traffic, by name, instead of `arrivals`: teams, tenants, jobs, each with arrivals, classes, users
    /// and tags of its own. A stream's name is a tag of its requests, `stream`: `{tag.stream=NAME}` asks for a metric of it. Another
    /// stream beside it leaves its requests what they were. Default: one source, without a name.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub streams: Named<StreamSpec>,
    /// How many times the traffic there is, from 0.001 to 1000: 2 for twice as many requests from every stream, whatever their arrival process
    /// (rates, users of closed loops, sizes of batches, a trace played that much faster). Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.001, max = 1000))]
    pub scale: Option<f64>,
    /// The classes of requests, by name.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1000))]
    pub classes: Named<ClassSpec>,
    /// The users behind the requests, for policies and caches that remember them. Left out beside `streams`, which have their own.
    /// Default: each request has its own user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersSpec>,
    /// Tags that requests carry besides those of their classes, each with its values and their shares:
    /// `"team": { "search": 0.6, "chat": 0.4 }`. Only proportions matter. Where there are users, a tag belongs to the user, and the
    /// shares are of users. For limits, budgets and metrics by tag. Default: none.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub tags: Named<Named<f64>>,
}

/// A stream: a source of requests of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamSpec {
    /// The arrival process: when requests of the stream arrive.
    pub arrivals: ArrivalsSpec,
    /// The classes of its requests with their weights, above 0, of which only proportions matter: `{ "chat": 3, "summary": 1 }`. A
    /// class may come from several streams. Default: all classes of the traffic, by their `share`.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub classes: Named<f64>,
    /// The users behind its requests, others in each stream. Default: each request has its own user, or where another stream has users,
    /// all its requests are of one: a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersSpec>,
    /// Tags that its requests carry, each with its value, `"team": "search"`, or with values and their shares. What one stream has, each
    /// has. Default: none but `stream`.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub tags: Named<Shares>,
}

/// Where requests come from: a stream, or all traffic where no stream is named.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The name of the stream, if it is one.
    pub name: Option<&'a str>,
    /// The arrival process.
    pub arrivals: &'a ArrivalsSpec,
    /// The weights of its classes; `None` for the shares of the classes.
    pub classes: Option<&'a Named<f64>>,
    /// The users behind its requests, if the file gives any.
    pub users: Option<&'a UsersSpec>,
}

impl TrafficSpec {
    /// Where requests come from, in order: nothing if the file gives neither `arrivals` nor `streams`.
    pub fn origins(&self) -> impl Iterator<Item = Origin<'_>> {
        let whole = self.arrivals.iter().map(|arrivals| Origin {
            name: None,
            arrivals,
            classes: None,
            users: self.users.as_ref(),
        });
        let streams = self.streams.iter().map(|(name, stream)| Origin {
            name: Some(name),
            arrivals: &stream.arrivals,
            classes: (!stream.classes.is_empty()).then_some(&stream.classes),
            users: stream.users.as_ref(),
        });
        whole.chain(streams)
    }

    /// The traffic with `factor` times the requests: of all origins, or of the stream of that name alone, beside which the others
    /// stay as they are.
    ///
    /// # Errors
    /// If there is no such stream, or the arrivals of one cannot be scaled: the text says which.
    pub fn scaled(&self, factor: f64, stream: Option<&str>) -> Result<TrafficSpec, String> {
        let mut scaled = self.clone();
        let times = |name: &str, arrivals: &ArrivalsSpec| {
            arrivals.as_dyn().scaled(factor).ok_or_else(|| {
                let name = if name.is_empty() {
                    String::new()
                } else {
                    format!(" of the stream {name}")
                };
                format!("the {} arrivals{name} cannot be taken times {factor}", arrivals.name())
            })
        };
        if let Some(arrivals) = scaled.arrivals.as_mut().filter(|_| stream.is_none()) {
            *arrivals = times("", arrivals)?;
        }
        for name in self.streams.names() {
            if let Some(of) = scaled
                .streams
                .get_mut(&name)
                .filter(|_| stream.is_none_or(|only| only == name))
            {
                of.arrivals = times(&name, &of.arrivals)?;
            }
        }
        Ok(scaled)
    }

    /// The traffic with its `scale` applied, and without it.
    ///
    /// # Errors
    /// If the scale is out of its range, or the arrivals of some origin cannot be scaled.
    pub fn at_scale(self) -> Result<TrafficSpec, String> {
        match self.scale {
            None => Ok(self),
            Some(scale) if (1e-3..=1e3).contains(&scale) => {
                let plain = TrafficSpec { scale: None, ..self };
                if scale == 1.0 {
                    Ok(plain)
                } else {
                    plain.scaled(scale, None)
                }
            }
            Some(scale) => Err(format!(
                "must be from 0.001 to 1000, and 2 for twice the traffic; found {scale}"
            )),
        }
    }

    /// Whether arrivals of any origin hang on how requests end.
    pub fn follows_ends(&self) -> bool {
        self.origins().any(|origin| origin.arrivals.as_dyn().follows_ends())
    }

    /// Whether the rate of any origin changes once, at times of the plan: its greatest is not its mean.
    pub fn changes_once(&self) -> bool {
        self.origins()
            .any(|origin| origin.arrivals.as_dyn().planned().is_some())
    }

    /// Whether requests of any origin are turns of conversations or agent runs.
    pub fn has_dialogues(&self) -> bool {
        self.origins().any(|origin| origin.arrivals.as_dyn().has_dialogues())
    }

    /// Whether the load of any origin is bounded by users that wait for their answers.
    pub fn is_closed(&self) -> bool {
        self.origins().any(|origin| origin.arrivals.as_dyn().is_closed())
    }
}

impl Origin<'_> {
    /// How many users it has; `None` if each of its requests has its own.
    pub fn users(&self) -> Option<u32> {
        let given = self.users.and_then(|users| u32::try_from(users.count.get()).ok());
        given.or_else(|| self.arrivals.as_dyn().users())
    }

    /// The refusal at its place in the traffic.
    pub fn at(&self, refusal: Refusal) -> Refusal {
        match self.name {
            None => refusal,
            Some(name) => refusal.at(name).at("streams"),
        }
    }

    /// The refusal of something in its arrivals, at their place in the traffic.
    pub fn at_arrivals(&self, refusal: Refusal) -> Refusal {
        self.at(refusal.at(self.arrivals.name()).at("arrivals"))
    }
}

/// A class of requests: their share, size, priority and tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// The weight of the class among all requests, above 0; only proportions matter. May be left out if there is one
    /// class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub share: Option<f64>,
    /// The priority of the class in queues: lower goes first, 0 to 15. Default: 1.
    #[serde(default = "standard")]
    #[schemars(range(max = 15))]
    pub priority: u8,
    /// Input tokens of a request. Left out with a replayed trace, which has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<LawSpec<f64>>,
    /// Output tokens of a request. Left out with a replayed trace, which has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<LawSpec<f64>>,
    /// Input and output tokens of a request drawn together, as pairs of a trace: `{ "trace": "log.csv" }`. Instead of `input` and `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairsSpec>,
    /// The `max_tokens` that the client sends: output is cut there, and quotas reserve that much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<Count>,
    /// The prompts that come back in such requests, for response caches that go by them. Default: no two requests have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<PromptsSpec>,
    /// How long a user waits for the answer to such a request to begin, from its arrival on, retries and waits included: then it leaves, and
    /// the request is called off. Default: as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<LawSpec<Duration>>,
    /// What the client says of such a request besides: `"plan": "free"`, `"region": "eu"`. For policies that go by it.
    #[serde(default)]
    pub tags: Named<String>,
    /// The name that the caller asks for: a group of `model_groups`, an alias of one, or what a wildcard covers. Default: the only
    /// group, or the one of the class's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<String>,
    /// The most that one such request should cost, as the caller asks. For policies that go by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_budget: Option<Money>,
    /// How long one such request should take, as the caller asks. For policies that go by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_budget: Option<Duration>,
    /// The provider that the caller asks for by name, whatever a policy thinks. For policies that allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

fn standard() -> u8 {
    1
}

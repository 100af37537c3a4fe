//! Where a plugin of a decK file holds: for a route, a service, or for all that comes in.
//!
//! Of plugins of one name the nearest holds: that of the route, else that of its service, else the one for all. A plugin stands inside what it
//! is for, or names it under `route` or `service`. Source: Kong's documentation of plugin precedence. Left out: plugins for a consumer, which
//! go before all of these.

use crate::gateways::tree::{Node, Place};

/// The plugins that send to models, the one with a balancer first.
const PROXIES: [&str; 2] = ["ai-proxy-advanced", "ai-proxy"];

/// A plugin with what it is for.
struct Scoped<'a> {
    plugin: &'a Node,
    service: Option<&'a str>,
    route: Option<&'a str>,
}

/// A way in: a service and its route, as far as they have names.
struct Way<'a> {
    service: Option<&'a str>,
    route: Option<&'a str>,
    called: String,
}

/// The plugins of a file, and its ways in.
pub(super) struct Places<'a> {
    plugins: Vec<Scoped<'a>>,
    ways: Vec<Way<'a>>,
    /// Proxies for a consumer: their place and the consumer.
    pub(super) of_consumers: Vec<(Place, &'a str)>,
}

/// A plugin that sends to models.
pub(super) struct Proxy<'a> {
    pub(super) plugin: &'a Node,
    /// What the ways in are called for which it holds.
    pub(super) called: Vec<String>,
    /// The ways in for which it holds, by number.
    ways: Vec<usize>,
}

/// The name of what a plugin or a route is for: a text, or a mapping with a name.
fn named<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    let of = node.get(key)?;
    of.text().or_else(|| of.text_of("name")).or_else(|| of.text_of("id"))
}

fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    node.get(key).map_or(&[][..], Node::items)
}

impl<'a> Places<'a> {
    pub(super) fn of(root: &'a Node) -> Places<'a> {
        let mut places = Places {
            plugins: Vec::new(),
            ways: Vec::new(),
            of_consumers: Vec::new(),
        };
        for plugin in items(root, "plugins") {
            places.add(plugin, named(plugin, "service"), named(plugin, "route"));
        }
        for service in items(root, "services") {
            // A service without a name of its own is known by its address.
            let address = || service.text_of("url").or(service.text_of("host"));
            let own = service.text_of("name").or_else(address).or(Some("service"));
            for plugin in items(service, "plugins") {
                places.add(plugin, own, None);
            }
            let routes = items(service, "routes");
            routes.iter().for_each(|route| places.route(route, own));
            if routes.is_empty() {
                let called = own.unwrap_or("service").to_owned();
                places.ways.push(Way {
                    service: own,
                    route: None,
                    called,
                });
            }
        }
        for route in items(root, "routes") {
            places.route(route, named(route, "service"));
        }
        for consumer in items(root, "consumers") {
            let called = consumer
                .text_of("username")
                .or(consumer.text_of("custom_id"))
                .unwrap_or("consumer");
            let own = items(consumer, "plugins").iter();
            let proxies = own.filter(|plugin| plugin.text_of("name").is_some_and(|name| PROXIES.contains(&name)));
            places.of_consumers.extend(proxies.map(|plugin| (plugin.at, called)));
        }
        places
    }

    fn route(&mut self, route: &'a Node, service: Option<&'a str>) {
        let path = || route.get("paths").and_then(|paths| paths.texts().first().copied());
        // A route without a name of its own is known by its path.
        let own = route.text_of("name").or_else(path).or(service);
        for plugin in items(route, "plugins") {
            self.add(plugin, service, own);
        }
        let called = own.or(service).unwrap_or("route").to_owned();
        self.ways.push(Way {
            service,
            route: own,
            called,
        });
    }

    fn add(&mut self, plugin: &'a Node, service: Option<&'a str>, route: Option<&'a str>) {
        if plugin.get("enabled").is_some_and(|on| on.text() == Some("false")) {
            return;
        }
        match named(plugin, "consumer").or_else(|| named(plugin, "consumer_group")) {
            Some(consumer) if plugin.text_of("name").is_some_and(|name| PROXIES.contains(&name)) => {
                self.of_consumers.push((plugin.at, consumer));
            }
            _ => self.plugins.push(Scoped { plugin, service, route }),
        }
    }

    /// The first plugin of this name, wherever it is.
    pub(super) fn any(&self, name: &str) -> Option<&'a Node> {
        let mut all = self.plugins.iter().map(|of| of.plugin);
        all.find(|plugin| plugin.text_of("name") == Some(name))
    }

    /// The plugins of these names, wherever they are.
    pub(super) fn all(&self, names: &[&str]) -> Vec<&'a Node> {
        let all = self.plugins.iter().map(|of| of.plugin);
        all.filter(|plugin| plugin.text_of("name").is_some_and(|name| names.contains(&name)))
            .collect()
    }

    /// The number of the plugin of one of these names that holds for a way in, the nearest.
    fn nearest(&self, way: &Way<'_>, names: &[&str]) -> Option<usize> {
        let rank = |of: &Scoped<'_>| match (of.route, of.service) {
            (Some(route), _) => (way.route == Some(route)).then_some(2),
            (None, Some(service)) => (way.service == Some(service)).then_some(1),
            (None, None) => Some(0),
        };
        let known = self.plugins.iter().enumerate().filter_map(|(number, of)| {
            let name = of.plugin.text_of("name")?;
            let order = names.iter().position(|known| *known == name)?;
            Some((rank(of)?, std::cmp::Reverse((order, number))))
        });
        known.max().map(|(_, std::cmp::Reverse((_, number)))| number)
    }

    /// The plugins that send to models, each with its ways in; those that hold nowhere come as the second list.
    pub(super) fn proxies(&self) -> (Vec<Proxy<'a>>, Vec<&'a Node>) {
        let is_proxy = |of: &Scoped<'_>| of.plugin.text_of("name").is_some_and(|name| PROXIES.contains(&name));
        let mut found: Vec<(usize, Proxy<'a>)> = Vec::new();
        for (number, way) in self.ways.iter().enumerate() {
            let Some(plugin) = self.nearest(way, &PROXIES) else {
                continue;
            };
            match found.iter_mut().find(|(known, _)| *known == plugin) {
                Some((_, proxy)) => {
                    proxy.called.push(way.called.clone());
                    proxy.ways.push(number);
                }
                None => {
                    let proxy = Proxy {
                        plugin: self.plugins[plugin].plugin,
                        called: vec![way.called.clone()],
                        ways: vec![number],
                    };
                    found.push((plugin, proxy));
                }
            }
        }
        let rest = self.plugins.iter().enumerate().filter(|(_, of)| is_proxy(of));
        let mut idle = Vec::new();
        for (number, of) in rest
            .filter(|(number, _)| !found.iter().any(|(known, _)| known == number))
            .collect::<Vec<_>>()
        {
            // What it is for may be in another file.
            let elsewhere = of.route.or(of.service).filter(|name| {
                self.ways
                    .iter()
                    .all(|way| way.route != Some(name) && way.service != Some(name))
            });
            match (elsewhere, self.ways.is_empty()) {
                (None, false) => idle.push(of.plugin),
                (named, _) => {
                    let proxy = Proxy {
                        plugin: of.plugin,
                        called: vec![named.unwrap_or("ai-proxy").to_owned()],
                        ways: Vec::new(),
                    };
                    found.push((number, proxy));
                }
            }
        }
        (found.into_iter().map(|(_, proxy)| proxy).collect(), idle)
    }

    /// The plugin of this name that holds for the proxy's first way in, and whether it holds for all that comes in.
    pub(super) fn beside(&self, proxy: &Proxy<'_>, name: &str) -> Option<(&'a Node, bool)> {
        let Some(way) = proxy.ways.first().and_then(|way| self.ways.get(*way)) else {
            return self.any(name).map(|plugin| (plugin, true));
        };
        let of = &self.plugins[self.nearest(way, &[name])?];
        Some((of.plugin, of.service.is_none() && of.route.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::source::from_text;

    fn proxies(text: &str) -> (Vec<(Vec<String>, u32)>, usize) {
        let config = from_text("kong.yaml", text).unwrap();
        let places = Places::of(config.first().unwrap());
        let (found, idle) = places.proxies();
        let found = found.into_iter().map(|of| (of.called, of.plugin.at.line));
        (found.collect(), idle.len())
    }

    #[test]
    fn the_nearest_plugin_holds() {
        let text = "services:\n\
            - name: ai\n  routes: [{name: chat}, {name: fast, plugins: [{name: ai-proxy}]}]\n  plugins:\n\
            \x20 - {name: ai-proxy-advanced}\n\
            - name: other\n  routes: [{name: rest}]\n\
            plugins:\n- {name: ai-proxy-advanced}\n- {name: ai-proxy, route: chat}\n";
        let names = |of: &str| vec![of.to_owned()];
        let (found, idle) = proxies(text);
        // The service's own is nobody's: both of its routes have one that is nearer.
        assert_eq!(found, [(names("chat"), 10), (names("fast"), 3), (names("rest"), 9)]);
        assert_eq!(idle, 1);
    }

    #[test]
    fn a_plugin_for_what_is_in_another_file_is_a_group_all_the_same() {
        let (found, idle) =
            proxies("plugins:\n- {name: ai-proxy-advanced, service: ai}\n- {name: ai-proxy, route: fast}\n");
        assert_eq!(found, [(vec!["ai".to_owned()], 2), (vec!["fast".to_owned()], 3)]);
        assert_eq!(idle, 0);
    }
}

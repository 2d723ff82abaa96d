//! What the host's packet filter does with a first packet from a machine: nftables' rules, as
//! `nft -j list ruleset` tells them (and `iptables-nft`'s among them), gone through as the kernel
//! does.
//!
//! A match that is not known here is taken not to match, and said.

use std::net::Ipv4Addr;

use serde_json::Value;

/// Chains that are gone through for one packet, so that a jump in a circle ends.
const MAX_JUMPS: u32 = 32;

/// A first packet to this host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'i> {
    pub(super) interface: &'i str,
    /// `udp` or `tcp`.
    pub(super) protocol: &'i str,
    pub(super) port: u16,
    /// Where it goes to; broadcast for DHCP.
    pub(super) destination: Ipv4Addr,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) passes: bool,
    /// The chain that decided, as `inet filter input`.
    pub(super) by: String,
    /// Whether a match that is not known here may have decided otherwise.
    pub(super) unsure: bool,
}

enum Verdict {
    Accept,
    Drop,
    Return,
}

/// What the rules do with a packet; `None` where no chain looks at what comes in.
pub(super) fn fate(ruleset: &Value, packet: &Packet<'_>) -> Option<Fate> {
    let entries = ruleset["nftables"].as_array()?;
    let mut bases: Vec<&Value> = entries
        .iter()
        .filter_map(|entry| entry.get("chain"))
        .filter(|chain| chain["hook"] == "input" && chain["type"] == "filter")
        .filter(|chain| {
            ["ip", "inet"]
                .iter()
                .any(|family| chain["family"] == *family)
        })
        .collect();
    bases.sort_by_key(|chain| chain["prio"].as_i64());
    let mut last = None;
    // One chain that drops is enough; each has to let it through.
    for chain in bases {
        let mut walk = Walk {
            entries,
            packet,
            unsure: false,
            jumps: 0,
        };
        let verdict = walk.chain(chain, chain["name"].as_str()?);
        let passes = match verdict {
            Verdict::Accept => true,
            Verdict::Drop => false,
            Verdict::Return => chain["policy"] != "drop",
        };
        let text = |key: &str| chain[key].as_str().unwrap_or_default();
        let fate = Fate {
            passes,
            by: format!("{} {} {}", text("family"), text("table"), text("name")),
            unsure: walk.unsure,
        };
        if !passes {
            return Some(fate);
        }
        last = Some(fate);
    }
    last
}

struct Walk<'w> {
    entries: &'w [Value],
    packet: &'w Packet<'w>,
    unsure: bool,
    jumps: u32,
}

impl Walk<'_> {
    /// Goes through a chain of the same table as `base`.
    fn chain(&mut self, base: &Value, name: &str) -> Verdict {
        self.jumps += 1;
        if self.jumps > MAX_JUMPS {
            self.unsure = true;
            return Verdict::Return;
        }
        let rules = self.entries.iter().filter_map(|entry| entry.get("rule"));
        let here = rules.filter(|rule| {
            rule["family"] == base["family"]
                && rule["table"] == base["table"]
                && rule["chain"] == name
        });
        for rule in here {
            match self.rule(base, rule) {
                Some(Verdict::Return) => return Verdict::Return,
                Some(verdict) => return verdict,
                None => {}
            }
        }
        Verdict::Return
    }

    /// What a rule decides; nothing where it does not match or only counts.
    fn rule(&mut self, base: &Value, rule: &Value) -> Option<Verdict> {
        for statement in rule["expr"].as_array()? {
            let (name, of) = statement.as_object()?.iter().next()?;
            match name.as_str() {
                "match" if self.matches(of) => {}
                "match" => return None,
                "accept" => return Some(Verdict::Accept),
                "drop" | "reject" => return Some(Verdict::Drop),
                "return" => return Some(Verdict::Return),
                "jump" | "goto" => match self.chain(base, of["target"].as_str()?) {
                    Verdict::Return if name == "jump" => {}
                    verdict => return Some(verdict),
                },
                "counter" | "log" | "comment" => {}
                _ => {
                    self.unsure = true;
                    return None;
                }
            }
        }
        None
    }

    fn matches(&mut self, one: &Value) -> bool {
        let Packet {
            interface,
            protocol,
            port,
            destination,
        } = *self.packet;
        let (left, right) = (&one["left"], &one["right"]);
        let found = match (left["meta"]["key"].as_str(), &left["payload"]) {
            (Some("iifname"), _) => holds(right, &|value| {
                value.as_str().map(|name| {
                    name.strip_suffix('*')
                        .map_or(name == interface, |start| interface.starts_with(start))
                })
            }),
            (Some("iif"), _) => holds(right, &|value| Some(value.as_str()? == interface)),
            (Some("l4proto"), _) => holds(right, &|value| Some(value.as_str()? == protocol)),
            (Some("nfproto"), _) => holds(right, &|value| Some(value == "ipv4")),
            (None, payload) if payload["field"] == "dport" => {
                let of = &payload["protocol"];
                if of == protocol || of == "th" {
                    holds(right, &|value| Some(value.as_u64()? == u64::from(port)))
                } else {
                    Some(false)
                }
            }
            (None, payload) if payload["protocol"] == "ip" && payload["field"] == "protocol" => {
                holds(right, &|value| Some(value.as_str()? == protocol))
            }
            (None, payload) if payload["protocol"] == "ip" && payload["field"] == "daddr" => {
                holds(right, &|value| {
                    Some(value.as_str()?.parse::<Ipv4Addr>().ok()? == destination)
                })
            }
            (None, payload) if payload["protocol"] == "ip6" || payload["protocol"] == "icmp" => {
                Some(false)
            }
            _ if left["ct"]["key"] == "state" => holds(right, &|value| Some(value == "new")),
            _ => None,
        };
        let Some(found) = found else {
            self.unsure = true;
            return false;
        };
        match one["op"].as_str() {
            Some("==" | "in") => found,
            Some("!=") => !found,
            _ => {
                self.unsure = true;
                false
            }
        }
    }
}

/// Whether a value, a set of them or a range holds what is asked; `None` where that is not known.
fn holds(right: &Value, is: &dyn Fn(&Value) -> Option<bool>) -> Option<bool> {
    if let Some(set) = right.get("set").or(Some(right)).and_then(Value::as_array) {
        let mut known = Some(false);
        for value in set {
            match holds(value, is) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = None,
            }
        }
        return known;
    }
    if let Some(range) = right["range"].as_array() {
        let [Some(first), Some(last)] = [range.first()?.as_u64(), range.last()?.as_u64()] else {
            return None;
        };
        // Ports have no wider ranges.
        if last.saturating_sub(first) > u64::from(u16::MAX) {
            return None;
        }
        let mut within = first..=last;
        return within.try_fold(false, |found, value| Some(found || is(&value.into())?));
    }
    is(right)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The rules of an input chain with this policy, as nft 1.0.6 lists them.
    fn ruleset(policy: &str, rules: &[Value]) -> Value {
        let mut entries = vec![
            json!({ "metainfo": { "json_schema_version": 1 } }),
            json!({ "table": { "family": "inet", "name": "filter", "handle": 1 } }),
            json!({ "chain": { "family": "inet", "table": "filter", "name": "input", "handle": 1,
                               "type": "filter", "hook": "input", "prio": 0, "policy": policy } }),
        ];
        entries.extend(rules.iter().map(|rule| {
            json!({ "rule": { "family": "inet", "table": "filter", "chain": "input",
                              "expr": rule } })
        }));
        json!({ "nftables": entries })
    }

    fn dport(protocol: &str, right: &Value) -> Value {
        json!({ "match": { "op": "==", "right": right,
                "left": { "payload": { "protocol": protocol, "field": "dport" } } } })
    }

    fn iifname(op: &str, name: &str) -> Value {
        json!({ "match": { "op": op, "left": { "meta": { "key": "iifname" } }, "right": name } })
    }

    fn dhcp_passes(rules: &Value) -> Option<bool> {
        let packet = Packet {
            interface: "eth1",
            protocol: "udp",
            port: 67,
            destination: Ipv4Addr::BROADCAST,
        };
        fate(rules, &packet).map(|fate| fate.passes)
    }

    #[test]
    fn without_an_input_chain_nothing_is_in_the_way() {
        assert_eq!(dhcp_passes(&json!({ "nftables": [] })), None);
    }

    #[test]
    fn the_policy_decides_what_no_rule_does() {
        assert_eq!(dhcp_passes(&ruleset("accept", &[])), Some(true));
        assert_eq!(dhcp_passes(&ruleset("drop", &[])), Some(false));
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let accept = json!({ "accept": null });
        let drop = json!({ "drop": null });
        let counted = json!({ "counter": { "packets": 0, "bytes": 0 } });
        let range = json!({ "set": [22, { "range": [60, 70] }] });
        for (rules, passes) in [
            (json!([dport("udp", &json!(67)), counted, accept]), true),
            (json!([dport("udp", &range), accept]), true),
            (
                json!([dport("udp", &json!({ "set": [69, 4011] })), accept]),
                false,
            ),
            (json!([dport("tcp", &json!(67)), accept]), false),
            (json!([iifname("==", "eth1"), accept]), true),
            (json!([iifname("==", "eth*"), accept]), true),
            (json!([iifname("!=", "eth1"), accept]), false),
            (json!([iifname("==", "lo"), accept]), false),
        ] {
            assert_eq!(
                dhcp_passes(&ruleset("drop", std::slice::from_ref(&rules))),
                Some(passes),
                "{rules}"
            );
        }
        let both = [json!([dport("udp", &json!(67)), drop]), json!([accept])];
        assert_eq!(dhcp_passes(&ruleset("accept", &both)), Some(false));
    }

    #[test]
    fn established_connections_are_not_first_packets() {
        let states = json!({ "match": { "op": "in", "left": { "ct": { "key": "state" } },
                             "right": ["established", "related"] } });
        let rules = [json!([states, { "accept": null }])];
        assert_eq!(dhcp_passes(&ruleset("drop", &rules)), Some(false));
    }

    #[test]
    fn a_jump_comes_back_and_one_in_a_circle_ends() {
        let mut rules = ruleset("drop", &[json!([{ "jump": { "target": "boot" } }])]);
        let jumped = |expr: Value| {
            json!({ "rule": { "family": "inet", "table": "filter", "chain": "boot",
                              "expr": expr } })
        };
        let entries = rules["nftables"].as_array_mut().expect("a list");
        entries.push(jumped(json!([{ "jump": { "target": "boot" } }])));
        entries.push(jumped(
            json!([dport("udp", &json!(67)), { "accept": null }]),
        ));
        assert_eq!(dhcp_passes(&rules), Some(true));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mark = json!({ "meta": { "key": "mark" } });
        let strange = json!([{ "match": { "op": "==", "left": mark, "right": 1 } },
                             { "accept": null }]);
        let packet = Packet {
            interface: "eth1",
            protocol: "tcp",
            port: 80,
            destination: Ipv4Addr::LOCALHOST,
        };
        let fate = fate(&ruleset("drop", &[strange]), &packet).expect("a chain");
        assert_eq!((fate.passes, fate.unsure), (false, true));
        assert_eq!(fate.by, "inet filter input");
    }
}

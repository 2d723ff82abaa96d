//! The networks that are served, and how full their pools are.

use jiff::Timestamp;
use maud::{Markup, html};

use super::layout;
use crate::admin::Operations;
use crate::admin::documents::{self, Network};
use crate::config::Mode;

pub(super) fn page(of: &Operations, now: Timestamp) -> Markup {
    let networks = documents::networks(of, of.worlds.current().config());
    layout::page("Networks", "/networks", now, &content(&networks))
}

fn content(networks: &[Network]) -> Markup {
    let rows = html! {
        @for network in networks {
            tr {
                th scope="row" { (network.name) }
                td { (network.interface.as_deref().unwrap_or("by a relay")) }
                td { (network.subnet) }
                td { (network.server.to_string()) }
                td { @match network.mode { Mode::Proxy => "proxy", _ => "gives addresses" } }
                td { (pool(network)) }
            }
        }
    };
    let head = [
        "Network",
        "Interface",
        "Subnet",
        "This server",
        "Mode",
        "Addresses in use",
    ];
    layout::table("Networks", &head, &rows)
}

fn pool(network: &Network) -> Markup {
    html! {
        @match &network.pool {
            None => "another server's",
            Some(pool) if pool.addresses == 0 => "no ranges",
            Some(pool) => {
                (pool.in_use) " of " (pool.addresses) " "
                meter min="0" max=(pool.addresses) high=(pool.addresses * 9 / 10) optimum="0"
                    value=(pool.in_use) aria-label={ "Addresses in use on " (network.name) } {}
            }
        }
    }
}

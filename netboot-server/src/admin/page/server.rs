//! This server: whether it is well, and what listens.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{layout, units};
use crate::admin::Operations;
use crate::admin::documents::{self, Status};
use crate::failure::Failure;

pub(super) fn page(of: &Operations, health: &Result<(), Failure>, now: Timestamp) -> Markup {
    let content = content(&documents::status(of), health, now);
    layout::page("Server", "/server", now, &content)
}

fn content(status: &Status, health: &Result<(), Failure>, now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="health" {
            h2 #health { "Health" }
            @match health {
                Ok(()) => p { "Decisions are made, sockets are read, and leases can be written." },
                Err(failure) => {
                    p.failed { strong { "failed: " } (failure.tried) ": " (failure.why) }
                    p { "What to do: " (failure.cure) }
                }
            }
        }
        section aria-labelledby="listens" {
            h2 #listens { "What listens" }
            ul {
                @for endpoint in &status.endpoints {
                    li class=[(!endpoint.listening).then_some("failed")] {
                        (endpoint.name) @if !endpoint.listening { ": waited for" }
                    }
                }
            }
        }
        section aria-labelledby="about" {
            h2 #about { "About" }
            dl {
                dt { "Version" } dd { (status.version) }
                dt { "Started" } dd { (units::relative(status.started, now)) }
                dt { "Images" } dd { (status.images) }
                dt { "Targets" } dd { (status.targets) }
                dt { "Downloads under way" } dd { (status.downloads.len()) }
            }
        }
    }
}

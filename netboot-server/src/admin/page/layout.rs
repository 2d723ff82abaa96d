//! What all pages have in common.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// The pages that every page leads to.
const PLACES: [(&str, &str); 4] = [
    ("/", "Machines"),
    ("/images", "Images"),
    ("/networks", "Networks"),
    ("/server", "Server"),
];

/// A page with this title, made at `now`; `here` is the place that it belongs to.
pub(super) fn page(title: &str, here: &str, now: Timestamp, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · netboot" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to content" }
                header {
                    nav aria-label="Pages" {
                        ul {
                            @for (url, name) in PLACES {
                                li { a href=(url) aria-current=[(url == here).then_some("page")] { (name) } }
                            }
                        }
                    }
                }
                main #content tabindex="-1" {
                    h1 { (title) }
                    (content)
                }
                footer {
                    p #connection {
                        "As of " time datetime=(now) { (now.strftime("%H:%M:%S UTC")) }
                        ". Reload the page to see what changed."
                    }
                }
            }
        }
    }
}

/// A table that can be scrolled by itself where the screen is narrow.
pub(super) fn table(name: &str, head: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(name) tabindex="0" {
            table {
                thead { tr { @for column in head { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

//! The images of the store, and which targets boot them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};
use netboot_image::{Generation, ImageName, Manifest};

use super::{layout, units};
use crate::admin::Operations;
use crate::policy::{self, BootAction};
use crate::world::{Machine, World};

/// Targets that are named for an image.
const NAMED: usize = 12;

pub(super) fn page(of: &Operations, now: Timestamp) -> Markup {
    let world = of.worlds.current();
    let users = users(&world);
    let store = of.worlds.store();
    let content = html! {
        @if world.images().next().is_none() { p { "The store has no image." } }
        @for image in world.images() {
            @let generations = store.generations(image.name()).unwrap_or_default();
            @let of_image = users.get(image.name()).map(Vec::as_slice).unwrap_or_default();
            (one(image, &generations, of_image, now))
        }
        @if !world.broken().is_empty() {
            section aria-labelledby="broken" {
                h2 #broken { "Not usable" }
                ul { @for why in world.broken() { li.failed { (why) } } }
            }
        }
    };
    layout::page("Images", "/images", now, &content)
}

/// The targets that boot each image now, by the policy's own decision.
fn users(world: &World) -> BTreeMap<ImageName, Vec<String>> {
    let mut users: BTreeMap<ImageName, Vec<String>> = BTreeMap::new();
    for target in &world.config().targets {
        let machine = Machine {
            mac: target.mac,
            uuid: target.uuid,
            circuit: target.circuit.clone(),
            ..Machine::default()
        };
        if let BootAction::Image(image, _) = policy::decide(world, &machine).boot {
            users.entry(image).or_default().push(target.name.clone());
        }
    }
    users
}

fn one(image: &Manifest, all: &[Generation], users: &[String], now: Timestamp) -> Markup {
    let size = image.files().map(netboot_image::ImageFile::size).sum();
    let others: Vec<_> = all
        .iter()
        .filter(|one| **one != image.generation())
        .collect();
    html! {
        section id={ "image-" (image.name().to_string()) } {
            h2 { (image.name().to_string()) }
            p { (image.label()) }
            dl {
                dt { "Generation" } dd {
                    (image.generation().to_string())
                    @if let Ok(created) = Timestamp::try_from(image.created()) {
                        ", made " (units::relative(created, now))
                    }
                }
                @if !others.is_empty() {
                    dt { "Other generations" } dd {
                        @for (index, one) in others.iter().enumerate() {
                            @if index > 0 { ", " } (one.to_string())
                        }
                    }
                }
                dt { "Size" } dd { (units::bytes(size)) }
                dt { "Signatures" } dd {
                    @if image.signatures().is_empty() { "none" }
                    @for (index, signature) in image.signatures().iter().enumerate() {
                        @if index > 0 { ", " }
                        (signature.form().as_str()) " of " (signature.of().to_string())
                    }
                }
                dt { "Booted by" } dd {
                    @if users.is_empty() { "no target" }
                    @for (index, name) in users.iter().take(NAMED).enumerate() {
                        @if index > 0 { ", " } (name)
                    }
                    @if users.len() > NAMED { " and " (users.len() - NAMED) " more" }
                }
            }
        }
    }
}

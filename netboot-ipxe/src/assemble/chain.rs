//! The section of what goes on with another script or program.

use alloc::format;

use super::{Assembly, FAILED, GAVE_UP, Place, check::check_url, words::Words};
use crate::{
    arg::Arg,
    command::{Command, ImageCommand, ImageVerb},
    entry::{Chain, Dhcp},
    error::{RenderError, RenderProblem},
    setting::{Setting, SettingType},
};

/// How many network cards are looked at, `net0` to `net31`. Numbers may be missing in between.
const CARDS: u32 = 32;

impl Assembly {
    /// `home` is the menu to go back to.
    pub(super) fn chain(
        &mut self,
        chain: &Chain,
        place: &Place,
        label: &str,
        home: Option<&str>,
    ) -> Result<(), RenderError> {
        check_url(&chain.url).map_err(|problem| place.error("URL", problem))?;
        let mut words = Words::default();
        words.add("program", &chain.args, |_| true, place)?;
        let args = words.finish("program", place)?;
        let hint = chain.hint.as_ref().unwrap_or(&chain.url);
        self.attempt(place, label, &chain.what, hint, chain.retry)?;
        match &chain.dhcp {
            Some(dhcp) => self.over_a_card((chain, args), dhcp, place, label, home)?,
            None => self.go_on(chain, args, home, FAILED),
        }
        Ok(())
    }

    /// Fetches and runs it; goes to the label where it cannot be fetched.
    fn go_on(&mut self, chain: &Chain, args: Arg, home: Option<&str>, failed: &str) {
        let fetch = ImageCommand {
            args,
            ..ImageCommand::new(ImageVerb::Imgselect, Some(chain.url.clone()))
        };
        match home {
            // What it does once it runs is its own affair: a script that ends in `exit 1` has not
            // failed to be fetched.
            Some(menu) => {
                self.script.command(Command::Image(fetch)).or_goto(failed);
                self.script.boot().or_nothing().goto(menu);
            }
            None => {
                let replace = ImageCommand {
                    verb: ImageVerb::Chain,
                    replace: true,
                    ..fetch
                };
                self.script
                    .command(Command::Image(replace))
                    .or_goto(failed)
                    .goto(GAVE_UP);
            }
        }
    }

    /// Fetches it over the card that is told. Where there is no such card, each that gets an
    /// address is tried: one may be on another network, with a DHCP server of its own.
    fn over_a_card(
        &mut self,
        (chain, args): (&Chain, Arg),
        dhcp: &Dhcp,
        place: &Place,
        label: &str,
        home: Option<&str>,
    ) -> Result<(), RenderError> {
        let mut unique = |what: &str| self.labels.unique(&format!("{label}-{what}"));
        let (look, known) = (unique("look"), unique("known"));
        let (next, close) = (unique("next"), unique("close"));
        if let Some(mac) = &dhcp.card {
            place.shown("MAC address", mac)?;
            if mac.is_empty() {
                return Err(place.error("MAC address", RenderProblem::Empty));
            }
            self.script
                .set(&number(), "0")
                .label(&look)
                .iseq(mac_of_card(), mac.clone())
                .and_goto(&known)
                .or_nothing()
                .inc(&number())
                .iseq(number(), Arg::from(CARDS))
                .or_goto(&look);
        }
        self.script
            .set(&number(), "0")
            .label(&next)
            .isset(mac_of_card())
            .or_goto(&close)
            .command(ask(dhcp)?)
            .or_goto(&close);
        self.go_on(chain, args.clone(), home, &close);
        self.script
            .label(&close)
            .command(Command::named("ifclose").word(name_of_card()).build()?)
            .or_nothing()
            .inc(&number())
            .iseq(number(), Arg::from(CARDS))
            .or_goto(&next)
            .goto(FAILED);
        if dhcp.card.is_some() {
            self.script
                .label(&known)
                .command(ask(dhcp)?)
                .or_goto(FAILED);
            self.go_on(chain, args, home, FAILED);
        }
        Ok(())
    }
}

fn ask(dhcp: &Dhcp) -> Result<Command, RenderError> {
    let command = Command::named("dhcp");
    let command = match &dhcp.configurator {
        Some(name) => command.option("configurator", name.clone()),
        None => command,
    };
    command.word(name_of_card()).build()
}

/// The number of the card that is looked at.
fn number() -> Setting {
    Setting::new("boot-card").typed(SettingType::Int32)
}

fn name_of_card() -> Arg {
    Arg::from("net").setting(number())
}

fn mac_of_card() -> Arg {
    Arg::new().computed(name_of_card().text("/mac"))
}

//! What a script does when nobody presses a key, a line a step.

use crate::world::Machine;
use netboot_ipxe::run::{Answer, Effect, End, Run};

/// Steps that are told; a script that waits and tries again would have no end of them.
const MOST: usize = 64;

/// What the script does on a platform, `pcbios` or `efi`, where every fetch succeeds.
pub(super) fn of(script: &str, machine: &Machine, platform: &str) -> Vec<String> {
    let mut run = match Run::new(script) {
        Ok(run) => run,
        Err(error) => return vec![format!("is no script: {error}")],
    };
    let settings = run.settings_mut();
    settings.set("platform", platform);
    if let Some(mac) = machine.mac {
        for card in ["net0/mac", "netX/mac"] {
            settings.set(card, &mac.to_string());
        }
    }
    if let Some(uuid) = machine.uuid {
        settings.set("uuid", &uuid.to_string());
    }
    let mut steps = Vec::new();
    let mut answer = Answer::Done;
    while steps.len() < MOST {
        let effect = run.next(answer);
        let (step, next) = step(effect);
        steps.extend(step);
        match next {
            Some(next) => answer = next,
            None => return steps,
        }
    }
    steps.push("and so on".to_owned());
    steps
}

/// A line for an effect, and what is answered; nothing where the script has come to its end.
fn step(effect: Effect) -> (Option<String>, Option<Answer>) {
    match effect {
        Effect::Echo { text, .. } => (said(&text), Some(Answer::Done)),
        Effect::Prompt {
            text, timeout_ms, ..
        } => {
            let waits = match timeout_ms {
                0 => "waits for a key".to_owned(),
                millis => format!("waits {} s for a key", millis.div_ceil(1000)),
            };
            let line = format!("{waits}: {text}");
            // Without a time it waits for ever.
            (Some(line), (timeout_ms > 0).then_some(Answer::Failed))
        }
        Effect::Sleep { seconds } => (Some(format!("waits {seconds} s")), Some(Answer::Done)),
        Effect::Fetch { uri, .. } => (Some(format!("loads {uri}")), Some(Answer::Done)),
        Effect::Boot {
            kernel, initrds, ..
        } => {
            let names = initrds.iter().map(|image| image.name.as_str());
            let names: Vec<_> = names.filter(|name| *name != kernel.name).collect();
            let mut line = format!("boots {}", kernel.name);
            if !names.is_empty() {
                line.push_str(&format!(" with {}", names.join(", ")));
            }
            if !kernel.args.is_empty() {
                line.push_str(&format!(": {}", kernel.args));
            }
            (Some(line), None)
        }
        Effect::Choose {
            title,
            items,
            default,
            timeout_ms,
        } => {
            let names = items.iter().filter(|item| item.name.is_some());
            let texts: Vec<_> = names.map(|item| item.text.as_str()).collect();
            let line = format!("shows the menu {title:?}: {}", texts.join(" | "));
            let first = items.iter().find_map(|item| item.name.clone());
            let chosen = default.or(first).filter(|_| timeout_ms > 0);
            (Some(line), chosen.map(Answer::Text))
        }
        Effect::Shell => (Some("opens the shell".to_owned()), None),
        Effect::Sanboot { drive, uris } => {
            let from = match uris.first() {
                Some(uri) => uri.clone(),
                None => format!("drive {}", drive.unwrap_or_else(|| "0x80".to_owned())),
            };
            (Some(format!("boots from {from}")), None)
        }
        Effect::Dhcp { interfaces } => {
            let mut line = "asks for an address".to_owned();
            if !interfaces.is_empty() {
                line.push_str(&format!(" on {}", interfaces.join(", ")));
            }
            (Some(line), Some(Answer::Done))
        }
        Effect::Reboot { .. } => (Some("restarts the machine".to_owned()), None),
        Effect::Command { words } => (Some(words.join(" ")), Some(Answer::Done)),
        Effect::End(end) => (Some(ended(&end)), None),
        _ => (None, Some(Answer::Done)),
    }
}

fn said(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| format!("says {text:?}"))
}

fn ended(end: &End) -> String {
    match end {
        End::Exit { status } => {
            format!("leaves iPXE with status {status}: the firmware goes on in its boot order")
        }
        End::Failed { line, command } => format!("fails on line {line}: {command}"),
        End::Replaced => "goes on there".to_owned(),
        End::Unbounded => "has no end".to_owned(),
    }
}

//! A Linux entry's section: kernel, initrds, signatures.

use alloc::{collections::BTreeSet, format};

use crate::{
    arg::{Arg, Part},
    cmdline,
    command::Command,
    entry::LinuxBoot,
    error::{RenderError, RenderProblem, brief},
};

use super::{
    Assembly, FAILED, Place,
    check::{check_url, is_image_char},
    words::Words,
};

impl Assembly {
    pub(super) fn linux(
        &mut self,
        linux: &LinuxBoot,
        place: &Place,
        label: &str,
    ) -> Result<(), RenderError> {
        check_url(&linux.kernel).map_err(|problem| place.error("kernel URL", problem))?;
        let kernel_name = kernel_name(linux);
        let args = kernel_args(linux, kernel_name, place)?;
        if let Some(signer) = &linux.signer {
            place.shown("signer", signer)?;
        }
        let hint = linux.hint.as_ref().unwrap_or(&linux.kernel);
        self.attempt(place, label, &linux.what, hint, linux.retry)?;
        self.script
            .kernel(kernel_name, linux.kernel.clone(), args)
            .or_goto(FAILED);
        for initrd in &linux.initrds {
            self.script
                .initrd(initrd.name.as_str(), initrd.url.clone())
                .or_goto(FAILED);
        }
        let signed = linux
            .initrds
            .iter()
            .map(|initrd| (initrd.name.as_str(), &initrd.signature));
        for (name, signature) in
            core::iter::once((kernel_name, &linux.kernel_signature)).chain(signed)
        {
            let Some(url) = signature else { continue };
            check_url(url).map_err(|problem| place.error("signature URL", problem))?;
            let command = Command::Imgverify {
                signer: linux.signer.clone(),
                keep: false,
                image: name.into(),
                signature: url.clone(),
            };
            self.script.command(command).or_goto(FAILED);
        }
        // A kernel that comes back has not booted either.
        self.script.boot().or_nothing().goto(FAILED);
        Ok(())
    }
}

/// iPXE knows an image by its name without regard to case, and under UEFI the kernel takes the
/// first of that name.
fn kernel_args(linux: &LinuxBoot, kernel_name: &str, place: &Place) -> Result<Arg, RenderError> {
    let mut taken = BTreeSet::from([kernel_name.to_ascii_lowercase()]);
    let mut line = Words::default();
    for initrd in &linux.initrds {
        let at = |what: &str, problem| {
            place.error(
                &format!("initrd `{}`, {what}", brief(&initrd.name)),
                problem,
            )
        };
        if initrd.name.is_empty() {
            return Err(at("name", RenderProblem::Empty));
        }
        if let Some(c) = initrd.name.chars().find(|c| !is_image_char(*c)) {
            return Err(at("name", RenderProblem::Character(c)));
        }
        if !taken.insert(initrd.name.to_ascii_lowercase()) {
            return Err(at("name", RenderProblem::Duplicate));
        }
        check_url(&initrd.url).map_err(|problem| at("URL", problem))?;
        line.word(&Arg::from("initrd=").text(&initrd.name));
    }
    let own = |arg: &Arg| {
        let first = cmdline::texts(arg).next();
        first.is_some_and(|text| text.starts_with("initrd="))
    };
    line.add("kernel", &linux.args, |arg| !own(arg), place)?;
    line.finish("kernel", place)
}

/// The kernel's name as iPXE would make it from the URL, unless an initrd has it or it is no
/// plain name.
fn kernel_name(linux: &LinuxBoot) -> &str {
    let tail = linux
        .kernel
        .parts()
        .last()
        .and_then(|part| match part {
            Part::Text(text) => text.rsplit_once('/'),
            _ => None,
        })
        .map(|(_, tail)| tail)
        .filter(|tail| !tail.is_empty() && tail.chars().all(is_image_char))
        .filter(|tail| {
            !linux
                .initrds
                .iter()
                .any(|initrd| initrd.name.eq_ignore_ascii_case(tail))
        });
    tail.unwrap_or("kernel")
}

//! What every manifest is held to, whether it was read or is about to be published.

use std::collections::HashSet;

use super::{BootMethod, ChainImage, LinuxImage, Manifest, ManifestError};

/// Files that every image has and no manifest may list.
const RESERVED: [&str; 2] = ["SHA256SUMS", "manifest.json"];

/// Tells what is wrong with a manifest, if anything is.
pub(crate) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    if let Some(label) = &manifest.label {
        check_text("label", label, 200, |c| c.is_control())?;
        if label.trim().is_empty() {
            return Err(value("label", label, "is blank"));
        }
    }
    if let Some(description) = &manifest.description {
        check_text("description", description, 4096, |c| {
            c.is_control() && c != '\n'
        })?;
    }
    let unlisted = manifest.signatures.iter().filter(|it| it.listed.is_none());
    let unlisted = unlisted.map(|signature| &signature.file);
    let mut names = HashSet::new();
    for name in manifest.files().map(|file| &file.name).chain(unlisted) {
        let name = name.as_str();
        if RESERVED
            .iter()
            .any(|reserved| reserved.eq_ignore_ascii_case(name))
        {
            return Err(value(
                "file",
                name,
                "is a name that every image already has",
            ));
        }
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(value(
                "file",
                name,
                "is listed twice, or differs from another name only in case",
            ));
        }
    }
    if manifest.signatures.len() > Manifest::MAX_SIGNATURES {
        return Err(value(
            "signatures",
            &manifest.signatures.len().to_string(),
            "are more than an image may have",
        ));
    }
    for signature in &manifest.signatures {
        check_text("signatures.form", signature.form.as_str(), 32, |c| {
            c.is_control()
        })?;
        let of = &signature.of;
        let is_there = *of == "SHA256SUMS" || manifest.contents().any(|file| file.name == *of);
        if !is_there {
            return Err(value(
                "signatures",
                of.as_str(),
                "is signed, and no file of the image",
            ));
        }
        if signature.listed.is_none() != (*of == "SHA256SUMS") {
            return Err(value(
                "signatures",
                signature.file.as_str(),
                "needs a size and a digest, unless it is over SHA256SUMS",
            ));
        }
    }
    if manifest.files.len() > Manifest::MAX_FILES {
        return Err(value(
            "files",
            &manifest.files.len().to_string(),
            "are more than an image may have",
        ));
    }
    match &manifest.boot {
        BootMethod::Linux(linux) => check_linux(linux)?,
        BootMethod::Chain(chain) => {
            if let Some(fault) = ChainImage::fault(&chain.url) {
                return Err(value("url", &chain.url, fault));
            }
        }
        BootMethod::Efi(efi) => {
            let limit = efi.unified.as_ref().map(|unified| unified.cmdline_limit);
            check_cmdline(efi.arguments(), limit)?;
        }
        BootMethod::Iso(_) => {}
    }
    if let Some(source) = &manifest.source {
        for text in source.tool.iter().chain(&source.from) {
            check_text("source", text, 4096, |c| c.is_control())?;
        }
    }
    check_annotations(manifest)
}

fn check_annotations(manifest: &Manifest) -> Result<(), ManifestError> {
    let count = manifest.annotations.len();
    if count > Manifest::MAX_ANNOTATIONS {
        let reason = "are more than an image may have";
        return Err(value("annotations", &count.to_string(), reason));
    }
    for (key, text) in &manifest.annotations {
        let is_key_char = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if key.is_empty() || key.len() > 128 || !key.chars().all(is_key_char) {
            let reason = "is no key of 1 to 128 ASCII letters, digits and ._-/";
            return Err(value("annotations", key, reason));
        }
        check_text("annotations", text, 4096, |c| c.is_control() && c != '\n')?;
    }
    Ok(())
}

fn check_linux(linux: &LinuxImage) -> Result<(), ManifestError> {
    if linux.initrds.len() > LinuxImage::MAX_INITRDS {
        return Err(value(
            "initrds",
            &linux.initrds.len().to_string(),
            "are more than an image may have",
        ));
    }
    if let Some(version) = &linux.kernel_version {
        check_text("kernel.version", version, 256, |c| c.is_control())?;
    }
    check_cmdline(linux.cmdline.iter(), Some(linux.cmdline_limit))
}

/// Arguments, and the longest command line that they may make, where a kernel says so.
fn check_cmdline<'m>(
    arguments: impl Iterator<Item = &'m String>,
    limit: Option<u32>,
) -> Result<(), ManifestError> {
    let mut line = String::new();
    for argument in arguments {
        check_argument(argument)?;
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(argument);
    }
    let len = line.len();
    match limit.filter(|limit| u32::try_from(len).map_or(true, |len| len > *limit)) {
        Some(limit) => {
            let reason = format!("has {len} bytes, and the kernel cuts it at {limit}");
            Err(value("cmdline", &line, reason))
        }
        None => Ok(()),
    }
}

/// One argument of the kernel: white space only between double quotes, as the kernel itself splits
/// (`next_arg` in `lib/cmdline.c`), and nothing that a boot script could not carry in one line.
fn check_argument(argument: &str) -> Result<(), ManifestError> {
    let wrong = |reason: &str| Err(value("cmdline", argument, reason));
    if argument.is_empty() {
        return wrong("is an empty argument");
    }
    if argument.chars().any(char::is_control) {
        return wrong("holds a control character");
    }
    let mut quoted = false;
    for c in argument.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                return wrong("holds white space outside of double quotes");
            }
            _ => {}
        }
    }
    if quoted {
        return wrong("opens a double quote and does not close it");
    }
    if argument == "..." || argument.contains("/.../") {
        return wrong("holds the placeholder \"...\" instead of a path");
    }
    Ok(())
}

fn check_text(
    field: &'static str,
    text: &str,
    max: usize,
    refused: impl Fn(char) -> bool,
) -> Result<(), ManifestError> {
    if text.len() > max {
        return Err(value(
            field,
            text,
            format!("has {} bytes, more than {max}", text.len()),
        ));
    }
    if text.chars().any(refused) {
        return Err(value(field, text, "holds a control character"));
    }
    Ok(())
}

pub(super) fn value(field: &'static str, value: &str, reason: impl ToString) -> ManifestError {
    ManifestError::Value {
        field,
        value: cut(value),
        reason: reason.to_string(),
    }
}

pub(super) fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

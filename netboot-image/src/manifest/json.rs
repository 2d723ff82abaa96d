//! `manifest.json`: the raw form that serde fills, and the checks that turn it into a [`Manifest`].

use std::collections::HashSet;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{
    Architecture, Boot, Generation, ImageFile, LinuxBoot, Manifest, ManifestError, ManifestVersion,
    Source,
};
use crate::{Digest, FileName, ImageName};

/// Fields that this version does not know, kept for the next writer.
pub(crate) type Extra = serde_json::Map<String, serde_json::Value>;

/// Files that every image has and no manifest may list.
const RESERVED: [&str; 2] = ["SHA256SUMS", "manifest.json"];

#[derive(Serialize, Deserialize)]
struct RawManifest {
    version: String,
    name: String,
    generation: u32,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    architecture: Architecture,
    kind: String,
    kernel: RawKernel,
    initrds: Vec<RawFile>,
    cmdline: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<RawSource>,
    #[serde(flatten)]
    extra: Extra,
}

/// Read before all else, so that a kind or version that is not known is named as such.
#[derive(Deserialize)]
struct RawHead {
    version: String,
    kind: String,
}

#[derive(Serialize, Deserialize)]
struct RawKernel {
    file: String,
    size: u64,
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    cmdline_limit: u32,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize)]
struct RawFile {
    file: String,
    size: u64,
    digest: String,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize)]
struct RawSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    #[serde(default)]
    from: Vec<String>,
    #[serde(flatten)]
    extra: Extra,
}

pub(super) fn read(text: &[u8]) -> Result<Manifest, ManifestError> {
    if text.len() > Manifest::MAX_LEN {
        return Err(ManifestError::TooLong { len: text.len() });
    }
    let head: RawHead = serde_json::from_slice(text).map_err(json_error)?;
    let version = read_version(&head.version)?;
    if head.kind != "linux" {
        return Err(ManifestError::Kind {
            kind: cut(&head.kind),
        });
    }
    let raw: RawManifest = serde_json::from_slice(text).map_err(json_error)?;
    let manifest = Manifest {
        version,
        name: ImageName::new(&raw.name).map_err(|error| value("name", &raw.name, error))?,
        generation: Generation::new(raw.generation)
            .ok_or_else(|| value("generation", "0", "generations count from 1"))?,
        created: read_time(&raw.created)?,
        label: raw.label,
        description: raw.description,
        architecture: raw.architecture,
        boot: Boot::Linux(LinuxBoot {
            kernel: read_file(
                "kernel",
                &raw.kernel.file,
                raw.kernel.size,
                &raw.kernel.digest,
                raw.kernel.extra,
            )?,
            kernel_version: raw.kernel.version,
            cmdline_limit: raw.kernel.cmdline_limit,
            initrds: raw
                .initrds
                .into_iter()
                .map(|raw| read_file("initrds", &raw.file, raw.size, &raw.digest, raw.extra))
                .collect::<Result<_, _>>()?,
            cmdline: raw.cmdline,
        }),
        source: raw.source.map(|raw| Source {
            tool: raw.tool,
            from: raw.from,
            extra: raw.extra,
        }),
        extra: raw.extra,
    };
    check(&manifest)?;
    Ok(manifest)
}

pub(super) fn write(manifest: &Manifest) -> String {
    let Boot::Linux(linux) = &manifest.boot;
    let raw = RawManifest {
        version: manifest.version.to_string(),
        name: manifest.name.to_string(),
        generation: manifest.generation.number(),
        created: write_time(manifest.created),
        label: manifest.label.clone(),
        description: manifest.description.clone(),
        architecture: manifest.architecture,
        kind: "linux".to_owned(),
        kernel: RawKernel {
            file: linux.kernel.name.to_string(),
            size: linux.kernel.size,
            digest: linux.kernel.digest.to_string(),
            version: linux.kernel_version.clone(),
            cmdline_limit: linux.cmdline_limit,
            extra: linux.kernel.extra.clone(),
        },
        initrds: linux
            .initrds
            .iter()
            .map(|file| RawFile {
                file: file.name.to_string(),
                size: file.size,
                digest: file.digest.to_string(),
                extra: file.extra.clone(),
            })
            .collect(),
        cmdline: linux.cmdline.clone(),
        source: manifest.source.as_ref().map(|source| RawSource {
            tool: source.tool.clone(),
            from: source.from.clone(),
            extra: source.extra.clone(),
        }),
        extra: manifest.extra.clone(),
    };
    let mut text = serde_json::to_string_pretty(&raw)
        .expect("text, numbers and maps with text keys always make JSON");
    text.push('\n');
    text
}

/// Holds what was read, and what is about to be published, to the same rules.
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
    let mut names = HashSet::new();
    for file in manifest.files() {
        let name = file.name.as_str();
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
    let Boot::Linux(linux) = &manifest.boot;
    if linux.initrds.len() > LinuxBoot::MAX_INITRDS {
        return Err(value(
            "initrds",
            &linux.initrds.len().to_string(),
            "are more than an image may have",
        ));
    }
    if let Some(version) = &linux.kernel_version {
        check_text("kernel.version", version, 256, |c| c.is_control())?;
    }
    for argument in &linux.cmdline {
        check_argument(argument)?;
    }
    let len: usize = linux
        .cmdline
        .iter()
        .map(|argument| argument.len() + 1)
        .sum::<usize>()
        .saturating_sub(1);
    if u32::try_from(len).map_or(true, |len| len > linux.cmdline_limit) {
        let reason = format!(
            "has {len} bytes, and the kernel cuts it at {}",
            linux.cmdline_limit
        );
        return Err(value("cmdline", &linux.cmdline.join(" "), reason));
    }
    if let Some(source) = &manifest.source {
        for text in source.tool.iter().chain(&source.from) {
            check_text("source", text, 4096, |c| c.is_control())?;
        }
    }
    Ok(())
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

fn read_file(
    field: &'static str,
    name: &str,
    size: u64,
    digest: &str,
    extra: Extra,
) -> Result<ImageFile, ManifestError> {
    if !digest.starts_with("sha256:") {
        return Err(value(
            field,
            digest,
            "is no digest with its algorithm before it",
        ));
    }
    let digest: Digest = digest
        .parse()
        .map_err(|error| value(field, digest, error))?;
    let name = FileName::new(name).map_err(|error| value(field, name, error))?;
    Ok(ImageFile {
        name,
        size,
        digest,
        extra,
    })
}

fn read_version(text: &str) -> Result<ManifestVersion, ManifestError> {
    let number = |digits: &str| {
        digits
            .parse::<u16>()
            .ok()
            .filter(|number| number.to_string() == digits)
    };
    let version = text.split_once('.').and_then(|(major, minor)| {
        Some(ManifestVersion {
            major: number(major)?,
            minor: number(minor)?,
        })
    });
    match version {
        Some(version) if version.major == 1 => Ok(version),
        _ => Err(ManifestError::Version { version: cut(text) }),
    }
}

fn read_time(text: &str) -> Result<SystemTime, ManifestError> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| value("created", text, "is no time as RFC 3339 writes it"))?;
    Ok(whole_seconds(time).into())
}

fn write_time(time: SystemTime) -> String {
    // A time that RFC 3339 cannot write has been cut to the nearest one on its way in.
    whole_seconds(timestamp(time)).to_string()
}

/// A time as a manifest keeps it: in whole seconds, from the years that RFC 3339 can write.
#[cfg(all(unix, feature = "store"))]
pub(crate) fn created(now: SystemTime) -> SystemTime {
    whole_seconds(timestamp(now)).into()
}

fn timestamp(time: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(time).unwrap_or(if time < SystemTime::UNIX_EPOCH {
        jiff::Timestamp::UNIX_EPOCH
    } else {
        jiff::Timestamp::MAX
    })
}

fn whole_seconds(time: jiff::Timestamp) -> jiff::Timestamp {
    let second = time.as_second().clamp(0, jiff::Timestamp::MAX.as_second());
    jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn json_error(error: serde_json::Error) -> ManifestError {
    let (line, column) = (error.line(), error.column());
    let place = format!(" at line {line} column {column}");
    let message = error.to_string();
    let message = message.strip_suffix(&place).unwrap_or(&message);
    ManifestError::Json {
        line,
        column,
        message: cut(message),
    }
}

fn value(field: &'static str, value: &str, reason: impl ToString) -> ManifestError {
    ManifestError::Value {
        field,
        value: cut(value),
        reason: reason.to_string(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

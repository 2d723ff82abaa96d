//! `manifest.json`: the raw form that serde fills, and from there to a [`Manifest`] and back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::{check, cut, value};
use super::time::{read_time, write_time};
use super::{
    Architecture, BootMethod, ChainImage, EfiImage, Generation, ImageFile, IsoImage, LinuxImage,
    Manifest, ManifestError, ManifestVersion, Signature, SignatureForm, Source, UnifiedKernel,
};
use crate::{FileName, ImageName};

/// Fields that this version does not know, kept for the next writer.
pub(crate) type Extra = serde_json::Map<String, serde_json::Value>;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    architecture: Option<Architecture>,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel: Option<RawKernel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initrds: Option<Vec<RawFile>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cmdline: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<RawProgram>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disc: Option<RawFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<RawFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<RawSignature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<RawSource>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
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
struct RawProgram {
    file: String,
    size: u64,
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unified: Option<RawUnified>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cmdline: Vec<String>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize)]
struct RawUnified {
    cmdline_limit: u32,
    cmdline: Vec<String>,
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
struct RawSignature {
    form: String,
    of: String,
    file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
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
    let kind = ["linux", "efi", "chain", "iso"]
        .into_iter()
        .find(|kind| *kind == head.kind)
        .ok_or_else(|| ManifestError::Kind {
            kind: cut(&head.kind),
        })?;
    let mut raw: RawManifest = serde_json::from_slice(text).map_err(json_error)?;
    let manifest = Manifest {
        version,
        name: ImageName::parse(&raw.name).map_err(|error| value("name", &raw.name, error))?,
        generation: Generation::new(raw.generation)
            .ok_or_else(|| value("generation", "0", "generations count from 1"))?,
        created: read_time(&raw.created)?,
        boot: read_boot(kind, &mut raw)?,
        label: raw.label,
        description: raw.description,
        architecture: raw.architecture,
        files: read_files("files", raw.files)?,
        signatures: raw
            .signatures
            .into_iter()
            .map(read_signature)
            .collect::<Result<_, _>>()?,
        source: raw.source.map(|raw| Source {
            tool: raw.tool,
            from: raw.from,
            extra: raw.extra,
        }),
        annotations: raw.annotations,
        extra: raw.extra,
    };
    check(&manifest)?;
    Ok(manifest)
}

/// What the fields of a kind say; fields of another kind are refused rather than dropped.
fn read_boot(kind: &'static str, raw: &mut RawManifest) -> Result<BootMethod, ManifestError> {
    let missing = |field| ManifestError::Missing { kind, field };
    let boot = match kind {
        "efi" => {
            let program = raw.program.take().ok_or_else(|| missing("program"))?;
            raw.architecture.ok_or_else(|| missing("architecture"))?;
            BootMethod::Efi(EfiImage {
                unified: program.unified.map(|raw| UnifiedKernel {
                    cmdline_limit: raw.cmdline_limit,
                    cmdline: raw.cmdline,
                    extra: raw.extra,
                }),
                cmdline: program.cmdline,
                program: read_file(
                    "program",
                    RawFile {
                        file: program.file,
                        size: program.size,
                        digest: program.digest,
                        extra: program.extra,
                    },
                )?,
            })
        }
        "chain" => BootMethod::Chain(ChainImage {
            url: raw.url.take().ok_or_else(|| missing("url"))?,
        }),
        "iso" => BootMethod::Iso(IsoImage {
            disc: read_file("disc", raw.disc.take().ok_or_else(|| missing("disc"))?)?,
        }),
        _ => {
            let kernel = raw.kernel.take().ok_or_else(|| missing("kernel"))?;
            let initrds = raw.initrds.take().ok_or_else(|| missing("initrds"))?;
            let cmdline = raw.cmdline.take().ok_or_else(|| missing("cmdline"))?;
            raw.architecture.ok_or_else(|| missing("architecture"))?;
            BootMethod::Linux(LinuxImage {
                kernel_version: kernel.version,
                cmdline_limit: kernel.cmdline_limit,
                kernel: read_file(
                    "kernel",
                    RawFile {
                        file: kernel.file,
                        size: kernel.size,
                        digest: kernel.digest,
                        extra: kernel.extra,
                    },
                )?,
                initrds: read_files("initrds", initrds)?,
                cmdline,
            })
        }
    };
    let foreign = [
        ("kernel", raw.kernel.is_some()),
        ("initrds", raw.initrds.is_some()),
        ("cmdline", raw.cmdline.is_some()),
        ("program", raw.program.is_some()),
        ("url", raw.url.is_some()),
        ("disc", raw.disc.is_some()),
    ];
    match foreign.into_iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err(ManifestError::Foreign { kind, field }),
        None => Ok(boot),
    }
}

fn write_file(file: &ImageFile) -> RawFile {
    RawFile {
        file: file.name.to_string(),
        size: file.size,
        digest: file.digest.to_string(),
        extra: file.extra.clone(),
    }
}

fn write_signature(signature: &Signature) -> RawSignature {
    let listed = signature.listed.as_ref();
    RawSignature {
        form: signature.form.to_string(),
        of: signature.of.to_string(),
        file: signature.file.to_string(),
        size: listed.map(|listed| listed.size),
        digest: listed.map(|listed| listed.digest.to_string()),
        extra: signature.extra.clone(),
    }
}

pub(super) fn write(manifest: &Manifest) -> String {
    let (mut kernel, mut initrds, mut cmdline) = (None, None, None);
    let (mut program, mut url, mut disc) = (None, None, None);
    match &manifest.boot {
        BootMethod::Linux(linux) => {
            kernel = Some(RawKernel {
                file: linux.kernel.name.to_string(),
                size: linux.kernel.size,
                digest: linux.kernel.digest.to_string(),
                version: linux.kernel_version.clone(),
                cmdline_limit: linux.cmdline_limit,
                extra: linux.kernel.extra.clone(),
            });
            initrds = Some(linux.initrds.iter().map(write_file).collect());
            cmdline = Some(linux.cmdline.clone());
        }
        BootMethod::Efi(efi) => {
            program = Some(RawProgram {
                file: efi.program.name.to_string(),
                size: efi.program.size,
                digest: efi.program.digest.to_string(),
                unified: efi.unified.as_ref().map(|unified| RawUnified {
                    cmdline_limit: unified.cmdline_limit,
                    cmdline: unified.cmdline.clone(),
                    extra: unified.extra.clone(),
                }),
                cmdline: efi.cmdline.clone(),
                extra: efi.program.extra.clone(),
            });
        }
        BootMethod::Chain(chain) => url = Some(chain.url.clone()),
        BootMethod::Iso(iso) => disc = Some(write_file(&iso.disc)),
    }
    let raw = RawManifest {
        version: manifest.version.to_string(),
        name: manifest.name.to_string(),
        generation: manifest.generation.number(),
        created: write_time(manifest.created),
        label: manifest.label.clone(),
        description: manifest.description.clone(),
        architecture: manifest.architecture,
        kind: manifest.boot.kind().to_owned(),
        kernel,
        initrds,
        cmdline,
        program,
        url,
        disc,
        files: manifest.files.iter().map(write_file).collect(),
        signatures: manifest.signatures.iter().map(write_signature).collect(),
        source: manifest.source.as_ref().map(|source| RawSource {
            tool: source.tool.clone(),
            from: source.from.clone(),
            extra: source.extra.clone(),
        }),
        annotations: manifest.annotations.clone(),
        extra: manifest.extra.clone(),
    };
    let mut text = serde_json::to_string_pretty(&raw)
        .expect("text, numbers and maps with text keys always make JSON");
    text.push('\n');
    text
}

fn read_file(field: &'static str, raw: RawFile) -> Result<ImageFile, ManifestError> {
    if !raw.digest.starts_with("sha256:") {
        return Err(value(
            field,
            &raw.digest,
            "is no digest with its algorithm before it",
        ));
    }
    Ok(ImageFile {
        digest: raw
            .digest
            .parse()
            .map_err(|error| value(field, &raw.digest, error))?,
        name: FileName::parse(&raw.file).map_err(|error| value(field, &raw.file, error))?,
        size: raw.size,
        extra: raw.extra,
    })
}

fn read_files(field: &'static str, raw: Vec<RawFile>) -> Result<Vec<ImageFile>, ManifestError> {
    raw.into_iter().map(|raw| read_file(field, raw)).collect()
}

fn read_signature(raw: RawSignature) -> Result<Signature, ManifestError> {
    let name = |text: &str| FileName::parse(text).map_err(|error| value("signatures", text, error));
    let listed = match (raw.size, raw.digest) {
        (Some(size), Some(digest)) => Some(read_file(
            "signatures",
            RawFile {
                file: raw.file.clone(),
                size,
                digest,
                extra: Extra::default(),
            },
        )?),
        (None, None) => None,
        _ => {
            let reason = "has a size without a digest or a digest without a size";
            return Err(value("signatures", &raw.file, reason));
        }
    };
    Ok(Signature {
        form: SignatureForm::read(raw.form),
        of: name(&raw.of)?,
        file: name(&raw.file)?,
        listed,
        extra: raw.extra,
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

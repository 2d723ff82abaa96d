//! Signatures in the store: made while an image is published, and checked where they stand.
//!
//! A generation never changes, so an image that is there already is signed by publishing its files
//! once more.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use super::new_image::Boots;
use super::publish::{Copies, finish};
use super::{Input, NewImage, Progress, Published, Store, StoreError};
use crate::manifest::Extra;
use crate::{
    BootMethod, Digest, FileName, Generation, ImageFile, ImageName, Manifest, Signature,
    SignatureError, SignatureForm, Signer, Trust,
};

const SUMS: &str = "SHA256SUMS";

/// What came of one signature that should be there.
#[derive(Debug)]
#[non_exhaustive]
pub struct SignatureReport {
    /// The file that is signed, or should be.
    pub of: FileName,
    /// The form that was looked for.
    pub form: SignatureForm,
    /// Whether it holds, and is by somebody who is trusted.
    pub result: Result<(), SignatureError>,
}

impl Store {
    /// Signs an image that is in the store: publishes its current generation once more, with
    /// signatures.
    ///
    /// Everything else stays as it is, fields of later versions and signatures in other forms over
    /// the same files included. A file that is damaged is not signed.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); [`StoreError::Unsigned`], and [`StoreError::Overtaken`] where
    /// somebody else publishes the image at the same time.
    pub fn sign(
        &self,
        now: SystemTime,
        name: &ImageName,
        signers: impl IntoIterator<Item = Signer>,
    ) -> Result<Published, StoreError> {
        self.sign_with(now, name, signers, &mut |_| ControlFlow::Continue(()))
    }

    /// Signs as [`sign`](Self::sign) does, and calls `progress` with how far it is.
    ///
    /// # Errors
    /// As [`sign`](Self::sign), and [`StoreError::Cancelled`].
    pub fn sign_with(
        &self,
        now: SystemTime,
        name: &ImageName,
        signers: impl IntoIterator<Item = Signer>,
        progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Published, StoreError> {
        let manifest = self.image(name, None)?;
        let dir = self.generation_dir(name, manifest.generation());
        let input = |file: &ImageFile| Input::from(dir.join(file.name.as_str()));
        let boots = match &manifest.boot {
            BootMethod::Linux(linux) => Boots::Linux(input(&linux.kernel)),
            BootMethod::Efi(efi) => Boots::Efi(input(&efi.program)),
            BootMethod::Chain(chain) => Boots::Chain(chain.url.clone()),
            BootMethod::Iso(iso) => Boots::Iso(input(&iso.disc)),
        };
        let mut image = NewImage::new(name.clone(), boots);
        match &manifest.boot {
            BootMethod::Linux(linux) => {
                image.initrds = linux.initrds.iter().map(input).collect();
                image.cmdline.clone_from(&linux.cmdline);
            }
            BootMethod::Efi(efi) => image.cmdline.clone_from(&efi.cmdline),
            BootMethod::Chain(_) | BootMethod::Iso(_) => {}
        }
        image.label.clone_from(&manifest.label);
        image.description.clone_from(&manifest.description);
        image.source.clone_from(&manifest.source);
        image.annotations.clone_from(&manifest.annotations);
        let beside = manifest.files.iter();
        image.files = beside
            .map(|file| (file.name.clone(), input(file)))
            .collect();
        image.signers = signers.into_iter().collect();
        image.again = Some(manifest);
        self.publish_with(now, image, progress)
    }

    /// Checks the signatures of an image's current generation, or of the one given: for each form
    /// that somebody is trusted in, the one over `SHA256SUMS`, and with CMS that over every file as
    /// well.
    ///
    /// Signatures are over the bytes as they are now; that those are the ones of the manifest is
    /// for [`verify`](Self::verify) to say.
    ///
    /// # Errors
    /// That there is no such image, or that its manifest cannot be used. A signature that is
    /// missing or does not hold stands in the reports.
    pub fn verify_signatures(
        &self,
        name: &ImageName,
        generation: Option<Generation>,
        trust: &[Trust],
    ) -> Result<Vec<SignatureReport>, StoreError> {
        let manifest = self.image(name, generation)?;
        let dir = self.generation_dir(name, manifest.generation());
        let mut reports = Vec::new();
        for trusted in trust {
            let form = match trusted {
                Trust::Cms { .. } => SignatureForm::Cms,
                Trust::OpenPgp { .. } => SignatureForm::OpenPgp,
            };
            let files = signed_files(&form, &manifest);
            for of in files {
                let path = dir.join(of.as_str());
                let mut made = manifest.signatures.iter();
                let result = match made.find(|it| it.form == form && it.of == of) {
                    Some(made) => trusted.verify(&path, &dir.join(made.file.as_str())),
                    None => Err(SignatureError::Unsigned { file: path }),
                };
                let form = form.clone();
                reports.push(SignatureReport { of, form, result });
            }
        }
        Ok(reports)
    }

    /// Refuses to sign with a key that anybody could fetch.
    pub(super) fn refuse_own_keys(&self, image: &NewImage) -> Result<(), StoreError> {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let root = real(&self.root);
        for key in image.signers.iter().filter_map(Signer::secret) {
            if real(key).starts_with(&root) {
                return Err(StoreError::Unsigned {
                    name: image.name.clone(),
                    source: SignatureError::KeyInStore {
                        key: key.to_owned(),
                    },
                });
            }
        }
        Ok(())
    }
}

impl Copies<'_> {
    /// Makes a manifest that of the generation before once more: its files must be the same, and
    /// what else it says and no signer says anew stays.
    pub(super) fn inherit(
        &mut self,
        manifest: &mut Manifest,
        before: &Manifest,
        signers: &[Signer],
    ) -> Result<(), StoreError> {
        let dir = self.store.generation_dir(&before.name, before.generation);
        let same = |file: &ImageFile| {
            let old = before.file(file.name.as_str());
            old.is_some_and(|old| (old.size, old.digest) == (file.size, file.digest))
        };
        if let Some(other) = manifest.contents().find(|file| !same(file)) {
            return Err(StoreError::Damaged {
                path: dir.join(other.name.as_str()),
                reason: format!("its digest is {}", other.digest),
            });
        }
        *manifest = Manifest {
            created: manifest.created,
            signatures: Vec::new(),
            ..before.clone()
        };
        for signature in &before.signatures {
            let anew = signers.iter().any(|signer| form(signer) == signature.form);
            if let (Some(listed), false) = (&signature.listed, anew) {
                let name = signature.file.clone();
                let copied = self.copy(dir.join(name.as_str()).into(), name)?;
                if (copied.file.size, copied.file.digest) == (listed.size, listed.digest) {
                    manifest.signatures.push(signature.clone());
                } else {
                    return Err(StoreError::Damaged {
                        path: dir.join(signature.file.as_str()),
                        reason: format!("its digest is {}", copied.file.digest),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Signs the files with those who sign each, and lists the signatures of all signers in the
/// manifest.
pub(super) fn sign_files(
    signers: &[Signer],
    dir: &Path,
    manifest: &mut Manifest,
) -> Result<(), StoreError> {
    for signer in signers {
        let form = form(signer);
        for of in signed_files(&form, manifest) {
            let file = FileName::parse(&format!("{of}.{}", ending(&form)))
                .map_err(|error| refused(manifest, &of, error))?;
            let listed = match of.as_str() {
                SUMS => None,
                _ => Some(sign(signer, dir, manifest, &of, &file)?),
            };
            manifest.signatures.push(Signature {
                form: form.clone(),
                of,
                file,
                listed,
                extra: Extra::default(),
            });
        }
    }
    super::publish::check(manifest)
}

/// Signs `SHA256SUMS` with those who sign that.
pub(super) fn sign_sums(
    signers: &[Signer],
    dir: &Path,
    manifest: &Manifest,
) -> Result<(), StoreError> {
    let unlisted = |it: &&Signature| it.listed.is_none();
    for signer in signers {
        let mut made = manifest.signatures.iter().filter(unlisted);
        if let Some(made) = made.find(|made| made.form == form(signer)) {
            sign(signer, dir, manifest, &made.of, &made.file)?;
        }
    }
    Ok(())
}

/// Signs one file of the staging directory, and makes the signature as lasting as the file.
fn sign(
    signer: &Signer,
    dir: &Path,
    manifest: &Manifest,
    of: &FileName,
    file: &FileName,
) -> Result<ImageFile, StoreError> {
    let path = dir.join(file.as_str());
    signer
        .sign(&dir.join(of.as_str()), &path)
        .map_err(|source| StoreError::Unsigned {
            name: manifest.name.clone(),
            source,
        })?;
    let unreadable = |source| StoreError::io("read", &path, source);
    let (digest, size) = Digest::of_file(&path).map_err(unreadable)?;
    finish(&File::open(&path).map_err(unreadable)?, &path)?;
    Ok(ImageFile {
        name: file.clone(),
        size,
        digest,
        extra: Extra::default(),
    })
}

/// What is signed in a form: `SHA256SUMS`, which stands for all else, and with CMS each file as
/// well, since iPXE checks what it loads one by one.
fn signed_files(form: &SignatureForm, manifest: &Manifest) -> Vec<FileName> {
    let each = manifest.contents().filter(|_| *form == SignatureForm::Cms);
    let each = each.map(|file| file.name.clone());
    each.chain([FileName::of_image(SUMS)]).collect()
}

fn form(signer: &Signer) -> SignatureForm {
    match signer {
        Signer::Cms { .. } => SignatureForm::Cms,
        Signer::OpenPgp { .. } => SignatureForm::OpenPgp,
    }
}

/// `.p7s` is what RFC 8551 section 3.2.1 calls a detached CMS signature, `.sig` what `gpg` itself
/// calls its own.
fn ending(form: &SignatureForm) -> &'static str {
    match form {
        SignatureForm::Cms => "p7s",
        _ => "sig",
    }
}

fn refused(manifest: &Manifest, of: &FileName, error: crate::NameError) -> StoreError {
    StoreError::Manifest {
        name: manifest.name.clone(),
        reason: crate::ManifestError::Value {
            field: "signatures",
            value: of.to_string(),
            reason: error.to_string(),
        },
    }
}

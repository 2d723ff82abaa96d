//! Publishing: copies into the staging directory, then one rename.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use super::hashed_copy::{CopySource, hashed_copy};
use super::new_image::{Boots, Origin};
use super::read::open_source;
use super::signing::{sign_files, sign_sums};
use super::{
    Input, Lock, NewImage, Progress, Published, Step, Store, StoreError, read_dir, rename,
    sync_dir, unified,
};
use crate::manifest::{self, Extra};
use crate::{
    Architecture, BootMethod, ChainImage, CopyError, Digest, EfiImage, FileName, Generation,
    ImageFile, IsoImage, Kernel, LinuxImage, Looks, Manifest, ManifestError, ManifestVersion, Pe,
    Sha256Sums, Signer,
};

type Callback<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

impl Store {
    /// Publishes an image as the next generation of its name, whole or not at all.
    ///
    /// The files are copied into the store, or share their extents with it where the file system
    /// can, and are hashed meanwhile, checked and flushed to the disk; then one rename makes them
    /// current. `now` becomes the manifest's `created`. Content that the store already has is
    /// shared with it, once what is there was read and found whole. Other writers wait only while
    /// names change, not while bytes are copied.
    ///
    /// [`publish_with`](Self::publish_with) says how far it is, and can be broken off.
    ///
    /// # Errors
    /// What is wrong with the image, or what the file system refused: the image is then what it was
    /// before, and nothing is left behind. [`StoreError::Unsettled`] is the one error after which
    /// the new generation is current.
    pub fn publish(&self, now: SystemTime, image: NewImage) -> Result<Published, StoreError> {
        self.publish_with(now, image, &mut |_| ControlFlow::Continue(()))
    }

    /// Publishes as [`publish`](Self::publish) does, and calls `progress` with how far it is. Where
    /// that breaks before the image is current, nothing is left behind.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and [`StoreError::Cancelled`].
    pub fn publish_with(
        &self,
        now: SystemTime,
        image: NewImage,
        progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Published, StoreError> {
        let name = image.name.clone();
        self.current(&name)?;
        self.refuse_own_keys(&image)?;
        let signers = image.signers.clone();
        let again = image.again.as_ref().map(Manifest::generation);
        let staging = self.stage()?;
        step(progress, Step::Staged)?;
        let files = staging.path.join("files");
        self.make_dir(&files)?;
        let mut copies = Copies {
            store: self,
            dir: &files,
            progress: &mut *progress,
            damaged: Vec::new(),
        };
        let mut manifest = copies.take(now, image)?;
        sign_files(&signers, &files, &mut manifest)?;
        let damaged = copies.damaged;
        step(progress, Step::Copied)?;

        let lock = self.lock()?;
        step(progress, Step::Locked)?;
        let replaced = self.current(&name)?;
        if again.is_some() && again != replaced {
            return Err(StoreError::Overtaken { name });
        }
        manifest.generation = self.next_generation(&name)?;
        self.describe(&files, &manifest, &signers)?;
        step(progress, Step::Described)?;

        let counter = self.change_counter()?;
        if let Some(replaced) = replaced {
            self.last_current(now, &name, replaced)?;
        }
        let place = self.place(&lock, &files, &manifest)?;
        let switched = step(progress, Step::Placed)
            .and_then(|()| self.switch(&lock, &staging, &manifest.name, manifest.generation));
        if let Err(error) = switched {
            self.take_back(&files, &manifest)?;
            return Err(error);
        }
        self.share(&lock, &place, &manifest, &damaged);
        // It is too late to break.
        let _ = progress(Progress::Step(Step::Switched));
        self.settle(&counter, &name, manifest.generation)?;
        Ok(Published { manifest, replaced })
    }

    /// Puts new contents among the blobs. What cannot be put there, as on a file system without
    /// hard links, only takes its room again the next time; so this comes after the switch and
    /// never fails.
    fn share(&self, _lock: &Lock, place: &Path, manifest: &Manifest, damaged: &[Digest]) {
        for file in manifest.files() {
            let blob = self.blob(file.digest);
            if damaged.contains(&file.digest) {
                drop(fs::remove_file(&blob));
            }
            drop(fs::hard_link(place.join(file.name.as_str()), &blob));
        }
    }

    /// Writes `manifest.json`, `SHA256SUMS` and the signatures over the latter, which holds the
    /// digest of the former too.
    fn describe(
        &self,
        files: &Path,
        manifest: &Manifest,
        signers: &[Signer],
    ) -> Result<(), StoreError> {
        let json = manifest.to_json();
        if json.len() > Manifest::MAX_LEN {
            let reason = ManifestError::TooLong { len: json.len() };
            return Err(StoreError::Manifest {
                name: manifest.name.clone(),
                reason,
            });
        }
        let mut sums = Sha256Sums::default();
        for file in manifest.files() {
            sums.push(file.digest, file.name.as_str());
        }
        sums.push(Digest::of(json.as_bytes()), "manifest.json");
        for (name, content) in [
            ("manifest.json", json.into_bytes()),
            ("SHA256SUMS", sums.to_bytes()),
        ] {
            let path = files.join(name);
            let mut file = create(&path)?;
            file.write_all(&content)
                .map_err(|source| StoreError::io("write", &path, source))?;
            finish(&file, &path)?;
        }
        sign_sums(signers, files, manifest)?;
        for path in read_dir(files)? {
            self.hand_over(&path)?;
        }
        let dated = File::open(files).and_then(|dir| dir.set_modified(manifest.created));
        dated.map_err(|source| StoreError::io("set the time of", files, source))?;
        sync_dir(files)
    }
}

/// The copies of an image's files, on their way into the staging directory.
pub(super) struct Copies<'a> {
    pub(super) store: &'a Store,
    dir: &'a Path,
    progress: &'a mut Callback<'a>,
    /// Contents that the store has, but not as they should be.
    damaged: Vec<Digest>,
}

/// A file that was copied, and its beginning.
pub(super) struct Copied {
    pub(super) file: ImageFile,
    head: Vec<u8>,
}

/// What is booted, and on which processor.
type Taken = (BootMethod, Option<Architecture>);

impl Copies<'_> {
    /// Copies all files and gives the manifest, with a generation that is yet to be settled.
    fn take(&mut self, now: SystemTime, image: NewImage) -> Result<Manifest, StoreError> {
        let kind = image.boots.kind();
        for (field, is_there, kinds) in [
            ("initrds", !image.initrds.is_empty(), &["linux"][..]),
            ("cmdline", !image.cmdline.is_empty(), &["linux", "efi"]),
        ] {
            if is_there && !kinds.contains(&kind) {
                return Err(StoreError::Manifest {
                    name: image.name,
                    reason: ManifestError::Foreign { kind, field },
                });
            }
        }
        let (boot, architecture) = match image.boots {
            Boots::Linux(kernel) => self.take_kernel(kernel, image.cmdline)?,
            Boots::Efi(program) => self.take_program(program, image.cmdline)?,
            Boots::Chain(url) => (BootMethod::Chain(ChainImage { url }), None),
            Boots::Iso(disc) => (self.take_disc(disc)?, None),
        };
        let mut manifest = Manifest {
            version: ManifestVersion::CURRENT,
            name: image.name,
            generation: Generation::FIRST,
            created: manifest::created(now),
            label: image.label,
            description: image.description,
            architecture,
            boot,
            files: Vec::new(),
            signatures: Vec::new(),
            source: image.source,
            annotations: image.annotations,
            extra: Extra::default(),
        };
        // Now, since the large files are yet to be copied, and once more with each of them.
        check(&manifest)?;
        for (initrd, number) in image.initrds.into_iter().zip(1_usize..) {
            let initrd = self.take_initrd(initrd, number)?;
            if let BootMethod::Linux(linux) = &mut manifest.boot {
                linux.initrds.push(initrd);
            }
            check(&manifest)?;
        }
        for (name, content) in image.files {
            // A name that is taken is found before the copy would meet the file of that name.
            manifest.files.push(ImageFile {
                name: name.clone(),
                size: 0,
                digest: Digest::of(&[]),
                extra: Extra::default(),
            });
            check(&manifest)?;
            let copied = self.copy(content, name)?;
            manifest.files.pop();
            manifest.files.push(copied.file);
        }
        if let Some(before) = image.again {
            self.inherit(&mut manifest, &before, &image.signers)?;
        }
        Ok(manifest)
    }

    fn take_kernel(&mut self, kernel: Input, cmdline: Vec<String>) -> Result<Taken, StoreError> {
        let from = kernel.label();
        let copied = self.copy(kernel, FileName::of_image("kernel"))?;
        let kernel = Kernel::decode(&copied.head, copied.file.size)
            .map_err(|reason| StoreError::Kernel { file: from, reason })?;
        let mut file = copied.file;
        let staged = self.dir.join(file.name.as_str());
        file.name = kernel.file_name();
        rename(&staged, &self.dir.join(file.name.as_str()))?;
        let boot = BootMethod::Linux(LinuxImage {
            kernel: file,
            kernel_version: kernel.version().map(str::to_owned),
            cmdline_limit: kernel.cmdline_limit(),
            initrds: Vec::new(),
            cmdline,
        });
        Ok((boot, Some(kernel.architecture())))
    }

    fn take_initrd(&mut self, initrd: Input, number: usize) -> Result<ImageFile, StoreError> {
        let from = initrd.label();
        let name = if number == 1 {
            "initrd".to_owned()
        } else {
            format!("initrd-{number}")
        };
        let copied = self.copy(initrd, FileName::of_image(&name))?;
        // Its own forms are too many to name: compressed, a file system, another before it.
        match Looks::like(&copied.head, copied.file.size) {
            looks @ (Looks::Empty
            | Looks::Kernel
            | Looks::Html
            | Looks::Xml
            | Looks::LfsPointer) => Err(StoreError::Initrd { file: from, looks }),
            _ => Ok(copied.file),
        }
    }

    fn take_program(&mut self, program: Input, cmdline: Vec<String>) -> Result<Taken, StoreError> {
        let from = program.label();
        let Copied { file, head } = self.copy(program, FileName::of_image("program.efi"))?;
        let pe = Pe::decode(&head);
        let architecture = pe.as_ref().and_then(|pe| pe.machine().architecture());
        let (Some(pe), Some(architecture)) = (pe, architecture) else {
            return Err(StoreError::Unsuitable {
                file: from,
                wanted: "EFI program for x86 or arm64",
                looks: Looks::like(&head, file.size),
            });
        };
        let staged = if pe.is_whole(file.size) {
            File::open(self.dir.join(file.name.as_str()))
        } else {
            let what = "it is cut short: its header lists sections that are not in it";
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, what))
        };
        let unified = staged.and_then(|mut staged| unified::read(&pe, &mut staged));
        let unified = unified.map_err(|source| StoreError::Io {
            action: "read",
            path: from.into(),
            source,
        })?;
        let boot = BootMethod::Efi(EfiImage {
            program: file,
            unified,
            cmdline,
        });
        Ok((boot, Some(architecture)))
    }

    fn take_disc(&mut self, disc: Input) -> Result<BootMethod, StoreError> {
        let from = disc.label();
        let Copied { file, head } = self.copy(disc, FileName::of_image("disc.iso"))?;
        // A hybrid image begins as a disk does, so `Looks` alone would not tell.
        if Looks::is_iso(&head) {
            Ok(BootMethod::Iso(IsoImage { disc: file }))
        } else {
            Err(StoreError::Unsuitable {
                file: from,
                wanted: "ISO 9660 disc image",
                looks: Looks::like(&head, file.size),
            })
        }
    }

    pub(super) fn copy(&mut self, input: Input, name: FileName) -> Result<Copied, StoreError> {
        let from = input.label();
        let unreadable = |source| StoreError::Io {
            action: "read",
            path: (&from).into(),
            source,
        };
        let (content, total) = match input.0 {
            Origin::Path(path) => {
                let file = open_source(&path).map_err(unreadable)?;
                let total = file.metadata().map_err(unreadable)?.len();
                (CopySource::File(file), Some(total))
            }
            Origin::Reader { reader, .. } => (CopySource::Reader(reader), None),
        };
        let path = self.dir.join(name.as_str());
        let mut staged = create(&path)?;
        let progress = |done| {
            (self.progress)(Progress::Copied {
                file: name.as_str(),
                done,
                total,
            })
        };
        let (digest, size) =
            hashed_copy(content, &staged, progress).map_err(|error| match error {
                CopyError::Read { source, .. } => unreadable(source),
                CopyError::Write { source, .. } => StoreError::io("write", &path, source),
                CopyError::Cancelled { .. } => StoreError::Cancelled,
            })?;
        let mut head = Vec::new();
        let head_len = Kernel::HEAD_LEN.try_into().unwrap_or(u64::MAX);
        staged
            .rewind()
            .and_then(|()| (&staged).take(head_len).read_to_end(&mut head))
            .map_err(|source| StoreError::io("read", &path, source))?;
        if !self.reuse(digest, size, &path)? {
            finish(&staged, &path)?;
        }
        Ok(Copied {
            file: ImageFile {
                name,
                size,
                digest,
                extra: Extra::default(),
            },
            head,
        })
    }

    /// Puts the content that the store has already in the place of the copy, if it is still what
    /// its name says.
    fn reuse(&mut self, digest: Digest, size: u64, copy: &Path) -> Result<bool, StoreError> {
        let linked = copy.with_extension("blob");
        if fs::hard_link(self.store.blob(digest), &linked).is_err() {
            // It is not there, or this file system has no hard links, or this file has too many.
            return Ok(false);
        }
        let is_sound = fs::symlink_metadata(&linked)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o7777 == 0o444);
        if is_sound && Digest::of_file(&linked).is_ok_and(|found| found == (digest, size)) {
            rename(&linked, copy)?;
            return Ok(true);
        }
        self.damaged.push(digest);
        fs::remove_file(&linked).map_err(|source| StoreError::io("remove", &linked, source))?;
        Ok(false)
    }
}

pub(super) fn check(manifest: &Manifest) -> Result<(), StoreError> {
    manifest::check(manifest).map_err(|reason| StoreError::Manifest {
        name: manifest.name.clone(),
        reason,
    })
}

fn step(progress: &mut Callback<'_>, step: Step) -> Result<(), StoreError> {
    match progress(Progress::Step(step)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(StoreError::Cancelled),
    }
}

pub(super) fn create(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path);
    file.map_err(|source| StoreError::io("create", path, source))
}

/// Makes a file read-only and flushes it to the disk.
pub(super) fn finish(file: &File, path: &Path) -> Result<(), StoreError> {
    file.set_permissions(Permissions::from_mode(0o444))
        .and_then(|()| file.sync_all())
        .map_err(|source| StoreError::io("flush", path, source))
}

//! Signing, and what becomes of signatures; with keys that are made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netboot_image::{NewImage, SignatureError, SignatureForm, Signer, StoreError, Trust};

use crate::common::{Bench, name, now, tree};
use crate::crash::{orders, this_program};

fn run(command: &mut Command) {
    let output = command.output().expect("it is installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A self-signed certificate for code signing, and its key.
fn cms(dir: &Path, who: &str) -> (Signer, Trust) {
    let (key, certificate) = (
        dir.join(format!("{who}.key")),
        dir.join(format!("{who}.crt")),
    );
    run(Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
        ])
        .arg(format!("/CN={who}"))
        .args([
            "-addext",
            "extendedKeyUsage=codeSigning",
            "-addext",
            "keyUsage=digitalSignature",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate));
    let authorities = certificate.clone();
    (Signer::Cms { certificate, key }, Trust::Cms { authorities })
}

/// A folder of keys with one in it, and its public half; its agent ends with the value.
struct KeyRing {
    home: PathBuf,
    keyring: PathBuf,
}

impl KeyRing {
    fn new(dir: &Path, who: &str) -> Self {
        use std::os::unix::fs::DirBuilderExt;
        let (home, keyring) = (
            dir.join(format!("{who}.gnupg")),
            dir.join(format!("{who}.gpg")),
        );
        let made = fs::DirBuilder::new().mode(0o700).create(&home);
        made.expect("a folder");
        run(Command::new("gpg")
            .arg("--homedir")
            .arg(&home)
            .args([
                "--batch",
                "--quiet",
                "--passphrase",
                "",
                "--quick-generate-key",
            ])
            .arg(format!("{who} <{who}@example.org>"))
            .args(["ed25519", "sign", "1d"]));
        run(Command::new("gpg")
            .arg("--homedir")
            .arg(&home)
            .args(["--batch", "--export", "--output"])
            .arg(&keyring));
        Self { home, keyring }
    }

    fn signer(&self) -> Signer {
        Signer::OpenPgp {
            key: None,
            home: Some(self.home.clone()),
        }
    }

    fn trust(&self) -> Trust {
        Trust::OpenPgp {
            keyring: self.keyring.clone(),
        }
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        let mut end = Command::new("gpgconf");
        let ended = end
            .arg("--homedir")
            .arg(&self.home)
            .args(["--kill", "all"])
            .output();
        drop(ended);
    }
}

/// Which files hold a trusted signature, and what is wrong with the others.
fn checked(
    bench: &Bench,
    image: &str,
    trust: &[Trust],
) -> Vec<(String, Result<(), SignatureError>)> {
    let reports = bench.store.verify_signatures(&name(image), None, trust);
    let reports = reports.expect("reports").into_iter();
    reports
        .map(|report| (report.of.to_string(), report.result))
        .collect()
}

fn all_hold(reports: &[(String, Result<(), SignatureError>)]) -> bool {
    !reports.is_empty() && reports.iter().all(|(_, result)| result.is_ok())
}

fn is_whole(bench: &Bench, image: &str) -> bool {
    let report = bench.store.verify(&name(image), None);
    report.expect("a report").is_whole()
}

#[test]
#[ignore = "needs the Debian package openssl"]
fn openssl_agrees_with_the_cms_signatures_and_sha256sum_with_the_list() {
    let bench = Bench::new();
    let (signer, trust) = cms(bench.dir.path(), "us");
    let (_, others) = cms(bench.dir.path(), "them");
    let image = bench
        .image("a", "1")
        .file("seed".parse().expect("a name"), bench.file("s", "x"))
        .sign(signer);
    let manifest = bench.publish(image).expect("published").manifest;
    let signed: Vec<_> = manifest
        .signatures()
        .iter()
        .map(|it| (it.form().clone(), it.of().as_str(), it.file().as_str()))
        .collect();
    let cms = |of, file| (SignatureForm::Cms, of, file);
    assert_eq!(
        signed,
        [
            cms("bzImage", "bzImage.p7s"),
            cms("initrd", "initrd.p7s"),
            cms("seed", "seed.p7s"),
            cms("SHA256SUMS", "SHA256SUMS.p7s"),
        ]
    );
    let dir = bench.store.root().join("a");
    for (_, of, file) in signed {
        // The check that iPXE's documentation names, by the program that it names.
        run(Command::new("openssl")
            .args([
                "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any",
            ])
            .args(["-in", file, "-content", of, "-out", "/dev/null", "-CAfile"])
            .arg(bench.dir.path().join("us.crt"))
            .current_dir(&dir));
    }
    run(Command::new("sha256sum")
        .args(["--strict", "-c", "SHA256SUMS"])
        .current_dir(&dir));
    assert!(is_whole(&bench, "a"));
    for file in ["a/@1/bzImage.p7s", "a/SHA256SUMS.p7s"] {
        let opened = bench.store.open_file(&file.parse().expect("a path"));
        assert!(opened.expect("served").size > 100);
    }

    assert!(all_hold(&checked(
        &bench,
        "a",
        std::slice::from_ref(&trust)
    )));
    let refused = checked(&bench, "a", &[others]);
    assert!(refused.iter().all(|(_, result)| matches!(
        result,
        Err(SignatureError::Refused {
            program: "openssl",
            action: "verify",
            ..
        })
    )));
    fs::remove_file(dir.join("initrd")).expect("removed");
    fs::write(dir.join("initrd"), "initrd 2").expect("altered");
    let after = checked(&bench, "a", &[trust]);
    let broken: Vec<_> = after.iter().filter(|(_, result)| result.is_err()).collect();
    assert!(
        matches!(&broken[..], [(of, _)] if of == "initrd"),
        "{broken:?}"
    );
}

#[test]
#[ignore = "needs the Debian packages gnupg and gpgv"]
fn gpg_agrees_with_the_signature_over_the_sums() {
    let bench = Bench::new();
    let (us, them) = (
        KeyRing::new(bench.dir.path(), "us"),
        KeyRing::new(bench.dir.path(), "them"),
    );
    bench
        .publish(bench.image("a", "1").sign(us.signer()))
        .expect("published");
    let dir = bench.store.root().join("a");
    run(Command::new("gpg")
        .arg("--homedir")
        .arg(&us.home)
        .args(["--batch", "--verify", "SHA256SUMS.sig", "SHA256SUMS"])
        .current_dir(&dir));
    assert!(is_whole(&bench, "a"));
    assert!(all_hold(&checked(&bench, "a", &[us.trust()])));
    assert!(!all_hold(&checked(&bench, "a", &[them.trust()])));

    fs::remove_file(dir.join("SHA256SUMS.sig")).expect("removed");
    let report = bench.store.verify(&name("a"), None).expect("a report");
    assert_eq!(report.damage[0].to_string(), "SHA256SUMS.sig: missing");
}

#[test]
#[ignore = "needs the Debian packages openssl, gnupg and gpgv"]
fn an_image_is_signed_later_as_a_new_generation_that_keeps_all_else() {
    let bench = Bench::new();
    let (cms, cms_trust) = cms(bench.dir.path(), "us");
    let ring = KeyRing::new(bench.dir.path(), "us");
    let image = bench
        .image("a", "1")
        .label("A")
        .annotation("owner", "us")
        .file("seed".parse().expect("a name"), bench.file("s", "x"));
    let plain = bench.publish(image).expect("published").manifest;
    let unsigned = checked(&bench, "a", &[cms_trust.clone(), ring.trust()]);
    assert_eq!(unsigned.len(), 5);
    assert!(
        unsigned
            .iter()
            .all(|(_, result)| matches!(result, Err(SignatureError::Unsigned { .. })))
    );

    let sign = |signers: Vec<Signer>| bench.store.sign(now(), &name("a"), signers);
    let first = sign(vec![cms]).expect("signed").manifest;
    assert_eq!(first.generation().number(), 2);
    let both = sign(vec![ring.signer()]).expect("signed").manifest;
    assert_eq!((both.label(), both.beside()), ("A", plain.beside()));
    assert_eq!((both.boot(), both.source()), (plain.boot(), plain.source()));
    assert_eq!(both.annotations(), plain.annotations());
    assert_eq!(both.annotations()["owner"], "us");
    assert!(is_whole(&bench, "a"));
    // What is signed one by one stays so; the list is another one now, and only the new signature
    // is over that.
    let reports = checked(&bench, "a", &[cms_trust, ring.trust()]);
    let held: Vec<_> = reports
        .iter()
        .map(|(of, result)| (of.as_str(), result.is_ok()))
        .collect();
    assert_eq!(
        held,
        [
            ("bzImage", true),
            ("initrd", true),
            ("seed", true),
            ("SHA256SUMS", false),
            ("SHA256SUMS", true)
        ]
    );
}

#[test]
#[ignore = "needs the Debian package openssl"]
fn a_damaged_image_is_not_signed() {
    let bench = Bench::new();
    let (signer, _) = cms(bench.dir.path(), "us");
    bench.publish(bench.image("a", "1")).expect("published");
    let initrd = bench.store.root().join("a/initrd");
    fs::remove_file(&initrd).expect("removed");
    fs::write(&initrd, "initrd 2").expect("damaged");
    let signed = bench.store.sign(now(), &name("a"), [signer]);
    assert!(
        matches!(signed, Err(StoreError::Damaged { .. })),
        "{signed:?}"
    );
    assert_eq!(
        bench
            .store
            .generations(&name("a"))
            .expect("generations")
            .len(),
        1
    );
}

#[test]
#[ignore = "needs the Debian package openssl"]
fn a_key_that_does_not_fit_leaves_nothing_and_says_what_openssl_said() {
    let bench = Bench::new();
    let (ours, _) = cms(bench.dir.path(), "us");
    let (theirs, _) = cms(bench.dir.path(), "them");
    let (Signer::Cms { certificate, .. }, Signer::Cms { key, .. }) = (ours, theirs) else {
        panic!("both are CMS")
    };
    let before = tree(bench.store.root());
    let image = bench.image("a", "1").sign(Signer::Cms { certificate, key });
    match bench.publish(image) {
        Err(StoreError::Unsigned {
            source: SignatureError::Refused { message, .. },
            ..
        }) => assert!(!message.is_empty()),
        other => panic!("{other:?}"),
    }
    assert_eq!(tree(bench.store.root()), before);
}

#[test]
fn a_key_in_the_store_is_refused_before_anything_is_done() {
    let bench = Bench::new();
    let key = bench.store.root().join("codesign.key");
    fs::write(&key, "a key").expect("written");
    let home = bench.store.root().to_owned();
    let link = bench.dir.path().join("key");
    std::os::unix::fs::symlink(&key, &link).expect("a link");
    let certificate = PathBuf::from("codesign.crt");
    for signer in [
        Signer::Cms {
            certificate: certificate.clone(),
            key,
        },
        Signer::Cms {
            certificate,
            key: link,
        },
        Signer::OpenPgp {
            key: None,
            home: Some(home),
        },
    ] {
        let error = bench
            .publish(bench.image("a", "1").sign(signer))
            .expect_err("refused");
        assert!(
            matches!(
                error,
                StoreError::Unsigned {
                    source: SignatureError::KeyInStore { .. },
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn where_a_program_is_missing_the_package_is_named() {
    let bench = Bench::new();
    let output = this_program("signatures::sign_without_programs", &bench)
        .env("NETBOOT_IMAGE_DIE_AT", "never")
        .env("PATH", "/nonexistent")
        .output()
        .expect("it ran");
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "run by another test, with no program at hand"]
fn sign_without_programs() {
    let Some((_, dir)) = orders() else { return };
    let store = netboot_image::Store::open(dir.join("images")).expect("a store");
    let cms = Signer::Cms {
        certificate: dir.join("c"),
        key: dir.join("k"),
    };
    let gpg = Signer::OpenPgp {
        key: None,
        home: None,
    };
    for (signer, text) in [
        (
            cms,
            "openssl is not installed; the Debian package openssl brings it",
        ),
        (
            gpg,
            "gpg is not installed; the Debian package gnupg brings it",
        ),
    ] {
        let image = NewImage::chain(name("a"), "http://host/a").sign(signer);
        match store.publish(now(), image) {
            Err(StoreError::Unsigned { source, .. }) => assert_eq!(source.to_string(), text),
            other => panic!("{other:?}"),
        }
    }
    let image = NewImage::chain(name("a"), "http://host/a");
    store
        .publish(now(), image)
        .expect("unsigned, it is published");
}

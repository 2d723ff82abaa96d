//! Checks a directory against its `SHA256SUMS`, as `cd DIR && sha256sum -c SHA256SUMS` does: the
//! same lines on standard output, the same exit code.
//!
//! ```text
//! cargo run -p netboot-examples --bin image_verify -- /var/lib/netboot/http/images/debian-12
//! ```

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use netboot_image::{Digest, Sha256Sums, SumsEntry};

/// Check a directory against its SHA256SUMS, as `sha256sum -c` does.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the files and SHA256SUMS are.
    dir: PathBuf,
}

fn main() -> ExitCode {
    let Arguments { dir } = Arguments::parse();
    match verify(&dir, &mut io::stdout().lock(), &mut io::stderr().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("image_verify: {}/SHA256SUMS: {error}", dir.display());
            ExitCode::FAILURE
        }
    }
}

/// Whether there was a line and every file is what its line says.
fn verify(dir: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<bool> {
    let text = std::fs::read(dir.join("SHA256SUMS"))?;
    let (mut lines, mut malformed, mut unreadable, mut mismatched) = (0, 0, 0, 0);
    for line in Sha256Sums::lines(&text) {
        let entry = match line {
            Ok(entry) => entry,
            Err(error) => {
                malformed += 1;
                writeln!(err, "image_verify: SHA256SUMS: {error}")?;
                continue;
            }
        };
        lines += 1;
        let verdict = match check(&entry, dir) {
            Ok(true) => "OK",
            Ok(false) => {
                mismatched += 1;
                "FAILED"
            }
            Err(error) => {
                unreadable += 1;
                let name = String::from_utf8_lossy(entry.name());
                writeln!(err, "image_verify: {name:?}: {error}")?;
                "FAILED open or read"
            }
        };
        out.write_all(&shown(&entry))?;
        writeln!(out, ": {verdict}")?;
    }
    for (count, what) in [
        (malformed, "lines that are no checksum lines"),
        (unreadable, "listed files that could not be read"),
        (mismatched, "files that are not what they should be"),
    ] {
        if count > 0 {
            writeln!(err, "image_verify: warning: {what}: {count}")?;
        }
    }
    if lines == 0 {
        writeln!(err, "image_verify: SHA256SUMS: no checksum line")?;
    }
    Ok(lines > 0 && unreadable == 0 && mismatched == 0)
}

/// The name as `sha256sum -c` shows it: escaped only where it would be more than one line, while a
/// list has backslashes and carriage returns escaped, too (`digest_check` of coreutils' `digest.c`).
fn shown(entry: &SumsEntry) -> Cow<'_, [u8]> {
    let name = entry.name();
    if name.contains(&b'\n') {
        let (name, _) = entry.escaped_name();
        [b"\\", &*name].concat().into()
    } else {
        name.into()
    }
}

/// `-` is standard input, to `sha256sum -c` as well.
fn check(entry: &SumsEntry, dir: &Path) -> io::Result<bool> {
    match entry.name() {
        b"-" => Ok(Digest::of_reader(io::stdin().lock())?.0 == entry.digest()),
        _ => entry.check_in(dir),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn it_says_what_sha256sum_says() {
        let abc = Digest::of(b"abc").hex().to_string();
        let other = Digest::of(b"other").hex().to_string();
        let lists = [
            format!("{abc}  a\n"),
            format!("{abc} *a\n{abc}  two words\n"),
            format!("SHA256 (a) = {abc}\n"),
            format!("{abc} a\n"),
            format!("{other}  a\n{abc}  two words\n"),
            format!("{abc}  absent\n{abc}  a\n"),
            format!("{abc}  .\n"),
            format!("\\{abc}  line\\nfeed\n"),
            format!("\\{abc}  line\\nfeed\\\\absent\n"),
            format!("\\{abc}  back\\\\slash\n"),
            format!("{other}  back\\slash\n"),
            format!("\\{abc}  carriage\\rreturn\n"),
            format!("SHA256 (carriage\rreturn) = {abc}\n"),
            format!("\\{abc}  all\\\\of\\rthem\\n\n"),
            format!("oops\n{abc}  a\n"),
            "oops\n".to_owned(),
            "# nothing\n".to_owned(),
            String::new(),
        ];
        for list in lists {
            let dir = std::env::temp_dir().join(format!("image_verify-{}", std::process::id()));
            fs::create_dir_all(&dir).expect("a directory");
            for name in [
                "a",
                "two words",
                "line\nfeed",
                "back\\slash",
                "carriage\rreturn",
                "all\\of\rthem\n",
            ] {
                fs::write(dir.join(name), "abc").expect("a file");
            }
            fs::write(dir.join("SHA256SUMS"), &list).expect("the list");
            let theirs = Command::new("sha256sum")
                .args(["-c", "SHA256SUMS"])
                .current_dir(&dir)
                .output();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let ours = verify(&dir, &mut out, &mut err);
            fs::remove_dir_all(&dir).expect("removed");
            let theirs = theirs.expect("sha256sum of GNU coreutils runs");
            assert_eq!(
                ours.expect("the list is there"),
                theirs.status.success(),
                "{list:?}"
            );
            assert_eq!(
                String::from_utf8_lossy(&out),
                String::from_utf8_lossy(&theirs.stdout),
                "{list:?}"
            );
            assert_eq!(err.is_empty(), theirs.stderr.is_empty(), "{list:?}");
        }
    }
}

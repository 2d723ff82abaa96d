//! Both ways against the `sha256sum` of GNU coreutils, on names that break parsers.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use netboot_image::{Digest, Sha256Sums, SumsEntry, SumsForm};

const NAMES: [&[u8]; 20] = [
    b"plain",
    b"two words",
    b" leading blank",
    b"  two leading blanks",
    b"\tleading tab",
    b"trailing blank ",
    b"*star",
    b" *",
    b" ",
    b"line\nfeed",
    b"carriage\rreturn",
    b"ends in\r",
    b"back\\slash",
    b"back\\nslash",
    b"\\",
    b"#no comment",
    b"a) = b",
    b"SHA256 (x) = y",
    b"not UTF-8 \xff\xfe",
    b"\xe2\x80\xae right to left",
];

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for name in NAMES {
        fs::write(dir.path().join(OsStr::from_bytes(name)), name).expect("a file");
    }
    dir
}

fn sha256sum(dir: &Path, arguments: &[&str], names: &[&[u8]]) -> Output {
    let mut command = Command::new("sha256sum");
    command
        .args(arguments)
        .args(names.iter().map(|name| OsStr::from_bytes(name)))
        .current_dir(dir);
    command.output().expect("sha256sum of GNU coreutils runs")
}

fn ours(form: SumsForm) -> Sha256Sums {
    NAMES
        .iter()
        .map(|name| SumsEntry::new(Digest::of(name), name, form))
        .collect()
}

#[test]
fn what_sha256sum_writes_is_read_and_what_is_written_is_the_same() {
    let dir = directory();
    for (argument, form) in [
        ("--text", SumsForm::Text),
        ("--binary", SumsForm::Binary),
        ("--tag", SumsForm::Tagged),
    ] {
        let written = sha256sum(dir.path(), &[argument, "--"], &NAMES);
        assert!(written.status.success(), "{written:?}");
        assert_eq!(
            Sha256Sums::decode(&written.stdout),
            Ok(ours(form)),
            "{argument}"
        );
        assert_eq!(ours(form).to_bytes(), written.stdout, "{argument}");
    }
}

#[test]
fn sha256sum_confirms_what_is_written() {
    let dir = directory();
    for form in [SumsForm::Text, SumsForm::Binary, SumsForm::Tagged] {
        fs::write(dir.path().join("SUMS"), ours(form).to_bytes()).expect("written");
        let check = sha256sum(dir.path(), &["--strict", "--quiet", "-c", "SUMS"], &[]);
        assert!(
            check.status.success() && check.stderr.is_empty(),
            "{form:?}: {check:?}"
        );
    }
}

/// Lines that are right, wrong and in between: `sha256sum -c` is asked what it makes of each, one
/// at a time.
#[test]
fn sha256sum_takes_and_refuses_the_same_lines() {
    let dir = directory();
    let hex = Digest::of(b"plain").hex().to_string();
    let upper = hex.to_uppercase();
    let short = &hex[1..];
    let lines = [
        format!("{hex}  plain"),
        format!("{hex} plain"),
        format!("{hex} *plain"),
        format!("{hex}\tplain"),
        format!("{hex}\t\tplain"),
        format!("{hex}   plain"),
        format!("{upper}  plain"),
        format!("  \t{hex}  plain\r\n"),
        format!("{hex}  plain\r\r\n"),
        format!("{hex}  plain "),
        format!("\\{hex}  plain"),
        format!("\\{hex}  pl\\ain"),
        format!("\\{hex}  plain\\"),
        format!("\\\\{hex}  plain"),
        format!("\\ {hex}  plain"),
        format!("{short}  plain"),
        format!("{short}g  plain"),
        format!("{hex}0  plain"),
        hex.clone(),
        format!("{hex} "),
        format!("{hex}  "),
        format!("{hex} *"),
        format!("{hex}*plain"),
        format!("SHA256 (plain) = {hex}"),
        format!("SHA256(plain)= {hex}"),
        format!("SHA256(plain)={hex}"),
        format!("SHA256 (plain)\t=\t{upper}"),
        format!("  SHA256 (plain) = {hex}"),
        format!("\\SHA256 (plain) = {hex}"),
        format!("SHA256  (plain) = {hex}"),
        format!("SHA256 (plain) = {hex} "),
        format!("SHA256 (plain) = {short}"),
        format!("SHA256 plain = {hex}"),
        format!("SHA256 (plain = {hex}"),
        format!("SHA256 ) = {hex}"),
        format!("sha256 (plain) = {hex}"),
        format!("SHA2-256(plain)= {hex}"),
        format!("MD5 (plain) = {hex}"),
        "# comment".to_owned(),
        " # no comment".to_owned(),
        "\r\n".to_owned(),
        " ".to_owned(),
    ];
    for line in lines {
        // A sound tagged line first, so that one line that is none is a warning and never "no lines
        // at all".
        let text = format!("SHA256 (plain) = {hex}\n{line}");
        fs::write(dir.path().join("SUMS"), &text).expect("written");
        let theirs = sha256sum(dir.path(), &["--warn", "-c", "SUMS"], &[]);
        let refused = String::from_utf8_lossy(&theirs.stderr).contains("improperly formatted");
        let ours: Vec<_> = Sha256Sums::lines(text.as_bytes()).skip(1).collect();
        assert_eq!(
            ours.iter().any(Result::is_err),
            refused,
            "{line:?}: {ours:?}, {theirs:?}"
        );

        let read = ours.iter().flatten().next();
        let confirmed = read.map(|entry| matches!(entry.check_in(dir.path()), Ok(true)));
        let outcomes = String::from_utf8_lossy(&theirs.stdout);
        let theirs_confirmed = outcomes
            .lines()
            .nth(1)
            .map(|outcome| outcome.ends_with(": OK"));
        assert_eq!(
            confirmed, theirs_confirmed,
            "{line:?}: {ours:?}, {theirs:?}"
        );
    }
}

#[test]
fn sha256sum_mixes_no_reversed_lines_and_neither_is_it_done_here() {
    let dir = directory();
    let of = |name: &[u8]| Digest::of(name).hex().to_string();
    let reversed_first = format!(
        "{} plain\n{}  leading blank\n",
        of(b"plain"),
        of(b" leading blank")
    );
    let usual_first = format!(
        "{}  plain\n{} *star\n{} plain\n",
        of(b"plain"),
        of(b"star"),
        of(b"plain")
    );
    for (text, names, refused) in [
        (reversed_first, vec![&b"plain"[..], b" leading blank"], 0),
        (usual_first, vec![&b"plain"[..], b"star"], 1),
    ] {
        fs::write(dir.path().join("SUMS"), &text).expect("written");
        let theirs = sha256sum(dir.path(), &["--warn", "-c", "SUMS"], &[]);
        let warnings = String::from_utf8_lossy(&theirs.stderr)
            .matches("SUMS:")
            .count();
        assert_eq!(warnings, refused, "{theirs:?}");
        let lines: Vec<_> = Sha256Sums::lines(text.as_bytes()).collect();
        assert_eq!(lines.iter().filter(|line| line.is_err()).count(), refused);
        let read: Vec<_> = lines.iter().flatten().map(SumsEntry::name).collect();
        assert_eq!(read, names);
    }
}

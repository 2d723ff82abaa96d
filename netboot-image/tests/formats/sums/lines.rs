//! Single lines, each as coreutils' `sha256sum -c` takes or refuses it.

use netboot_image::{Digest, Sha256Sums, SumsErrorReason, SumsForm};

/// The digest of "abc" (FIPS 180-2, appendix B.1).
const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn one(text: &str) -> Result<(Vec<u8>, SumsForm), SumsErrorReason> {
    let sums = Sha256Sums::decode(text.as_bytes()).map_err(|error| error.reason)?;
    let [entry] = sums.entries() else {
        panic!("{} entries in {text:?}", sums.entries().len())
    };
    assert_eq!(entry.digest(), Digest::of(b"abc"));
    Ok((entry.name().to_owned(), entry.form()))
}

#[test]
fn each_form_gives_its_name_to_the_letter() {
    let upper = HEX.to_uppercase();
    let cases: [(String, &[u8], SumsForm); 22] = [
        (format!("{HEX}  a\n"), b"a", SumsForm::Text),
        (format!("{HEX}  a"), b"a", SumsForm::Text),
        (format!("{HEX}  a\r\n"), b"a", SumsForm::Text),
        (format!("{HEX}  a\r\r\n"), b"a\r", SumsForm::Text),
        (format!("{upper}  a\n"), b"a", SumsForm::Text),
        (format!("{HEX} *a\n"), b"a", SumsForm::Binary),
        (format!("{HEX}\t a\n"), b"a", SumsForm::Text),
        (format!(" \t {HEX}  a\n"), b"a", SumsForm::Text),
        (
            format!("{HEX}    two words  \n"),
            b"  two words  ",
            SumsForm::Text,
        ),
        (format!("{HEX} **\n"), b"*", SumsForm::Binary),
        (
            format!("\\{HEX}  a\\\\b\\nc\\rd\n"),
            b"a\\b\nc\rd",
            SumsForm::Text,
        ),
        (format!("{HEX}  a\\nb\n"), b"a\\nb", SumsForm::Text),
        (format!("  \\{HEX}  a\\nb\n"), b"a\nb", SumsForm::Text),
        (format!("SHA256 (a) = {HEX}\n"), b"a", SumsForm::Tagged),
        (format!("SHA256(a)= {HEX}\n"), b"a", SumsForm::Tagged),
        (
            format!("SHA256 (a) (b) = c) =\t{HEX}\n"),
            b"a) (b) = c",
            SumsForm::Tagged,
        ),
        (
            format!("\\SHA256 (a\\n) = {HEX}\n"),
            b"a\n",
            SumsForm::Tagged,
        ),
        (format!("SHA256 ( a ) = {HEX}\n"), b" a ", SumsForm::Tagged),
        (format!("SHA256 () = {HEX}\n"), b"", SumsForm::Tagged),
        (format!("{HEX} a\n"), b"a", SumsForm::Reversed),
        (format!("{HEX}  \n"), b" ", SumsForm::Reversed),
        (format!("{HEX} *\n"), b"*", SumsForm::Reversed),
    ];
    for (text, name, form) in cases {
        assert_eq!(one(&text), Ok((name.to_owned(), form)), "{text:?}");
    }
}

#[test]
fn what_is_no_line_is_refused_with_the_reason() {
    let short = &HEX[1..];
    let cases = [
        ("oops\n".to_owned(), SumsErrorReason::Form),
        (format!("{HEX}\n"), SumsErrorReason::Form),
        (
            format!("{HEX}  \\\n").replace("  \\", " "),
            SumsErrorReason::NoName,
        ),
        (format!("{HEX}-  a\n"), SumsErrorReason::Form),
        (format!("{short}  abcdef\n"), SumsErrorReason::Digest),
        (format!("{short}g  a\n"), SumsErrorReason::Digest),
        (format!("\\{HEX}  a\\tb\n"), SumsErrorReason::Escape),
        (format!("\\{HEX}  a\\\n"), SumsErrorReason::Escape),
        (format!("{HEX}  a\0b\n"), SumsErrorReason::Nul),
        (format!("SHA256 (a = {HEX}\n"), SumsErrorReason::Form),
        (format!("SHA256  (a) = {HEX}\n"), SumsErrorReason::Form),
        (format!("SHA256 (a) {HEX}\n"), SumsErrorReason::Form),
        (format!("SHA256 (a) = {HEX} \n"), SumsErrorReason::Digest),
        (format!("SHA512 (a) = {HEX}{HEX}\n"), SumsErrorReason::Form),
        (" \n".to_owned(), SumsErrorReason::Form),
    ];
    for (text, reason) in cases {
        assert_eq!(one(&text), Err(reason), "{text:?}");
    }
}

#[test]
fn comments_and_empty_lines_are_passed_over_and_counted() {
    let text = format!("# a comment\n\n\r\n #no comment\n{HEX}  a\n");
    let lines: Vec<_> = Sha256Sums::lines(text.as_bytes()).collect();
    assert_eq!(lines.len(), 2);
    let error = lines[0]
        .as_ref()
        .expect_err("a comment begins in the first column");
    assert_eq!(error.to_string(), "line 4: no SHA-256 checksum line");
    assert_eq!(lines[1].as_ref().map(|entry| entry.name()), Ok(&b"a"[..]));
    assert_eq!(Sha256Sums::decode(b""), Ok(Sha256Sums::default()));
}

#[test]
fn the_first_untagged_line_decides_about_the_reversed_form() {
    let names = |text: &str| -> Vec<Result<Vec<u8>, SumsErrorReason>> {
        let lines = Sha256Sums::lines(text.as_bytes());
        lines
            .map(|line| {
                line.map(|entry| entry.name().to_owned())
                    .map_err(|error| error.reason)
            })
            .collect()
    };
    assert_eq!(
        names(&format!(
            "SHA256 (t) = {HEX}\n{HEX} a\n{HEX}  b\n{HEX} *c\n"
        )),
        [
            Ok(b"t".to_vec()),
            Ok(b"a".to_vec()),
            Ok(b" b".to_vec()),
            Ok(b"*c".to_vec())
        ]
    );
    assert_eq!(
        names(&format!("{HEX}  a\n{HEX} b\nSHA256 (t) = {HEX}\n")),
        [
            Ok(b"a".to_vec()),
            Err(SumsErrorReason::Mixed),
            Ok(b"t".to_vec())
        ]
    );
}

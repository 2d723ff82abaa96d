//! Forms.

use netboot_ipxe::run::{Answer, Effect, End, FormField, Run};

use super::{run, shown, until};

const FORM: &str = "form Sign in
item --gap Who
item --default username Name
item --secret password Password
item slot:uint8 Slot
present && echo ${username} ${slot} || echo left";

fn form(run: &mut Run, answer: Answer) -> Vec<FormField> {
    match run.next(answer) {
        Effect::Form { title, fields } => {
            assert_eq!(title, "Sign in");
            fields
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_form_shows_its_settings_and_writes_them() {
    let mut run = run(FORM);
    run.settings_mut().set("username", "root");
    let fields = form(&mut run, Answer::Done);
    let shown: Vec<_> = fields
        .iter()
        .map(|field| {
            let setting = field.setting.as_deref();
            (
                setting,
                field.text.as_str(),
                field.value.as_str(),
                field.secret,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (None, "Who", "", false),
            (Some("username"), "Name", "root", false),
            (Some("password"), "Password", "", true),
            (Some("slot:uint8"), "Slot", "", false),
        ]
    );
    let answer = Answer::Texts(vec!["eve".into(), "x".into(), "7".into()]);
    assert_eq!(until(&mut run, answer).0, ["eve 0x7"]);
    assert_eq!(run.settings().text("password"), "x");
}

#[test]
fn a_form_comes_again_until_its_values_fit_or_it_is_left() {
    let mut run = run(FORM);
    form(&mut run, Answer::Done);
    let wrong = vec!["eve".into(), String::new(), "seven".into()];
    let again = form(&mut run, Answer::Texts(wrong));
    assert_eq!(again[3].value, "seven");
    assert_eq!(until(&mut run, Answer::Failed).0, ["left"]);
    let mut stubborn = refused_form();
    let end = (0..200_000).find_map(|_| match stubborn.next(Answer::Done) {
        Effect::End(end) => Some(end),
        _ => None,
    });
    assert_eq!(end, Some(End::Unbounded));
}

fn refused_form() -> Run {
    let mut stubborn = run("form x\nitem uuid X\npresent");
    let uuid = "01020304-0506-0708-090a-0b0c0d0e0f10";
    assert!(stubborn.settings_mut().set("uuid", uuid));
    stubborn
}

#[test]
fn a_form_without_a_field_or_with_a_bad_one_fails() {
    for body in [
        "item x X\npresent",
        "form x\npresent",
        "form x\nitem a/b/c X\npresent",
    ] {
        let body = body.replace('\n', " ||\n") + " || echo no";
        assert_eq!(shown(&body), ["no"], "{body}");
    }
    assert_eq!(
        shown(
            "form --name f x\nitem --form f\nform --name f --delete\npresent --form f || echo no"
        ),
        ["no"]
    );
}

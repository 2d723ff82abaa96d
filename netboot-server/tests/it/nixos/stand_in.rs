//! The stand-in for nixpkgs' module system takes and refuses what `lib/types.nix` and
//! `lib/modules.nix` of nixpkgs take and refuse.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::nixos::nix::Nix;

/// A type, values that are of it, and values that are not.
const TYPES: [(&str, &[&str], &[&str]); 20] = [
    ("bool", &["true"], &["\"true\"", "1", "null"]),
    ("int", &["3", "-3"], &["\"3\"", "1.5"]),
    ("ints.positive", &["1"], &["0", "\"1\""]),
    ("ints.unsigned", &["0"], &["-1", "0.5"]),
    ("ints.between 2 3", &["2", "3"], &["1", "4"]),
    ("port", &["0", "65535"], &["65536", "-1", "\"80\""]),
    ("float", &["1.5"], &["1", "\"1.5\""]),
    ("str", &["\"a\""], &["./guide.nix", "1", "null"]),
    ("path", &["\"/a\"", "./guide.nix"], &["\"a\"", "1", "[ ]"]),
    (
        "package",
        &["ofStore", "built"],
        &["\"/usr/lib/ipxe\"", "\"ipxe\"", "{ }"],
    ),
    ("strMatching \"a+\"", &["\"aa\""], &["\"ab\"", "\"\"", "1"]),
    ("enum [ \"a\" 1 ]", &["\"a\"", "1"], &["\"b\"", "null"]),
    ("nullOr int", &["null", "1"], &["\"1\""]),
    ("either int str", &["1", "\"a\""], &["true", "null"]),
    ("oneOf [ int str bool ]", &["true"], &["null", "[ ]"]),
    (
        "listOf int",
        &["[ ]", "[ 1 2 ]"],
        &["1", "[ \"a\" ]", "{ }"],
    ),
    (
        "attrsOf int",
        &["{ }", "{ a = 1; }"],
        &["[ ]", "{ a = \"1\"; }"],
    ),
    (
        "submodule { options.a = lib.mkOption { type = int; }; }",
        &["{ a = 1; }"],
        &["{ }", "{ a = \"1\"; }", "{ a = 1; b = 1; }", "[ ]"],
    ),
    (
        "submodule { freeformType = json; options.a = lib.mkOption { type = int; }; }",
        &["{ a = 1; }", "{ a = 1; b = [ null \"x\" { } ]; }"],
        &["{ b = 1; }", "{ a = \"x\"; }", "{ a = 1; b = x: x; }"],
    ),
    (
        "attrsOf (submodule { options.a = lib.mkOption { type = listOf str; default = [ ]; }; })",
        &["{ x = { }; }", "{ x.a = [ \"1\" ]; }"],
        &["{ x.a = [ 1 ]; }", "{ x.b = 1; }", "{ x = 1; }"],
    ),
];

/// Each value is by itself: one that is refused leaves the others to be seen.
#[test]
#[ignore = "needs the Debian package nix-bin"]
fn its_types_take_and_refuse_what_those_of_nixpkgs_do() {
    let nix = Nix::new();
    let mut cases = String::new();
    let mut expected = Vec::new();
    for (type_name, taken, refused) in TYPES {
        for (value, holds) in taken
            .iter()
            .map(|value| (value, true))
            .chain(refused.iter().map(|value| (value, false)))
        {
            writeln!(cases, "(holds ({type_name}) ({value}))").expect("text");
            expected.push((format!("{type_name}: {value}"), holds));
        }
    }
    let got = nix.value(&format!(
        "let system = import ./module_system.nix; inherit (system) lib; ofStore = \
         \"${{builtins.storeDir}}/abc-ipxe\"; built = {{ type = \"derivation\"; outPath = \
         \"/built\"; }}; json = with lib.types; nullOr (oneOf [ bool int float str (attrsOf json) \
         (listOf json) ]) // {{ description = \"JSON\"; }}; holds = type: value: (builtins.tryEval \
         (builtins.deepSeq (system.evaluate {{ place = \"it\"; modules = [ {{ options.it = \
         lib.mkOption {{ inherit type; }}; config.it = value; }} ]; }}).config true)).success; in \
         with lib.types; [ {cases} ]"
    ));
    let got = got.as_array().expect("a list");
    assert_eq!(got.len(), expected.len());
    for ((case, holds), got) in expected.iter().zip(got) {
        assert_eq!(got, &Value::from(*holds), "{case}");
    }
}

/// What modules say of an option `it`, as what it is then, or nothing where that is an error.
#[test]
#[ignore = "needs the Debian package nix-bin"]
fn what_several_modules_say_is_put_together_as_nixpkgs_does() {
    let nix = Nix::new();
    for (option, modules, value) in [
        ("type = int;", "{ it = 1; } { it = 1; }", json!(1)),
        ("type = int;", "{ it = 1; } { it = 2; }", Value::Null),
        ("type = int;", "", Value::Null),
        ("type = int; default = 1;", "", json!(1)),
        ("type = int; default = 1;", "{ it = 2; }", json!(2)),
        ("type = int;", "{ it = mkDefault 1; } { it = 2; }", json!(2)),
        ("type = int;", "{ it = mkForce 1; } { it = 2; }", json!(1)),
        (
            "type = int; default = 1; readOnly = true;",
            "{ it = 2; }",
            Value::Null,
        ),
        (
            "type = listOf int;",
            "{ it = [ 1 ]; } { it = mkIf true [ 2 ]; } { it = mkIf false [ 3 ]; }",
            json!([1, 2]),
        ),
        (
            "type = attrsOf int;",
            "{ it.a = 1; } (mkIf true { it.b = mkIf false 2; it.c = 3; })",
            json!({ "a": 1, "c": 3 }),
        ),
        (
            "type = attrsOf int;",
            "{ it.a = 1; } { it.a = 2; }",
            Value::Null,
        ),
        ("type = int;", "{ it = 1; other = 1; }", Value::Null),
        (
            "type = int;",
            "{ config.it = 1; services = { }; }",
            Value::Null,
        ),
        ("type = int;", "{ imports = [ { it = 1; } ]; }", json!(1)),
        (
            "type = int;",
            "({ config, lib, ... }: { it = 1; })",
            json!(1),
        ),
    ] {
        let got = nix.value(&format!(
            "let system = import ./module_system.nix; result = builtins.tryEval (builtins.deepSeq \
             it it); it = with system.lib; with types; (system.evaluate {{ place = \"it\"; modules \
             = [ {{ options.it = mkOption {{ {option} }}; }} {modules} ]; }}).config.it; in if \
             result.success then result.value else null"
        ));
        assert_eq!(got, value, "{option} {modules}");
    }
}

//! The interpreter against iPXE itself: the same scripts, the same lines on the console.

use netboot_ipxe::run::{Answer, Effect, Run};

use crate::machine::Machine;

const CASES: u32 = 260;

/// A small generator of numbers, so that the scripts are the same in every run.
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        usize::try_from(self.0).expect("32 bits fit") % end
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const NAMES: [&str; 4] = ["v0", "v1", "v2", "net9/v0"];
const TYPES: [&str; 19] = [
    "",
    "",
    "",
    ":string",
    ":int8",
    ":int16",
    ":int32",
    ":uint8",
    ":uint16",
    ":uint32",
    ":hex",
    ":hexhyp",
    ":hexraw",
    ":uristring",
    ":base64",
    ":ipv6",
    ":uuid",
    ":busdevfn",
    ":dnssl",
];
const VALUES: [&str; 30] = [
    "5",
    "0",
    "-3",
    "+4",
    "0x10",
    "0X1f",
    "010",
    "08",
    "300",
    "70000",
    "abc",
    "a  b",
    "v1",
    "01:02",
    "0a-ff",
    "ff",
    "1.2.3.4",
    "zz",
    "%41b%",
    "",
    "${v1}",
    "a${v0}b",
    "|| x",
    "4294967295",
    "AQID",
    "/w==",
    "AQ I D",
    "AQ=",
    "fe80::1",
    "::",
];
const SHOWN: [&str; 19] = [
    "",
    "",
    "",
    ":int8",
    ":int32",
    ":uint8",
    ":uint32",
    ":hex",
    ":hexhyp",
    ":hexraw",
    ":uristring",
    ":ipv4",
    ":int16",
    ":nonsense",
    ":base64",
    ":ipv6",
    ":uuid",
    ":busdevfn",
    ":dnssl",
];

fn expansion(numbers: &mut Numbers) -> String {
    match numbers.below(8) {
        0 => format!("${{${{n}}{}}}", numbers.of(&SHOWN)),
        1 => "${${v1}}".to_owned(),
        2 => "${v0".to_owned(),
        3 => "a}b".to_owned(),
        _ => format!("${{{}{}}}", numbers.of(&NAMES), numbers.of(&SHOWN)),
    }
}

fn command(numbers: &mut Numbers, case: u32) -> String {
    let name = numbers.of(&NAMES);
    match numbers.below(12) {
        0..=3 => format!("set {name}{} {}", numbers.of(&TYPES), numbers.of(&VALUES)),
        4 => format!(
            "inc {name}{} {}",
            numbers.of(&TYPES),
            numbers.of(&["", "", "2", "0x10", "x"])
        ),
        5 => format!("iseq {} {}", expansion(numbers), expansion(numbers)),
        6 => format!("isset {}", expansion(numbers)),
        7 => format!("clear {name}"),
        8 => format!("goto l{case}"),
        9 => numbers
            .of(&[
                "iseq a a",
                "iseq a b",
                "isset",
                "sleep",
                "exit x",
                "goto nowhere",
                "nosuch",
            ])
            .to_owned(),
        _ => format!(
            "echo @{case} [{}] {}",
            expansion(numbers),
            expansion(numbers)
        ),
    }
}

fn line(numbers: &mut Numbers, case: u32) -> String {
    let mut line = String::new();
    for _ in 0..=numbers.below(3) {
        line += &command(numbers, case);
        line += numbers.of(&[" || ", " && ", " ; ", " ||\t", " \\\n && ", "  ||  "]);
    }
    line += &command(numbers, case);
    // Nothing may end the script: every line succeeds.
    line += numbers.of(&[" ||\n", " || # comment || x\n", " ||\r\n", " || iseq a a\n"]);
    line
}

/// A value's bytes as each type shows them, one to a line: the console cuts at 80 columns.
fn forms(numbers: &mut Numbers, case: u32) -> String {
    let byte = [
        "00", "00", "00", "01", "2c", "7f", "80", "ff", "41", "3a", "c3",
    ];
    let bytes = |numbers: &mut Numbers, len: usize| -> String {
        (0..len).map(|_| numbers.of(&byte)).collect()
    };
    let names = [
        "0161", "03666f6f", "00", "00", "c000", "c002", "0162", "4000", "026362",
    ];
    let mut text = format!("set w:hexraw {}\n", bytes(numbers, 16));
    for typed in ["uuid", "ipv6", "base64", "ipv4"] {
        text += &format!("echo @{case} {typed} ${{w:{typed}}}\n");
    }
    let len = 1 + numbers.below(7);
    text += &format!("set w:hexraw {}\n", bytes(numbers, len));
    for typed in ["uristring", "busdevfn", "base64", "int32", "uint32"] {
        text += &format!("echo @{case} {typed} ${{w:{typed}}}\n");
    }
    let names: String = (0..1 + numbers.below(6))
        .map(|_| numbers.of(&names))
        .collect();
    text + &format!("set w:hexraw {names}\necho @{case} dnssl ${{w:dnssl}}\n")
}

fn script() -> String {
    let mut numbers = Numbers(0x2019_0125);
    let mut text = String::from("#!ipxe\nset n v2\n");
    for case in 0..CASES {
        text += &format!("clear v0\nclear v1\nclear v2\nclear net9/v0\necho @{case} starts\n");
        for _ in 0..2 + numbers.below(4) {
            text += &line(&mut numbers, case);
        }
        text += &forms(&mut numbers, case);
        text +=
            &format!(":l{case} echo @{case} ends [${{v0}}] [${{v1}}] [${{v2}}] [${{net9/v0}}]\n");
    }
    text + "echo @done\nsleep 2\nreboot\n"
}

fn interpreted(text: &str) -> Vec<String> {
    let mut run = Run::new(text).expect("it is a script");
    let mut lines = Vec::new();
    loop {
        match run.next(Answer::Done) {
            Effect::Echo { text, .. } => lines.push(text.trim_end().to_owned()),
            Effect::Reboot { .. } => return lines,
            Effect::Sleep { .. } => {}
            other => panic!("{other:?} after {lines:?}"),
        }
    }
}

#[test]
fn the_generated_scripts_run_to_their_end() {
    let lines = interpreted(&script());
    assert_eq!(lines.last().map(String::as_str), Some("@done"));
    assert_eq!(
        lines.iter().filter(|line| line.contains(" ends ")).count(),
        260
    );
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn ipxe_shows_the_same_lines_as_the_interpreter() {
    let text = script();
    let console = Machine::start("differential", &text).finish();
    let seen = console
        .lines()
        .filter(|line| line.starts_with('@'))
        .map(str::trim_end);
    let seen: Vec<&str> = seen.collect();
    let ours = interpreted(&text);
    let other: Vec<_> = seen
        .iter()
        .zip(&ours)
        .filter(|(seen, ours)| seen != ours)
        .collect();
    assert!(other.is_empty(), "iPXE's line and ours: {other:#?}");
    assert_eq!(seen.len(), ours.len());
}

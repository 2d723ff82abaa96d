//! Settings and their types.

use netboot_ipxe::run::Answer;

use super::{run, shown, until};

/// As Debian 12's iPXE showed them.
#[test]
fn settings_read_and_write_as_ipxe_does() {
    let cases = [
        (
            "set y:uint8 200\necho ${y} ${y:int32} ${y:hex} ${y:uint16}",
            "0xc8 -56 c8 0xc8",
        ),
        (
            "set z:hex 01:02\necho ${z} ${z:hexhyp} ${z:hexraw} ${z:int16} ${z:ipv4}.",
            "01:02 01-02 0102 258 .",
        ),
        (
            "set i:ipv4 1.2.3.4\necho ${i} ${i:hex} ${i:int32}",
            "1.2.3.4 01:02:03:04 16909060",
        ),
        ("set s abc\necho ${s:hex} ${s:int8}", "61:62:63 6382179"),
        (
            "set u a b%c/d?e&f=g+h~i_j-k.l:m@n\necho ${u:uristring}",
            "a%20b%25c%2Fd%3Fe%26f%3Dg+h~i_j-k.l%3Am%40n",
        ),
        ("set u é\necho ${u:uristring}", "%FFFFFFC3%FFFFFFA9"),
        (
            "set u !\"$'()*+,-.;<>[\\]^_`{|}~\necho ${u:uristring}",
            "!\"$'()*+,-.;<>[\\]^_`{|}~",
        ),
        (
            "inc never\ninc never:int8\necho ${never} ${never:hex}",
            "2 02",
        ),
        (
            "set e:int8 300\nset f:int32 -5\nset g:int32 010\necho ${e} ${f} ${g}",
            "44 -5 8",
        ),
        (
            "set x 5\ninc x ||\nset c:hex zz ||\nset x:bogus 2 ||\necho ${x}${c}",
            "5",
        ),
        (
            "set w:uristring a%20b\necho [${w}] [${w:string}]",
            "[a%20b] [a b]",
        ),
        (
            "set hostname hh\nset filename ff\necho ${12} ${67:string}",
            "hh ff",
        ),
        ("set ip 10.0.0.5\necho ${ip:hex}", "0a:00:00:05"),
        ("set x:int32 7\nset x abc\necho ${x:hex}", "61:62:63"),
        ("set x 1\nset x\necho [${x}]", "[]"),
        ("set nope/x 3\necho ${nope/x}", "3"),
        (
            "set c:base64 AQ I D\nset c:base64 /w= ||\nset c:base64 AA=A ||\necho ${c} ${c:hex}",
            "AQID 01:02:03",
        ),
        (
            "set o:hex ff\nset t:hex ff:fe\necho ${o:base64} ${t:base64}",
            "/w== //4=",
        ),
        (
            "set a:ipv6 2001:db8:0:0:1:0:0:1\nset a:ipv6 ::1.2.3.4 ||\necho ${a} ${a:hexraw}",
            "2001:db8::1:0:0:1 20010db8000000000001000000000001",
        ),
        (
            "set u:hexraw 0102030405060708090a0b0c0d0e0f10\necho ${u:uuid}",
            "01020304-0506-0708-090a-0b0c0d0e0f10",
        ),
        (
            "set u:uuid 01020304-0506-0708-090a-0b0c0d0e0f10 ||\necho [${u}]",
            "[]",
        ),
        (
            "set d:hex 12:34:56:78\nset f:hex f9\necho ${d:busdevfn} ${f:busdevfn}",
            "1234:56:0f.0 0000:00:1f.1",
        ),
        (
            "set l:hexraw 03666f6f03636f6d0003626172c004\necho ${l:dnssl}",
            "foo.com bar.com",
        ),
        (
            "set l:hexraw 01610000016200\nset p:hexraw c000\necho [${l:dnssl}] [${p:dnssl}]",
            "[a b] []",
        ),
        (
            "set m:hexraw 01610001620040000162c003\necho ${m:dnssl}",
            "a b a b.b",
        ),
        ("set n:hexraw c0020161\necho [${n:dnssl}]", "[]"),
        (
            "set q:hex 00:80:00:00:01\nset r:hex ff:41:00:00:00\necho [${q:int32}] [${r:int32}]",
            "[-2147483647] [1090519040]",
        ),
        ("set v:hex 41:00:42\necho [${v:string}]", "[A]"),
    ];
    for (body, expected) in cases {
        assert_eq!(shown(body), [expected], "{body}");
    }
}

/// RFC 5952, section 4.2: the longest run, the first of several, none of a single group.
#[test]
fn addresses_of_ipv6_are_short_and_never_dotted() {
    let cases = [
        ("::", "::"),
        ("::1", "::1"),
        ("1::", "1::"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("0:0:0:0:0:ffff:102:304", "::ffff:102:304"),
    ];
    for (written, read) in cases {
        assert_eq!(shown(&format!("set a:ipv6 {written}\necho ${{a}}")), [read]);
    }
}

#[test]
fn a_machine_brings_its_uuid_and_a_script_reads_it_in_either_order() {
    let text = "01020304-0506-0708-090A-0b0c0d0e0f10";
    let mut run = run("echo ${uuid} ${uuid:guid} ${uuid:hexraw}");
    assert!(run.settings_mut().set("uuid", text));
    assert!(!run.settings_mut().set("uuid", "01020304-0506-0708"));
    let (shown, _) = until(&mut run, Answer::Done);
    assert_eq!(
        shown,
        [
            "01020304-0506-0708-090a-0b0c0d0e0f10 04030201-0605-0807-090a-0b0c0d0e0f10 \
          0102030405060708090a0b0c0d0e0f10"
        ]
    );
}

#[test]
fn names_that_point_at_each_other_for_ever_are_no_text() {
    let circle = "c0".to_owned() + &"02c000".repeat(40);
    assert_eq!(
        shown(&format!("set l:hexraw {circle}00\necho [${{l:dnssl}}]")),
        ["[]"]
    );
    let long = "3f".to_owned() + &"61".repeat(63);
    let names = long.repeat(8) + "00" + &"c000".repeat(200);
    assert_eq!(
        shown(&format!("set l:hexraw {names}\necho [${{l:dnssl}}]")),
        ["[]"]
    );
}

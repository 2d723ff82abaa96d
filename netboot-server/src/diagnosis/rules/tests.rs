//! Each rule finds what it is for, and none finds anything in a boot that went well.

use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use netboot_dhcp::MacAddr;
use netboot_dhcp::value::{Arch, MessageType};
use uuid::Uuid;

use crate::boots::{Boot, Record};
use crate::diagnosis::{Certainty, Context, Finding, findings};
use crate::telemetry::events::{
    Events, InstallWord, Kind, LoadedFiles, Progress, Protocol, Read, ScriptAction, Stage, TftpEnd,
    Unanswered,
};
use crate::world::World;
use crate::world::programs::Programs;

const MACHINE: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
const OTHER: MacAddr = MacAddr([0x52, 0x54, 0, 0xab, 0xcd, 0xef]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 50);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 1);
const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 254);
const UEFI: Arch = Arch(7);
const BIOS: Arch = Arch(0);

fn said(message: MessageType, stage: Stage, arch: Arch) -> Kind {
    Kind::Dhcp {
        message,
        interface: "eth1".into(),
        address: None,
        host_name: None,
        boot_file: None,
        server: None,
        arch: Some(arch),
        uuid: None,
        refusal: None,
        stage,
    }
}

fn replied(message: MessageType, server: Ipv4Addr, boot_file: Option<&str>) -> Kind {
    Kind::Dhcp {
        message,
        interface: "eth1".into(),
        address: Some(ADDRESS),
        host_name: None,
        boot_file: boot_file.map(str::to_owned),
        server: Some(server),
        arch: None,
        uuid: None,
        refusal: None,
        stage: Stage::Server,
    }
}

/// An offer in proxy mode.
fn proxied(boot_file: &str) -> Kind {
    let mut kind = replied(MessageType::OFFER, SERVER, Some(boot_file));
    if let Kind::Dhcp { address, .. } = &mut kind {
        *address = None;
    }
    kind
}

/// What a system asks that runs.
fn renewed() -> Kind {
    said(MessageType::REQUEST, Stage::System, BIOS)
}

/// A REQUEST to a server.
fn chose(server: Ipv4Addr, stage: Stage, arch: Arch) -> Kind {
    let mut kind = said(MessageType::REQUEST, stage, arch);
    if let Kind::Dhcp { server: to, .. } = &mut kind {
        *to = Some(server);
    }
    kind
}

fn with_uuid(mut kind: Kind, of: u128) -> Kind {
    if let Kind::Dhcp { uuid, .. } = &mut kind {
        *uuid = Some(Uuid::from_u128(of));
    }
    kind
}

/// DISCOVER to ACK, with this boot file.
fn leased(stage: Stage, arch: Arch, file: &str) -> [Kind; 4] {
    [
        said(MessageType::DISCOVER, stage, arch),
        replied(MessageType::OFFER, SERVER, Some(file)),
        chose(SERVER, stage, arch),
        replied(MessageType::ACK, SERVER, Some(file)),
    ]
}

fn tftp_sent(name: &str) -> Kind {
    Kind::TftpSent {
        client: ADDRESS.into(),
        name: name.into(),
        bytes: 284_672,
        elapsed_ms: 40,
        blksize: 1468,
        windowsize: 4,
        retransmissions: 0,
        confirmed: true,
    }
}

fn tftp_failed(name: &str, end: TftpEnd, bytes: u64) -> Kind {
    Kind::TftpFailed {
        client: ADDRESS.into(),
        name: name.into(),
        why: "no answer from the peer after 5 retries".into(),
        end,
        bytes,
        size: Some(284_672),
        blksize: Some(1468),
    }
}

fn size_asked(name: &str) -> Kind {
    Kind::TftpSizeProbe {
        client: ADDRESS.into(),
        name: name.into(),
        bytes: Some(284_672),
    }
}

fn script(action: ScriptAction) -> Kind {
    let files = ["debian/@1/bzImage", "debian/@1/initrd"].map(str::to_owned);
    Kind::Script {
        client: ADDRESS.into(),
        by: Protocol::Http,
        path: "/boot.ipxe".into(),
        boots: "image debian @1".into(),
        action,
        images: [LoadedFiles::from(files)].into(),
    }
}

fn http(path: &str, bytes: u64, complete: bool) -> Kind {
    Kind::HttpSent {
        client: ADDRESS.into(),
        path: path.into(),
        status: 200,
        bytes,
        elapsed_ms: 1_000,
        complete,
        whole: complete,
    }
}

fn part(path: &str, complete: bool) -> Kind {
    Kind::HttpSent {
        client: ADDRESS.into(),
        path: path.into(),
        status: 206,
        bytes: 2_048,
        elapsed_ms: 1,
        complete,
        whole: false,
    }
}

fn refused(path: &str) -> Kind {
    Kind::HttpRefused {
        client: ADDRESS.into(),
        path: path.into(),
        status: 404,
        why: "no such file".into(),
    }
}

fn ignored(reason: Unanswered) -> Kind {
    Kind::DhcpIgnored {
        message: MessageType::DISCOVER,
        interface: "eth1".into(),
        reason,
        why: "so it is".into(),
    }
}

/// What each of a boot's events is followed by, a second apart.
fn boot(kinds: impl IntoIterator<Item = Kind>) -> Record {
    at(
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1),
        MACHINE,
        kinds,
    )
}

fn at(began: Timestamp, machine: MacAddr, kinds: impl IntoIterator<Item = Kind>) -> Record {
    let events = Events::default();
    let mut stream = events.reader();
    let mut record: Option<Record> = None;
    for (seconds, kind) in (0..).zip(kinds) {
        let at = began + SignedDuration::from_secs(seconds);
        events.emit(at, Some(machine), kind);
        let Some(Read::Event(event)) = stream.try_next() else {
            panic!("an event comes out as it goes in");
        };
        match &mut record {
            Some(record) => record.take(event),
            None => record = Some(Record::new(1, machine, event)),
        }
    }
    record.expect("a boot has events")
}

fn joined(parts: impl IntoIterator<Item = Vec<Kind>>) -> Vec<Kind> {
    parts.into_iter().flatten().collect()
}

/// What is found a minute later.
fn found_in(record: &Record) -> Vec<Finding> {
    let now = record.boot.last + SignedDuration::from_mins(1);
    findings(record, &Context::at(now))
}

fn found(kinds: impl IntoIterator<Item = Kind>) -> Vec<Finding> {
    found_in(&boot(kinds))
}

/// The first finding's code, and the places of its evidence.
#[track_caller]
fn is_first(code: &str, evidence: &[usize], kinds: impl IntoIterator<Item = Kind>) -> Finding {
    let found = found(kinds);
    let first = found
        .first()
        .unwrap_or_else(|| panic!("{code} is not found"));
    assert_eq!(first.code, code, "{found:#?}");
    assert_eq!(first.evidence, evidence, "{first:#?}");
    assert!(first.cause.ends_with('.'), "{}", first.cause);
    assert!(first.cure.ends_with('.'), "{}", first.cure);
    first.clone()
}

/// Boots that come to their end, by firmware, and one that goes on.
fn good_boots() -> Vec<Vec<Kind>> {
    let image = || {
        vec![
            script(ScriptAction::Image),
            http("/boot.ipxe", 500, true),
            http("/images/debian/@1/bzImage", 8_000_000, true),
            http("/images/debian/@1/initrd", 40_000_000, true),
        ]
    };
    let url = "http://192.168.100.1/boot.ipxe";
    vec![
        // PXE under BIOS.
        joined([
            leased(Stage::Firmware, BIOS, "undionly.kpxe").into(),
            vec![size_asked("undionly.kpxe"), tftp_sent("undionly.kpxe")],
            leased(Stage::Ipxe, BIOS, url).into(),
            image(),
        ]),
        // PXE under UEFI, where the first block was lost once, and autoexec.ipxe is not there.
        joined([
            leased(Stage::Firmware, UEFI, "snponly.efi").into(),
            vec![
                size_asked("snponly.efi"),
                tftp_failed("snponly.efi", TftpEnd::NoAck, 0),
                tftp_sent("snponly.efi"),
                tftp_failed("autoexec.ipxe", TftpEnd::NotFound, 0),
            ],
            leased(Stage::Ipxe, UEFI, url).into(),
            image(),
        ]),
        // UEFI HTTP boot with shim and GRUB.
        joined([
            leased(
                Stage::Firmware,
                Arch(16),
                "http://192.168.100.1/shimx64.efi",
            )
            .into(),
            vec![
                http("/shimx64.efi", 900_000, true),
                refused("/revocations.efi"),
                http("/grubx64.efi", 2_000_000, true),
            ],
            image(),
        ]),
        // Beside another server, in proxy mode.
        joined([
            vec![
                said(MessageType::DISCOVER, Stage::Firmware, UEFI),
                replied(MessageType::OFFER, OTHER_SERVER, None),
                proxied("snponly.efi"),
                chose(OTHER_SERVER, Stage::Firmware, UEFI),
                replied(MessageType::ACK, OTHER_SERVER, None),
                tftp_sent("snponly.efi"),
                said(MessageType::DISCOVER, Stage::Ipxe, UEFI),
                proxied(url),
                chose(OTHER_SERVER, Stage::Ipxe, UEFI),
            ],
            image(),
        ]),
        // A disc, of which its system reads parts, the last of them not to their end.
        joined([
            leased(Stage::Ipxe, BIOS, url).into(),
            vec![
                script(ScriptAction::Image),
                part("/images/rescue/@1/rescue.iso", true),
                part("/images/rescue/@1/rescue.iso", false),
            ],
        ]),
        // PXELINUX of another server, whose files no script names.
        joined([
            leased(Stage::Firmware, BIOS, "pxelinux.0").into(),
            vec![
                tftp_sent("pxelinux.0"),
                tftp_failed("pxelinux.cfg/01-52-54-00-12-34-56", TftpEnd::NotFound, 0),
                tftp_sent("menu.c32"),
                tftp_sent("vmlinuz"),
                tftp_sent("initrd.img"),
                renewed(),
            ],
        ]),
        // To the local disk, and to the menu, where it waits.
        joined([
            leased(Stage::Ipxe, BIOS, url).into(),
            vec![script(ScriptAction::Local)],
        ]),
        joined([
            leased(Stage::Ipxe, BIOS, url).into(),
            vec![script(ScriptAction::Menu)],
        ]),
    ]
}

#[test]
fn nothing_is_found_in_a_boot_that_went_well() {
    for kinds in good_boots() {
        let record = boot(kinds);
        assert_eq!(found_in(&record), [], "{:#?}", record.boot);
        // However long ago it was.
        let now = record.boot.last + SignedDuration::from_hours(1);
        assert_eq!(findings(&record, &Context::at(now)), []);
    }
}

#[test]
fn nothing_is_found_in_a_boot_that_goes_on_well() {
    for kinds in good_boots() {
        for end in 1..kinds.len() {
            let record = boot(kinds.iter().take(end).cloned());
            let found = findings(&record, &Context::at(record.boot.last));
            let steps = || record.events.iter().map(ToString::to_string);
            // The lost first block of one of them is that until the next one comes.
            let lost = |it: &Finding| it.code == "tftp-no-ack" && it.evidence.contains(&(end - 1));
            assert!(
                found.iter().all(lost),
                "{found:#?} in {:#?}",
                steps().collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn codes_are_words_with_dashes_and_differ() {
    let mut codes: Vec<_> = crate::diagnosis::codes().collect();
    for code in &codes {
        let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(code.chars().all(is_word), "{code}");
    }
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
}

#[test]
fn messages_without_an_answer_are_told_by_their_reason() {
    let discover = said(MessageType::DISCOVER, Stage::Firmware, UEFI);
    for (reason, word) in [
        (Unanswered::NoNetwork, "No network of the configuration"),
        (Unanswered::NoAddress, "No address of its network is free"),
        (Unanswered::StoreDown, "lease database cannot be written"),
        (Unanswered::IdentityInUse, "Another client has an address"),
        (Unanswered::Unsent, "could not be sent: so it is"),
        (Unanswered::Other, "got no answer: so it is"),
    ] {
        let kinds = [discover.clone(), ignored(reason), ignored(reason)];
        let finding = is_first("no-offer", &[1, 2], kinds);
        assert!(finding.cause.contains(word), "{}", finding.cause);
        assert_eq!(finding.certainty, Certainty::Certain);
    }
    // One that was answered later has what it needs.
    let answered = leased(Stage::Firmware, UEFI, "snponly.efi");
    let later = [ignored(Unanswered::NoAddress)].into_iter().chain(answered);
    assert!(found(later).iter().all(|it| it.code != "no-offer"));
}

#[test]
fn what_events_say_themselves_is_found() {
    let discover = || said(MessageType::DISCOVER, Stage::Firmware, UEFI);
    let why = || "it is so".to_owned();
    is_first(
        "not-allowed",
        &[1],
        [discover(), Kind::LeftOut { why: why() }],
    );
    let relay = Some(Ipv4Addr::new(10, 1, 0, 1));
    let unlisted = Kind::RelayNotListed {
        interface: "eth1".into(),
        relay,
        network: None,
    };
    let finding = is_first("relay-not-listed", &[1], [discover(), unlisted]);
    assert!(
        finding.cure.contains("relays = [\"10.1.0.1\"]"),
        "{}",
        finding.cure
    );
    is_first(
        "no-program",
        &[1],
        [discover(), Kind::NoProgram { why: why() }],
    );
    let dead_end = Kind::ProgramIsDeadEnd { why: why() };
    is_first("program-is-dead-end", &[1], [discover(), dead_end]);
    let lacks = Kind::IpxeLacks {
        missing: "HTTP".into(),
        program: "undionly.kpxe".into(),
        again: true,
    };
    is_first("ipxe-lacks", &[1], [discover(), lacks]);
    let grub = Kind::GrubByProxy {
        program: "shimx64.efi".into(),
    };
    is_first("grub-by-proxy", &[1], [discover(), grub]);
}

#[test]
fn an_address_that_is_refused_and_not_asked_for_anew_is_told() {
    let mut nak = replied(MessageType::NAK, SERVER, None);
    if let Kind::Dhcp { refusal, .. } = &mut nak {
        *refusal = Some("wrong network".into());
    }
    let asked = || chose(SERVER, Stage::Firmware, UEFI);
    let finding = is_first(
        "address-refused",
        &[1, 3],
        [asked(), nak.clone(), asked(), nak.clone()],
    );
    assert!(finding.cause.contains("wrong network"), "{}", finding.cause);
    let anew = leased(Stage::Firmware, UEFI, "snponly.efi");
    let found = found([asked(), nak].into_iter().chain(anew));
    assert!(
        found.iter().all(|it| it.code != "address-refused"),
        "{found:#?}"
    );
}

#[test]
fn another_servers_offer_that_was_taken_is_told_with_that_server() {
    let kinds = [
        said(MessageType::DISCOVER, Stage::Firmware, UEFI),
        replied(MessageType::OFFER, SERVER, Some("snponly.efi")),
        chose(OTHER_SERVER, Stage::Firmware, UEFI),
    ];
    let finding = is_first("other-server-won", &[1, 2], kinds);
    assert!(
        finding.cause.contains("192.168.100.254"),
        "{}",
        finding.cause
    );
    let seen = Kind::OtherServer {
        interface: "eth1".into(),
        server: OTHER_SERVER,
    };
    let kinds = [
        said(MessageType::DISCOVER, Stage::Firmware, UEFI),
        replied(MessageType::OFFER, SERVER, Some("snponly.efi")),
        seen,
    ];
    assert_eq!(
        is_first("other-server-won", &[1, 2], kinds).certainty,
        Certainty::Likely
    );
}

#[test]
fn a_server_that_names_no_program_is_told() {
    let kinds = [
        said(MessageType::DISCOVER, Stage::Firmware, UEFI),
        replied(MessageType::OFFER, OTHER_SERVER, None),
        chose(OTHER_SERVER, Stage::Firmware, UEFI),
        replied(MessageType::ACK, OTHER_SERVER, None),
    ];
    let record = boot(kinds);
    let mut context = Context::at(record.boot.last + SignedDuration::from_mins(1));
    context.is_foreign = true;
    let found = findings(&record, &context);
    let first = found.first().expect("a finding");
    assert_eq!(
        (first.code, first.evidence.as_slice()),
        ("no-boot-data", &[3][..])
    );
    assert!(
        first.cause.starts_with("192.168.100.254 "),
        "{}",
        first.cause
    );
    // This server names none where it was told to leave machines alone.
    assert!(found_in(&record).iter().all(|it| it.code != "no-boot-data"));
}

#[test]
fn a_program_for_another_platform_is_told() {
    for (arch, file, what) in [
        (UEFI, "undionly.kpxe", "is for bios"),
        (BIOS, "ipxe.efi", "its firmware is bios"),
        (UEFI, "ipxe-arm64.efi", "is for arm64"),
        (Arch(11), "http://192.168.100.1/ipxe-i386.efi", "is for x86"),
        (Arch(11), "ipxe-x86_64.efi", "is for x64"),
    ] {
        let kinds = leased(Stage::Firmware, arch, file);
        let finding = is_first("wrong-platform", &[3], kinds);
        assert!(finding.cause.contains(what), "{}", finding.cause);
    }
    // What a name says of no processor is for any.
    let found = found(leased(
        Stage::Firmware,
        Arch(11),
        "http://192.168.100.1/boot.efi",
    ));
    assert!(
        found.iter().all(|it| it.code != "wrong-platform"),
        "{found:#?}"
    );
}

#[test]
fn transfers_by_tftp_that_fail_are_told_by_their_end() {
    let name = "snponly.efi";
    let begun = || leased(Stage::Firmware, UEFI, name).to_vec();
    for (end, bytes, code) in [
        (TftpEnd::NoAnswer, 0, "tftp-no-answer"),
        (TftpEnd::NoAck, 0, "tftp-no-ack"),
        (TftpEnd::NoBlockAck, 0, "tftp-blocks-lost"),
        (TftpEnd::Silent, 100_000, "tftp-cut-off"),
        (TftpEnd::ByClient, 100_000, "tftp-cut-off"),
        (TftpEnd::Other, 0, "tftp-cut-off"),
        (TftpEnd::OverCap, 0, "tftp-over-cap"),
        (TftpEnd::NotFound, 0, "program-missing"),
        (TftpEnd::Refused, 0, "program-missing"),
    ] {
        let failed = || tftp_failed(name, end, bytes);
        let finding = is_first(code, &[4], joined([begun(), vec![failed()]]));
        assert!(finding.cause.contains(name), "{}", finding.cause);
        // One that came through at the next attempt did no harm.
        let mended = joined([begun(), vec![failed(), tftp_sent(name)]]);
        let found = found(mended);
        assert!(found.iter().all(|it| it.code != code), "{found:#?}");
    }
    // A block of 512 bytes comes through wherever DHCP does: no question of the MTU.
    let mut small = tftp_failed(name, TftpEnd::NoBlockAck, 0);
    if let Kind::TftpFailed { blksize, .. } = &mut small {
        *blksize = Some(512);
    }
    let found = found(joined([begun(), vec![small]]));
    assert!(
        found.iter().all(|it| it.code != "tftp-blocks-lost"),
        "{found:#?}"
    );
}

#[test]
fn silence_is_told_by_what_came_before_it() {
    let url = "http://192.168.100.1/boot.ipxe";
    let name = "snponly.efi";
    let begun = || leased(Stage::Firmware, UEFI, name).to_vec();
    let offers = [
        said(MessageType::DISCOVER, Stage::Firmware, UEFI),
        replied(MessageType::OFFER, SERVER, Some(name)),
        said(MessageType::DISCOVER, Stage::Firmware, UEFI),
        replied(MessageType::OFFER, SERVER, Some(name)),
        said(MessageType::DISCOVER, Stage::Firmware, UEFI),
        replied(MessageType::OFFER, SERVER, Some(name)),
    ];
    let cases = [
        ("offer-not-taken", 5, offers.to_vec()),
        ("program-never-asked", 3, begun()),
        (
            "size-asked-only",
            4,
            joined([begun(), vec![size_asked(name)]]),
        ),
        (
            "program-not-started",
            4,
            joined([begun(), vec![tftp_sent(name)]]),
        ),
        (
            "script-never-asked",
            8,
            joined([
                begun(),
                vec![tftp_sent(name)],
                leased(Stage::Ipxe, UEFI, url).into(),
            ]),
        ),
    ];
    for (code, place, kinds) in cases {
        let record = boot(kinds);
        let found = found_in(&record);
        let first = found
            .first()
            .unwrap_or_else(|| panic!("{code} is not found"));
        assert_eq!(first.code, code, "{found:#?}");
        assert!(first.evidence.contains(&place), "{first:#?}");
        // A moment after its last message nobody knows.
        assert_eq!(findings(&record, &Context::at(record.boot.last)), []);
    }
}

#[test]
fn a_program_that_is_fetched_again_and_again_is_one_that_secure_boot_refuses() {
    let fetched = |name: &str| vec![tftp_sent(name), tftp_sent(name)];
    let begun = |arch, name: &str| leased(Stage::Firmware, arch, name).to_vec();
    let kinds = joined([begun(UEFI, "snponly.efi"), fetched("snponly.efi")]);
    is_first("secure-boot", &[4, 5], kinds);
    for (arch, name) in [(UEFI, "shimx64.efi"), (BIOS, "undionly.kpxe")] {
        let found = found(joined([begun(arch, name), fetched(name)]));
        assert!(
            found.iter().all(|it| it.code != "secure-boot"),
            "{found:#?}"
        );
    }
}

#[test]
fn an_image_that_is_not_there_or_ends_early_is_told() {
    let begun = || leased(Stage::Ipxe, UEFI, "http://192.168.100.1/boot.ipxe").to_vec();
    let (kernel, initrd) = ("/images/debian/@1/bzImage", "/images/debian/@1/initrd");
    let notice = joined([begun(), vec![script(ScriptAction::Notice)]]);
    is_first("image-missing", &[4], notice);
    let scripted = || joined([begun(), vec![script(ScriptAction::Image)]]);
    is_first(
        "image-missing",
        &[5],
        joined([scripted(), vec![refused(kernel)]]),
    );
    let cut = || vec![http(kernel, 8_000_000, true), http(initrd, 1_000, false)];
    let again = vec![http(initrd, 1_200, false)];
    let finding = is_first("image-cut-off", &[6, 7], joined([scripted(), cut(), again]));
    assert!(finding.cause.contains("1200 bytes"), "{}", finding.cause);
    let whole = vec![http(initrd, 40_000_000, true)];
    assert_eq!(found(joined([scripted(), cut(), whole])), []);
    // The script that says so goes to another than the machine itself.
    let withheld = joined([begun(), vec![script(ScriptAction::Withheld)]]);
    let finding = is_first("image-missing", &[4], withheld);
    assert!(finding.cure.contains("secret"), "{}", finding.cure);
    let later = joined([
        begun(),
        vec![script(ScriptAction::Notice), script(ScriptAction::Image)],
    ]);
    assert_eq!(found(later), []);
}

/// The machine's earlier boots, the newest first: each had its image, or not, so many minutes ago.
fn history(boots: &[(i64, bool)], now: Timestamp) -> Vec<Boot> {
    let boots = boots.iter().map(|(minutes, has_image)| {
        let mut kinds = good_boots().swap_remove(0);
        if !has_image {
            kinds.truncate(4);
        }
        at(now - SignedDuration::from_mins(*minutes), MACHINE, kinds).boot
    });
    boots.collect()
}

#[test]
fn a_machine_that_begins_again_behind_its_hand_over_is_in_a_loop() {
    let record = boot(good_boots().swap_remove(0));
    let began = record.boot.began;
    let codes = |boots: &[(i64, bool)]| {
        let history = history(boots, began);
        let mut context = Context::at(record.boot.last);
        context.history = &history;
        let found = findings(&record, &context);
        found.first().map(|it| (it.code, it.certainty))
    };
    assert_eq!(
        codes(&[(3, true)]),
        Some(("boot-loop", Certainty::Possible))
    );
    let twice = codes(&[(3, true), (6, true), (600, true)]);
    assert_eq!(twice, Some(("boot-loop", Certainty::Likely)));
    assert_eq!(codes(&[(3, false), (6, true)]), None);
    assert_eq!(codes(&[(600, true)]), None);
    // A system that asked for an address has run, however soon it was restarted.
    let mut ran = history(&[(3, true), (6, true)], began);
    for boot in &mut ran {
        boot.system = true;
    }
    let mut context = Context::at(record.boot.last);
    context.history = &ran;
    assert_eq!(findings(&record, &context), []);
}

#[test]
fn machines_that_are_taken_for_one_are_told() {
    let discover = || said(MessageType::DISCOVER, Stage::Firmware, UEFI);
    let record = boot([
        with_uuid(discover(), 1),
        Kind::NoProgram { why: "so".into() },
    ]);
    let elsewhere = |machine, uuid| {
        let at_that_time = record.boot.began;
        at(at_that_time, machine, [with_uuid(discover(), uuid)]).boot
    };
    let codes = |history: &[Boot], others: &[Boot]| {
        let mut context = Context::at(record.boot.last);
        context.history = history;
        context.others = others;
        let found = findings(&record, &context);
        found.iter().map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(
        codes(&[], &[elsewhere(OTHER, 1)]),
        ["no-program", "same-uuid"]
    );
    assert_eq!(
        codes(&[elsewhere(MACHINE, 2)], &[]),
        ["no-program", "same-mac"]
    );
    let alike = codes(&[elsewhere(MACHINE, 1)], &[elsewhere(OTHER, 2)]);
    assert_eq!(alike, ["no-program"]);
}

#[test]
fn a_target_that_is_nearly_the_machine_is_told() {
    let text = r#"
        [netboot.server]
        ip = "192.168.100.1"
        interface = "eth1"
        [[netboot.targets]]
        name = "node-07"
        mac = "52:54:00:12:34:57"
    "#;
    let world = World::of_text(text, Vec::new(), Programs::from([]));
    let discover = said(MessageType::DISCOVER, Stage::Firmware, UEFI);
    let code = |machine| {
        let record = at(Timestamp::UNIX_EPOCH, machine, [discover.clone()]);
        let mut context = Context::at(record.boot.last);
        context.world = Some(&world);
        findings(&record, &context)
    };
    let found = code(MACHINE);
    let cure = found.first().map(|it| (it.code, it.cure.as_str()));
    let right = "If it is that machine, write mac = \"52:54:00:12:34:56\" in target node-07.";
    assert_eq!(cure, Some(("near-target", right)));
    assert_eq!(code(OTHER), []);
    assert_eq!(code(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x57])), []);
}

#[test]
fn an_install_is_no_fault() {
    let installed = Kind::Install {
        name: "node-07".into(),
        number: 1,
        installed: true,
        by: InstallWord::Machine,
    };
    let kinds = joined([good_boots().swap_remove(0), vec![installed]]);
    let record = boot(kinds);
    assert_eq!(record.boot.progress, Progress::Image);
    assert_eq!(found_in(&record), []);
}

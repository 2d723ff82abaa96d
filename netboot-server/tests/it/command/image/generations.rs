//! Going back to other generations, and pruning.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::command::image::{Place, forget};
use crate::support::client::get;
use crate::support::{Running, Site};

#[test]
fn generations_are_listed_gone_back_to_and_pruned() {
    let place = Place::new();
    for content in ["one", "two", "three", "four", "five"] {
        place.write("build/initrd", content.as_bytes());
        place.says("add a --from build");
    }
    place.says("add b --from build");
    assert_eq!(place.says("rollback a"), "a @4 is current\n");
    assert_eq!(place.says("rollback a --to @5"), "a @5 is current\n");
    assert_eq!(place.says("rollback a --to 2"), "a @2 is current\n");
    assert!(
        place
            .refuses("rollback a --to 9")
            .contains("no generation @9")
    );
    assert!(place.refuses("rollback c").contains("no image is called c"));
    assert_eq!(place.says("rollback a"), "a @1 is current\n");
    assert!(place.refuses("rollback a").contains("no generation before"));
    place.says("rollback a --to @2");

    let listed = place.says("list --generations");
    let lines: Vec<_> = listed.lines().collect();
    assert!(
        lines[0].starts_with("IMAGE  GENERATION  PUBLISHED "),
        "{listed}"
    );
    assert!(lines[1].starts_with("a      @1          20"), "{listed}");
    assert!(
        lines[1].ends_with("00  1.02 KiB  earlier"),
        "its offset, and {listed}"
    );
    assert!(lines[2].starts_with("a      @2          20"), "{listed}");
    assert!(lines[2].ends_with("  1.02 KiB  current"), "{listed}");
    assert_eq!((&lines[6][..1], lines.len()), ("b", 7), "{listed}");
    let (listed, _) = place.json("list --json");
    let first = &listed["generations"]["a"][0];
    assert_eq!(
        (&first["generation"], &first["current"]),
        (&json!(1), &json!(false))
    );
    let created = first["created"].as_str().expect("text");
    assert!(
        created.ends_with('Z'),
        "for programs it is in UTC: {created}"
    );
    assert_eq!(listed["generations"]["a"][1]["current"], true);

    assert_eq!(
        place.says("prune --keep 1"),
        "",
        "all were used within a day"
    );
    for generation in ["a/1", "a/2", "a/3", "a/5"] {
        forget(&place.images(), generation);
    }
    let foretold = place.says("prune --dry-run --keep 1");
    assert_eq!(foretold, "a @1 would be removed\na @3 would be removed\n");
    assert_eq!(place.says("prune b --keep 0"), "");
    assert_eq!(place.says("prune"), "a @1 removed\n");
    assert_eq!(
        place.says("prune a --keep 0"),
        "a @3 removed\na @5 removed\n"
    );
    assert_eq!(place.says("list --generations").lines().count(), 4);
    assert!(place.refuses("prune c").contains("no image is called c"));
    assert_eq!(place.run("verify").status.code(), Some(0));
}

#[test]
fn a_generation_that_is_broken_is_named_gone_back_from_and_pruned() {
    let place = Place::new();
    for content in ["one", "two", "three"] {
        place.write("build/initrd", content.as_bytes());
        place.says("add a --from build");
    }
    let manifest = |number: u32| {
        place
            .images()
            .join(format!(".store/images/a/{number}/manifest.json"))
    };
    fs::remove_file(manifest(1)).expect("removed");
    let output = place.run("list --generations");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.starts_with("netboot: a/@1 cannot be used: "), "{said}");
    fs::remove_file(manifest(3)).expect("removed");
    assert_eq!(place.says("rollback a"), "a @2 is current\n");
    fs::remove_file(manifest(2)).expect("removed");
    for generation in ["a/1", "a/3"] {
        forget(&place.images(), generation);
    }
    assert_eq!(place.says("prune --keep 0"), "a @1 removed\na @3 removed\n");
}

#[test]
fn an_image_whose_link_was_removed_by_hand_is_named_until_it_is_taken_out() {
    let place = Place::new();
    for content in ["one", "two"] {
        place.write("build/initrd", content.as_bytes());
        place.says("add a --from build");
    }
    place.says("add b --from build");
    let unlink = || fs::remove_file(place.images().join("a")).expect("a link");
    unlink();
    let why = "none of its generations is current, and @1 to @2 are in the store";
    let cure = "`netboot image remove a` takes them out, and `netboot image rollback a` makes the \
                newest current again";
    let output = place.run("list");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(said, format!("netboot: a cannot be used: {why}; {cure}\n"));
    let (listed, _) = place.json("list --json");
    assert_eq!(listed["problems"][0]["name"], "a");
    let output = place.run("prune");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(said, format!("netboot: a: {why}; {cure}\n"));

    assert_eq!(place.says("rollback a"), "a @2 is current\n");
    assert_eq!(place.says("prune"), "");
    unlink();
    place.says("remove a");
    assert_eq!(place.says("list").lines().count(), 2, "b alone");
}

#[test]
fn what_a_script_of_the_server_names_is_spared_by_pruning() {
    let site = Site::new(&json!([]));
    for mark in ["one", "two", "three"] {
        site.add("debian", mark);
    }
    let images = site.state().join("http/images");
    for generation in ["debian/1", "debian/2", "debian/3"] {
        forget(&images, generation);
    }
    let _serving = Running::serve(&site);
    let script = get(&site, Ipv4Addr::new(127, 0, 0, 9), "/boot.ipxe");
    let script = script.text();
    assert!(script.contains("/images/debian/@3/bzImage"), "{script}");
    // By hand, since the store itself notes the time when it makes another generation current.
    symlink(".store/images/debian/2", images.join(".new")).expect("a link");
    fs::rename(images.join(".new"), images.join("debian")).expect("switched");
    let pruned = site.run(["image", "prune", "--keep", "0"]);
    assert_eq!(
        (pruned.code, pruned.out.as_str()),
        (Some(0), "debian @1 removed\n")
    );
}

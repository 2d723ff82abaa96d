//! A server that is killed and started again in the middle of a machine's boot.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::client::{Connection, get, lease, mac, tftp};
use crate::support::{Running, Site, write};

const PROGRAM: &[u8] = b"a boot program";

/// Kills the server and starts it again.
fn restart(site: &Site, serving: &mut Running) {
    serving.signal(Signal::SIGKILL);
    serving.end();
    *serving = Running::serve(site);
}

#[test]
fn a_machine_goes_on_with_its_boot_after_each_kill_of_the_server() {
    let targets = json!([{
        "name": "node-01", "mac": mac(1), "config": "debian", "state": { "secret": 1 },
    }]);
    let site = Site::new(&targets);
    let (kernel, initrd) = site.add("debian", "one");
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", PROGRAM);

    let mut serving = Running::serve(&site);
    let address = lease(&site, 1).address;
    restart(&site, &mut serving);
    assert_eq!(tftp(&site, address, b"undionly.kpxe"), Ok(PROGRAM.to_vec()));
    restart(&site, &mut serving);
    // Nothing but the lease says whose address it is.
    let script = get(&site, address, "/boot.ipxe");
    assert_eq!(script.status, 200);
    let script = script.text();
    let url = |word: &str| {
        let line = script.lines().find(|line| line.starts_with(word));
        let mut words = line.expect("a line").split_whitespace();
        let url = words.find(|word| word.starts_with("http://"));
        let (_, path) = url.expect("a URL").split_once("/images/").expect("a path");
        format!("/images/{path}")
    };
    assert_eq!(get(&site, address, "/states/node-01.json").status, 200);
    restart(&site, &mut serving);
    // What the script names is there, though a newer generation is.
    site.add("debian", "two");
    assert_eq!(get(&site, address, &url("kernel")).body, kernel);
    let whole = get(&site, address, &url("initrd"));
    assert_eq!(whole.body, initrd);
    restart(&site, &mut serving);
    // The rest of a file has the validator that the first part had.
    let mut connection = Connection::from(&site, address);
    let rest = [("Range", "bytes=3-"), ("If-Range", whole.header("etag"))];
    let rest = connection.ask("GET", &url("initrd"), &rest);
    assert_eq!((rest.status, &rest.body[..]), (206, &initrd[3..]));
    // The machine that started anew gets what it had.
    assert_eq!(lease(&site, 1).address, address);
}

#[test]
fn a_download_that_a_kill_cut_off_is_no_whole_file() {
    let site = Site::new(&json!([]));
    let folder = site.folder.path();
    let (k, i) = (
        write(folder, "k", &crate::support::kernel("big")),
        write(folder, "i", &vec![7; 64 << 20]),
    );
    let done = site.run(["image", "add", "big", "--kernel", &k, "--initrd", &i]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let mut serving = Running::serve(&site);
    let address = lease(&site, 1).address;
    let mut download = Connection::from(&site, address);
    download.send(b"GET /images/big/initrd HTTP/1.0\r\n\r\n");
    download.begun();
    restart(&site, &mut serving);
    // Fewer bytes than the length that was said.
    let got = download.rest();
    let head = b"Content-Length: 67108864\r\n";
    assert!(got.windows(head.len()).any(|part| part == head));
    assert!(got.len() < 64 << 20, "{}", got.len());
}

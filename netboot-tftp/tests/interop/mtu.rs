//! Blocks that exceed the MTU of a link, over a cable of 1500 bytes between two namespaces.

use std::sync::{Arc, Mutex};

use netboot_tftp::Limits;
use netboot_tftp::client::{Client, Completed};
use netboot_tftp::server::{Event, Memory, Server, Settings};

use crate::namespace::{Neighbour, content, in_namespace};

/// Fetches a file across the cable by blocks of 4000 bytes, if the server agrees, and gives the
/// client's view and the sizes at which the server has found that segments are refused.
fn fetch(single_port: bool) -> (Completed, Vec<usize>) {
    in_namespace(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&refused);
        let neighbour = Neighbour::connect(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let client = Client::new("10.9.0.1:69".parse().unwrap());
            let client = client.blksize(4000).windowsize(8);
            let mut file = Vec::new();
            let done = runtime.block_on(client.get("file", &mut file, |_| {}));
            assert!(file == content(1_000_003));
            done.unwrap()
        });
        let settings = Settings::default()
            .single_port(single_port)
            .limits(Limits::default().max_blksize(65464));
        let _inside = runtime.enter();
        let files = Memory::from_iter([("file", content(1_000_003))]);
        let server = Server::bind("10.9.0.1:69".parse().unwrap(), settings, files)
            .unwrap()
            .observe(move |event| {
                if let Event::OffloadRefused { datagram_len, .. } = event {
                    log.lock().unwrap().push(*datagram_len);
                }
            });
        let serving = runtime.spawn(server.serve(std::future::pending()));
        let done = neighbour.join();
        serving.abort();
        let refused = refused.lock().unwrap().clone();
        (done, refused)
    })
}

#[test]
#[ignore = "needs root and the Debian package iproute2"]
fn segments_above_the_mtu_are_refused_once_and_the_file_arrives_in_fragments() {
    let (done, refused) = fetch(false);
    assert_eq!(done.agreed.blksize(), 4000);
    assert_eq!(refused, [4004]);
    assert_eq!(done.stats.bytes, 1_000_003);
}

#[test]
#[ignore = "needs root and the Debian package iproute2"]
fn a_single_port_agrees_to_blocks_that_fit_the_mtu() {
    let (done, refused) = fetch(true);
    // 1500 less the headers of IPv4, UDP and TFTP.
    assert_eq!(done.agreed.blksize(), 1500 - 20 - 8 - 4);
    assert_eq!(refused, []);
    assert_eq!(done.stats.timeouts, 0);
}

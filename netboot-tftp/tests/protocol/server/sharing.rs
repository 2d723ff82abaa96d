//! Transfers that read the same file at one time.

use netboot_tftp::client::Client;
use netboot_tftp::server::{Directory, Settings};
use tokio::time::timeout;

use super::support::{Bare, PATIENCE, Running, content, unhurried};

#[tokio::test]
async fn transfers_get_the_file_that_had_the_name_when_they_began() {
    for max_shared_bytes in [0, 16 << 20] {
        let root = tempfile::tempdir().unwrap();
        let (path, beside) = (root.path().join("big"), root.path().join("new"));
        std::fs::write(&path, content(300_000)).unwrap();
        let settings = Settings::default()
            .transfer(unhurried())
            .max_shared_bytes(max_shared_bytes);
        let server = Running::start(settings, Directory::new(root.path()).unwrap());
        let slow = Bare::new_many(2).await;
        let request = b"\x00\x01big\0octet\0blksize\x0060000\0";
        let mut ports = Vec::new();
        for client in &slow {
            client.send(server.addr, request).await;
            ports.push(client.recv().await.1);
        }
        assert_gets(&server, &content(300_000)).await;

        // As an update does it, and as nobody should.
        std::fs::write(&beside, content(200_000)).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        let newest = Bare::new().await;
        newest.send(server.addr, request).await;
        newest.recv().await;
        assert_gets(&server, &content(200_000)).await;
        std::fs::write(&path, content(100_000)).unwrap();
        assert_gets(&server, &content(100_000)).await;

        for (client, port) in slow.iter().zip(ports) {
            let mut whole = Vec::new();
            for block in 0.. {
                client.send(port, &[0, 4, 0, block]).await;
                let (data, _) = client.recv().await;
                whole.extend_from_slice(&data[4..]);
                if data.len() < 1468 {
                    break;
                }
            }
            assert!(whole == content(300_000));
        }
    }
}

async fn assert_gets(server: &Running, expected: &[u8]) {
    let client = Client::new(server.addr).windowsize(8);
    let got = timeout(PATIENCE, client.get_bytes("big", 1 << 20)).await;
    assert!(got.unwrap().unwrap() == expected);
}

//! The system's neighbour table: which MAC address an address on the same link has.

use std::net::{IpAddr, Ipv4Addr};

use netboot_dhcp::MacAddr;

const TABLE: &str = "/proc/thread-self/net/arp";

/// The MAC address that the system has seen behind an address lately.
#[must_use]
pub(crate) fn mac_of(address: IpAddr) -> Option<MacAddr> {
    let IpAddr::V4(address) = address.to_canonical() else {
        return None;
    };
    find(&std::fs::read_to_string(TABLE).ok()?, address)
}

/// Columns: IP address, HW type, flags, HW address, mask, device. A flag of 0 marks an address that
/// did not answer.
fn find(table: &str, address: Ipv4Addr) -> Option<MacAddr> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let entry: Ipv4Addr = columns.next()?.parse().ok()?;
        let ethernet = columns.next()? == "0x1";
        let answered = columns.next()? != "0x0";
        let mac = columns.next()?.parse().ok()?;
        (entry == address && ethernet && answered).then_some(mac)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.1 prints it, with an entry that did not answer.
    const TABLE: &str = "\
IP address       HW type     Flags       HW address            Mask     Device
192.168.100.101  0x1         0x2         52:54:00:12:34:56     *        eth1
192.168.100.102  0x1         0x0         00:00:00:00:00:00     *        eth1
";

    #[test]
    fn only_an_address_that_answered_has_a_mac() {
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        let found = |last| find(TABLE, Ipv4Addr::new(192, 168, 100, last));
        assert_eq!(found(101), Some(mac));
        assert_eq!(found(102), None);
        assert_eq!(found(103), None);
    }
}

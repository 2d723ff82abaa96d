//! An event as a line of the log, in dnsmasq's words where it has them.

use std::fmt;

use netboot_dhcp::MacAddr;

use super::{Event, InstallWord, Kind, Protocol};

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = || Machine(self.machine);
        match &self.kind {
            Kind::Dhcp {
                message,
                interface,
                address,
                host_name,
                boot_file,
                refusal,
                ..
            } => {
                write!(f, "{message}({interface})")?;
                if let Some(address) = address {
                    write!(f, " {address}")?;
                }
                write!(f, " {}", machine())?;
                if let Some(name) = host_name {
                    write!(f, " {name}")?;
                }
                if let Some(file) = boot_file {
                    write!(f, " boots {file}")?;
                }
                if let Some(refusal) = refusal {
                    write!(f, " {refusal}")?;
                }
                Ok(())
            }
            Kind::DhcpIgnored {
                message,
                interface,
                why,
                ..
            } => write!(f, "{message}({interface}) {} ignored: {why}", machine()),
            Kind::OtherServer { interface, server } => write!(
                f,
                "DHCP on {interface}: another server, {server}, answered {}",
                machine()
            ),
            Kind::RelayNotListed {
                interface,
                relay: Some(relay),
                network: None,
            } => write!(
                f,
                "DHCP on {interface}: relay agent {relay} gets no answer for a network of another \
                 interface, or a link that it selects: if it is yours, write relays = [\"{relay}\"] \
                 in that network"
            ),
            Kind::RelayNotListed {
                interface,
                relay: Some(relay),
                network: Some(network),
            } => write!(
                f,
                "DHCP on {interface}: the circuits that relay agent {relay} names are not believed: \
                 if it is yours, write relays = [\"{relay}\"] in network {network}"
            ),
            Kind::RelayNotListed {
                interface, network, ..
            } => write!(
                f,
                "DHCP on {interface}: circuits that no relay agent names are not believed: if a \
                 switch writes them and keeps machines' own from passing, write trust_option_82 = \
                 true in network {}",
                network.as_deref().unwrap_or_default()
            ),
            Kind::AddressInUse { interface, address } => write!(
                f,
                "DHCP on {interface}: {address} is in use though nobody has its lease"
            ),
            Kind::LeaseEnded {
                interface,
                address,
                instead,
            } => {
                write!(
                    f,
                    "DHCP on {interface}: the lease of {address} has ended: {} ",
                    machine()
                )?;
                match instead {
                    Some(instead) => write!(f, "has {instead} now"),
                    None => f.write_str("was refused it"),
                }
            }
            Kind::PoolFillsUp {
                network,
                taken,
                size,
            } => {
                let how = if taken < size { "nearly full" } else { "full" };
                write!(
                    f,
                    "DHCP network {network}: its ranges are {how}, {taken} of {size} addresses are \
                     taken"
                )
            }
            Kind::LeasesSetAside { aside, why } => write!(
                f,
                "the lease database was damaged ({why}) and is now {aside}: the new one has what \
                 can be read, and machines keep the other addresses as they ask for them"
            ),
            Kind::NoProgram { why } => {
                write!(f, "DHCP {} gets no boot program: {why}", machine())
            }
            Kind::ProgramIsDeadEnd { why } => {
                write!(
                    f,
                    "DHCP {} boots no further than its program: {why}",
                    machine()
                )
            }
            Kind::IpxeLacks {
                missing,
                program,
                again: false,
            } => write!(
                f,
                "DHCP {}: its iPXE lacks {missing}, and gets {program} first",
                machine()
            ),
            Kind::IpxeLacks {
                missing,
                program,
                again: true,
            } => write!(
                f,
                "DHCP {}: its iPXE still lacks {missing} behind {program}, and gets the script, \
                 which may fail: put an iPXE that has them in the place of {program}",
                machine()
            ),
            Kind::GrubByProxy { program } => write!(
                f,
                "DHCP {}: {program} leads to GRUB, which hears the other server only: it ends at \
                 its prompt unless that one names this server (siaddr)",
                machine()
            ),
            Kind::LeftOut { why } => write!(f, "DHCP {} is left out: {why}", machine()),
            Kind::Install {
                name,
                number,
                installed,
                by,
            } => {
                let state = if *installed {
                    "is installed"
                } else {
                    "is to be installed again"
                };
                let by = match by {
                    InstallWord::Machine => "as it reports itself",
                    InstallWord::Operator => "as the operator says",
                };
                write!(f, "install {number}: {name} {state}, {by}")
            }
            Kind::TftpSent {
                client,
                name,
                bytes,
                elapsed_ms,
                blksize,
                windowsize,
                retransmissions,
                confirmed,
            } => {
                write!(
                    f,
                    "TFTP {} {client} sent {name}: {bytes} bytes in {elapsed_ms} ms, blksize \
                     {blksize}, windowsize {windowsize}, {retransmissions} retransmitted",
                    machine()
                )?;
                if !confirmed {
                    f.write_str(", the last not acknowledged")?;
                }
                Ok(())
            }
            Kind::TftpSizeProbe {
                client,
                name,
                bytes,
            } => {
                write!(f, "TFTP {} {client} asked the size of {name}", machine())?;
                match bytes {
                    Some(bytes) => write!(f, ": {bytes} bytes"),
                    None => Ok(()),
                }
            }
            Kind::TftpFailed {
                client, name, why, ..
            } => {
                write!(f, "TFTP {} {client} {name}: {why}", machine())
            }
            Kind::Script {
                client,
                by,
                path,
                boots,
                ..
            } => {
                let by = match by {
                    Protocol::Tftp => "TFTP",
                    Protocol::Http => "HTTP",
                };
                write!(f, "{by} {} {client} {path}: {boots}", machine())
            }
            Kind::HttpSent {
                client,
                path,
                status,
                bytes,
                elapsed_ms,
                complete,
                ..
            } => {
                write!(
                    f,
                    "HTTP {} {client} {path}: {status}, {bytes} bytes in {elapsed_ms} ms",
                    machine()
                )?;
                if !complete {
                    f.write_str(", cut off")?;
                }
                Ok(())
            }
            Kind::HttpRefused {
                client,
                path,
                status,
                why,
            } => write!(f, "HTTP {} {client} {path}: {status}, {why}", machine()),
            Kind::Malformed {
                protocol,
                count,
                why,
            } => write!(f, "{protocol} {count} malformed dropped, the last: {why}"),
        }
    }
}

struct Machine(Option<MacAddr>);

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(mac) => write!(f, "{mac}"),
            None => f.write_str("(unknown machine)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use netboot_dhcp::value::MessageType;

    use super::*;
    use crate::telemetry::events::Stage;

    #[test]
    fn a_step_reads_as_one_line_with_the_machine() {
        let event = Event {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            boot_id: 1,
            reached: None,
            machine: Some(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56])),
            kind: Kind::Dhcp {
                message: MessageType::ACK,
                interface: "eth1".into(),
                address: Some(Ipv4Addr::new(192, 168, 100, 150)),
                host_name: Some("netboot-client".into()),
                boot_file: None,
                server: None,
                arch: None,
                uuid: None,
                refusal: None,
                stage: Stage::Server,
            },
        };
        assert_eq!(
            event.to_string(),
            "DHCPACK(eth1) 192.168.100.150 52:54:00:12:34:56 netboot-client"
        );
    }
}

//! A network boot server: DHCP, TFTP and HTTP from one boot policy, and the netboot command.

//! DHCPv4 messages, options, server and client logic for network boot, without I/O.

//! The operations of classic BPF (`linux/bpf_common.h`) that the filters of packet sockets use.

pub(super) const LOAD_HALF: u16 = 0x28;
pub(super) const LOAD_HALF_INDEXED: u16 = 0x48;
pub(super) const LOAD_BYTE: u16 = 0x30;
pub(super) const LOAD_BYTE_INDEXED: u16 = 0x50;
pub(super) const LOAD_HEADER_LENGTH: u16 = 0xb1;
pub(super) const JUMP_IF_ANY: u16 = 0x45;
pub(super) const JUMP_IF_EQUAL: u16 = 0x15;
pub(super) const RETURN: u16 = 0x06;

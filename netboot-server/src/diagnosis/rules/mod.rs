//! The rules, each in a file of its own.

use super::Rule;

macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// Every rule, the more special one before what looks the same.
        pub(super) const ALL: &[Rule] = &[$($name::RULE),*];
    };
}

rules![
    not_allowed,
    no_offer,
    relay_not_listed,
    address_refused,
    other_server_won,
    no_boot_data,
    no_program,
    wrong_platform,
    tftp_no_answer,
    tftp_no_ack,
    tftp_blocks_lost,
    tftp_cut_off,
    tftp_over_cap,
    program_missing,
    ipxe_lacks,
    grub_by_proxy,
    program_is_dead_end,
    secure_boot,
    size_asked_only,
    program_never_asked,
    program_not_started,
    script_never_asked,
    image_missing,
    image_cut_off,
    offer_not_taken,
    boot_loop,
    near_target,
    same_uuid,
    same_mac,
];

#[cfg(test)]
mod tests;

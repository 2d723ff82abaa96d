//! The options that the server looks at, found in one walk over the message.

use crate::value::{Key, MessageType, ReadError, Text, Value, key};
use crate::wire::{MessageView, OptionCode, join};
use alloc::{borrow::Cow, string::String, vec::Vec};

#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) host_name: Occurrences<'a>,
    pub(super) vendor_specific: Occurrences<'a>,
    pub(super) requested_address: Occurrences<'a>,
    pub(super) message_type: Occurrences<'a>,
    pub(super) server_id: Occurrences<'a>,
    pub(super) parameter_list: Occurrences<'a>,
    pub(super) max_message_size: Occurrences<'a>,
    pub(super) vendor_class: Occurrences<'a>,
    pub(super) client_id: Occurrences<'a>,
    pub(super) user_class: Occurrences<'a>,
    pub(super) rapid_commit: Occurrences<'a>,
    pub(super) relay_agent: Occurrences<'a>,
    pub(super) client_arch: Occurrences<'a>,
    pub(super) client_ndi: Occurrences<'a>,
    pub(super) machine_id: Occurrences<'a>,
    pub(super) subnet_selection: Occurrences<'a>,
    pub(super) ipxe: Occurrences<'a>,
}

/// The values under one code, in order; nearly always one.
#[derive(Debug, Default)]
pub(super) struct Occurrences<'a> {
    first: Option<&'a [u8]>,
    further: Vec<&'a [u8]>,
}

impl<'a> Found<'a> {
    pub(super) fn of(view: &MessageView<'a>) -> Self {
        let mut found = Self::default();
        for option in view.options().flatten() {
            let occurrences = match option.code {
                OptionCode::HOST_NAME => &mut found.host_name,
                OptionCode::VENDOR_SPECIFIC => &mut found.vendor_specific,
                OptionCode::REQUESTED_ADDRESS => &mut found.requested_address,
                OptionCode::MESSAGE_TYPE => &mut found.message_type,
                OptionCode::SERVER_ID => &mut found.server_id,
                OptionCode::PARAMETER_LIST => &mut found.parameter_list,
                OptionCode::MAX_MESSAGE_SIZE => &mut found.max_message_size,
                OptionCode::VENDOR_CLASS => &mut found.vendor_class,
                OptionCode::CLIENT_ID => &mut found.client_id,
                OptionCode::USER_CLASS => &mut found.user_class,
                OptionCode::RAPID_COMMIT => &mut found.rapid_commit,
                OptionCode::RELAY_AGENT => &mut found.relay_agent,
                OptionCode::CLIENT_ARCH => &mut found.client_arch,
                OptionCode::CLIENT_NDI => &mut found.client_ndi,
                OptionCode::MACHINE_ID => &mut found.machine_id,
                OptionCode::SUBNET_SELECTION => &mut found.subnet_selection,
                OptionCode::IPXE => &mut found.ipxe,
                _ => continue,
            };
            occurrences.push(option.data);
        }
        found
    }

    pub(super) fn kind(&self) -> Option<MessageType> {
        self.message_type.read(key::MESSAGE_TYPE).ok().flatten()
    }

    /// The client's name, if it is one that can stand in a log line and a file.
    pub(super) fn host_name(&self) -> Option<String> {
        let data = self.host_name.joined()?;
        let Text(name) = Text::decode(&data).ok()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (!name.is_empty() && name.len() <= 255 && name.bytes().all(plain)).then_some(name)
    }
}

impl<'a> Occurrences<'a> {
    pub(super) fn is_some(&self) -> bool {
        self.first.is_some()
    }

    /// As [`MessageView::raw`].
    pub(super) fn joined(&self) -> Option<Cow<'a, [u8]>> {
        join(self.iter())
    }

    /// As [`MessageView::read`].
    pub(super) fn read<T: Value>(&self, key: Key<T>) -> Result<Option<T>, ReadError> {
        key.read(self.iter())
    }

    fn push(&mut self, data: &'a [u8]) {
        match self.first {
            None => self.first = Some(data),
            Some(_) => self.further.push(data),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.first.into_iter().chain(self.further.iter().copied())
    }
}

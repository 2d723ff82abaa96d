//! The numbers of ERROR packets: RFC 1350, appendix, and RFC 2347 §4.

use core::fmt;

/// Error code of an ERROR packet: an open registry, so a newtype with the known ones as constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u16);

impl ErrorCode {
    /// 0: see the message.
    pub const NOT_DEFINED: Self = Self(0);
    /// 1: file not found.
    pub const FILE_NOT_FOUND: Self = Self(1);
    /// 2: access violation.
    pub const ACCESS_VIOLATION: Self = Self(2);
    /// 3: disk full or allocation exceeded.
    pub const DISK_FULL: Self = Self(3);
    /// 4: illegal TFTP operation.
    pub const ILLEGAL_OPERATION: Self = Self(4);
    /// 5: unknown transfer ID.
    pub const UNKNOWN_TID: Self = Self(5);
    /// 6: file already exists.
    pub const FILE_EXISTS: Self = Self(6);
    /// 7: no such user.
    pub const NO_SUCH_USER: Self = Self(7);
    /// 8: the options are refused (RFC 2347 §4); firmware ends a size probe with it.
    pub const OPTION_REFUSED: Self = Self(8);
}

impl ErrorCode {
    fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "not defined",
            1 => "file not found",
            2 => "access violation",
            3 => "disk full",
            4 => "illegal operation",
            5 => "unknown transfer id",
            6 => "file already exists",
            7 => "no such user",
            8 => "options refused",
            _ => return None,
        })
    }

    /// The code and the text of an ERROR. Many servers send the code's name as the text: it is said
    /// once.
    pub(crate) fn with_message(self, message: &str) -> WithMessage<'_> {
        WithMessage {
            code: self,
            message,
        }
    }
}

/// See [`ErrorCode::with_message`].
pub(crate) struct WithMessage<'a> {
    code: ErrorCode,
    message: &'a str,
}

impl fmt::Display for WithMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, message } = self;
        match code.name() {
            _ if message.is_empty() => write!(f, "{code}"),
            Some(name) if !name.eq_ignore_ascii_case(message) => write!(f, "{code}: {message}"),
            _ => write!(f, "{}: {message}", code.0),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_text_that_is_the_name_of_its_code_is_said_once() {
        for (code, message, expected) in [
            (2, "Access violation", "2: Access violation"),
            (2, "not for you", "2 (access violation): not for you"),
            (1, "", "1 (file not found)"),
            (99, "odd", "99: odd"),
            (99, "", "99"),
        ] {
            assert_eq!(ErrorCode(code).with_message(message).to_string(), expected);
        }
    }
}

//! As much of DER (ITU-T X.690) as private keys need. Nothing here is as long as 64 KiB.

pub(super) use crate::keys::P256_ALGORITHM as P256;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const CONTEXT_1: u8 = 0x81;
pub(super) const CONTEXT_0_CONSTRUCTED: u8 = 0xa0;
pub(super) const CONTEXT_1_CONSTRUCTED: u8 = 0xa1;

/// What is left to read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next value, if it is of this type.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, short], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match (short, rest) {
            (..=0x7f, rest) => (usize::from(short), rest),
            (0x81, [length, rest @ ..]) => (usize::from(*length), rest),
            (0x82, [high, low, rest @ ..]) => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// The content of the next value, if it is of this type and all that is left.
    pub(super) fn only_value(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take(tag).filter(|_| self.is_empty())
    }

    /// The same, to read what it is made of.
    pub(super) fn only(&mut self, tag: u8) -> Option<Self> {
        self.only_value(tag).map(Self)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

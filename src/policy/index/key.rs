//! What rules are told apart by: the hash of a text, or of its beginning or end.

/// Which part of a text a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// All of it; also what is no text.
    Whole,
    /// So many bytes from its beginning.
    Beginning(usize),
    /// So many bytes before its end.
    End(usize),
}

/// The key of a value that a condition asks for. Texts that differ may have the same key: that makes a rule a candidate
/// that is none, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) shape: Shape,
    pub(super) hash: u64,
}

impl Key {
    /// Of something that has a number.
    pub(super) fn number(number: usize) -> Self {
        Self {
            shape: Shape::Whole,
            hash: u64::try_from(number).unwrap_or(u64::MAX),
        }
    }

    /// Of texts that are this.
    pub(super) fn whole(text: &str) -> Self {
        Self {
            shape: Shape::Whole,
            hash: Fnv::START.then(text.bytes()).0,
        }
    }

    /// Of texts that begin with this.
    pub(super) fn beginning(text: &str) -> Self {
        Self {
            shape: Shape::Beginning(text.len()),
            hash: Fnv::START.then(text.bytes()).0,
        }
    }

    /// Of texts that end in this.
    pub(super) fn end(text: &str) -> Self {
        Self {
            shape: Shape::End(text.len()),
            hash: Fnv::START.then(text.bytes().rev()).0,
        }
    }

    /// All keys of a text that have one of these shapes, which are sorted. It reads the text three times at
    /// most, however many shapes there are.
    pub(super) fn each_of(text: &str, shapes: &[Shape], found: &mut dyn FnMut(Self)) {
        let text = text.as_bytes();
        let (mut forth, mut back) = (Fnv::START, Fnv::START);
        let (mut behind, mut before) = (0, text.len());
        for &shape in shapes {
            let hash = match shape {
                Shape::Whole => Fnv::START.then(text.iter().copied()).0,
                Shape::Beginning(length) => {
                    let Some(more) = text.get(behind..length) else {
                        continue;
                    };
                    forth = forth.then(more.iter().copied());
                    behind = length;
                    forth.0
                }
                Shape::End(length) => {
                    let start = text.len().checked_sub(length);
                    let Some((start, more)) =
                        start.and_then(|start| Some((start, text.get(start..before)?)))
                    else {
                        continue;
                    };
                    back = back.then(more.iter().rev().copied());
                    before = start;
                    back.0
                }
            };
            found(Self { shape, hash });
        }
    }
}

/// FNV-1a of 64 bits (RFC 9923). What it hashes is the operator's; of what a client sends it only asks
/// whether that is there, so nobody can fill a bucket.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    fn then(self, bytes: impl Iterator<Item = u8>) -> Self {
        Self(bytes.fold(self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_keys_of_its_parts_and_no_others() {
        let shapes = [
            Shape::Whole,
            Shape::Beginning(0),
            Shape::Beginning(2),
            Shape::Beginning(4),
            Shape::Beginning(9),
            Shape::End(1),
            Shape::End(4),
            Shape::End(9),
        ];
        let mut keys = Vec::new();
        Key::each_of("/a/b", &shapes, &mut |key| keys.push(key));
        assert_eq!(
            keys,
            [
                Key::whole("/a/b"),
                Key::beginning(""),
                Key::beginning("/a"),
                Key::beginning("/a/b"),
                Key::end("b"),
                Key::end("/a/b"),
            ]
        );
        assert_ne!(Key::whole("/a/b"), Key::whole("/a/c"));
        assert_ne!(Key::beginning("/a"), Key::beginning("/b"));
        assert_ne!(Key::end("ab"), Key::end("ba"));
        assert_ne!(Key::number(1), Key::number(2));
    }
}

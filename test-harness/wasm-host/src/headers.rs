//! A request's headers as a host keeps them, and what removing and setting really do to them.
//!
//! nginx never takes a header out of its list. A removed one is only marked, which hides it from
//! the filter, while the proxying code forwards marked ones too. So one list serves both gateways:
//! what is *seen* is what isn't hidden, and what is *sent* is everything.

use crate::abi::Pair;
use crate::profile::Profile;

/// The headers that Envoy keeps in one slot each, so that a repetition is joined with `,`.
const ENVOY_JOINED: &[&[u8]] = &[b"authorization"];

/// nginx's own request headers. It keeps a pointer to each: setting one that was removed
/// brings that very entry back, and adding one that exists does nothing.
const NGINX_BUILTIN: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "date",
    "depth",
    "destination",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "overwrite",
    "range",
    "referer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-real-ip",
];

#[derive(Clone, Debug)]
struct Entry {
    name: Vec<u8>,
    value: Vec<u8>,
    /// Out of the filter's sight, and sent all the same (Kong only).
    hidden: bool,
}

/// An ordered multimap with the gateway's own rules.
#[derive(Clone, Debug)]
pub(crate) struct HeaderList {
    profile: Profile,
    entries: Vec<Entry>,
}

impl HeaderList {
    pub(crate) fn new(profile: Profile, pairs: impl IntoIterator<Item = Pair>) -> Self {
        let mut list = Self {
            profile,
            entries: Vec::new(),
        };
        for (name, value) in pairs {
            match profile {
                Profile::Envoy => list.add(&name, &value),
                Profile::Kong => list.push(name, value),
            }
        }
        list
    }

    /// What the filter sees, in order.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries
            .iter()
            .filter(|entry| !entry.hidden)
            .map(|entry| (entry.name.as_slice(), entry.value.as_slice()))
    }

    /// What goes out, in order.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries
            .iter()
            .map(|entry| (entry.name.as_slice(), entry.value.as_slice()))
    }

    /// The first value that the filter sees under a name.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let name = self.resolve(name);
        self.seen()
            .find(|(seen, _)| seen.eq_ignore_ascii_case(&name))
            .map(|(_, value)| value)
    }

    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = self.resolve(name);
        match self.profile {
            Profile::Envoy => {
                let joined = ENVOY_JOINED.contains(&name.as_slice());
                match self.entries.iter_mut().find(|e| joined && e.name == name) {
                    Some(entry) => {
                        entry.value.push(b',');
                        entry.value.extend_from_slice(value);
                    }
                    None => self.push(name, value.to_vec()),
                }
            }
            Profile::Kong => {
                let taken = is_builtin(&name) && self.position(&name, |_| true).is_some();
                if !taken {
                    self.push(name, escape_line_breaks(value));
                }
            }
        }
    }

    /// Envoy: all of that name are deleted and one is appended. Kong: the first is overwritten in
    /// place and the others are hidden, which still forwards them; one that was removed before
    /// stays in the list beside the new one.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) {
        let name = self.resolve(name);
        if self.profile.removal_is_real() {
            self.remove(&name);
            self.push(name, value.to_vec());
            return;
        }
        let value = escape_line_breaks(value);
        let builtin = is_builtin(&name);
        let Some(first) = self.position(&name, |entry| builtin || !entry.hidden) else {
            self.push(name, value);
            return;
        };
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if index == first {
                entry.name.clone_from(&name);
                entry.value.clone_from(&value);
                entry.hidden = false;
            } else if !builtin && entry.name.eq_ignore_ascii_case(&name) {
                entry.hidden = true;
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        let name = self.resolve(name);
        if self.profile.removal_is_real() {
            self.entries.retain(|entry| entry.name != name);
        } else {
            for entry in &mut self.entries {
                entry.hidden |= entry.name.eq_ignore_ascii_case(&name);
            }
        }
    }

    /// Replaces the whole map; on Kong the originals still go upstream.
    pub(crate) fn set_all(&mut self, pairs: Vec<Pair>) {
        if self.profile.removal_is_real() {
            self.entries.clear();
        } else {
            for entry in &mut self.entries {
                entry.hidden = true;
            }
        }
        for (name, value) in pairs {
            match self.profile {
                Profile::Envoy => self.add(&name, &value),
                Profile::Kong => self.push(name, escape_line_breaks(&value)),
            }
        }
    }

    /// How many the filter sees.
    pub(crate) fn len(&self) -> usize {
        self.seen().count()
    }

    fn position(&self, name: &[u8], accept: impl Fn(&Entry) -> bool) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.name.eq_ignore_ascii_case(name) && accept(entry))
    }

    /// Envoy keeps names in lower case, and `host` is another word for `:authority`.
    fn resolve(&self, name: &[u8]) -> Vec<u8> {
        match self.profile {
            Profile::Envoy if name.eq_ignore_ascii_case(b"host") => b":authority".to_vec(),
            Profile::Envoy => name.to_ascii_lowercase(),
            Profile::Kong => name.to_vec(),
        }
    }

    /// Appends; pseudo-headers stay in front of the others.
    fn push(&mut self, name: Vec<u8>, value: Vec<u8>) {
        let entry = Entry {
            name,
            value,
            hidden: false,
        };
        let pseudo = entry.name.first() == Some(&b':');
        let front = self
            .entries
            .iter()
            .take_while(|e| e.name.first() == Some(&b':'))
            .count();
        let index = if pseudo { front } else { self.entries.len() };
        self.entries.insert(index, entry);
    }
}

fn is_builtin(name: &[u8]) -> bool {
    NGINX_BUILTIN
        .iter()
        .any(|builtin| name.eq_ignore_ascii_case(builtin.as_bytes()))
}

fn escape_line_breaks(value: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(value.len());
    for &byte in value {
        match byte {
            b'\r' => escaped.extend_from_slice(b"%0D"),
            b'\n' => escaped.extend_from_slice(b"%0A"),
            _ => escaped.push(byte),
        }
    }
    escaped
}

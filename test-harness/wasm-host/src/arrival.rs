//! What a gateway does to a request before the filter sees it, and what it refuses by itself.

use crate::abi::Pair;
use crate::nginx_uri;
use crate::profile::Profile;
use crate::request::Request;

/// A request that got past the gateway's own checks.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    /// Pseudo-headers in the order of the map, the same on both hosts.
    pub(crate) pseudo: Vec<Pair>,
    pub(crate) headers: Vec<Pair>,
    pub(crate) trailers: Vec<Pair>,
    /// Kong: `request.url_path`. Envoy: the path as sent.
    pub(crate) url_path: Vec<u8>,
    /// Kong: nginx's `$host`, in lower case and without a port. Envoy: nothing.
    pub(crate) host: Vec<u8>,
}

/// The gateway answers the request itself, with this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) u16);

const BAD_REQUEST: Refused = Refused(400);

pub(crate) fn arrive(profile: Profile, request: &Request) -> Result<Arrived, Refused> {
    if request
        .headers
        .iter()
        .any(|(_, value)| breaks_a_line(value))
    {
        return Err(BAD_REQUEST);
    }
    match profile {
        Profile::Envoy => envoy(request),
        Profile::Kong => kong(request),
    }
}

/// Names must be HTTP tokens and come in lower case; `Host` becomes `:authority`. Fragments,
/// `*` and bytes beyond ASCII in the target are refused, absolute-form is taken apart.
fn envoy(request: &Request) -> Result<Arrived, Refused> {
    let trailers = request.trailers.iter();
    let trailers = trailers.filter(|_| !request.are_trailers_rewritten);
    let mut names = request.headers.iter().chain(trailers);
    if names.any(|(name, _)| !is_token(name)) {
        return Err(BAD_REQUEST);
    }
    let (authority, path) = split_absolute(&request.target);
    let unfit = |byte: &u8| *byte == b'#' || !byte.is_ascii_graphic();
    if !path.starts_with(b"/") || path.iter().any(unfit) {
        return Err(BAD_REQUEST);
    }
    let host = request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(b"host"))
        .ok_or(BAD_REQUEST)?;
    let authority = authority.unwrap_or(&host.1);
    let lower = |pairs: &[Pair]| -> Vec<Pair> {
        pairs
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case(b"host"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect()
    };
    Ok(Arrived {
        pseudo: pseudo(&request.method, path, authority, &request.scheme),
        headers: lower(&request.headers),
        trailers: lower(&request.trailers),
        url_path: without_query(path).to_vec(),
        host: Vec::new(),
    })
}

/// Names that nginx holds invalid are dropped, control bytes in one refuse the request. Repeated
/// `Host` and `Authorization` are refused. `:authority` is the server's name, not the `Host`
/// header. Trailers are lost. Of absolute-form only the path is told, and the host as `$host`; the `Host`
/// header beside it may say something else.
fn kong(request: &Request) -> Result<Arrived, Refused> {
    let control = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    let mut headers = Vec::new();
    for (name, value) in &request.headers {
        if name.is_empty() || name.iter().any(control) {
            return Err(BAD_REQUEST);
        }
        let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(*byte, b'-' | b'_');
        if name.iter().all(valid) {
            headers.push((name.clone(), value.clone()));
        }
    }
    let count = |wanted: &[u8]| {
        let same = |(name, _): &&Pair| name.eq_ignore_ascii_case(wanted);
        headers.iter().filter(same).count()
    };
    if count(b"authorization") > 1 || count(b"host") != 1 {
        return Err(BAD_REQUEST);
    }
    let (authority, target) = split_absolute(&request.target);
    let host = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    let host = authority.or(host.map(|(_, value)| value.as_slice()));
    let url_path = nginx_uri::normalise(without_query(target)).ok_or(BAD_REQUEST)?;
    Ok(Arrived {
        pseudo: pseudo(&request.method, target, b"kong:8000", &request.scheme),
        host: nginx_host(host.unwrap_or_default()),
        headers,
        trailers: Vec::new(),
        url_path,
    })
}

/// Without the port and a dot at the end, in lower case.
fn nginx_host(authority: &[u8]) -> Vec<u8> {
    let is_end = if authority.starts_with(b"[") {
        b']'
    } else {
        b':'
    };
    let end = authority.iter().position(|byte| *byte == is_end);
    let end = end.map_or(authority.len(), |end| end + usize::from(is_end == b']'));
    let host = &authority[..end];
    host.strip_suffix(b".").unwrap_or(host).to_ascii_lowercase()
}

fn pseudo(method: &[u8], path: &[u8], authority: &[u8], scheme: &str) -> Vec<Pair> {
    let pair = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
    vec![
        pair(":method", method),
        pair(":path", path),
        pair(":authority", authority),
        pair(":scheme", scheme.as_bytes()),
    ]
}

/// `http://host/path` as authority and path; any other form as it is.
fn split_absolute(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let rest = [b"http://".as_slice(), b"https://"]
        .iter()
        .find_map(|scheme| target.strip_prefix(*scheme));
    match rest {
        None => (None, target),
        Some(rest) => match rest.iter().position(|byte| *byte == b'/') {
            Some(slash) => (Some(&rest[..slash]), &rest[slash..]),
            None => (Some(rest), b"/"),
        },
    }
}

pub(crate) fn without_query(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| *byte == b'?');
    &target[..end.unwrap_or(target.len())]
}

fn breaks_a_line(value: &[u8]) -> bool {
    value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}

/// RFC 9110, 5.6.2.
fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

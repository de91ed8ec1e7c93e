//! One request on its way through the filter.

use std::collections::BTreeMap;

use crate::abi::{Pair, count};
use crate::arrival::Arrived;
use crate::exchange::{ExchangeId, LocalResponse, Passage, UpstreamRequest};
use crate::headers::HeaderList;
use crate::profile::Profile;
use crate::request::{Client, Request};

/// The callbacks of a request, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Headers,
    Body,
    Trailers,
    Done,
}

impl Step {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Headers => Self::Body,
            Self::Body => Self::Trailers,
            Self::Trailers | Self::Done => Self::Done,
        }
    }
}

/// What the host holds for one HTTP context.
#[derive(Debug)]
pub(crate) struct Stream {
    profile: Profile,
    pub(crate) exchange: ExchangeId,
    pub(crate) vm: usize,
    pub(crate) root: u32,
    pub(crate) route: usize,
    /// Envoy: with pseudo-headers. Kong: without.
    pub(crate) headers: HeaderList,
    /// Kong only: pseudo-headers beside the list, as nginx has them.
    pub(crate) pseudo: Vec<Pair>,
    pub(crate) trailers: HeaderList,
    pub(crate) body: Vec<u8>,
    pub(crate) arrived: Arrived,
    pub(crate) scheme: String,
    pub(crate) peer: String,
    pub(crate) client: Client,
    /// Set by the test, or by the filter.
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    pub(crate) step: Step,
    pub(crate) paused: bool,
    pub(crate) resumed: bool,
    pub(crate) local: Option<LocalResponse>,
    /// What it will be said to have got through by.
    pub(crate) passage: Passage,
    /// The route that the gateway has it on: chosen as it arrives, and again as it leaves the
    /// filter's header step if a header changed. In between Envoy tells of the first one.
    pub(crate) route_name: String,
    /// Envoy: a header changed, so the route will be chosen again.
    pub(crate) route_cleared: bool,
    /// Envoy: the headers were paused, and the filter is told of the body all the same.
    pub(crate) headers_held: bool,
    /// Envoy: the headers have gone on, and the filter's map of them is closed.
    pub(crate) headers_closed: bool,
}

impl Stream {
    pub(crate) fn new(
        profile: Profile,
        exchange: ExchangeId,
        (vm, root, route): (usize, u32, usize),
        request: Request,
        arrived: Arrived,
    ) -> Self {
        let (listed, pseudo) = match profile {
            Profile::Envoy => (
                [arrived.pseudo.clone(), arrived.headers.clone()].concat(),
                vec![],
            ),
            Profile::Kong => (arrived.headers.clone(), arrived.pseudo.clone()),
        };
        Self {
            profile,
            exchange,
            vm,
            root,
            route,
            headers: HeaderList::new(profile, listed),
            pseudo,
            trailers: HeaderList::new(profile, arrived.trailers.clone()),
            body: request.body,
            arrived,
            scheme: request.scheme,
            peer: request.peer,
            client: request.client,
            properties: request.properties,
            step: Step::Headers,
            paused: false,
            resumed: false,
            local: None,
            passage: Passage::Decided,
            route_name: String::new(),
            route_cleared: false,
            headers_held: false,
            headers_closed: false,
        }
    }

    /// The next callback and its arguments, past the steps that have nothing to show. `None` when
    /// the request has been through them all.
    pub(crate) fn next_callback(&mut self, context: u32) -> Option<(&'static str, Vec<u32>)> {
        let size = count(self.body.len());
        let trailers = count(self.trailers.len());
        let ends_with_body = u32::from(trailers == 0);
        if self.step == Step::Headers {
            let last =
                self.profile.tells_end_of_stream_with_headers() && size == 0 && trailers == 0;
            let headers = count(self.headers.len());
            let arguments = vec![context, headers, u32::from(last)];
            return Some(("proxy_on_request_headers", arguments));
        }
        if self.step == Step::Body && size == 0 {
            self.step = Step::Trailers;
        }
        match self.step {
            Step::Body => Some(("proxy_on_request_body", vec![context, size, ends_with_body])),
            Step::Trailers if trailers > 0 => {
                Some(("proxy_on_request_trailers", vec![context, trailers]))
            }
            _ => None,
        }
    }

    /// Whether more follows that the filter is told of though it holds the headers: the body, and then the trailers.
    pub(crate) fn has_more_to_tell(&self) -> bool {
        match self.step {
            Step::Headers => !self.body.is_empty(),
            Step::Body => self.headers_held && count(self.trailers.len()) > 0,
            Step::Trailers | Step::Done => false,
        }
    }

    /// A pseudo-header as the filter sees it now.
    pub(crate) fn pseudo(&self, name: &[u8]) -> Option<&[u8]> {
        match self.profile {
            Profile::Envoy => self.headers.get(name),
            Profile::Kong => self
                .pseudo
                .iter()
                .find(|(seen, _)| seen.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_slice()),
        }
    }

    /// Kong: `:path` and `:method` can be set, in the filter's view; the others can't. `false`
    /// if this is no pseudo-header, so that it belongs to the list.
    pub(crate) fn set_pseudo(&mut self, name: &[u8], value: &[u8]) -> bool {
        if self.profile == Profile::Envoy || name.first() != Some(&b':') {
            return false;
        }
        for (seen, current) in &mut self.pseudo {
            if seen.as_slice() == name && matches!(name, b":path" | b":method") {
                *current = value.to_vec();
            }
        }
        true
    }

    /// The request as it goes out.
    pub(crate) fn sent(&self) -> UpstreamRequest {
        let (method, path, headers) = match self.profile {
            Profile::Envoy => {
                let host = self.headers.get(b":authority").unwrap_or_default();
                let mut headers = vec![(b"host".to_vec(), host.to_vec())];
                let others = self
                    .headers
                    .sent()
                    .filter(|(name, _)| !name.starts_with(b":"));
                headers.extend(others.map(owned));
                let pseudo = |name| self.headers.get(name).unwrap_or_default().to_vec();
                (pseudo(b":method".as_slice()), pseudo(b":path"), headers)
            }
            Profile::Kong => (
                self.arrived.pseudo[0].1.clone(),
                self.arrived.pseudo[1].1.clone(),
                self.sent_by_nginx(),
            ),
        };
        UpstreamRequest {
            method,
            path,
            route: self.route_name.clone(),
            headers,
            trailers: self.trailers.sent().map(owned).collect(),
            body: self.body.clone(),
        }
    }

    /// nginx forwards its whole list, hidden entries too; `Host` and `X-Forwarded-For` it makes
    /// of what arrived, whatever the filter did to them.
    fn sent_by_nginx(&self) -> Vec<Pair> {
        let nginx_makes = |name: &[u8]| {
            name.eq_ignore_ascii_case(b"host") || name.eq_ignore_ascii_case(b"x-forwarded-for")
        };
        let made = self
            .arrived
            .headers
            .iter()
            .filter(|(name, _)| nginx_makes(name));
        let listed = self.headers.sent().filter(|(name, _)| !nginx_makes(name));
        made.cloned().chain(listed.map(owned)).collect()
    }
}

fn owned((name, value): (&[u8], &[u8])) -> Pair {
    (name.to_vec(), value.to_vec())
}

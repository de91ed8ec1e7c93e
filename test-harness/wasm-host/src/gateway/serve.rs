//! A request's way through the filter.

use super::{Gateway, Serving, frame};
use crate::arrival::{Refused, arrive};
use crate::exchange::{Exchange, ExchangeId, Outcome, Passage};
use crate::profile::Profile;
use crate::request::Request;
use crate::stream::Stream;
use crate::vm::Trapped;
use crate::world::Callback;

/// What a callback returns to wait.
const PAUSE: i32 = 1;

impl Gateway {
    /// Sends a request to a route, by the route's index in
    /// [`start`](Self::start) or [`reconfigure`](Self::reconfigure).
    ///
    /// A request that pauses comes back as [`Outcome::Paused`]; ask
    /// [`exchange`](Self::exchange) for it later. A route that doesn't exist is answered with
    /// 404.
    pub fn request(&mut self, route: usize, request: Request) -> Exchange {
        let id = ExchangeId(self.exchanges.len() as u64 + 1);
        let fresh = Exchange {
            id,
            outcome: Outcome::Paused,
            passage: Passage::Waiting,
            traps: Vec::new(),
        };
        self.exchanges.insert(id, fresh.clone());
        self.admit(id, route, request);
        self.settle();
        self.exchanges.get(&id).cloned().unwrap_or(fresh)
    }

    fn admit(&mut self, id: ExchangeId, route: usize, request: Request) {
        if self.state == Serving::Down {
            return self.conclude(id, Outcome::NoAnswer, Passage::NoVm);
        }
        let profile = self.world.profile;
        let arrived = match arrive(profile, &request) {
            Ok(arrived) => arrived,
            Err(Refused(status)) => {
                return self.conclude(id, Outcome::HostError(status), Passage::HostRefused);
            }
        };
        let Some(&root) = self.routes.get(route) else {
            return self.conclude(id, Outcome::HostError(404), Passage::HostRefused);
        };
        let stream = Stream::new(profile, id, (0, root, route), request, arrived);
        if self.state == Serving::ChainsOff {
            let sent = stream.sent(self.world.route_of(&stream));
            return self.conclude(id, Outcome::Upstream(sent), Passage::ChainsOff);
        }
        if let Err(error) = self.ready(0, root) {
            self.note_trap(id, &error.to_string());
            let outcome = match self.state {
                Serving::Down => Outcome::NoAnswer,
                _ => Outcome::HostError(profile.trap_status()),
            };
            return self.conclude(id, outcome, Passage::NoVm);
        }
        self.last_context += 1;
        let context = self.last_context;
        self.world.streams.insert(context, stream);
        let created = self.run(
            frame(0, Callback::Create, context),
            "proxy_on_context_create",
            &[context, root],
        );
        match created {
            Ok(_) => self.drive(context),
            Err(trap) => self.trapped_on_request(context, &trap),
        }
    }

    /// Runs the callbacks of a request from where it stands until it pauses or ends.
    pub(super) fn drive(&mut self, context: u32) {
        loop {
            let Some(stream) = self.world.streams.get_mut(&context) else {
                return;
            };
            stream.resumed = false;
            let (vm, passage) = (stream.vm, stream.passage);
            let Some((export, arguments)) = stream.next_callback(context) else {
                return self.finish_upstream(context, passage);
            };
            match self.run(frame(vm, Callback::Request, context), export, &arguments) {
                Err(trap) => return self.trapped_on_request(context, &trap),
                Ok(action) => {
                    let Some(stream) = self.world.streams.get_mut(&context) else {
                        return;
                    };
                    if stream.local.is_some() {
                        return self.finish_local(context);
                    }
                    // Envoy continues after the callback when that was asked for inside it; on
                    // Kong the pause comes last.
                    let resumed = stream.resumed && self.world.profile == Profile::Envoy;
                    if action == Some(PAUSE) && !resumed {
                        stream.paused = true;
                        stream.resumed = false;
                        return;
                    }
                    stream.step = stream.step.next();
                }
            }
        }
    }

    /// The filter trapped in the request phase. The host answers; on Kong an answer that the
    /// filter gave before it trapped stands.
    fn trapped_on_request(&mut self, context: u32, trap: &Trapped) {
        let status = self.world.profile.trap_status();
        let Some(stream) = self.world.streams.remove(&context) else {
            return;
        };
        self.note_trap(stream.exchange, &trap.0);
        match stream.local {
            Some(local) if self.world.profile == Profile::Kong => {
                self.conclude(stream.exchange, Outcome::Local(local), Passage::Decided);
            }
            _ => self.conclude(
                stream.exchange,
                Outcome::HostError(status),
                Passage::Trapped,
            ),
        }
        if self.world.frame.worker_killed {
            self.state = Serving::Down;
        }
        self.trapped(stream.vm, trap);
    }

    /// Goes to the upstream without another word from the filter: its VM is gone.
    pub(super) fn conclude_upstream(&mut self, context: u32, passage: Passage) {
        if let Some(stream) = self.world.streams.remove(&context) {
            let sent = stream.sent(self.world.route_of(&stream));
            self.conclude(stream.exchange, Outcome::Upstream(sent), passage);
        }
    }

    fn finish_upstream(&mut self, context: u32, passage: Passage) {
        if let Some(stream) = self.world.streams.get(&context) {
            let sent = stream.sent(self.world.route_of(stream));
            self.finish(context, Outcome::Upstream(sent), passage);
        }
    }

    pub(super) fn finish_local(&mut self, context: u32) {
        let local = self
            .world
            .streams
            .get(&context)
            .and_then(|s| s.local.clone());
        if let Some(local) = local {
            self.finish(context, Outcome::Local(local), Passage::Decided);
        }
    }

    /// Concludes a request and ends its context: `on_done`, `on_log`, `on_delete`. On Kong its
    /// calls end with it.
    fn finish(&mut self, context: u32, outcome: Outcome, passage: Passage) {
        let Some(stream) = self.world.streams.get_mut(&context) else {
            return;
        };
        stream.paused = false;
        let (id, vm) = (stream.exchange, stream.vm);
        self.conclude(id, outcome, passage);
        if self.world.profile == Profile::Kong {
            self.world.calls.drop_context(vm, context);
        }
        let mut trap = None;
        for export in ["proxy_on_done", "proxy_on_log", "proxy_on_delete"] {
            if let Err(end) = self.run(frame(vm, Callback::End, context), export, &[context]) {
                trap = Some(end);
                break;
            }
        }
        self.world.streams.remove(&context);
        if let Some(trap) = trap {
            self.note_trap(id, &trap.0);
            self.trapped(vm, &trap);
        }
    }

    pub(super) fn conclude(&mut self, id: ExchangeId, outcome: Outcome, passage: Passage) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.outcome = outcome;
            exchange.passage = passage;
        }
    }

    pub(super) fn note_trap(&mut self, id: ExchangeId, why: &str) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.traps.push(why.to_owned());
        }
    }
}

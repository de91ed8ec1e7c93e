//! A request's way through the filter.

use super::{Gateway, Serving, frame};
use crate::arrival::{Refused, arrive};
use crate::exchange::{Exchange, ExchangeId, Outcome, Passage};
use crate::profile::Profile;
use crate::request::Request;
use crate::stream::{Step, Stream};
use crate::vm::Trapped;
use crate::world::Callback;

/// What a callback returns to wait.
const PAUSE: i32 = 1;

impl Gateway {
    /// Sends a request to a route of the first worker, by the route's index in
    /// [`start`](Self::start) or [`reconfigure`](Self::reconfigure).
    ///
    /// A request that pauses comes back as [`Outcome::Paused`]; ask
    /// [`exchange`](Self::exchange) for it later. A route that doesn't exist is answered with
    /// 404.
    pub fn request(&mut self, route: usize, request: Request) -> Exchange {
        self.request_on(0, route, request)
    }

    /// Sends a request to a route of a worker; otherwise as [`request`](Self::request).
    ///
    /// # Panics
    /// There is no such worker.
    pub fn request_on(&mut self, worker: usize, route: usize, request: Request) -> Exchange {
        self.last_exchange += 1;
        let id = ExchangeId(self.last_exchange);
        let fresh = Exchange {
            id,
            outcome: Outcome::Paused,
            passage: Passage::Waiting,
            traps: Vec::new(),
            logged: Vec::new(),
        };
        self.exchanges.insert(id, fresh.clone());
        self.admit(id, worker, route, request);
        self.settle();
        self.exchanges.get(&id).cloned().unwrap_or(fresh)
    }

    /// Lets a waiting request's client go away. Whether there was one. Envoy only: on Kong nothing
    /// happens, since what nginx does then was never measured.
    pub fn disconnect(&mut self, id: ExchangeId) -> bool {
        let waits = |(context, stream): (&u32, &Stream)| {
            (stream.exchange == id && stream.paused).then_some(*context)
        };
        let context = self.world.streams.iter().find_map(waits);
        match (self.world.profile, context) {
            (Profile::Envoy, Some(context)) => {
                self.finish(context, Outcome::Cut, Passage::Cut);
                self.settle();
                true
            }
            _ => false,
        }
    }

    fn admit(&mut self, id: ExchangeId, worker: usize, route: usize, request: Request) {
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
        let vm = self.serving.get(worker).copied().unwrap_or_default();
        let mut stream = Stream::new(profile, id, (vm, root, route), request, arrived);
        stream.route_name = self.world.choose_route(&stream);
        if self.state == Serving::ChainsOff {
            return self.conclude(id, Outcome::Upstream(stream.sent()), Passage::ChainsOff);
        }
        let workers = self.world.options.workers.max(1);
        assert!(worker < workers, "there is no worker {worker}");
        if let Err(error) = self.ready(vm, root) {
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
            frame(vm, Callback::Create, context),
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
        let envoy = self.world.profile == Profile::Envoy;
        let tells_of_paused = envoy && self.world.options.body_of_paused;
        loop {
            self.choose_route_again(context);
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
                    let is_paused = action == Some(PAUSE) && !resumed;
                    if is_paused && tells_of_paused && stream.has_more_to_tell() {
                        stream.headers_held = true;
                        stream.step = stream.step.next();
                        continue;
                    }
                    if is_paused {
                        stream.paused = true;
                        stream.resumed = false;
                        return;
                    }
                    stream.headers_held = false;
                    stream.step = stream.step.next();
                }
            }
        }
    }

    /// Once its headers have gone on, the filter's map of them is closed on Envoy, and the filters
    /// behind it ask for the route, which is chosen anew if a header changed.
    fn choose_route_again(&mut self, context: u32) {
        let Some(stream) = self.world.streams.get(&context) else {
            return;
        };
        let has_headers = stream.step == Step::Headers || stream.headers_held;
        if has_headers || !self.world.profile.closes_headers() {
            return;
        }
        let chosen = stream
            .route_cleared
            .then(|| self.world.choose_route(stream));
        if let Some(stream) = self.world.streams.get_mut(&context) {
            stream.headers_closed = true;
            stream.route_cleared = false;
            if let Some(chosen) = chosen {
                stream.route_name = chosen;
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
            self.conclude(stream.exchange, Outcome::Upstream(stream.sent()), passage);
        }
    }

    fn finish_upstream(&mut self, context: u32, passage: Passage) {
        if let Some(stream) = self.world.streams.get(&context) {
            let sent = stream.sent();
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

    /// Concludes a request and ends its context. On Kong its calls end with it.
    ///
    /// An upstream's answer, three headers and two bytes, passes before; the filter can look at none of it.
    pub(super) fn finish(&mut self, context: u32, outcome: Outcome, passage: Passage) {
        let Some(stream) = self.world.streams.get_mut(&context) else {
            return;
        };
        stream.paused = false;
        let (id, vm) = (stream.exchange, stream.vm);
        let logged = stream.sent().headers;
        self.conclude(id, outcome, passage);
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.logged = logged;
        }
        if self.world.profile == Profile::Kong {
            self.world.calls.drop_context(vm, context);
        }
        let asked = self
            .exchanges
            .get(&id)
            .is_some_and(|it| it.upstream().is_some());
        let answered = [
            ("proxy_on_response_headers", vec![context, 3, 0]),
            ("proxy_on_response_body", vec![context, 2, 1]),
        ];
        let answered = answered
            .into_iter()
            .filter(|_| asked)
            .map(|(export, arguments)| (Callback::Response, export, arguments));
        let ending = self.world.profile.ending();
        let ending = ending.map(|export| (Callback::End, export, vec![context]));
        let mut trap = None;
        for (callback, export, arguments) in answered.chain(ending) {
            if let Err(end) = self.run(frame(vm, callback, context), export, &arguments) {
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
        if let Outcome::Local(answer) = &outcome {
            let values = answer.headers.iter().map(|(_, value)| value);
            for text in values.chain([&answer.body]) {
                let text = String::from_utf8_lossy(text);
                self.world.note_secret("an answer", &text);
            }
        }
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

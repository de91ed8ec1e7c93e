//! What happens without a request: calls end, ticks fall due, and waiting requests go on.

use std::time::Duration;

use super::{Gateway, Serving, frame};
use crate::abi::count;
use crate::calls::{CallFailure, CallId, CallResponse, CallView, HttpCall};
use crate::error::NoSuchCall;
use crate::exchange::{Outcome, Passage};
use crate::profile::Profile;
use crate::vm::Trapped;
use crate::world::{Callback, Frame};

impl Gateway {
    /// Moves the clock on, firing the ticks that fall due, in order, at their time.
    pub fn advance(&mut self, by: Duration) {
        let end = self.world.clock.now() + by;
        loop {
            let drained = self.next_drained().filter(|time| *time <= end);
            let stop = drained.unwrap_or(end);
            while self.state == Serving::Filtered
                && let Some((due, (vm, root))) = self.world.ticks.take_due(stop)
            {
                self.world.clock.set(due);
                self.tick(vm, root);
                self.settle();
            }
            self.world.clock.set(stop);
            if drained.is_none() {
                return;
            }
            self.end_retired();
        }
    }

    /// On Kong a tick, old or new, brings a VM back that trapped.
    fn tick(&mut self, vm: usize, root: u32) {
        if let Err(error) = self.ready(vm, root) {
            self.world.log(crate::Level::Error, error.to_string());
            return;
        }
        let ticked = self.run(frame(vm, Callback::Tick, root), "proxy_on_tick", &[root]);
        if let Err(trap) = ticked {
            self.trapped(vm, &trap);
        }
    }

    /// Answers a call.
    ///
    /// # Errors
    /// No such call is pending.
    pub fn respond(&mut self, id: CallId, response: CallResponse) -> Result<(), NoSuchCall> {
        let view = CallView::of_response(self.world.profile, response);
        self.end_call(id, view)
    }

    /// Lets a call fail, as the gateway presents it to the filter: Envoy answers in the server's
    /// place, Kong calls back with nothing.
    ///
    /// # Errors
    /// No such call is pending.
    pub fn fail(&mut self, id: CallId, failure: CallFailure) -> Result<(), NoSuchCall> {
        let view = CallView::of_failure(self.world.profile, failure);
        self.end_call(id, view)
    }

    fn end_call(&mut self, id: CallId, view: CallView) -> Result<(), NoSuchCall> {
        let call = self.world.calls.take(id).ok_or(NoSuchCall)?;
        let arguments = [
            call.root,
            call.token,
            count(view.header_count),
            count(view.body.as_ref().map_or(0, Vec::len)),
            0,
        ];
        // Envoy calls back into the root context, and the SDK names the context it is for.
        let context = match self.world.profile {
            Profile::Envoy => call.root,
            Profile::Kong => call.context,
        };
        let frame = Frame {
            call: Some(view),
            call_root: call.root,
            ..frame(call.vm, Callback::CallResponse, context)
        };
        match self.run(frame, "proxy_on_http_call_response", &arguments) {
            Ok(_) => self.called_back(&call),
            Err(trap) => self.trapped_in_callback(&call, &trap),
        }
        self.settle();
        Ok(())
    }

    /// Kong, fail-open 2: when a request's last call has ended, it goes on by itself. While
    /// others are under way it waits, even if the callback resumed it.
    fn called_back(&mut self, call: &HttpCall) {
        if self.world.profile != Profile::Kong {
            return;
        }
        let more = self.world.calls.any_of(call.vm, call.context);
        let Some(stream) = self.world.streams.get_mut(&call.context) else {
            return;
        };
        if more {
            stream.resumed = false;
        } else if stream.paused && stream.local.is_none() {
            if !stream.resumed {
                stream.passage = Passage::CallbackSilent;
            }
            stream.resumed = true;
        }
    }

    /// Kong, fail-open 1: the request goes to the upstream, unless the callback had answered it
    /// before it trapped. On Envoy it is 503.
    fn trapped_in_callback(&mut self, call: &HttpCall, trap: &Trapped) {
        let waiting = self
            .world
            .streams
            .get(&call.context)
            .filter(|stream| stream.paused);
        if let Some(stream) = waiting {
            let id = stream.exchange;
            let local = stream.local.clone();
            self.note_trap(id, &trap.0);
            match (self.world.profile, local) {
                (Profile::Kong, None) => {
                    self.conclude_upstream(call.context, Passage::CallbackTrapped);
                }
                (Profile::Kong, Some(local)) => {
                    self.world.streams.remove(&call.context);
                    self.conclude(id, Outcome::Local(local), Passage::Decided);
                }
                (Profile::Envoy, _) => {
                    self.world.streams.remove(&call.context);
                    let status = self.world.profile.trap_status();
                    self.conclude(id, Outcome::HostError(status), Passage::Trapped);
                }
            }
        }
        self.trapped(call.vm, trap);
    }

    /// Lets every waiting request go on that was answered or resumed, by whichever callback.
    pub(super) fn settle(&mut self) {
        loop {
            let woken = self.world.streams.iter().find_map(|(id, stream)| {
                let woken = stream.paused && (stream.local.is_some() || stream.resumed);
                woken.then_some((*id, stream.local.is_some()))
            });
            match woken {
                None => return self.end_retired(),
                Some((context, true)) => self.finish_local(context),
                Some((context, false)) => {
                    if let Some(stream) = self.world.streams.get_mut(&context) {
                        stream.paused = false;
                        stream.headers_held = false;
                        stream.step = stream.step.next();
                    }
                    self.drive(context);
                }
            }
        }
    }
}

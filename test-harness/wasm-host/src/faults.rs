//! Counting host calls, and making them fail on purpose.

use std::collections::BTreeMap;

use crate::abi::Status;

macro_rules! host_calls {
    ($($variant:ident => $name:literal,)*) => {
        /// A function that the host provides to the guest, of `env` or of WASI.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs)]
        pub enum HostCall { $($variant,)* }

        impl HostCall {
            /// Every function that a host provides.
            pub const ALL: &'static [HostCall] = &[$(Self::$variant,)*];

            /// The name that the guest imports it by.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

host_calls! {
    Log => "proxy_log",
    GetLogLevel => "proxy_get_log_level",
    GetCurrentTime => "proxy_get_current_time_nanoseconds",
    SetTickPeriod => "proxy_set_tick_period_milliseconds",
    SetEffectiveContext => "proxy_set_effective_context",
    Done => "proxy_done",
    GetBuffer => "proxy_get_buffer_bytes",
    SetBuffer => "proxy_set_buffer_bytes",
    GetHeaderMapPairs => "proxy_get_header_map_pairs",
    SetHeaderMapPairs => "proxy_set_header_map_pairs",
    GetHeaderMapValue => "proxy_get_header_map_value",
    ReplaceHeaderMapValue => "proxy_replace_header_map_value",
    AddHeaderMapValue => "proxy_add_header_map_value",
    RemoveHeaderMapValue => "proxy_remove_header_map_value",
    GetProperty => "proxy_get_property",
    SetProperty => "proxy_set_property",
    ContinueStream => "proxy_continue_stream",
    CloseStream => "proxy_close_stream",
    SendLocalResponse => "proxy_send_local_response",
    HttpCall => "proxy_http_call",
    GetSharedData => "proxy_get_shared_data",
    SetSharedData => "proxy_set_shared_data",
    RegisterSharedQueue => "proxy_register_shared_queue",
    ResolveSharedQueue => "proxy_resolve_shared_queue",
    EnqueueSharedQueue => "proxy_enqueue_shared_queue",
    DequeueSharedQueue => "proxy_dequeue_shared_queue",
    DefineMetric => "proxy_define_metric",
    IncrementMetric => "proxy_increment_metric",
    RecordMetric => "proxy_record_metric",
    GetMetric => "proxy_get_metric",
    CallForeignFunction => "proxy_call_foreign_function",
    GrpcCall => "proxy_grpc_call",
    GrpcStream => "proxy_grpc_stream",
    GrpcSend => "proxy_grpc_send",
    GrpcCancel => "proxy_grpc_cancel",
    GrpcClose => "proxy_grpc_close",
    GetStatus => "proxy_get_status",
    WasiArgsGet => "args_get",
    WasiArgsSizesGet => "args_sizes_get",
    WasiClockTimeGet => "clock_time_get",
    WasiEnvironGet => "environ_get",
    WasiEnvironSizesGet => "environ_sizes_get",
    WasiFdClose => "fd_close",
    WasiFdFdstatGet => "fd_fdstat_get",
    WasiFdFdstatSetFlags => "fd_fdstat_set_flags",
    WasiFdPrestatGet => "fd_prestat_get",
    WasiFdPrestatDirName => "fd_prestat_dir_name",
    WasiFdRead => "fd_read",
    WasiFdSeek => "fd_seek",
    WasiFdWrite => "fd_write",
    WasiPathOpen => "path_open",
    WasiPollOneoff => "poll_oneoff",
    WasiProcExit => "proc_exit",
    WasiRandomGet => "random_get",
    WasiSchedYield => "sched_yield",
}

/// What a host call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers with this status. For a WASI function the number is the errno.
    Status(Status),
    /// It traps.
    Trap,
}

/// The host calls so far, and the faults to come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    counts: BTreeMap<HostCall, u64>,
    armed: Vec<(HostCall, u64, Fault)>,
}

impl Faults {
    pub(crate) fn counts(&self) -> &BTreeMap<HostCall, u64> {
        &self.counts
    }

    pub(crate) fn reset_counts(&mut self) {
        self.counts.clear();
    }

    /// Arms a fault for the `nth` call from now, counted from 1.
    pub(crate) fn arm(&mut self, call: HostCall, nth: u64, fault: Fault) {
        self.armed.push((call, nth.max(1), fault));
    }

    pub(crate) fn disarm(&mut self) {
        self.armed.clear();
    }

    /// Counts a call, and says whether it has to fail.
    pub(crate) fn count(&mut self, call: HostCall) -> Option<Fault> {
        *self.counts.entry(call).or_default() += 1;
        for (armed, left, _) in &mut self.armed {
            if *armed == call {
                // Of two that are due at once the second strikes at the next call.
                *left = left.saturating_sub(1);
            }
        }
        let hit = self
            .armed
            .iter()
            .position(|(armed, left, _)| *armed == call && *left == 0)?;
        Some(self.armed.remove(hit).2)
    }
}

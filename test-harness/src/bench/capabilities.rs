//! What a filter may call and be called by, for an Envoy that is to withhold something of it.

/// The interface's calls and callbacks, by the names that Envoy's `capability_restriction_config` has for them, but
/// `proxy_call_foreign_function`. What is not among them answers with an error (a call) or is not made (a callback).
///
/// <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>
pub(super) fn all_but_foreign_functions() -> impl Iterator<Item = &'static str> {
    CALLS.iter().chain(&WASI).chain(&CALLBACKS).copied()
}

/// What a filter calls.
const CALLS: [&str; 42] = [
    "proxy_log",
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_status",
    "proxy_done",
    "proxy_set_effective_context",
    "proxy_get_configuration",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_continue_request",
    "proxy_continue_response",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_send_local_response",
    "proxy_clear_route_cache",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_set_buffer_bytes",
    "proxy_get_header_map_pairs",
    "proxy_set_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_http_call",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_metric",
];

/// What its standard library does.
const WASI: [&str; 14] = [
    "fd_write",
    "random_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "args_get",
    "args_sizes_get",
    "fd_close",
    "fd_read",
    "fd_seek",
    "fd_fdstat_get",
    "path_open",
    "proc_exit",
    "sched_yield",
];

/// What it is called by.
const CALLBACKS: [&str; 18] = [
    "proxy_validate_configuration",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_context_create",
    "proxy_on_new_connection",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_response_trailers",
    "proxy_on_http_call_response",
    "proxy_on_queue_ready",
    "proxy_on_foreign_function",
    "proxy_on_done",
    "proxy_on_log",
    "proxy_on_delete",
];

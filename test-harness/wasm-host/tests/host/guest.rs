//! Small guests, written as what each callback does and turned into WebAssembly text.
//!
//! A guest says what it found by logging: text at level info, a status other than Ok at warn.
//! `said` in `main.rs` reads both back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jobgate_wasm_host::{Module, encode_map};

/// A callback of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    Create,
    VmStart,
    Configure,
    Tick,
    Headers,
    Body,
    Trailers,
    CallResponse,
    Done,
    Log,
    Delete,
}

/// The request headers' number in the ABI.
pub(crate) const REQUEST: i32 = 0;
pub(crate) const TRAILERS: i32 = 1;
pub(crate) const CALL: i32 = 6;

/// One thing that a guest does.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    Say(&'static str),
    /// Logs the value of a WAT expression. `$ctx`, `$a`, `$b`, ... are the callback's arguments.
    SayNumber(&'static str),
    /// Adds one to a static and logs it.
    Count,
    Get(i32, &'static str),
    GetMap(i32),
    Set(&'static str, &'static str),
    SetIn(i32, &'static str, &'static str),
    Add(&'static str, &'static str),
    Remove(&'static str),
    RemoveIn(i32, &'static str),
    SetMap(&'static [(&'static str, &'static str)]),
    Property(&'static [&'static str]),
    SetProperty(&'static [&'static str], &'static str),
    /// Logs the token.
    Dispatch(&'static str, &'static [(&'static str, &'static str)]),
    Buffer(i32),
    Tick(u32),
    Answer(u32, &'static [(&'static str, &'static str)], &'static str),
    Resume,
    Trap,
    Return(i32),
    SharedGet(&'static str),
    /// A key, a value and a `cas`.
    SharedSet(&'static str, &'static str, u32),
    /// A kind and a name; the id is kept.
    Metric(i32, &'static str),
    Increment(i64),
    Record(i64),
    Foreign(&'static str),
    IfHeader(&'static str, Vec<Do>),
    /// Acts for the request that came last from here on.
    ForTheLast,
    /// Takes this many bytes from its own allocator.
    Allocate(i32),
    /// WAT as it stands.
    Raw(&'static str),
}

pub(crate) const PAUSE: Do = Do::Return(1);
/// What every dispatch needs.
pub(crate) const GET: &[(&str, &str)] = &[
    (":method", "GET"),
    (":path", "/keys"),
    (":authority", "keys"),
];

#[derive(Clone, Debug, Default)]
pub(crate) struct Guest {
    callbacks: BTreeMap<On, Vec<Do>>,
    imports: String,
}

impl Guest {
    /// A guest that lets everything through.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A guest that does these things with a request's headers.
    pub(crate) fn headers(actions: impl Into<Vec<Do>>) -> Self {
        Self::new().on(On::Headers, actions)
    }

    pub(crate) fn on(mut self, callback: On, actions: impl Into<Vec<Do>>) -> Self {
        self.callbacks.insert(callback, actions.into());
        self
    }

    /// Imports one more function, of one parameter.
    pub(crate) fn import(mut self, name: &str) -> Self {
        let _ = writeln!(
            self.imports,
            r#"(import "env" "{name}" (func (param i32) (result i32)))"#
        );
        self
    }

    pub(crate) fn module(&self) -> Module {
        let mut text = Text {
            data: String::new(),
            next: 4096,
        };
        let mut functions = String::new();
        for callback in CALLBACKS {
            let (on, name, parameters, default) = *callback;
            let mut body = String::new();
            if on == On::CallResponse {
                // As the SDK does: act for the context that made the call.
                body.push_str(
                    "(drop (call $effective (i32.load (i32.add (i32.const 1024) \
                     (i32.shl (local.get $a) (i32.const 2))))))\n",
                );
            }
            if on == On::Create {
                body.push_str("(if (local.get $a) (then (global.set $last (local.get $ctx))))\n");
            }
            for action in self.callbacks.get(&on).into_iter().flatten() {
                text.action(&mut body, action);
            }
            let parameters: String = parameters
                .iter()
                .map(|name| format!("(param ${name} i32) "))
                .collect();
            let (result, last) = match default {
                Some(value) => ("(result i32)", format!("(i32.const {value})")),
                None => ("", String::new()),
            };
            let _ = writeln!(
                functions,
                r#"(func (export "{name}") {parameters} {result} {body} {last})"#
            );
        }
        let wat = format!(
            "(module {PRELUDE_IMPORTS} {} {PRELUDE} {} {functions})",
            self.imports, text.data
        );
        let wasm = wat::parse_str(&wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
        Module::from_bytes(&wasm).expect("the guest compiles")
    }
}

/// Callback, export, parameters, and what it returns unless told otherwise.
const CALLBACKS: &[(On, &str, &[&str], Option<i32>)] = &[
    (On::Create, "proxy_on_context_create", &["ctx", "a"], None),
    (On::VmStart, "proxy_on_vm_start", &["ctx", "a"], Some(1)),
    (On::Configure, "proxy_on_configure", &["ctx", "a"], Some(1)),
    (On::Tick, "proxy_on_tick", &["ctx"], None),
    (
        On::Headers,
        "proxy_on_request_headers",
        &["ctx", "a", "b"],
        Some(0),
    ),
    (
        On::Body,
        "proxy_on_request_body",
        &["ctx", "a", "b"],
        Some(0),
    ),
    (
        On::Trailers,
        "proxy_on_request_trailers",
        &["ctx", "a"],
        Some(0),
    ),
    (
        On::CallResponse,
        "proxy_on_http_call_response",
        &["ctx", "a", "b", "c", "d"],
        None,
    ),
    (On::Done, "proxy_on_done", &["ctx"], Some(1)),
    (On::Log, "proxy_on_log", &["ctx"], None),
    (On::Delete, "proxy_on_delete", &["ctx"], None),
];

/// Collects the bytes that a guest carries.
struct Text {
    data: String,
    next: usize,
}

impl Text {
    /// Pointer and length of some bytes, as two WAT constants.
    fn bytes(&mut self, bytes: &[u8]) -> String {
        let at = self.next;
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let _ = writeln!(self.data, r#"(data (i32.const {at}) "{escaped}")"#);
        self.next += bytes.len();
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }

    fn text(&mut self, text: &str) -> String {
        self.bytes(text.as_bytes())
    }

    fn map(&mut self, pairs: &[(&str, &str)]) -> String {
        let pairs = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()));
        let encoded = encode_map(pairs);
        self.bytes(&encoded)
    }

    fn action(&mut self, body: &mut String, action: &Do) {
        const OUT: &str = "(i32.const 16) (i32.const 20)";
        let line = match action {
            Do::Say(text) => format!("(call $say {})", self.text(text)),
            Do::SayNumber(number) => format!("(call $say_number (i32.const 2) ({number}))"),
            Do::Count => "(global.set $count (i32.add (global.get $count) (i32.const 1)))
                (call $say_number (i32.const 2) (global.get $count))"
                .into(),
            Do::Get(map, name) => {
                let name = self.text(name);
                format!("(call $found (call $get (i32.const {map}) {name} {OUT}))")
            }
            Do::GetMap(map) => format!("(call $found (call $get_map (i32.const {map}) {OUT}))"),
            Do::Set(name, value) => return self.action(body, &Do::SetIn(REQUEST, name, value)),
            Do::SetIn(map, name, value) => {
                let (name, value) = (self.text(name), self.text(value));
                format!("(call $did (call $set (i32.const {map}) {name} {value}))")
            }
            Do::Add(name, value) => {
                let (name, value) = (self.text(name), self.text(value));
                format!("(call $did (call $add (i32.const 0) {name} {value}))")
            }
            Do::Remove(name) => return self.action(body, &Do::RemoveIn(REQUEST, name)),
            Do::RemoveIn(map, name) => {
                let name = self.text(name);
                format!("(call $did (call $remove (i32.const {map}) {name}))")
            }
            Do::SetMap(pairs) => {
                let pairs = self.map(pairs);
                format!("(call $did (call $set_map (i32.const 0) {pairs}))")
            }
            Do::Property(path) => {
                let path = self.text(&path.join("\0"));
                format!("(call $found (call $get_property {path} {OUT}))")
            }
            Do::SetProperty(path, value) => {
                let (path, value) = (self.text(&path.join("\0")), self.text(value));
                format!("(call $did (call $set_property {path} {value}))")
            }
            Do::Dispatch(upstream, headers) => {
                let (upstream, headers) = (self.text(upstream), self.map(headers));
                format!(
                    "(call $dispatched (local.get $ctx) (call $http_call {upstream} {headers}
                        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                        (i32.const 5000) (i32.const 16)))"
                )
            }
            Do::Buffer(buffer) => format!(
                "(call $found (call $get_buffer (i32.const {buffer}) (i32.const 0)
                    (i32.const 4096) {OUT}))"
            ),
            Do::Tick(period) => format!("(call $did (call $tick (i32.const {period})))"),
            Do::Answer(status, headers, text) => {
                let (headers, text) = (self.map(headers), self.text(text));
                format!(
                    "(call $did (call $answer (i32.const {status}) (i32.const 0) (i32.const 0)
                        {text} {headers} (i32.const -1)))"
                )
            }
            Do::Resume => "(call $did (call $continue (i32.const 0)))".into(),
            Do::Trap => "(unreachable)".into(),
            Do::Return(value) => format!("(return (i32.const {value}))"),
            Do::SharedGet(key) => {
                let key = self.text(key);
                format!("(call $found (call $shared_get {key} {OUT} (i32.const 24)))")
            }
            Do::SharedSet(key, value, cas) => {
                let (key, value) = (self.text(key), self.text(value));
                format!("(call $did (call $shared_set {key} {value} (i32.const {cas})))")
            }
            Do::Metric(kind, name) => {
                let name = self.text(name);
                format!("(call $did (call $metric (i32.const {kind}) {name} (i32.const 28)))")
            }
            Do::Increment(by) => {
                format!("(call $did (call $increment (i32.load (i32.const 28)) (i64.const {by})))")
            }
            Do::Record(value) => {
                format!("(call $did (call $record (i32.load (i32.const 28)) (i64.const {value})))")
            }
            Do::Foreign(name) => {
                let name = self.text(name);
                format!("(call $did (call $foreign {name} (i32.const 0) (i32.const 0) {OUT}))")
            }
            Do::IfHeader(name, actions) => {
                let name = self.text(name);
                let mut inner = String::new();
                for action in actions {
                    self.action(&mut inner, action);
                }
                format!("(if (i32.eqz (call $get (i32.const 0) {name} {OUT})) (then {inner}))")
            }
            Do::ForTheLast => "(call $did (call $effective (global.get $last)))".into(),
            Do::Allocate(bytes) => format!("(drop (call $allocate (i32.const {bytes})))"),
            Do::Raw(wat) => (*wat).into(),
        };
        body.push_str(&line);
        body.push('\n');
    }
}

const PRELUDE_IMPORTS: &str = include_str!("imports.wat");
const PRELUDE: &str = include_str!("prelude.wat");

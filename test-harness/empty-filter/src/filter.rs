//! The gate's own way to read headers, as the module that its visibility names.

#[path = "../../../src/filter/host/map.rs"]
mod map;

use proxy_wasm::types::{MapType, Status};

/// The headers of the request, as the gateway hands them over.
pub(super) fn headers() -> Result<Vec<u8>, Status> {
    map::block(MapType::HttpRequestHeaders)
}

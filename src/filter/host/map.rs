//! A gateway's map of headers as the one block of memory that it hands over.
//!
//! The SDK makes a string of each name and value of it, at a cost for each request that can be measured, and panics at a
//! name that is not text.

#![expect(
    unsafe_code,
    reason = "the SDK has no function that hands the block over"
)]

use proxy_wasm::types::{MapType, Status};
use std::ptr::null_mut;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    /// As the ABI (proxy-wasm 0.2.1) has it. The SDK's declaration is alike but for the status, which may be one that
    /// its type lacks.
    #[link_name = "proxy_get_header_map_pairs"]
    fn get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> u32;
}

/// The block of a map of headers; an empty one where the gateway has no such map.
///
/// # Errors
/// That the gateway did not hand it over.
pub(in crate::filter) fn block(map: MapType) -> Result<Vec<u8>, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both point to values of their types, to which the gateway writes before it returns.
    let status = unsafe { get_header_map_pairs(map, &raw mut data, &raw mut size) };
    if status != Status::Ok as u32 {
        return Err(Status::InternalFailure);
    }
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: by the ABI the gateway got the memory from `proxy_on_memory_allocate`, which is the SDK's: a boxed slice
    // of this many bytes from the global allocator. It is this module's now, and nobody else's.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

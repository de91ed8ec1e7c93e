//! The gateways, as the compose file has them.

use crate::suite::Gateway;

/// A gateway's service, which is also what the runner calls it.
pub(super) fn service(gateway: Gateway) -> &'static str {
    match gateway {
        Gateway::Kong => "kong",
        Gateway::Envoy => "envoy",
    }
}

/// The environment variable that puts another image in place of the compose file's.
pub(super) fn image_variable(gateway: Gateway) -> &'static str {
    match gateway {
        Gateway::Kong => "KONG_IMAGE",
        Gateway::Envoy => "ENVOY_IMAGE",
    }
}

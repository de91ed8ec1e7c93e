//! Jobs' tokens exchanged at servers that check as the real ones do, in a real Envoy. Each test ends with a look at all
//! that was logged, answered and handed on: no secret is where it does not belong.

mod aws;
mod failures;
mod google;
mod many;
mod token_endpoint;
mod vault;
mod world;

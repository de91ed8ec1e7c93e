//! The signature algorithms there are (RFC 7518, section 3.1).

/// A JWS algorithm that can be verified. `none` and the HMACs do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: &'static [Algorithm] = &[Algorithm::Rs256];

    /// The name that stands in `alg`, compared by case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
        }
    }
}

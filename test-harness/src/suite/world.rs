//! The folder that all containers share: certificates, and the gateways' configurations.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;

use super::{Plan, Topology, cases, envoy, kong};
use crate::case::LoadError;
use crate::client::SERVER_NAME;
use crate::tls::Authority;

/// The files of the gateways' certificate: `gateway.pem`, `gateway.key`.
pub const GATEWAY: &str = "gateway";

/// Why the folder could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cases are wrong.
    #[error(transparent)]
    Cases(#[from] LoadError),
    /// They can't all be had on Kong.
    #[error(transparent)]
    Kong(#[from] kong::SameName),
    /// A file can't be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
}

/// Fills the folder [`Topology::world`], which is made if it isn't there. Configurations of an earlier time are replaced;
/// certificates stay, since servers that run have them.
///
/// # Errors
///
/// If it can't be filled.
pub fn prepare(topology: &Topology) -> Result<(), Error> {
    let world = &topology.world;
    let at_world = |source| Error::Write {
        path: world.clone(),
        source,
    };
    fs::create_dir_all(world).map_err(at_world)?;
    // The last of them, in whichever order its two files come.
    let complete = ["impostor.pem", "impostor.key"].map(|file| world.join(file).is_file());
    if complete == [true, true] {
        return configure(topology);
    }
    let authority = Authority::save(world, "authority").map_err(at_world)?;
    let stranger = Authority::save(world, "stranger").map_err(at_world)?;
    let issuer = topology.issuer_name();
    authority
        .sign_into(world, GATEWAY, &[SERVER_NAME, "kong", "envoy", "localhost"])
        .map_err(at_world)?;
    authority
        .sign_into(world, "issuer", &[issuer])
        .map_err(at_world)?;
    stranger
        .sign_into(world, "impostor", &[issuer])
        .map_err(at_world)?;
    configure(topology)
}

/// Writes the gateways' configurations alone, for other addresses in a world that has its certificates.
///
/// # Errors
///
/// If they can't be written.
pub fn configure(topology: &Topology) -> Result<(), Error> {
    let world = &topology.world;
    let plan = Plan::whole(&cases()?);
    write(
        &world.join("kong.yml"),
        &kong::configuration(&plan, topology, 0)?,
    )?;
    write(
        &world.join("envoy.json"),
        &envoy::bootstrap(&plan, topology),
    )?;
    write(
        &world.join("envoy-listeners.json"),
        &envoy::listeners(&plan, topology, 0, 0),
    )
}

/// Writes a document in one go: nobody sees half of it.
///
/// # Errors
///
/// If it can't be written.
pub(in crate::suite) fn write(path: &Path, document: &Value) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let new = path.with_extension("new");
    fs::write(&new, format!("{document:#}\n")).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

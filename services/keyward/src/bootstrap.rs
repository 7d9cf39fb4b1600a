//! What a person at a terminal is told: where the gateway is, and after the first start, how to call
//! it. The admin's access key is printed to a terminal only; elsewhere it is left in a file, so that
//! it never ends up in somebody's log.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keyward_runtime::settings::Settings;
use keyward_secret::Secret;

use crate::configs::sandbox_is_enabled;
use crate::roles::{Role, Roles};

/// The file in `data_dir` with the admin's access key, where it was not printed.
const ADMIN_KEY_FILE: &str = "admin-key";

/// Hands the admin's new access key to whoever started the process.
pub(crate) fn hand_over(key: &Secret, settings: &Settings) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        return print_first_start(key, settings).context("cannot print the admin access key");
    }
    let path = settings.data_dir.join(ADMIN_KEY_FILE);
    write_private(&path, key)
        .with_context(|| format!("cannot write the admin access key to {}", path.display()))?;
    tracing::info!(file = %path.display(), "the admin access key is in this file");
    Ok(())
}

/// Takes the file of a generated key away: the admin's key is a given one now, and a dead key in a
/// file only misleads.
pub(crate) fn given_instead(settings: &Settings) -> anyhow::Result<()> {
    let path = admin_key_file(settings);
    match std::fs::remove_file(&path) {
        Ok(()) => {
            let file = path.display();
            tracing::info!(%file, "bootstrap.admin_key replaced the generated admin access key");
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// Says where the gateway is, once it is ready.
pub(crate) fn greet(settings: &Settings, roles: &Roles) {
    if !roles.has(Role::Edge) {
        return;
    }
    let mut out = io::stdout().lock();
    let url = url(settings);
    // Nobody may be reading; that is no reason to stop.
    let _ = writeln!(out, "Keyward is ready at {url}/v1");
    let file = admin_key_file(settings);
    if !out.is_terminal() && file.exists() && sandbox_is_enabled(settings) {
        let line = curl_line(&url, &format!("$(cat '{}')", file.display()));
        let _ = writeln!(out, "{line}");
    }
}

/// Where the admin's access key is left, where it was not printed.
pub(crate) fn admin_key_file(settings: &Settings) -> PathBuf {
    settings.data_dir.join(ADMIN_KEY_FILE)
}

fn print_first_start(key: &Secret, settings: &Settings) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "First start: the user `admin` was made, with 10.00 credits."
    )?;
    writeln!(
        out,
        "Its access key, shown this once:\n\n    {}\n",
        key.expose()
    )?;
    if !sandbox_is_enabled(settings) {
        return Ok(());
    }
    writeln!(out, "Try it once the gateway is ready:\n")?;
    writeln!(out, "{}\n", curl_line(&url(settings), key.expose()))
}

fn url(settings: &Settings) -> String {
    let address = settings.edge.listen;
    let scheme = match settings.edge.tls {
        Some(_) => "https",
        None => "http",
    };
    match address.ip().is_unspecified() {
        true => format!("{scheme}://127.0.0.1:{}", address.port()),
        false => format!("{scheme}://{address}"),
    }
}

/// A call that works as pasted: the sandbox answers without an account anywhere.
fn curl_line(url: &str, key: &str) -> String {
    format!(
        "curl {url}/v1/chat/completions -H \"Authorization: Bearer {key}\" \
         -H 'Content-Type: application/json' \
         -d '{{\"model\": \"sandbox/echo\", \"messages\": \
         [{{\"role\": \"user\", \"content\": \"Hello, Keyward!\"}}]}}'"
    )
}

fn write_private(path: &Path, key: &Secret) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key.expose_bytes())?;
    file.write_all(b"\n")
}

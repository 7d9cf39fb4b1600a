//! Somebody with a shell, in a folder of their own, who calls `keyward` as the gateway's admin.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use keyward_testkit::gateway::binary;
use keyward_testkit::{Gateway, Launch, Topology};
use serde_json::Value;
use tempfile::TempDir;

/// Somebody with a shell.
pub(crate) struct Caller {
    pub(crate) gateway: Gateway,
    pub(crate) folder: TempDir,
}

/// What a command left behind.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Caller {
    /// With a gateway of their own.
    pub(crate) async fn new() -> Self {
        Self {
            gateway: Launch::new(Topology::Embedded).start().await,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[], "")
    }

    /// Runs one that has to succeed, and reads its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Runs one with further variables, and with this on standard input.
    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
        input: &str,
    ) -> Ended {
        let mut command = command(
            &self.gateway.url(),
            &self.gateway.admin_key(),
            self.folder.path(),
        );
        command.args(arguments).envs(variables.iter().copied());
        end(command, input)
    }
}

/// A command with nothing of this process's environment.
pub(crate) fn command(url: &str, access_key: &str, folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .env_clear()
        .env("KEYWARD_URL", url)
        .env("KEYWARD_ACCESS_KEY", access_key)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end with this on standard input.
pub(crate) fn end(mut command: Command, input: &str) -> Ended {
    let mut child = command.spawn().unwrap();
    // It may end without reading all of it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    ended(child.wait_with_output().unwrap())
}

fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

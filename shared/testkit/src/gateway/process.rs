//! One process of a gateway: started, watched, and ended by its own id and nothing else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use crate::wait;

/// A running process. Killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    log: PathBuf,
}

/// Where the binary lies: beside the folder of the test executable.
pub fn binary() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this test");
    let folder = this.parent().and_then(Path::parent);
    let binary = folder.expect("target/<profile>/deps").join("keyward");
    assert!(
        binary.exists(),
        "{} is missing: build it first with `cargo build -p keyward` (`make test` does)",
        binary.display()
    );
    binary
}

/// Runs the binary to its end with these arguments and variables, in this folder.
pub fn run(arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> Output {
    Command::new(binary())
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output()
        .expect("the binary starts")
}

/// The binary; with a limit on the size of its files, where writing beyond fails and does not kill it.
fn limited(file_kib: Option<u32>) -> Command {
    let Some(kib) = file_kib else {
        return Command::new(binary());
    };
    let limit = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", limit, "limited", &kib.to_string()]);
    command.arg(binary());
    command
}

impl Process {
    /// Starts the binary with these arguments and nothing of this process's environment but `PATH`.
    pub(super) fn start(
        arguments: &[&str],
        environment: &BTreeMap<String, String>,
        folder: &Path,
        log: PathBuf,
        file_kib: Option<u32>,
    ) -> Self {
        let append = || -> File {
            let mut options = File::options();
            let options = options.append(true).create(true);
            options.open(&log).expect("a log file")
        };
        let child = limited(file_kib)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(append())
            .stderr(append())
            .spawn()
            .expect("the binary starts");
        Self { child, log }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("the log")).into_owned()
    }

    /// What it exited with, if it did.
    pub(super) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its own child")
    }

    /// Asks it to stop, as an operator does.
    pub(super) fn terminate(&self) {
        let command = format!("kill -TERM {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.expect("a shell").success(), "cannot send SIGTERM");
    }

    /// Waits until it has exited, and says with what.
    pub(super) async fn exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                start.elapsed() < wait::DEADLINE + Duration::from_secs(20),
                "the process does not stop; its log ends with\n{}",
                self.log_end()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The last lines of its log.
    pub(super) fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

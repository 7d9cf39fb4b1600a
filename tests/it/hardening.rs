//! What the kernel keeps from others of the same user: the memory and the environment of processes
//! that hold stored keys, and core files of all.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use keyward_testkit::gateway::{binary, free_ports};
use keyward_testkit::{Role, Topology, wait};
use tempfile::TempDir;

use crate::system::{System, both};

/// Who owns no file and runs nothing else, on every Linux.
const NOBODY: u32 = 65_534;

async fn no_process_may_write_a_core_file(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    for role in Role::ALL {
        let id = system.gateway.process_id(role);
        let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
        let mut core = limits
            .lines()
            .filter(|line| line.starts_with("Max core file size"));
        let words: Vec<_> = core.next().unwrap().split_whitespace().skip(4).collect();
        assert_eq!(words, ["0", "0", "bytes"], "{}", role.name());
        assert!(system.gateway.log(role).contains("\"hardened\""));
    }
}

both!(no_process_may_write_a_core_file);

/// A process of one role, run by somebody without privileges where the tests have some.
struct Unprivileged {
    child: Child,
    folder: TempDir,
    user: u32,
}

impl Unprivileged {
    /// Starts it, and waits until it has said how far it is hardened.
    async fn start(role: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mine = fs::metadata(folder.path()).unwrap().uid();
        let user = if mine == 0 { NOBODY } else { mine };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Where the binary lies, they may not be let in.
        let program = folder.path().join("keyward");
        fs::copy(binary(), &program).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        chown(&data, Some(user), Some(user)).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let command = format!(
            "ulimit -c \"$(ulimit -H -c)\"; exec {} serve --role {role}",
            program.display()
        );
        let child = as_user(user)
            .args(["-c", &command])
            .env_clear()
            .envs(environment(&data))
            .current_dir(&data)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let this = Self {
            child,
            folder,
            user,
        };
        wait::until("it to say how far it is hardened", || async {
            this.log().contains("\"hardened\"")
        })
        .await;
        this
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Whether another process of the same user can open one of its files in `/proc`.
    fn is_open_to_its_user(&self, file: &str) -> bool {
        let command = format!(": < /proc/{}/{file}", self.child.id());
        let output = as_user(self.user).args(["-c", &command]).output().unwrap();
        output.status.success()
    }

    /// Crashes it. The first signal only takes the runtime's own handler away.
    async fn crash(&mut self) -> ExitStatus {
        let command = format!("kill -SEGV {}", self.child.id());
        let child = &mut self.child;
        for _ in 0..1000 {
            let _ = Command::new("sh").args(["-c", &command]).output().unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
        }
        panic!("it does not crash");
    }
}

impl Drop for Unprivileged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shell of this user.
fn as_user(user: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.current_dir("/");
    if fs::metadata("/proc/self").unwrap().uid() != user {
        shell.uid(user).gid(user);
    }
    shell
}

/// Free ports, and others where nobody answers: how a role begins does not depend on the rest.
fn environment(data: &Path) -> Vec<(String, String)> {
    let ports = free_ports(6);
    let address = |index: usize| format!("127.0.0.1:{}", ports[index]);
    let url = |index: usize| format!("http://{}", address(index));
    let settings = [
        ("DATA_DIR", data.display().to_string()),
        ("LOG__FORMAT", "json".to_owned()),
        ("EDGE__LISTEN", address(0)),
        ("GRPC__LISTEN", address(1)),
        ("OPS__LISTEN", address(2)),
        ("VAULT__URL", url(3)),
        ("METERING__URL", url(4)),
        ("ROUTER__URL", url(5)),
    ];
    settings
        .into_iter()
        .map(|(name, value)| (format!("KEYWARD_{name}"), value))
        .collect()
}

/// Whether Linux lets processes of a user read each other's memory at all; some forbid it to all.
fn is_usually_allowed() -> bool {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    scope.is_ok_and(|scope| scope.trim() == "0") || !Path::new("/proc/sys/kernel/yama").exists()
}

#[tokio::test]
async fn others_of_the_same_user_read_neither_memory_nor_environment_of_vault_and_router() {
    for role in ["vault", "router"] {
        let process = Unprivileged::start(role).await;
        for file in ["mem", "environ", "maps"] {
            assert!(
                !process.is_open_to_its_user(file),
                "{role}: others of its user can open {file}"
            );
        }
    }
    // What keeps them out is the process, not the test: the edge has nothing to hide.
    let process = Unprivileged::start("edge").await;
    if is_usually_allowed() {
        assert!(process.is_open_to_its_user("mem"), "{}", process.log());
    }
}

#[tokio::test]
async fn a_crash_of_the_vault_leaves_no_core_file() {
    let mut process = Unprivileged::start("vault").await;
    let status = process.crash().await;
    assert_eq!((status.signal(), status.core_dumped()), (Some(11), false));
    let data = process.folder.path().join("data");
    let names = fs::read_dir(data).unwrap().map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_string_lossy().into_owned()
    });
    let cores: Vec<_> = names.filter(|name| name.starts_with("core")).collect();
    assert!(cores.is_empty(), "{cores:?}");
}

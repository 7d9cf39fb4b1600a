//! A server of the tests' own, ended by a shell that watches over it. The shell reads from a pipe that
//! this process alone holds; when the process ends, however that happens, the pipe closes, and the
//! shell stops the server and removes its folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use parking_lot::Mutex;

/// Starts a program, does with it as it is told, and in the end kills it and removes a folder.
/// Nothing of what it holds must stay.
const SCRIPT: &str = r#"
folder=$1
shift
start() { "$@" >>"$folder/log" 2>&1 & child=$!; }
start "$@"
while read -r word; do
    case $word in
        stop) kill -INT "$child"; wait "$child" ;;
        kill) kill -KILL "$child"; wait "$child" ;;
        start) start "$@" ;;
        pause) kill -STOP "$child" ;;
        resume) kill -CONT "$child" ;;
    esac
    echo done
done
kill -CONT "$child" 2>/dev/null
kill -QUIT "$child" 2>/dev/null
kill -TERM "$child" 2>/dev/null
wait "$child"
rm -rf "$folder"
"#;

/// A server that is watched over.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _shell: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Watchdog {
    /// Starts a server, which logs into `log` in its folder. `prepare` says as whom the shell runs.
    pub(crate) fn start(folder: &Path, server: &Command, prepare: impl Fn(&mut Command)) -> Self {
        let mut shell = Command::new("/bin/sh");
        prepare(&mut shell);
        shell
            .current_dir(folder)
            .args(["-c", SCRIPT, "watchdog"])
            .arg(folder)
            .arg(server.get_program())
            .args(server.get_args());
        // A group of its own: a terminal's interrupt is for the tests, and ends this by the pipe.
        shell
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut shell = shell.spawn().expect("a shell starts");
        let stdin = shell.stdin.take().expect("a pipe");
        let stdout = BufReader::new(shell.stdout.take().expect("a pipe"));
        Self {
            _shell: shell,
            pipes: Mutex::new((stdin, stdout)),
        }
    }

    /// Tells it something, and waits until it has done it.
    pub(crate) fn tell(&self, word: &str) {
        let mut pipes = self.pipes.lock();
        writeln!(pipes.0, "{word}").expect("the watchdog lives");
        let mut answer = String::new();
        pipes.1.read_line(&mut answer).expect("the watchdog lives");
        assert_eq!(answer, "done\n");
    }
}

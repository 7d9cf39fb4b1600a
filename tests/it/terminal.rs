//! What the first start shows to a person at a terminal: `script` gives it one, where it is installed.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use http::Method;
use keyward_testkit::gateway::{binary, free_ports};
use keyward_testkit::{Client, wait};

#[tokio::test]
async fn the_curl_line_of_the_first_start_works_as_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().join("shown");
    let Some(mut script) = on_a_terminal(folder.path(), &shown) else {
        println!("`script` is not installed: nothing shown to a terminal was looked at");
        return;
    };
    let text = wait::for_some("the first start's text", || async {
        let text = std::fs::read_to_string(&shown).ok()?;
        (text.contains("curl") && text.contains("ready at")).then_some(text)
    })
    .await;
    let line = text
        .lines()
        .find(|line| line.contains("curl http"))
        .unwrap();
    assert!(text.contains("kw_") && text.contains("10.00"), "{text}");

    let between = |start: &str, end: &str| {
        let (_, rest) = line
            .split_once(start)
            .unwrap_or_else(|| panic!("no {start}: {line}"));
        rest.split_once(end).unwrap().0.to_owned()
    };
    let url = between("curl ", " ");
    let key = between("Authorization: Bearer ", "\"");
    let body = between("-d '", "'");
    let answer = Client::new("", Some(&key))
        .send(Method::POST, &url, body)
        .await
        .ok();
    assert_eq!(answer.content(), "Hello, Keyward!");
    assert!(
        !folder.path().join("data").join("admin-key").exists(),
        "shown and written down"
    );

    let id = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("process "))
        .unwrap();
    let stop = Command::new("sh")
        .args(["-c", &format!("kill -TERM {id}")])
        .status();
    assert!(stop.unwrap().success());
    assert!(
        script.wait().unwrap().success(),
        "{}",
        std::fs::read_to_string(&shown).unwrap()
    );
}

/// Starts the gateway on a terminal whose text goes to `shown`, its process id first.
fn on_a_terminal(folder: &Path, shown: &Path) -> Option<Child> {
    let ports = free_ports(3);
    let command = format!(
        "echo process $$; exec env KEYWARD_DATA_DIR={} KEYWARD_EDGE__LISTEN=127.0.0.1:{} \
         KEYWARD_GRPC__LISTEN=127.0.0.1:{} KEYWARD_OPS__LISTEN=127.0.0.1:{} {} serve",
        folder.join("data").display(),
        ports[0],
        ports[1],
        ports[2],
        binary().display()
    );
    let mut script = Command::new("script");
    script.args(["-qefc", &command]).arg(shown);
    script
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .ok()
}

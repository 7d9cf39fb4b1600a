//! What happens where a connection breaks, or nobody reads.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread::{self, JoinHandle};

use crate::caller::{command, end};

/// Reads a request's head and its body, and gives its lines.
fn read_request(stream: &TcpStream) -> Vec<String> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    head
}

/// A server that breaks the first connection once it has read the request, and answers the second.
fn breaks_once(answer: &'static str) -> (String, JoinHandle<[Vec<String>; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let first = read_request(&stream);
        drop(stream);
        let (mut stream, _) = listener.accept().unwrap();
        let second = read_request(&stream);
        stream.write_all(answer.as_bytes()).unwrap();
        [first, second]
    });
    (url, served)
}

const MADE: &str = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n\
                    content-length: 12\r\n\r\n{\"id\":\"bob\"}";

#[test]
fn a_broken_post_is_sent_again_under_the_same_idempotency_key() {
    let folder = tempfile::tempdir().unwrap();
    let (url, served) = breaks_once(MADE);
    let mut command = command(&url, "kw_1", folder.path());
    command.args(["users", "create", "bob"]);
    let ended = end(command, "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let keys = served.join().unwrap().map(|head| {
        let key = head
            .into_iter()
            .find(|line| line.starts_with("idempotency-key: "));
        key.expect("an idempotency key")
    });
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn a_broken_delete_is_not_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(&url, "kw_1", folder.path());
    command.args(["users", "delete", "bob", "--yes"]);
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        read_request(&stream);
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        listener
    });
    let ended = end(command, "");
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let listener = served.join().unwrap();
    assert!(listener.accept().is_err(), "it was sent again");
}

#[test]
fn what_is_no_gateway_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&stream);
        let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>";
        stream.write_all(page.as_bytes()).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(&url, "kw_1", folder.path());
    command.args(["keys", "list"]);
    let ended = end(command, "");
    served.join().unwrap();
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("is no Keyward gateway"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_reader_who_leaves_ends_it_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let folder = tempfile::tempdir().unwrap();
    let mut command = command("", "", folder.path());
    command
        .args(["completions", "bash"])
        .stdout(Stdio::from(writer));
    let ended = end(command, "");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn an_access_key_that_leaves_the_machine_unencrypted_is_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let warned = |url: &str| {
        let mut command = command(url, "kw_1", folder.path());
        command.args(["keys", "list"]);
        let ended = end(command, "");
        assert_eq!(ended.code, 4, "{}", ended.stderr);
        ended.stderr.contains("is not encrypted")
    };
    assert!(warned("http://gateway.invalid:1"));
    assert!(!warned("https://gateway.invalid:1"));
    assert!(!warned("http://127.0.0.1:1"));
}

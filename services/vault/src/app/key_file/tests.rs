//! Key files: what is read, refused, added and erased.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn file(folder: &tempfile::TempDir) -> KeyFile {
    KeyFile::at(folder.path().join("master.key"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn ids(file: &KeyFile) -> Vec<String> {
    file.read_or_make(false).unwrap().ids()
}

#[test]
fn a_key_is_made_once_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let missing = file.read_or_make(false);
    assert!(matches!(missing, Err(KeyFileError::Missing(_))));
    let made = file.read_or_make(true).unwrap();
    let mode = fs::metadata(&file.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = file.read_or_make(false).unwrap();
    let key = |ring: &MasterKeyRing| (ring.ids(), ring.current().to_base64());
    assert_eq!(key(&read), key(&made));
    set_mode(&file.path, 0o640);
    let readable = file.read_or_make(true);
    assert!(matches!(readable, Err(KeyFileError::Readable(_))));
}

#[test]
fn a_folder_in_which_others_can_replace_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    file.read_or_make(true).unwrap();
    for (mode, refused) in [
        (0o755, false),
        (0o770, true),
        (0o777, true),
        (0o1777, false),
    ] {
        set_mode(folder.path(), mode);
        let read = file.read_or_make(false);
        let is_refused = matches!(read, Err(KeyFileError::Replaceable(_)));
        assert_eq!(is_refused, refused, "{mode:o}");
    }
}

#[test]
fn what_is_no_key_in_a_file_is_refused() {
    let good = generate("a").unwrap().to_base64();
    for text in [
        "changeme".to_owned(),
        String::new(),
        "a:c2hvcnQ=".to_owned(),
        format!("a:{}\na:{}", *good, *good),
        format!("a b:{}", *good),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        private::write_new(&file.path, text.as_bytes()).unwrap();
        let refused = file.read_or_make(true);
        assert!(matches!(refused, Err(KeyFileError::Key(_))), "{text}");
    }
}

#[test]
fn a_file_of_one_line_without_an_id_still_reads() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let key = generate("any").unwrap().to_base64();
    private::write_new(&file.path, key.as_bytes()).unwrap();
    assert_eq!(ids(&file), ["default"]);
    file.add(generate("next").unwrap()).unwrap();
    assert_eq!(ids(&file), ["default", "next"]);
}

#[test]
fn what_is_erased_is_in_no_file_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let first = file.read_or_make(true).unwrap().current().clone();
    file.add(generate("second").unwrap()).unwrap();
    assert!(file.add(generate("second").unwrap()).is_err());
    // Whoever still has the old file open sees what is left in it.
    let open = fs::File::open(&file.path).unwrap();
    assert!(file.erase(first.id()).unwrap());
    assert!(!file.erase(first.id()).unwrap());
    assert_eq!(ids(&file), ["second"]);
    let left = io::read_to_string(open).unwrap();
    assert!(!left.is_empty() && left.bytes().all(|byte| byte == 0));
    assert!(file.erase("second").is_err());
    assert_eq!(ids(&file), ["second"]);
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1);
}

#[test]
fn of_keys_that_are_added_at_once_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    file.read_or_make(true).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let file = file.clone();
            scope.spawn(move || {
                let key = generate(&format!("key-{number}")).unwrap();
                file.add(key).unwrap();
            });
        }
    });
    assert_eq!(ids(&file).len(), 9);
}

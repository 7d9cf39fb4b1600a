//! Who may read what lies in `data_dir`.

use crate::doctor::report::Check;

/// What a file is, as far as its readers matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A folder of ours.
    Folder,
    /// A database: ciphertexts, names, amounts, no secret in the clear.
    Database,
    /// A secret in the clear.
    Secret,
}

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// What it is called in the report.
    pub(crate) label: &'static str,
    /// Where it is.
    pub(crate) path: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its permission bits.
    pub(crate) mode: u32,
}

pub(crate) fn judge(files: &[File]) -> Vec<Check> {
    let faults: Vec<Check> = files.iter().filter_map(fault).collect();
    match (faults.is_empty(), files.len()) {
        (false, _) => faults,
        (true, 0) => vec![Check::skip("files", "there are none yet")],
        (true, count) => {
            vec![Check::ok(
                "files",
                format!("{count} of them, for their owner alone"),
            )]
        }
    }
}

fn fault(file: &File) -> Option<Check> {
    let open = file.mode & 0o077 != 0;
    let name = format!("files.{}", file.label);
    let (path, mode) = (&file.path, file.mode & 0o777);
    let message = format!("{path} has mode {mode:04o}: others than its owner may use it");
    match file.kind {
        _ if !open => None,
        Kind::Folder => Some(Check::warn(name, message, format!("chmod 700 '{path}'"))),
        Kind::Database => Some(Check::warn(name, message, format!("chmod 600 '{path}'"))),
        Kind::Secret => Some(Check::fail(
            name,
            message,
            format!("chmod 600 '{path}', and replace the secret if somebody may have read it"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::expect::shape;
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn what_others_can_read_is_named_with_the_mend() {
        use Kind::{Database, Folder, Secret};
        for (kind, mode, expect) in [
            (Folder, 0o40700, Status::Ok),
            (Folder, 0o40755, Status::Warn),
            (Database, 0o100_600, Status::Ok),
            (Database, 0o100_640, Status::Warn),
            (Secret, 0o100_600, Status::Ok),
            (Secret, 0o100_400, Status::Ok),
            (Secret, 0o100_644, Status::Fail),
            (Secret, 0o100_620, Status::Fail),
        ] {
            let file = File {
                label: "it",
                path: "data/it".to_owned(),
                kind,
                mode,
            };
            let checks = judge(std::slice::from_ref(&file));
            let name = if expect == Status::Ok {
                "files"
            } else {
                "files.it"
            };
            assert_eq!(shape(&checks), [(name, expect)], "{file:?}");
        }
    }

    #[test]
    fn one_line_says_that_all_are_well_and_one_each_that_some_are_not() {
        assert_eq!(shape(&judge(&[])), [("files", Status::Skip)]);
        let file = |label, mode| File {
            label,
            path: label.to_owned(),
            kind: Kind::Secret,
            mode,
        };
        let files = [
            file("master.key", 0o644),
            file("admin-key", 0o600),
            file("x", 0o666),
        ];
        let expect = [
            ("files.master.key", Status::Fail),
            ("files.x", Status::Fail),
        ];
        assert_eq!(shape(&judge(&files)), expect);
    }
}

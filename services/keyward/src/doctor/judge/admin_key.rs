//! The file with the admin's first access key, which is meant to be handed over and removed.

use crate::doctor::report::Check;

/// Judges the file's presence; `None` where there is none.
pub(crate) fn judge(file: Option<&str>) -> Check {
    const NAME: &str = "admin_key";
    match file {
        None => Check::ok(NAME, "no access key lies in data_dir"),
        Some(path) => Check::warn(
            NAME,
            format!("{path} still holds the admin's access key"),
            format!("hand it over to who needs it, then `rm '{path}'`"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::doctor::report::Status;

    #[test]
    fn a_key_left_lying_is_a_warning() {
        assert_eq!(judge(None).status, Status::Ok);
        let check = judge(Some("data/admin-key"));
        assert_eq!(check.status, Status::Warn);
        assert!(check.mend.unwrap().contains("rm 'data/admin-key'"));
    }
}

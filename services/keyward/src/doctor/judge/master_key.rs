//! The master key: there, of good form, and the one that the store was sealed with.

use keyward_vault::domain::envelope::OpenError;
use keyward_vault::inspect::DataKeyProbe;

use crate::doctor::report::Check;

/// What was found.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The id of the current key, which sealed and opened a probe; why there is none; `None` where
    /// none has been made yet.
    pub(crate) current: Option<Result<String, Refusal>>,
    /// A stored data key of each master key and generation.
    pub(crate) data_keys: Vec<DataKeyProbe>,
}

/// Why a master key cannot be used.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) problem: String,
    /// What to do.
    pub(crate) mend: String,
}

const NAME: &str = "master_key";

pub(crate) fn judge(facts: &Facts) -> Vec<Check> {
    let id = match &facts.current {
        None => {
            return vec![Check::skip(
                NAME,
                "there is none yet: the first start makes one",
            )];
        }
        Some(Err(refusal)) => return vec![Check::fail(NAME, &refusal.problem, &refusal.mend)],
        Some(Ok(id)) => id,
    };
    let failed: Vec<Check> = facts.data_keys.iter().filter_map(failed).collect();
    if !failed.is_empty() {
        return failed;
    }
    let generations: Vec<String> = facts.data_keys.iter().map(label).collect();
    let opened = match generations.is_empty() {
        true => "nothing is stored under it yet".to_owned(),
        false => format!("it opens data keys of {}", generations.join(", ")),
    };
    vec![Check::ok(
        NAME,
        format!("`{id}` seals and opens a probe; {opened}"),
    )]
}

fn label(probe: &DataKeyProbe) -> String {
    format!("`{}` generation {}", probe.master_key_id, probe.generation)
}

fn failed(probe: &DataKeyProbe) -> Option<Check> {
    let error = probe.opened.err()?;
    let (id, generation) = (&probe.master_key_id, probe.generation);
    let (message, mend) = match error {
        OpenError::UnknownMasterKey => (
            format!(
                "the store has data keys of generation {generation} under the master key `{id}`, which is missing"
            ),
            format!(
                "put the key with the id `{id}` back into vault.master_keys; it may stand after the current one"
            ),
        ),
        OpenError::NotAuthentic => (
            format!(
                "the master key `{id}` does not open data keys of generation {generation} that were sealed under that id"
            ),
            format!(
                "another key bears the id `{id}`: put the one back that the store was made with"
            ),
        ),
        other => (
            format!("a data key of {} does not open: {other}", label(probe)),
            "restore a backup of the vault's store".to_owned(),
        ),
    };
    Some(Check::fail(NAME, message, mend))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    fn probe(id: &str, generation: u32, opened: Result<(), OpenError>) -> DataKeyProbe {
        DataKeyProbe {
            master_key_id: id.to_owned(),
            generation,
            opened,
        }
    }

    fn check(
        current: Option<Result<&str, &str>>,
        data_keys: Vec<DataKeyProbe>,
        expect: &[(Status, &str)],
    ) {
        let refusal = |problem: &str| Refusal {
            problem: problem.to_owned(),
            mend: "chmod 600 master.key".to_owned(),
        };
        let current = current.map(|found| found.map(str::to_owned).map_err(refusal));
        let facts = Facts { current, data_keys };
        let checks = judge(&facts);
        assert_eq!(checks.len(), expect.len(), "{checks:?}");
        for (check, (status, says)) in checks.iter().zip(expect) {
            assert_eq!(
                (check.status, check.name.as_str()),
                (*status, NAME),
                "{facts:?}"
            );
            assert!(check.message.contains(says), "{check:?}");
        }
    }

    #[test]
    fn the_right_key_opens_every_generation() {
        let opens = |id, generation| probe(id, generation, Ok(()));
        check(None, vec![], &[(Status::Skip, "first start")]);
        check(Some(Ok("k1")), vec![], &[(Status::Ok, "nothing is stored")]);
        let found = vec![opens("k0", 1), opens("k1", 2)];
        check(
            Some(Ok("k1")),
            found,
            &[(Status::Ok, "`k0` generation 1, `k1` generation 2")],
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let unknown = Err(OpenError::UnknownMasterKey);
        let found = vec![probe("k0", 1, unknown), probe("k1", 2, Ok(()))];
        check(
            Some(Ok("k1")),
            found,
            &[(Status::Fail, "`k0`, which is missing")],
        );
        let found = vec![
            probe("k1", 1, Err(OpenError::NotAuthentic)),
            probe("k0", 2, unknown),
        ];
        let expect = [
            (Status::Fail, "`k1` does not open"),
            (Status::Fail, "`k0`, which"),
        ];
        check(Some(Ok("k1")), found, &expect);
        let found = vec![probe("k1", 1, Err(OpenError::Truncated))];
        check(Some(Ok("k1")), found, &[(Status::Fail, "cut off")]);
        let problem = "the master key file can be read by others";
        check(Some(Err(problem)), vec![], &[(Status::Fail, problem)]);
    }
}

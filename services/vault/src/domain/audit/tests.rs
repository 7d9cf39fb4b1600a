//! The chain against known answers, and every way to tamper with it.

use proptest::prelude::*;
use ring::signature::Ed25519KeyPair;
use serde::Deserialize;
use uuid::Uuid;

use super::body::{body, from_line, to_line};
use super::chain::{Head, LinkedEvent};
use super::checkpoint::{Checkpoint, NoteError, SignedNote, parse_all};
use super::proof::{Break, ChainProof, Fault};
use super::{Action, Actor, AuditEvent};

const INSTANCE: &str = "vault-known";

#[derive(Deserialize)]
struct Known {
    instance: String,
    genesis: String,
    lines: Vec<String>,
    checkpoint: KnownCheckpoint,
}

#[derive(Deserialize)]
struct KnownCheckpoint {
    seed: String,
    public_key: String,
    note: String,
}

fn known() -> Known {
    serde_json::from_str(include_str!("../../../tests/vectors/audit.json")).unwrap()
}

fn public_key(known: &Known) -> [u8; 32] {
    let bytes = hex::decode(&known.checkpoint.public_key).unwrap();
    bytes.try_into().unwrap()
}

#[test]
fn lines_bodies_and_hashes_are_the_known_ones() {
    let known = known();
    let mut head = Head::genesis(&known.instance);
    assert_eq!(head.hash.to_string(), known.genesis);
    for text in &known.lines {
        let line = from_line(text).unwrap();
        let linked = line.linked().unwrap();
        assert_eq!(body(&linked.event), line.body);
        head = head.next(&line.body);
        assert_eq!(head, line.head);
        assert_eq!(to_line(&line.instance, &linked), format!("{text}\n"));
    }
}

#[test]
fn checkpoints_are_the_known_ones_and_read_back() {
    let known = known();
    let seed = hex::decode(&known.checkpoint.seed).unwrap();
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let head = from_line(known.lines.last().unwrap()).unwrap().head;
    let instance = known.instance.clone();
    let checkpoint = Checkpoint { instance, head };
    assert_eq!(checkpoint.sign(&key), known.checkpoint.note);
    let twice = format!(
        "{0}{0}{1}",
        known.checkpoint.note, "keyward-vault/audit/x\n7"
    );
    let notes = parse_all(&twice).unwrap();
    assert_eq!(
        notes.len(),
        2,
        "one that was not written to its end counts for nothing"
    );
    assert_eq!(notes[1].verify(&public_key(&known)), Ok(&checkpoint));
}

#[test]
fn a_checkpoint_with_any_byte_changed_proves_nothing() {
    let known = known();
    let note = &known.checkpoint.note;
    for at in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[at] ^= 1;
        let verified = match String::from_utf8(bytes).map(|note| SignedNote::parse(&note)) {
            Ok(Ok(note)) => note.verify(&public_key(&known)).map(drop),
            _ => Err(NoteError::Malformed),
        };
        assert!(verified.is_err(), "byte {at}");
    }
}

/// A chain of so many events as kept: heads and bodies.
fn chain(count: u64) -> Vec<(Head, String)> {
    let mut head = Head::genesis(INSTANCE);
    let link = |number| {
        let (id, time) = (Uuid::from_u128(number), jiff::Timestamp::UNIX_EPOCH);
        let resource = format!("key-{number}");
        let event = AuditEvent::new(id, time, &Actor::default(), Action::UserCreate, &resource);
        let linked = LinkedEvent::after(head, event);
        head = linked.head;
        (linked.head, body(&linked.event))
    };
    (1..=u128::from(count)).map(link).collect()
}

fn prove(kept: &[(Head, String)], known: u64, checkpoints: &[Head]) -> Result<Head, Break> {
    let checkpoint = |head: &Head| Checkpoint {
        instance: INSTANCE.to_owned(),
        head: *head,
    };
    let mut proof = ChainProof::new(INSTANCE, checkpoints.iter().map(checkpoint).collect());
    for (head, body) in kept {
        proof.read(*head, body);
    }
    proof.finish(known)
}

#[track_caller]
fn broken(proven: Result<Head, Break>, sequence: u64, fault: Fault) {
    let found = proven.unwrap_err();
    assert_eq!((found.sequence, found.fault), (sequence, fault));
}

#[test]
fn an_untouched_chain_is_proven_with_its_head() {
    let kept = chain(5);
    let head = kept[4].0;
    assert_eq!(prove(&kept, 5, &[kept[1].0, head]), Ok(head));
    assert_eq!(prove(&[], 0, &[]), Ok(Head::genesis(INSTANCE)));
}

type Change<'a> = &'a dyn Fn(&mut Vec<(Head, String)>);

#[test]
fn what_was_done_to_a_chain_is_named_with_its_first_place() {
    let whole = chain(6);
    let with = |change: Change<'_>| {
        let mut kept = whole.clone();
        change(&mut kept);
        prove(&kept, 0, &[])
    };
    let edited = with(&|kept| kept[2].1 = kept[2].1.replace("key-3", "key-9"));
    broken(edited, 3, Fault::Edited);
    let edited_last = with(&|kept| kept[5].1 = kept[5].1.replace("key-6", "key-9"));
    broken(edited_last, 6, Fault::Edited);
    broken(with(&|kept| drop(kept.remove(2))), 3, Fault::Missing);
    broken(with(&|kept| kept.swap(2, 3)), 3, Fault::Reordered);
    let bodies = with(&|kept| {
        let (left, right) = kept.split_at_mut(3);
        std::mem::swap(&mut left[2].1, &mut right[0].1);
    });
    broken(bodies, 3, Fault::Reordered);
    broken(
        with(&|kept| kept.insert(2, kept[0].clone())),
        3,
        Fault::Inserted,
    );
    let fitting = with(&|kept| {
        let body = kept[0].1.clone();
        kept.insert(2, (kept[1].0.next(&body), body));
    });
    broken(fitting, 3, Fault::Inserted);
}

#[test]
fn a_chain_that_was_cut_off_or_written_anew_is_not_what_was_signed() {
    let whole = chain(6);
    let cut = prove(&whole[..4], 0, &[whole[1].0, whole[4].0]);
    broken(cut, 5, Fault::Truncated { known: 5 });
    broken(prove(&whole[..4], 6, &[]), 5, Fault::Truncated { known: 6 });
    let mut anew = Vec::new();
    let mut head = Head::genesis(INSTANCE);
    for (_, body) in &whole {
        let body = body.replace("key-2", "key-8");
        head = head.next(&body);
        anew.push((head, body));
    }
    assert!(prove(&anew, 6, &[]).is_ok());
    broken(
        prove(&anew, 6, &[whole[0].0, whole[3].0]),
        4,
        Fault::Rewritten,
    );
}

proptest! {
    #[test]
    fn no_byte_of_a_chain_can_be_changed_unnoticed(at in 0usize..4, byte in any::<prop::sample::Index>(), flip in 1u8..128) {
        let mut kept = chain(4);
        let mut body = kept[at].1.clone().into_bytes();
        let byte = byte.index(body.len());
        body[byte] ^= flip;
        if let Ok(body) = String::from_utf8(body) {
            kept[at].1 = body;
            let found = prove(&kept, 4, &[]).unwrap_err();
            prop_assert_eq!(found.sequence, u64::try_from(at).unwrap() + 1);
        }
    }
}

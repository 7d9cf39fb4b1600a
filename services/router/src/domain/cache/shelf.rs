//! A shelf of bounded bytes: what was not asked for the longest goes first. Time is an argument.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost::Message as _;

use super::{Name, StoredAnswer};

/// What an entry takes beside its answer: places in two maps, names, counters.
const ENTRY_BYTES: usize = 512;

/// An answer on its way to the shelf.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The answer.
    pub answer: Arc<StoredAnswer>,
    /// Whose it is.
    pub tenant: String,
    /// The tags of the request that it was made for, `name=value`.
    pub tags: Vec<String>,
    /// Until when it is given, in milliseconds since 1970.
    pub expires_ms: u64,
}

impl Placed {
    fn bytes(&self) -> usize {
        let tags: usize = self.tags.iter().map(|tag| tag.len() + 32).sum();
        self.answer.encoded_len() + self.tenant.len() + tags + ENTRY_BYTES
    }

    /// Whether it has this tag: `name=value`, or `name` with any value.
    fn has(&self, tag: &str) -> bool {
        let name_of = |own: &str| own.split_once('=').map(|(name, _)| name.to_owned());
        self.tags
            .iter()
            .any(|own| own == tag || name_of(own).as_deref() == Some(tag))
    }
}

struct Entry {
    placed: Placed,
    bytes: usize,
    /// When it was asked for last, by the shelf's count.
    turn: u64,
}

/// The shelf.
pub struct Shelf {
    entries: HashMap<Name, Entry>,
    /// By when they were asked for last.
    turns: BTreeMap<u64, Name>,
    next_turn: u64,
    bytes: usize,
    bytes_max: usize,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("entries", &self.entries.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Shelf {
    /// An empty one, for so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            turns: BTreeMap::new(),
            next_turn: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// An answer, if it is there and its time is not over.
    pub fn get(&mut self, name: &Name, now_ms: u64) -> Option<Arc<StoredAnswer>> {
        if self.entries.get(name)?.placed.expires_ms <= now_ms {
            self.remove(name);
            return None;
        }
        let turn = self.turn(*name);
        let entry = self.entries.get_mut(name)?;
        self.turns.remove(&std::mem::replace(&mut entry.turn, turn));
        Some(Arc::clone(&entry.placed.answer))
    }

    /// How many bytes lie there.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an answer in place of what lies there; others go until it fits. Says how many.
    pub fn put(&mut self, name: Name, placed: Placed) -> u64 {
        self.remove(&name);
        let bytes = placed.bytes();
        if bytes > self.bytes_max {
            return 0;
        }
        let mut evicted = 0;
        while self.bytes + bytes > self.bytes_max {
            let Some((_, oldest)) = self.turns.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.remove(&oldest);
            evicted += 1;
        }
        let turn = self.turn(name);
        self.bytes += bytes;
        self.entries.insert(
            name,
            Entry {
                placed,
                bytes,
                turn,
            },
        );
        evicted
    }

    /// Takes a tenant's answers away, those with a tag where one is given; says how many.
    pub fn purge(&mut self, tenant: &str, tag: Option<&str>) -> u64 {
        let is_meant = |entry: &Entry| {
            let placed = &entry.placed;
            placed.tenant == tenant && tag.is_none_or(|tag| placed.has(tag))
        };
        let entries = self.entries.iter();
        let meant = entries.filter(|(_, entry)| is_meant(entry));
        let meant: Vec<Name> = meant.map(|(name, _)| *name).collect();
        for name in &meant {
            self.remove(name);
        }
        meant.len() as u64
    }

    fn turn(&mut self, name: Name) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.turns.insert(turn, name);
        turn
    }

    fn remove(&mut self, name: &Name) {
        if let Some(entry) = self.entries.remove(name) {
            self.turns.remove(&entry.turn);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn name(number: u64) -> Name {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        name
    }

    fn placed(tenant: &str, tags: &[&str], bytes: usize) -> Placed {
        let answer = StoredAnswer {
            body: Bytes::from(vec![0; bytes]),
            ..StoredAnswer::default()
        };
        Placed {
            answer: Arc::new(answer),
            tenant: tenant.to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            expires_ms: 1_000,
        }
    }

    #[test]
    fn an_answer_is_given_until_its_time_is_over() {
        let mut shelf = Shelf::new(100_000);
        shelf.put(name(1), placed("a", &[], 10));
        assert!(shelf.get(&name(1), 999).is_some());
        assert!(shelf.get(&name(2), 999).is_none());
        assert!(shelf.get(&name(1), 1_000).is_none());
        assert_eq!(
            (shelf.bytes, shelf.entries.len(), shelf.turns.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn what_was_not_asked_for_the_longest_goes_first() {
        let mut shelf = Shelf::new(3 * (1_000 + ENTRY_BYTES + 32));
        for number in 0..3 {
            shelf.put(name(number), placed("a", &[], 1_000));
        }
        assert!(shelf.get(&name(0), 0).is_some());
        assert_eq!(shelf.put(name(3), placed("a", &[], 1_000)), 1);
        let there = |shelf: &mut Shelf, number| shelf.get(&name(number), 0).is_some();
        assert!(!there(&mut shelf, 1));
        for number in [0, 2, 3] {
            assert!(there(&mut shelf, number), "{number}");
        }
    }

    /// `KEYWARD_TEST_CACHE_MIB=1024` sends the whole gibibyte through.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a run by hand may ask for more")]
    fn however_much_is_put_there_it_stays_within_its_bytes() {
        let mebibytes = std::env::var("KEYWARD_TEST_CACHE_MIB").ok();
        let mebibytes: usize = mebibytes.map_or(64, |text| text.parse().unwrap());
        let bytes_max = 8 * 1024 * 1024;
        let mut shelf = Shelf::new(bytes_max);
        let (mut number, mut put) = (0_u64, 0);
        while put < mebibytes * 1024 * 1024 {
            let size = 1 + usize::try_from(number * 7_919 % 65_536).unwrap();
            shelf.put(name(number), placed("a", &["team=x"], size));
            assert!(shelf.bytes <= bytes_max);
            number += 1;
            put += size;
        }
        let summed: usize = shelf.entries.values().map(|entry| entry.bytes).sum();
        assert_eq!(summed, shelf.bytes);
        assert_eq!(shelf.turns.len(), shelf.entries.len());
        assert!(shelf.bytes > bytes_max / 2, "it is made use of");
    }

    #[test]
    fn what_is_larger_than_the_shelf_is_not_put_there() {
        let mut shelf = Shelf::new(1_000);
        shelf.put(name(1), placed("a", &[], 2_000));
        assert!(shelf.get(&name(1), 0).is_none());
    }

    #[test]
    fn a_purge_takes_what_is_meant_and_of_one_tenant_alone() {
        let mut shelf = Shelf::new(1_000_000);
        shelf.put(name(1), placed("a", &["team=x", "job=1"], 10));
        shelf.put(name(2), placed("a", &["team=y"], 10));
        shelf.put(name(3), placed("b", &["team=x"], 10));
        shelf.put(name(4), placed("a", &[], 10));
        assert_eq!(shelf.purge("a", Some("team=x")), 1);
        assert_eq!(shelf.purge("a", Some("team=x")), 0);
        assert_eq!(shelf.purge("a", Some("team")), 1);
        assert_eq!(shelf.purge("a", None), 1);
        assert!(shelf.get(&name(3), 0).is_some());
    }
}

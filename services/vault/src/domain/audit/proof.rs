//! Checks a chain as it is read: every event fits onto the one before, and the chain goes through all
//! checkpoints. Names the first place that does not, and what most likely happened there.

use std::fmt;

use super::chain::Head;
use super::checkpoint::Checkpoint;

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not what was written there.
    Edited,
    /// It is not there, though later ones are.
    Missing,
    /// It and the next have changed places.
    Reordered,
    /// It was not there when the next was written.
    Inserted,
    /// It and all after it are gone; a checkpoint, or the store itself, knew this many.
    Truncated {
        /// How many.
        known: u64,
    },
    /// It fits into its chain, but is not the one that a checkpoint vouches for.
    Rewritten,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited => f.write_str("it was edited"),
            Self::Missing => f.write_str("it is missing"),
            Self::Reordered => f.write_str("it and the next have changed places"),
            Self::Inserted => f.write_str("it was inserted later"),
            Self::Truncated { known } => {
                write!(
                    f,
                    "the log was cut off before it: {known} events were known"
                )
            }
            Self::Rewritten => f.write_str("the log up to it is not what a checkpoint signed"),
        }
    }
}

/// The first broken place of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Whose chain.
    pub instance: String,
    /// Which event.
    pub sequence: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instance,
            sequence,
            fault,
        } = self;
        write!(f, "event {sequence} of {instance}: {fault}")
    }
}

/// A chain while it is read.
#[derive(Debug)]
pub struct ChainProof {
    instance: String,
    /// In order of their sizes.
    checkpoints: Vec<Checkpoint>,
    passed: usize,
    before: Option<Head>,
    head: Head,
    /// An event that does not fit; the next one says more about it.
    suspect: Option<(Head, String)>,
    broken: Option<(u64, Fault)>,
}

impl ChainProof {
    /// Begins with an instance's first event; `checkpoints` are those of this instance.
    pub fn new(instance: &str, mut checkpoints: Vec<Checkpoint>) -> Self {
        checkpoints.sort_by_key(|checkpoint| checkpoint.head.sequence);
        Self {
            instance: instance.to_owned(),
            checkpoints,
            passed: 0,
            before: None,
            head: Head::genesis(instance),
            suspect: None,
            broken: None,
        }
    }

    /// Whether it is known to be broken: what follows changes nothing.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The next event: its place and hash as kept, and its body.
    pub fn read(&mut self, kept: Head, body: &str) {
        if self.broken.is_some() {
            return;
        }
        if let Some((suspect, suspect_body)) = self.suspect.take() {
            self.broken = Some(self.judge(suspect, &suspect_body, Some((kept, body))));
            return;
        }
        let expected = self.head.next(body);
        if kept == expected {
            self.before = Some(std::mem::replace(&mut self.head, expected));
            self.pass_checkpoints();
        } else {
            self.suspect = Some((kept, body.to_owned()));
        }
    }

    /// Leaves out checkpoints beyond `sequence`: that the chain ends there was accepted.
    pub fn accept(&mut self, sequence: u64) {
        self.checkpoints
            .retain(|checkpoint| checkpoint.head.sequence <= sequence);
    }

    /// After the last event; `known` is how many the store says there are.
    ///
    /// # Errors
    /// The first broken place.
    pub fn finish(mut self, known: u64) -> Result<Head, Break> {
        if let Some((suspect, body)) = self.suspect.take() {
            self.broken = Some(self.judge(suspect, &body, None));
        }
        let newest = self.checkpoints.last().map_or(0, |c| c.head.sequence);
        let known = known.max(newest);
        if self.broken.is_none() && known > self.head.sequence {
            self.broken = Some((self.head.sequence + 1, Fault::Truncated { known }));
        }
        match self.broken {
            None => Ok(self.head),
            Some((sequence, fault)) => Err(Break {
                instance: self.instance,
                sequence,
                fault,
            }),
        }
    }

    fn pass_checkpoints(&mut self) {
        while let Some(checkpoint) = self.checkpoints.get(self.passed)
            && checkpoint.head.sequence <= self.head.sequence
        {
            let same_size = checkpoint.head.sequence == self.head.sequence;
            if same_size && checkpoint.head.hash != self.head.hash {
                self.broken = Some((self.head.sequence, Fault::Rewritten));
                return;
            }
            self.passed += 1;
        }
    }

    /// What is wrong with an event that does not fit after `self.head`.
    fn judge(&self, suspect: Head, body: &str, next: Option<(Head, &str)>) -> (u64, Fault) {
        let expected = self.head.sequence + 1;
        if let Some((next, next_body)) = next {
            let next_here = self.head.next(next_body).hash;
            if next_here == suspect.hash {
                return (expected, Fault::Reordered);
            }
            let swapped = next_here == next.hash;
            if swapped && next.at(expected + 1, body).hash == suspect.hash {
                return (expected, Fault::Reordered);
            }
            if swapped {
                return (expected, Fault::Inserted);
            }
        }
        // Made to fit in by whoever put one in front of it.
        let belongs_here = |head: Head| head.next(body).hash == suspect.hash;
        if self.before.is_some_and(belongs_here) {
            return (self.head.sequence, Fault::Inserted);
        }
        match suspect.sequence {
            sequence if sequence > expected => (expected, Fault::Missing),
            sequence if sequence < expected => (expected, Fault::Inserted),
            _ => (expected, Fault::Edited),
        }
    }
}

//! What the store knows of master keys: their ids and how they stand. A state's number is in rows
//! and never changes.

use jiff::Timestamp;

/// How a master key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum MasterKeyState {
    /// It opens what it wrapped.
    Opens = 1,
    /// It wraps new data keys, too.
    Active = 2,
    /// It wraps nothing any more.
    Retired = 3,
    /// It is gone, and its id with it.
    Destroyed = 4,
}

impl MasterKeyState {
    /// The number that rows carry.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The state with this number.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Opens),
            2 => Some(Self::Active),
            3 => Some(Self::Retired),
            4 => Some(Self::Destroyed),
            _ => None,
        }
    }

    /// Whether it can come to stand so: a destroyed one stays destroyed, a retired one can be
    /// taken up again, and only a retired one is destroyed.
    pub const fn may_become(self, next: Self) -> bool {
        use MasterKeyState::{Active, Destroyed, Opens, Retired};
        matches!(
            (self, next),
            (Opens | Retired, Active) | (Opens, Retired) | (Retired, Destroyed)
        )
    }
}

/// A master key as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMasterKey {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: MasterKeyState,
    /// When the store came to know it.
    pub create_time: Timestamp,
    /// When it last became active.
    pub activate_time: Option<Timestamp>,
    /// When it was retired.
    pub retire_time: Option<Timestamp>,
    /// When it was destroyed.
    pub destroy_time: Option<Timestamp>,
}

impl KnownMasterKey {
    /// One that the store does not know yet, and that opens.
    pub fn new(id: &str, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            state: MasterKeyState::Opens,
            create_time: now,
            activate_time: None,
            retire_time: None,
            destroy_time: None,
        }
    }

    /// The same, standing so from now on.
    #[must_use]
    pub fn become_at(mut self, state: MasterKeyState, now: Timestamp) -> Self {
        self.state = state;
        match state {
            MasterKeyState::Opens => {}
            MasterKeyState::Active => (self.activate_time, self.retire_time) = (Some(now), None),
            MasterKeyState::Retired => self.retire_time = Some(now),
            MasterKeyState::Destroyed => self.destroy_time = Some(now),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::MasterKeyState::{Active, Destroyed, Opens, Retired};
    use super::*;

    #[test]
    fn a_destroyed_key_stays_so_and_only_a_retired_one_is_destroyed() {
        for state in [Opens, Active, Retired, Destroyed] {
            assert_eq!(
                MasterKeyState::from_number(state.number().into()),
                Some(state)
            );
            assert!(!Destroyed.may_become(state));
            assert_eq!(state.may_become(Destroyed), state == Retired);
        }
        assert!(!Active.may_become(Retired));
        assert!(Opens.may_become(Active) && Retired.may_become(Active));
    }

    #[test]
    fn one_that_is_taken_up_again_is_not_retired_any_more() {
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let key = KnownMasterKey::new("a", early).become_at(Retired, early);
        let key = key.become_at(Active, late);
        assert_eq!((key.activate_time, key.retire_time), (Some(late), None));
    }
}

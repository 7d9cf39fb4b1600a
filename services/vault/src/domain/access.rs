//! Who may do what: one pure function, asked by every use case. It knows three answers, because a
//! stranger must not learn that a thing exists, and a member may be told that a role is missing.

use keyward_auth::OrganizationRole as Role;
use uuid::Uuid;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Viewer {
    /// The user, where there is one.
    pub user: Option<Uuid>,
    /// Whether the credential has the `admin` scope: the platform's own administration.
    pub platform_admin: bool,
}

/// Whose things are asked for, with what ties the viewer to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A user, or a user's project.
    User(Uuid),
    /// An organisation or its project, in which the viewer has this role, if any.
    Organization(Option<Role>),
    /// The platform.
    System,
}

/// What is asked for. Rows carry the numbers, so they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Thing {
    /// The user or organisation itself.
    Account = 1,
    /// What only the platform says of it: that it exists, and its tier.
    Standing = 2,
    /// Provider keys.
    ProviderKeys = 3,
    /// Access keys.
    AccessKeys = 4,
    /// Who belongs to an organisation.
    Members = 5,
    /// Projects.
    Projects = 6,
}

impl Thing {
    /// The number that rows carry.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The thing with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Account),
            2 => Some(Self::Standing),
            3 => Some(Self::ProviderKeys),
            4 => Some(Self::AccessKeys),
            5 => Some(Self::Members),
            6 => Some(Self::Projects),
            _ => None,
        }
    }
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Read it.
    See,
    /// Change it.
    Manage,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Do it.
    Allowed,
    /// The viewer may know of it, but not do this.
    Forbidden,
    /// For the viewer there is no such thing.
    Hidden,
}

/// Decides whether `viewer` may do `deed` with `thing` of `holder`.
pub fn decide(viewer: Viewer, holder: Holder, thing: Thing, deed: Deed) -> Verdict {
    if viewer.platform_admin {
        return Verdict::Allowed;
    }
    match holder {
        Holder::User(uid) if viewer.user == Some(uid) => allow_if(own_is_enough(thing, deed)),
        Holder::Organization(Some(role)) => allow_if(role_is_enough(role, thing, deed)),
        Holder::User(_) | Holder::Organization(None) | Holder::System => Verdict::Hidden,
    }
}

/// Whether `viewer` in `role` may give or take away `target`: nobody makes or unmakes those above.
pub fn may_assign(viewer: Viewer, role: Option<Role>, target: Role) -> bool {
    viewer.platform_admin || role.is_some_and(|role| role >= Role::Admin && role >= target)
}

fn own_is_enough(thing: Thing, deed: Deed) -> bool {
    thing != Thing::Standing || deed == Deed::See
}

fn role_is_enough(role: Role, thing: Thing, deed: Deed) -> bool {
    let needed = match (thing, deed) {
        (Thing::Standing, Deed::Manage) => return false,
        (Thing::Account | Thing::Standing | Thing::Members, Deed::See) => Role::Viewer,
        (Thing::ProviderKeys | Thing::Projects, Deed::See) => Role::Member,
        (Thing::AccessKeys, Deed::See) | (_, Deed::Manage) => Role::Admin,
    };
    role >= needed
}

fn allow_if(enough: bool) -> Verdict {
    if enough {
        Verdict::Allowed
    } else {
        Verdict::Forbidden
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Allowed, Forbidden, Hidden};
    use super::*;

    const THINGS: [Thing; 6] = [
        Thing::Account,
        Thing::Standing,
        Thing::ProviderKeys,
        Thing::AccessKeys,
        Thing::Members,
        Thing::Projects,
    ];

    fn bob() -> Viewer {
        Viewer {
            user: Some(Uuid::from_u128(1)),
            platform_admin: false,
        }
    }

    #[test]
    fn a_number_leads_back_to_its_thing() {
        for thing in THINGS {
            assert_eq!(Thing::from_number(thing.number()), Some(thing));
        }
    }

    #[test]
    fn a_stranger_sees_nothing_of_anybody() {
        let holders = [
            Holder::User(Uuid::from_u128(2)),
            Holder::Organization(None),
            Holder::System,
        ];
        let nobody = Viewer::default();
        for holder in holders {
            for thing in THINGS {
                for deed in [Deed::See, Deed::Manage] {
                    assert_eq!(decide(bob(), holder, thing, deed), Hidden);
                    assert_eq!(decide(nobody, holder, thing, deed), Hidden);
                }
            }
        }
    }

    #[test]
    fn a_user_does_all_with_its_own_but_its_standing() {
        let own = Holder::User(Uuid::from_u128(1));
        for thing in THINGS {
            assert_eq!(decide(bob(), own, thing, Deed::See), Allowed);
            let expect = if thing == Thing::Standing {
                Forbidden
            } else {
                Allowed
            };
            assert_eq!(decide(bob(), own, thing, Deed::Manage), expect);
        }
    }

    #[test]
    fn roles_in_an_organisation() {
        let roles = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];
        for (thing, deed, allowed_from) in [
            (Thing::Account, Deed::See, 0),
            (Thing::Account, Deed::Manage, 2),
            (Thing::Standing, Deed::See, 0),
            (Thing::Standing, Deed::Manage, 4),
            (Thing::ProviderKeys, Deed::See, 1),
            (Thing::ProviderKeys, Deed::Manage, 2),
            (Thing::AccessKeys, Deed::See, 2),
            (Thing::AccessKeys, Deed::Manage, 2),
            (Thing::Members, Deed::See, 0),
            (Thing::Members, Deed::Manage, 2),
            (Thing::Projects, Deed::See, 1),
            (Thing::Projects, Deed::Manage, 2),
        ] {
            for (rank, role) in roles.into_iter().enumerate() {
                let holder = Holder::Organization(Some(role));
                let expect = if rank >= allowed_from {
                    Allowed
                } else {
                    Forbidden
                };
                assert_eq!(
                    decide(bob(), holder, thing, deed),
                    expect,
                    "{role:?} {thing:?}"
                );
            }
        }
    }

    #[test]
    fn the_platform_does_everything() {
        let admin = Viewer {
            user: None,
            platform_admin: true,
        };
        let holders = [
            Holder::User(Uuid::from_u128(2)),
            Holder::Organization(None),
            Holder::System,
        ];
        for holder in holders {
            for thing in THINGS {
                assert_eq!(decide(admin, holder, thing, Deed::Manage), Allowed);
            }
        }
    }

    #[test]
    fn nobody_gives_a_role_above_the_own() {
        assert!(may_assign(bob(), Some(Role::Owner), Role::Owner));
        assert!(may_assign(bob(), Some(Role::Admin), Role::Admin));
        assert!(!may_assign(bob(), Some(Role::Admin), Role::Owner));
        assert!(!may_assign(bob(), Some(Role::Member), Role::Viewer));
        assert!(!may_assign(bob(), None, Role::Viewer));
    }
}

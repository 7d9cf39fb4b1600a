//! What differs between two policies, by the names that callers know.

use keyward_proto::router::v1 as proto;

/// The members of a policy that are not the same in both; nothing of what they hold.
pub fn changed_members(
    before: &proto::RoutingPolicy,
    after: &proto::RoutingPolicy,
) -> Vec<&'static str> {
    // Taken apart whole, so that no member is forgotten.
    let proto::RoutingPolicy {
        prefer,
        own_keys,
        keys_first,
        fallback,
        fallback_max_charge_nanos,
        forbid_credits,
        max_charge_nanos,
        providers,
        models,
        aliases,
        tasks,
        rules,
        cache,
    } = before;
    let members = [
        ("prefer", *prefer != after.prefer),
        ("own_keys", *own_keys != after.own_keys),
        ("keys_first", *keys_first != after.keys_first),
        ("fallback", *fallback != after.fallback),
        (
            "fallback_max_charge",
            *fallback_max_charge_nanos != after.fallback_max_charge_nanos,
        ),
        ("credits", *forbid_credits != after.forbid_credits),
        ("max_charge", *max_charge_nanos != after.max_charge_nanos),
        ("providers", *providers != after.providers),
        ("models", *models != after.models),
        ("aliases", *aliases != after.aliases),
        ("tasks", *tasks != after.tasks),
        ("rules", *rules != after.rules),
        ("cache", *cache != after.cache),
    ];
    let changed = members.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_nothing_else() {
        let before = proto::RoutingPolicy::default();
        assert!(changed_members(&before, &before).is_empty());
        let after = proto::RoutingPolicy {
            forbid_credits: true,
            aliases: [("fast".to_owned(), "openai/gpt-4o".to_owned())].into(),
            ..before.clone()
        };
        assert_eq!(changed_members(&before, &after), ["credits", "aliases"]);
        assert_eq!(changed_members(&after, &before), ["credits", "aliases"]);
    }
}

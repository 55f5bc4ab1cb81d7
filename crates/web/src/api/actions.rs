//! What the audit log calls operations of the API: what is refused has the name that it has when it is done.

/// Operations whose lines have another name. What a change comes to is known only when it is done where one operation has several
/// names (`users.update` is `user.disable` or `user.enable`): refused, it has its own. tests/formats/text/tests/text/lines.rs does
/// all of them and compares.
const ACTIONS: &[(&str, &str)] = &[
    ("account.change-password", "user.set-password"),
    ("backups.create", "backup.create"),
    ("backups.forget", "backup.forget"),
    ("grants.put", "grant.give"),
    ("grants.remove", "grant.take"),
    ("groups.add-member", "group.add"),
    ("groups.create", "group.create"),
    ("groups.delete", "group.delete"),
    ("groups.remove-member", "group.remove"),
    ("jobs.retry", "job.retry"),
    ("keys.import", "key.import"),
    ("keys.retire", "key.retire"),
    ("keys.rotate", "key.rotate"),
    ("manifests.delete", "manifest.delete"),
    ("project-robots.create", "robot.create"),
    ("project-robots.delete", "robot.delete"),
    ("project-robots.rotate", "robot.rotate"),
    ("projects.create", "project.create"),
    ("projects.delete", "project.delete"),
    ("projects.update", "project.update"),
    ("purges.create", "content.purge"),
    ("repositories.delete", "repository.delete"),
    ("robots.create", "robot.create"),
    ("robots.delete", "robot.delete"),
    ("robots.rotate", "robot.rotate"),
    ("snapshots.create", "snapshot.create"),
    ("snapshots.delete", "snapshot.delete"),
    ("snapshots.live", "snapshot.live"),
    ("snapshots.publish", "snapshot.publish"),
    ("tag-rules.add", "tag-rule.add"),
    ("tag-rules.remove", "tag-rule.remove"),
    ("tags.delete", "tag.delete"),
    ("tags.rollback", "tag.rollback"),
    ("tokens.create", "token.create"),
    ("tokens.revoke", "token.revoke"),
    ("users.create", "user.create"),
    ("users.delete", "user.delete"),
    ("users.import", "user.create"),
    ("users.revoke-token", "token.revoke"),
    ("users.set-password", "user.set-password"),
];

/// The name of an operation's lines.
pub(super) fn of(operation: &'static str) -> &'static str {
    ACTIONS.iter().find(|(known, _)| *known == operation).map_or(operation, |(_, action)| action)
}

#[cfg(test)]
mod tests {
    use super::super::table::TABLE;
    use super::ACTIONS;

    #[test]
    fn every_renamed_operation_is_one() {
        for (operation, _) in ACTIONS {
            assert!(TABLE.iter().any(|row| row.operation == *operation), "{operation}");
        }
    }
}

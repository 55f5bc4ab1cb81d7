//! Every role times every verb, however the role is held.

use wharf_auth::{Origin, Role, ServerRole, ServerVerb, Verb};
use wharf_db::Db;

use crate::world::{Ask, World, grantee, name, project, repository, system};

wharf_db::on_both_engines! {
    a_role_on_a_project_allows_exactly_its_verbs,
    a_role_on_a_pattern_allows_its_verbs_on_what_matches,
    a_role_through_a_group_is_a_role,
    a_server_role_allows_its_verbs_everywhere,
    a_server_role_through_a_group_is_a_server_role,
    server_verbs_belong_to_their_roles,
    the_best_of_several_grants_counts,
}

const TABLE: [(Role, &str); 5] = [
    (Role::Viewer, "V"),
    (Role::Puller, "VL"),
    (Role::Pusher, "VLS"),
    (Role::Maintainer, "VLSDCA"),
    (Role::Owner, "VLSDCGA"),
];

async fn a_role_on_a_project_allows_exactly_its_verbs(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.project("other", false).await;
    world.user("ann").await;
    for (role, expected) in TABLE {
        world.grant("user:ann", "team", "**", role).await;
        let secret = world.robot(Some("team"), role.as_str(), &[("team", "**", role)]).await;
        for identity in [world.sign_in("ann").await, world.bearer(secret.reveal()).await.unwrap()] {
            assert_eq!(
                world.verbs_on(&identity, |verb| project("team", verb)).await,
                expected,
                "{role} on the project"
            );
            assert_eq!(world.verbs_on(&identity, |verb| repository("team/a/b", verb)).await, expected, "{role} in it");
            assert_eq!(world.verbs_on(&identity, |verb| project("other", verb)).await, "");
            assert_eq!(world.verbs_on(&identity, |verb| repository("other/a", verb)).await, "");
        }
    }
}

async fn a_role_on_a_pattern_allows_its_verbs_on_what_matches(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    for (role, expected) in TABLE {
        world.grant("user:ann", "team", "web/*", role).await;
        let ann = world.sign_in("ann").await;
        assert_eq!(world.verbs_on(&ann, |verb| repository("team/web/app", verb)).await, expected, "{role}");
        for outside in ["team/web", "team/web/app/x", "team/db", "web/app", "teams/web/app"] {
            assert_eq!(world.verbs_on(&ann, |verb| repository(outside, verb)).await, "", "{role} {outside}");
        }
        // Of the project itself it is only seen that it exists.
        assert_eq!(world.verbs_on(&ann, |verb| project("team", verb)).await, "V", "{role}");
    }
}

async fn a_role_through_a_group_is_a_role(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.auth.create_group(&system(), &Origin::default(), "devs", "").await.unwrap();
    for (role, expected) in TABLE {
        world.grant("group:devs", "team", "**", role).await;
        for (member, allowed) in [(true, expected), (false, "")] {
            let (devs, ann) = (name("devs"), name("ann"));
            world.auth.set_member(&system(), &Origin::default(), &devs, &ann, member).await.unwrap();
            let ann = world.sign_in("ann").await;
            assert_eq!(world.verbs_on(&ann, |verb| repository("team/app", verb)).await, allowed, "{role} {member}");
        }
    }
}

async fn a_server_role_allows_its_verbs_everywhere(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    let table = [(ServerRole::Administrator, "VLSDCGA"), (ServerRole::Auditor, "VA"), (ServerRole::Creator, "")];
    for (role, expected) in table {
        world.user_with(role.as_str(), &[role]).await;
        let identity = world.sign_in(role.as_str()).await;
        assert_eq!(world.verbs_on(&identity, |verb| repository("team/app", verb)).await, expected, "{role}");
        assert_eq!(world.verbs_on(&identity, |verb| project("team", verb)).await, expected, "{role}");
    }
}

async fn a_server_role_through_a_group_is_a_server_role(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    let origin = Origin::default();
    world.auth.create_group(&system(), &origin, "auditors", "").await.unwrap();
    world.auth.set_member(&system(), &origin, &name("auditors"), &name("ann"), true).await.unwrap();
    let group = grantee("group:auditors");
    world.auth.set_server_role(&system(), &origin, &group, ServerRole::Auditor, true).await.unwrap();
    assert_eq!(world.user_asks("ann", repository("team/app", Verb::ReadAudit)).await, "yes");
    assert_eq!(world.user_asks("ann", repository("team/app", Verb::Pull)).await, "forbidden");
    world.auth.set_server_role(&system(), &origin, &group, ServerRole::Auditor, false).await.unwrap();
    assert_eq!(world.user_asks("ann", repository("team/app", Verb::ReadAudit)).await, "hidden");
}

async fn server_verbs_belong_to_their_roles(db: Db) {
    let world = World::new(db);
    world.user("nobody").await;
    for role in ServerRole::ALL {
        world.user_with(role.as_str(), &[role]).await;
    }
    for verb in ServerVerb::ALL {
        let expected = match verb {
            ServerVerb::ManageIdentities | ServerVerb::ManageServer => ["yes", "forbidden", "forbidden", "forbidden"],
            ServerVerb::ListIdentities | ServerVerb::InspectServer | ServerVerb::ReadAudit => {
                ["yes", "yes", "forbidden", "forbidden"]
            }
            ServerVerb::CreateProject => ["yes", "forbidden", "yes", "forbidden"],
        };
        let mut answers = Vec::new();
        for user in ["administrator", "auditor", "creator", "nobody"] {
            answers.push(world.user_asks(user, Ask::Server(verb)).await);
        }
        assert_eq!(answers, expected, "{verb}");
        assert_eq!(world.ask(&world.anonymous().await, Ask::Server(verb)).await, "sign in");
    }
}

async fn the_best_of_several_grants_counts(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Puller).await;
    world.grant("user:ann", "team", "web/**", Role::Maintainer).await;
    world.grant("user:ann", "team", "web/base", Role::Viewer).await;
    let ann = world.sign_in("ann").await;
    assert_eq!(world.verbs_on(&ann, |verb| repository("team/db", verb)).await, "VL");
    assert_eq!(world.verbs_on(&ann, |verb| repository("team/web/base", verb)).await, "VLSDCA");
    assert_eq!(world.verbs_on(&ann, |verb| project("team", verb)).await, "VL");
}

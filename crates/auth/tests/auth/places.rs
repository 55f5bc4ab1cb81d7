//! Projects that are public, hidden, missing or not there yet.

use wharf_auth::{Access, Limit, NewToken, Origin, Permit, Refused, Role, ServerRole, Verb};
use wharf_db::Db;

use crate::world::{Ask, OCI, World, pattern, project, project_name, repository, system};

wharf_db::on_both_engines! {
    everyone_sees_and_pulls_from_a_public_project,
    what_is_hidden_and_what_is_missing_are_answered_alike,
    who_may_see_but_not_do_is_told_the_role_that_would,
    a_push_creates_the_project_for_those_who_may_create_projects,
    a_project_that_is_no_longer_public_is_hidden_at_once,
    the_catalog_is_for_those_who_sign_in,
    everyone_may_do_what_needs_nothing,
    visibility_is_what_may_be_viewed,
    soft_checks_go_by_grants,
    the_server_itself_may_do_everything,
}

async fn everyone_sees_and_pulls_from_a_public_project(db: Db) {
    let world = World::new(db);
    world.project("open", true).await;
    world.user("ann").await;
    for identity in [world.anonymous().await, world.sign_in("ann").await] {
        assert_eq!(world.verbs_on(&identity, |verb| repository("open/app", verb)).await, "VL");
        assert_eq!(world.verbs_on(&identity, |verb| project("open", verb)).await, "VL");
    }
    assert_eq!(world.ask(&world.anonymous().await, repository("open/app", Verb::Push)).await, "sign in");
    assert_eq!(world.user_asks("ann", repository("open/app", Verb::Push)).await, "forbidden");
}

async fn what_is_hidden_and_what_is_missing_are_answered_alike(db: Db) {
    let world = World::new(db);
    world.project("hidden", false).await;
    world.user("ann").await;
    let identities = [world.sign_in("ann").await, world.anonymous().await];
    for identity in &identities {
        for verb in Verb::ALL {
            let ask = |place: &str| {
                let (one, two) = (repository(&format!("{place}/app"), verb), project(place, verb));
                let place = place.to_owned();
                let world = &world;
                async move {
                    let mut said = Vec::new();
                    for ask in [one, two] {
                        said.push(match world.auth.authorize(identity, ask).await.unwrap_err() {
                            Refused::Hidden { hint } => hint.replace(&place, "…"),
                            Refused::SignIn { scope } => scope.unwrap_or_default().replace(&place, "…"),
                            other => panic!("{other:?}"),
                        });
                    }
                    said
                }
            };
            assert_eq!(ask("hidden").await, ask("missing").await, "{verb}");
        }
    }
    let refused = world.auth.authorize(&identities[0], repository("hidden/app", Verb::Pull)).await.unwrap_err();
    assert!(refused.to_string().contains("ask an owner of the project hidden or an administrator"), "{refused}");
}

async fn who_may_see_but_not_do_is_told_the_role_that_would(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Puller).await;
    let ann = world.sign_in("ann").await;
    for (verb, role) in [(Verb::Push, "pusher"), (Verb::Delete, "maintainer"), (Verb::Govern, "owner")] {
        let Err(Refused::Forbidden { reason }) = world.auth.authorize(&ann, repository("team/app", verb)).await else {
            panic!("{verb}")
        };
        assert!(reason.contains(&format!("needs the role {role}")) && reason.contains("is puller there"), "{reason}");
    }
}

async fn a_push_creates_the_project_for_those_who_may_create_projects(db: Db) {
    let world = World::new(db);
    world.project("taken", false).await;
    world.user("ann").await;
    world.user_with("carl", &[ServerRole::Creator]).await;
    world.user_with("root", &[ServerRole::Administrator]).await;
    let push = || repository("fresh/app", Verb::Push);
    assert_eq!(world.user_asks("ann", push()).await, "hidden");
    assert_eq!(world.user_asks("carl", push()).await, "creates");
    assert_eq!(world.user_asks("root", push()).await, "creates");
    assert_eq!(world.ask(&world.anonymous().await, push()).await, "sign in");
    // Before they push, clients ask what is there.
    assert_eq!(world.user_asks("carl", repository("fresh/app", Verb::Pull)).await, "yes");
    assert_eq!(world.user_asks("carl", repository("fresh/app", Verb::Delete)).await, "hidden");
    assert_eq!(world.user_asks("carl", repository("taken/app", Verb::Push)).await, "hidden");
    assert_eq!(world.user_asks("root", repository("taken/app", Verb::Push)).await, "yes");
    assert!(world.sign_in("root").await.is_administrator() && !world.sign_in("carl").await.is_administrator());
    // Once it is there, the next push finds it without anybody telling.
    world.project("fresh", false).await;
    assert_eq!(world.user_asks("carl", push()).await, "hidden");
    assert_eq!(world.user_asks("root", push()).await, "yes");
}

async fn a_project_that_is_no_longer_public_is_hidden_at_once(db: Db) {
    let world = World::new(db);
    world.project("open", true).await;
    let pull = || repository("open/app", Verb::Pull);
    assert_eq!(world.ask(&world.anonymous().await, pull()).await, "yes");
    world.set_public("open", false).await;
    assert_eq!(world.ask(&world.anonymous().await, pull()).await, "sign in");
}

async fn the_catalog_is_for_those_who_sign_in(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    assert_eq!(world.user_asks("ann", Ask::Catalog).await, "yes");
    let refused = world.auth.authorize(&world.anonymous().await, Ask::Catalog).await.unwrap_err();
    assert!(matches!(refused, Refused::SignIn { scope: Some(scope) } if scope == "registry:catalog:*"));
}

async fn everyone_may_do_what_needs_nothing(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    for (ask, anonymous, ann) in
        [(Ask::Anyone, "yes", "yes"), (Ask::SignedIn, "sign in", "yes"), (Ask::OwnAccount, "sign in", "yes")]
    {
        assert_eq!(world.ask(&world.anonymous().await, ask.clone()).await, anonymous, "{ask:?}");
        assert_eq!(world.user_asks("ann", ask.clone()).await, ann, "{ask:?}");
    }
}

async fn visibility_is_what_may_be_viewed(db: Db) {
    let world = World::new(db);
    for (place, public) in [("open", true), ("team", false), ("hidden", false)] {
        world.project(place, public).await;
    }
    world.user("ann").await;
    world.user_with("root", &[ServerRole::Administrator]).await;
    world.grant("user:ann", "team", "web/*", Role::Viewer).await;
    let limits = Some(vec![Limit { repositories: pattern("team/**"), verbs: vec![] }]);
    let new = NewToken { name: "t".into(), limits, ..NewToken::default() };
    let ann = world.sign_in("ann").await;
    let (_, token) = world.auth.create_token(&ann, &Origin::default(), new).await.unwrap();
    let limited = world.bearer(token.reveal()).await.unwrap();
    let table = [
        (world.anonymous().await, vec!["open/a"], Some(vec!["open"])),
        (ann, vec!["open/a", "team/web/a"], Some(vec!["open", "team"])),
        (limited, vec!["team/web/a"], Some(vec!["team"])),
        (world.sign_in("root").await, vec!["open/a", "team/web/a", "team/db", "hidden/a"], None),
        (system(), vec!["open/a", "team/web/a", "team/db", "hidden/a"], None),
    ];
    for (identity, repositories, projects) in table {
        let visibility = world.auth.visibility(&identity).await.unwrap();
        let seen = ["open/a", "team/web/a", "team/db", "hidden/a"].into_iter();
        let seen: Vec<_> = seen.filter(|name| visibility.sees(OCI, &name.parse().unwrap())).collect();
        assert_eq!(seen, repositories, "{identity:?}");
        let projects = projects.map(|names| names.into_iter().map(project_name).collect::<Vec<_>>());
        assert_eq!(visibility.projects(), projects, "{identity:?}");
        assert_eq!(visibility.sees_everything(), projects.is_none());
        for name in ["open", "team", "hidden"].map(project_name) {
            let listed = projects.as_ref().is_none_or(|projects| projects.contains(&name));
            assert_eq!(visibility.sees_project(&name), listed, "{identity:?} {name}");
        }
    }
}

async fn soft_checks_go_by_grants(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Puller).await;
    let ann = world.sign_in("ann").await;
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap();
    let narrow = world.bearer(&token.token).await.unwrap();
    let name = "team/app".parse().unwrap();
    let pull = Access::Repository { format: OCI, name: &name, verb: Verb::Pull };
    let push = Access::Repository { format: OCI, name: &name, verb: Verb::Push };
    for identity in [&ann, &narrow] {
        assert!(world.auth.may(identity, &pull).await.unwrap());
        assert!(!world.auth.may(identity, &push).await.unwrap());
    }
    assert!(!world.auth.may(&world.anonymous().await, &pull).await.unwrap());
}

async fn the_server_itself_may_do_everything(db: Db) {
    let world = World::new(db);
    assert_eq!(world.ask(&system(), repository("team/app", Verb::Govern)).await, "yes");
    let permit = Permit::bypassing_every_check(repository("team/app", Verb::Delete), "collect");
    assert_eq!((permit.identity().subject().name().as_str(), permit.creates_project()), ("system:collect", false));
    let (ask, identity) = permit.into_parts();
    assert!(matches!(ask, Ask::Repository(..)) && identity.credential() == "system");
}

//! The token flow of registries.

use std::time::Duration;

use wharf_auth::{Config, Identity, InstanceKey, Origin, Refused, Role, ServerRole, ServerVerb, Verb, parse_scope};
use wharf_db::Db;

use crate::world::{Ask, World, name, project, repository, system, why, word};

wharf_db::on_both_engines! {
    a_registry_token_is_good_for_its_scopes,
    a_token_that_does_not_cover_an_operation_names_the_scope_that_would,
    a_scope_gives_nothing_that_grants_do_not,
    a_registry_token_is_for_repositories_and_the_catalog_only,
    an_anonymous_token_pulls_what_is_public,
    a_registry_token_ends_with_its_time,
    a_new_grant_counts_for_tokens_that_are_out_already,
    a_changed_password_ends_sessions,
    ended_sessions_stay_ended,
    a_disabled_user_is_refused_with_a_valid_token,
    a_recreated_user_does_not_inherit_tokens,
    forged_and_foreign_tokens_are_refused,
    a_token_from_a_token_is_no_wider,
    a_refresh_token_stands_for_its_credential,
    tokens_survive_a_restart,
}

async fn with_scope(world: &World, identity: &Identity, scope: &str) -> Identity {
    let token = world.auth.issue_token(identity, &parse_scope(scope), world.now()).unwrap();
    assert_eq!((token.expires_in, token.issued_at), (world.config.registry_token_ttl, world.now()));
    world.bearer(&token.token).await.unwrap()
}

/// A project `team` that `ann` owns, and ann.
async fn ann(world: &World) -> Identity {
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Owner).await;
    world.sign_in("ann").await
}

async fn a_registry_token_is_good_for_its_scopes(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    for (scope, expected) in [
        ("repository:team/app:pull", "VL"),
        ("repository:team/app:pull,push", "VLS"),
        ("repository:team/app:delete", "D"),
        ("repository:team/app:*", "VLSD"),
        ("repository:team/other:* registry:catalog:*", ""),
        ("", ""),
    ] {
        let narrow = with_scope(&world, &ann, scope).await;
        assert_eq!(world.verbs_on(&narrow, |verb| repository("team/app", verb)).await, expected, "{scope}");
        assert_eq!(narrow.credential(), "registry token by password");
    }
    let both = with_scope(&world, &ann, "repository:team/app:pull,push repository:team/other:pull").await;
    assert_eq!(world.ask(&both, repository("team/app", Verb::Push)).await, "yes");
    assert_eq!(world.ask(&both, repository("team/other", Verb::Pull)).await, "yes");
}

async fn a_token_that_does_not_cover_an_operation_names_the_scope_that_would(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let narrow = with_scope(&world, &ann, "repository:team/app:pull").await;
    for (ask, expected) in [
        (repository("team/app", Verb::Push), "repository:team/app:pull,push"),
        (repository("team/app", Verb::Delete), "repository:team/app:delete"),
        (repository("missing/app", Verb::Pull), "repository:missing/app:pull"),
        (Ask::Catalog, "registry:catalog:*"),
    ] {
        let Err(Refused::Narrow { scope }) = world.auth.authorize(&narrow, ask).await else { panic!("{expected}") };
        assert_eq!(scope, expected);
        // Who then asks for that scope is answered by what it may do.
        let asked = with_scope(&world, &ann, &scope).await;
        assert_ne!(world.ask(&asked, repository("team/app", Verb::View)).await, "sign in");
    }
    let Err(Refused::SignIn { scope }) =
        world.auth.authorize(&world.anonymous().await, repository("app", Verb::Push)).await
    else {
        panic!("somebody is signed in")
    };
    assert_eq!(scope.as_deref(), Some("repository:app:pull,push"));
}

async fn a_scope_gives_nothing_that_grants_do_not(db: Db) {
    let world = World::new(db);
    let _ = ann(&world).await;
    world.user("bob").await;
    world.grant("user:bob", "team", "**", Role::Puller).await;
    let bob = with_scope(&world, &world.sign_in("bob").await, "repository:team/app:* repository:hidden/app:*").await;
    assert_eq!(world.verbs_on(&bob, |verb| repository("team/app", verb)).await, "VL");
    assert_eq!(world.ask(&bob, repository("team/app", Verb::Push)).await, "forbidden");
    assert_eq!(world.ask(&bob, repository("hidden/app", Verb::Pull)).await, "hidden");
}

async fn a_registry_token_is_for_repositories_and_the_catalog_only(db: Db) {
    let world = World::new(db);
    world.user_with("root", &[ServerRole::Administrator]).await;
    let root = with_scope(&world, &world.sign_in("root").await, "repository:team/app:* registry:catalog:*").await;
    assert_eq!(world.ask(&root, Ask::SignedIn).await, "yes");
    assert_eq!(world.ask(&root, Ask::Catalog).await, "yes");
    let refused = [
        Ask::OwnAccount,
        Ask::Server(ServerVerb::ManageIdentities),
        project("team", Verb::View),
        repository("team/app", Verb::Govern),
        repository("team/app", Verb::Configure),
        repository("team/app", Verb::ReadAudit),
    ];
    for ask in refused {
        assert_eq!(world.ask(&root, ask.clone()).await, "forbidden", "{ask:?}");
    }
}

async fn an_anonymous_token_pulls_what_is_public(db: Db) {
    let world = World::new(db);
    world.project("open", true).await;
    world.project("team", false).await;
    let scope = "repository:open/app:pull,push repository:team/app:pull registry:catalog:*";
    let anonymous = with_scope(&world, &world.anonymous().await, scope).await;
    assert!(anonymous.is_anonymous());
    assert_eq!(world.ask(&anonymous, repository("open/app", Verb::Pull)).await, "yes");
    assert_eq!(world.ask(&anonymous, repository("open/app", Verb::Push)).await, "sign in");
    assert_eq!(world.ask(&anonymous, repository("team/app", Verb::Pull)).await, "sign in");
    assert_eq!(world.ask(&anonymous, Ask::Catalog).await, "yes");
    assert_eq!(world.ask(&anonymous, Ask::SignedIn).await, "sign in");
}

async fn a_registry_token_ends_with_its_time(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let issue = |at| world.auth.issue_token(&ann, &[], at).unwrap().token;
    let token = issue(world.now());
    let early = issue(world.now().after(Duration::from_secs(120)));
    assert_eq!(why(world.bearer(&token).await), "accepted");
    assert_eq!(why(world.bearer(&early).await), "bad");
    world.pass(world.config.registry_token_ttl - Duration::from_secs(1));
    assert_eq!(why(world.bearer(&token).await), "accepted");
    world.pass(Duration::from_secs(1));
    assert_eq!(why(world.bearer(&token).await), "expired");
    assert_eq!(why(world.bearer(&early).await), "accepted");
}

async fn a_new_grant_counts_for_tokens_that_are_out_already(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    let ann = world.sign_in("ann").await;
    let token = world.auth.issue_token(&ann, &parse_scope("repository:team/app:pull,push"), world.now()).unwrap().token;
    let push = async || world.ask(&world.bearer(&token).await.unwrap(), repository("team/app", Verb::Push)).await;
    assert_eq!(push().await, "hidden");
    world.grant("user:ann", "team", "**", Role::Pusher).await;
    assert_eq!(push().await, "yes");
    let place = (&"team".parse().unwrap(), &"**".parse().unwrap());
    world.auth.revoke_grant(&system(), &Origin::default(), &"user:ann".parse().unwrap(), place).await.unwrap();
    assert_eq!(push().await, "hidden");
}

async fn a_changed_password_ends_sessions(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    let refresh = world.auth.issue_refresh(&ann, "docker", world.now()).unwrap().unwrap();
    assert_eq!(why(world.bearer(&token).await), "accepted");
    world.auth.set_password(&system(), &Origin::default(), &name("ann"), "another horse").await.unwrap();
    assert_eq!(why(world.bearer(&token).await), "expired");
    assert_eq!(why(world.auth.redeem_refresh(&refresh).await), "expired");
}

async fn ended_sessions_stay_ended(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    world.auth.end_sessions(&ann, &Origin::default(), &name("ann")).await.unwrap();
    assert_eq!(why(world.bearer(&token).await), "expired");
    world.sign_in("ann").await;
    assert_eq!(why(world.bearer(&token).await), "expired");
}

async fn a_disabled_user_is_refused_with_a_valid_token(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    let refresh = world.auth.issue_refresh(&ann, "docker", world.now()).unwrap().unwrap();
    world.auth.set_user_disabled(&system(), &Origin::default(), &name("ann"), true).await.unwrap();
    assert_eq!(why(world.bearer(&token).await), "disabled");
    assert_eq!(why(world.auth.redeem_refresh(&refresh).await), "disabled");
}

async fn a_recreated_user_does_not_inherit_tokens(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    world.auth.delete_user(&system(), &Origin::default(), &name("ann")).await.unwrap();
    assert_eq!(why(world.bearer(&token).await), "bad");
    // On SQLite the new row may well get the id of the old one.
    world.user("ann").await;
    assert_ne!(why(world.bearer(&token).await), "accepted");
    assert_eq!(world.user_asks("ann", project("team", Verb::View)).await, "hidden");
}

async fn forged_and_foreign_tokens_are_refused(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    let refresh = world.auth.issue_refresh(&ann, "docker", world.now()).unwrap().unwrap();
    let foreign = World::with(world.db.clone(), Config::default(), InstanceKey::generate());
    let foreign = foreign.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    let part = |at: usize| token.split('.').nth(at).unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let forged = [
        foreign,
        refresh,
        format!("{none}.{}.", part(1)),
        format!("{none}.{}.{}", part(1), part(2)),
        format!("{}.{}.", part(0), part(1)),
        format!("{token}x"),
        token.to_lowercase(),
        "garbage".to_owned(),
        String::new(),
    ];
    for forged in forged {
        assert_eq!(why(world.bearer(&forged).await), "bad", "{forged}");
    }
    assert_eq!(why(world.auth.redeem_refresh(&token).await), "bad");
    // A registry token is no password.
    assert_eq!(why(world.basic("ann", &token).await), "bad");
}

async fn a_token_from_a_token_is_no_wider(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let narrow = with_scope(&world, &ann, "repository:team/app:pull").await;
    let again = with_scope(&world, &narrow, "repository:team/app:* repository:team/other:pull").await;
    assert_eq!(world.verbs_on(&again, |verb| repository("team/app", verb)).await, "VL");
    assert_eq!(word(&world.auth.authorize(&again, repository("team/other", Verb::Pull)).await), "narrow");
    assert!(world.auth.issue_refresh(&narrow, "docker", world.now()).unwrap().is_none());
}

async fn a_refresh_token_stands_for_its_credential(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let refresh = world.auth.issue_refresh(&ann, "docker", world.now()).unwrap().unwrap();
    assert_eq!(why(world.bearer(&refresh).await), "bad");
    let again = world.auth.redeem_refresh(&refresh).await.unwrap();
    assert_eq!((again.subject(), again.credential()), (ann.subject(), "password".to_owned()));
    assert!(world.auth.issue_refresh(&world.anonymous().await, "docker", world.now()).unwrap().is_none());
    world.pass(world.config.refresh_token_ttl);
    assert_eq!(why(world.auth.redeem_refresh(&refresh).await), "expired");
}

async fn tokens_survive_a_restart(db: Db) {
    let world = World::new(db);
    let ann = ann(&world).await;
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    let refresh = world.auth.issue_refresh(&ann, "docker", world.now()).unwrap().unwrap();
    let world = world.restarted();
    assert_eq!(why(world.bearer(&token).await), "accepted");
    assert_eq!(why(world.auth.redeem_refresh(&refresh).await), "accepted");
}

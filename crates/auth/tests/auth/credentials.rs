//! Passwords, personal tokens and secrets of robots, until they end.

use std::time::Duration;

use wharf_auth::{Identity, IdentityError, Limit, NewToken, Origin, Presented, Role, Secret, ServerVerb, Verb};
use wharf_db::Db;

use crate::world::{Ask, PASSWORD, World, name, pattern, project, project_name, repository, system, why};

wharf_db::on_both_engines! {
    a_password_signs_its_owner_in,
    an_unknown_name_and_a_wrong_password_get_one_answer,
    a_verified_password_does_not_outlive_a_change,
    beside_a_password_that_was_right_others_stay_wrong,
    a_disabled_user_is_refused_at_once_and_let_in_again,
    a_deleted_user_is_unknown,
    a_personal_token_signs_in_by_basic_and_bearer,
    the_name_beside_a_token_must_be_its_owners,
    a_token_ends_when_it_expires,
    a_revoked_token_is_refused_at_once,
    a_personal_token_outlives_a_password,
    a_limited_token_does_no_more_than_its_limits,
    a_limited_token_does_no_more_than_its_owner,
    a_token_makes_no_better_token,
    a_robot_signs_in_with_its_secret_only,
    a_rotated_secret_stays_good_for_the_overlap,
    a_disabled_or_deleted_robot_is_refused_at_once,
    a_robot_ends_with_its_project,
    uses_are_written_down_when_flushed,
}

async fn token(world: &World, owner: &Identity, new: NewToken) -> (i64, Secret) {
    let new = NewToken { name: "t".into(), ..new };
    let (info, secret) = world.auth.create_token(owner, &Origin::default(), new).await.unwrap();
    assert!(secret.reveal().starts_with(&info.hint));
    (info.id, secret)
}

async fn a_password_signs_its_owner_in(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let ann = world.sign_in("ann").await;
    assert_eq!((ann.subject().name().as_str(), ann.credential().as_str()), ("ann", "password"));
    assert!(ann.is_whole() && !ann.is_anonymous());
    let anonymous = world.anonymous().await;
    assert_eq!((anonymous.subject().name(), anonymous.credential()), ("anonymous".into(), "anonymous".into()));
}

async fn an_unknown_name_and_a_wrong_password_get_one_answer(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let long = "x".repeat(5000);
    let cases = [
        ("ann", "wrong pass"),
        ("bob", PASSWORD),
        ("ANN", PASSWORD),
        ("", PASSWORD),
        ("ann", ""),
        ("a b", "x"),
        ("ann", &long),
    ];
    for (number, (user, password)) in cases.into_iter().enumerate() {
        let from = format!("192.0.2.{number}");
        let refused = world.basic_from(&from, user, password).await.unwrap_err();
        assert_eq!(refused.to_string(), "unknown name or wrong password or token", "{user}");
        // Three wrong guesses at one account are free.
        world.basic("ann", PASSWORD).await.unwrap();
    }
}

async fn a_verified_password_does_not_outlive_a_change(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    world.sign_in("ann").await;
    world.auth.set_password(&system(), &Origin::default(), &name("ann"), "another horse").await.unwrap();
    assert_eq!(why(world.basic("ann", PASSWORD).await), "bad");
    assert_eq!(why(world.basic("ann", "another horse").await), "accepted");
}

async fn beside_a_password_that_was_right_others_stay_wrong(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    world.user("bob").await;
    world.auth.set_password(&system(), &Origin::default(), &name("bob"), "another horse").await.unwrap();
    for _ in 0..2 {
        assert_eq!(why(world.basic("ann", PASSWORD).await), "accepted");
        assert_eq!(why(world.basic("bob", "another horse").await), "accepted");
        assert_eq!(why(world.basic("ann", "another horse").await), "bad");
        assert_eq!(why(world.basic("bob", PASSWORD).await), "bad");
        assert_eq!(why(world.basic("ann", &PASSWORD[..PASSWORD.len() - 1]).await), "bad");
    }
    // Long after it was proven it is looked for elsewhere, and found.
    world.pass(Duration::from_secs(3600));
    assert_eq!(why(world.basic("ann", PASSWORD).await), "accepted");
}

async fn a_disabled_user_is_refused_at_once_and_let_in_again(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let (_, secret) = token(&world, &world.sign_in("ann").await, NewToken::default()).await;
    for (disabled, expected) in [(true, "disabled"), (false, "accepted")] {
        world.auth.set_user_disabled(&system(), &Origin::default(), &name("ann"), disabled).await.unwrap();
        assert_eq!(why(world.basic("ann", PASSWORD).await), expected);
        assert_eq!(why(world.bearer(secret.reveal()).await), expected);
        // Only who has the password learns that the account is disabled.
        assert_eq!(why(world.basic("ann", "wrong pass").await), "bad");
    }
}

async fn a_deleted_user_is_unknown(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let (_, secret) = token(&world, &world.sign_in("ann").await, NewToken::default()).await;
    world.bearer(secret.reveal()).await.unwrap();
    world.auth.delete_user(&system(), &Origin::default(), &name("ann")).await.unwrap();
    assert_eq!(why(world.basic("ann", PASSWORD).await), "bad");
    assert_eq!(why(world.bearer(secret.reveal()).await), "bad");
}

async fn a_personal_token_signs_in_by_basic_and_bearer(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let (_, secret) = token(&world, &world.sign_in("ann").await, NewToken::default()).await;
    for identity in [world.bearer(secret.reveal()).await, world.basic("ann", secret.reveal()).await] {
        let identity = identity.unwrap();
        assert_eq!(identity.subject().name(), "ann");
        assert_eq!(identity.credential(), format!("token {}…", &secret.reveal()[..8]));
        assert!(identity.is_whole());
        assert_eq!(world.ask(&identity, Ask::OwnAccount).await, "yes");
    }
    let other = Presented::Bearer("wft_0000000000000000000000000000000000000000000");
    assert_eq!(why(world.auth.authenticate(other, None).await), "bad");
}

async fn the_name_beside_a_token_must_be_its_owners(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    world.user("bob").await;
    let (_, secret) = token(&world, &world.sign_in("ann").await, NewToken::default()).await;
    for user in ["bob", "Ann", "", "nobody"] {
        assert_eq!(why(world.basic(user, secret.reveal()).await), "bad", "{user}");
    }
}

async fn a_token_ends_when_it_expires(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let expires_at = Some(world.now().after(Duration::from_secs(60)));
    let (_, secret) = token(&world, &world.sign_in("ann").await, NewToken { expires_at, ..NewToken::default() }).await;
    world.pass(Duration::from_secs(59));
    assert_eq!(why(world.bearer(secret.reveal()).await), "accepted");
    world.pass(Duration::from_secs(1));
    assert_eq!(why(world.bearer(secret.reveal()).await), "expired");
}

async fn a_revoked_token_is_refused_at_once(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    world.user("bob").await;
    let ann = world.sign_in("ann").await;
    let (id, secret) = token(&world, &ann, NewToken::default()).await;
    let by_token = world.bearer(secret.reveal()).await.unwrap();
    let registry = world.auth.issue_token(&by_token, &[], world.now()).unwrap().token;
    assert_eq!(why(world.bearer(&registry).await), "accepted");
    let others = world.auth.revoke_token(&ann, &Origin::default(), &name("bob"), id).await;
    assert!(matches!(others, Err(IdentityError::NoSuch { what: "token", .. })));
    world.auth.revoke_token(&ann, &Origin::default(), &name("ann"), id).await.unwrap();
    assert_eq!(why(world.bearer(secret.reveal()).await), "bad");
    assert_eq!(why(world.bearer(&registry).await), "expired");
    assert!(world.auth.tokens(&name("ann")).await.unwrap().is_empty());
}

async fn a_personal_token_outlives_a_password(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let (_, secret) = token(&world, &world.sign_in("ann").await, NewToken::default()).await;
    world.auth.set_password(&system(), &Origin::default(), &name("ann"), "another horse").await.unwrap();
    assert_eq!(why(world.bearer(secret.reveal()).await), "accepted");
}

async fn a_limited_token_does_no_more_than_its_limits(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Owner).await;
    let limits = vec![
        Limit { repositories: pattern("team/web/*"), verbs: vec![Verb::Pull, Verb::Push] },
        Limit { repositories: pattern("team/db"), verbs: vec![Verb::Pull] },
    ];
    let new = NewToken { limits: Some(limits.clone()), ..NewToken::default() };
    let (_, secret) = token(&world, &world.sign_in("ann").await, new).await;
    let limited = world.bearer(secret.reveal()).await.unwrap();
    for (place, expected) in [("team/web/app", "VLS"), ("team/db", "VL"), ("team/other", "")] {
        assert_eq!(world.verbs_on(&limited, |verb| repository(place, verb)).await, expected, "{place}");
    }
    assert_eq!(world.verbs_on(&limited, |verb| project("team", verb)).await, "V");
    assert_eq!(world.ask(&limited, Ask::OwnAccount).await, "forbidden");
    assert_eq!(world.ask(&limited, Ask::Server(ServerVerb::CreateProject)).await, "forbidden");
    // The limits go with the registry tokens that are made with it, whatever scope these ask for.
    let scopes = wharf_auth::parse_scope("repository:team/other:pull repository:team/db:pull,push");
    let registry = world.auth.issue_token(&limited, &scopes, world.now()).unwrap().token;
    let registry = world.bearer(&registry).await.unwrap();
    assert_eq!(world.verbs_on(&registry, |verb| repository("team/db", verb)).await, "VL");
    assert_eq!(world.verbs_on(&registry, |verb| repository("team/other", verb)).await, "");
    assert_eq!(world.auth.tokens(&name("ann")).await.unwrap()[0].limits, Some(limits));
}

async fn a_limited_token_does_no_more_than_its_owner(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Puller).await;
    let limits = Some(vec![Limit { repositories: pattern("**"), verbs: Verb::ALL.to_vec() }]);
    let (_, secret) = token(&world, &world.sign_in("ann").await, NewToken { limits, ..NewToken::default() }).await;
    let limited = world.bearer(secret.reveal()).await.unwrap();
    assert_eq!(world.verbs_on(&limited, |verb| repository("team/app", verb)).await, "VL");
    assert_eq!(world.ask(&limited, repository("hidden/app", Verb::Pull)).await, "hidden");
}

async fn a_token_makes_no_better_token(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let ann = world.sign_in("ann").await;
    let hour = Some(world.now().after(Duration::from_secs(3600)));
    let limits = Some(vec![Limit { repositories: pattern("a/**"), verbs: vec![Verb::Pull] }]);
    let (_, limited) = token(&world, &ann, NewToken { limits: limits.clone(), ..NewToken::default() }).await;
    let (_, short) = token(&world, &ann, NewToken { expires_at: hour, ..NewToken::default() }).await;
    let (limited, short) = (world.bearer(limited.reveal()).await.unwrap(), world.bearer(short.reveal()).await.unwrap());
    let registry = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    let registry = world.bearer(&registry).await.unwrap();
    let robot = world.robot(None, "ci", &[]).await;
    let robot = world.bearer(robot.reveal()).await.unwrap();
    let later = Some(world.now().after(Duration::from_secs(7200)));
    let cases = [
        (&limited, NewToken { limits, ..NewToken::default() }, false),
        (&short, NewToken::default(), false),
        (&short, NewToken { expires_at: later, ..NewToken::default() }, false),
        (&short, NewToken { expires_at: hour, ..NewToken::default() }, true),
        (&registry, NewToken::default(), false),
        (&robot, NewToken::default(), false),
        (&ann, NewToken::default(), true),
    ];
    for (number, (by, new, allowed)) in cases.into_iter().enumerate() {
        let made = world.auth.create_token(by, &Origin::default(), NewToken { name: "x".into(), ..new }).await;
        assert_eq!(made.is_ok(), allowed, "{number}: {made:?}");
    }
    // Nor does a token change the password of its owner.
    let changed = world.auth.set_password(&short, &Origin::default(), &name("ann"), "another horse").await;
    assert!(matches!(changed, Err(IdentityError::NotAllowed(_))));
    world.auth.set_password(&ann, &Origin::default(), &name("ann"), "another horse").await.unwrap();
}

async fn a_robot_signs_in_with_its_secret_only(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    let secret = world.robot(Some("team"), "ci", &[("team", "web/*", Role::Pusher)]).await;
    for identity in [world.basic("team+ci", secret.reveal()).await, world.bearer(secret.reveal()).await] {
        let identity = identity.unwrap();
        assert_eq!(identity.subject().name(), "team+ci");
        assert_eq!(world.verbs_on(&identity, |verb| repository("team/web/app", verb)).await, "VLS");
        assert_eq!(world.verbs_on(&identity, |verb| repository("team/db", verb)).await, "");
    }
    assert_eq!(why(world.basic("team+ci", PASSWORD).await), "bad");
}

async fn a_rotated_secret_stays_good_for_the_overlap(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    let old = world.robot(Some("team"), "ci", &[]).await;
    let old_registry =
        world.auth.issue_token(&world.bearer(old.reveal()).await.unwrap(), &[], world.now()).unwrap().token;
    let team = project_name("team");
    let overlap = Duration::from_secs(60);
    let robot = (Some(&team), "ci");
    let new = world.auth.rotate_robot(&system(), &Origin::default(), robot, overlap, None).await.unwrap();
    for secret in [&old, &new] {
        assert_eq!(why(world.bearer(secret.reveal()).await), "accepted");
    }
    assert_eq!(world.auth.robot(Some(&team), "ci").await.unwrap().secrets.len(), 2);
    world.pass(overlap);
    assert_eq!(why(world.bearer(old.reveal()).await), "expired");
    assert_eq!(why(world.bearer(&old_registry).await), "expired");
    assert_eq!(why(world.bearer(new.reveal()).await), "accepted");
    // Without an overlap the old one ends at once, and one that ended earlier does not come back to life.
    let newest = world.auth.rotate_robot(&system(), &Origin::default(), robot, Duration::ZERO, None).await.unwrap();
    for (secret, expected) in [(&old, "expired"), (&new, "expired"), (&newest, "accepted")] {
        assert_eq!(why(world.bearer(secret.reveal()).await), expected);
    }
}

async fn a_disabled_or_deleted_robot_is_refused_at_once(db: Db) {
    let world = World::new(db);
    let secret = world.robot(None, "ci", &[]).await;
    let robot = (None, "ci");
    assert_eq!(why(world.bearer(secret.reveal()).await), "accepted");
    world.auth.set_robot_disabled(&system(), &Origin::default(), robot, true).await.unwrap();
    assert_eq!(why(world.bearer(secret.reveal()).await), "disabled");
    world.auth.set_robot_disabled(&system(), &Origin::default(), robot, false).await.unwrap();
    assert_eq!(why(world.bearer(secret.reveal()).await), "accepted");
    world.auth.delete_robot(&system(), &Origin::default(), robot).await.unwrap();
    assert_eq!(why(world.bearer(secret.reveal()).await), "bad");
}

async fn a_robot_ends_with_its_project(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Owner).await;
    let secret = world.robot(Some("team"), "ci", &[("team", "**", Role::Puller)]).await;
    assert_eq!(why(world.bearer(secret.reveal()).await), "accepted");
    assert_eq!(world.user_asks("ann", project("team", Verb::Govern)).await, "yes");
    let gone = world.db.write(wharf_db::Durability::Full, project_name("team"), |tx, name| {
        Box::pin(async move {
            let found = wharf_db::catalog::projects::find(tx, name).await?.unwrap();
            wharf_db::catalog::projects::remove_empty(tx, found.id).await?;
            wharf_db::identity::epoch::bump(tx).await
        })
    });
    gone.await.unwrap();
    assert_eq!(why(world.bearer(secret.reveal()).await), "bad");
    assert_eq!(world.user_asks("ann", project("team", Verb::Govern)).await, "hidden");
}

async fn uses_are_written_down_when_flushed(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let ann = world.sign_in("ann").await;
    let (_, secret) = token(&world, &ann, NewToken::default()).await;
    world.bearer(secret.reveal()).await.unwrap();
    let last_used = async || {
        let user = world.auth.user(&name("ann")).await.unwrap().last_used_at;
        (user, world.auth.tokens(&name("ann")).await.unwrap()[0].last_used_at)
    };
    assert_eq!(last_used().await, (None, None));
    let first = world.now();
    world.auth.flush().await.unwrap();
    assert_eq!(last_used().await, (Some(first), Some(first)));
    world.pass(Duration::from_secs(60));
    world.sign_in("ann").await;
    world.auth.flush().await.unwrap();
    assert_eq!(last_used().await, (Some(world.now()), Some(first)));
    // Writing it down changes nothing that authorization reads.
    assert_eq!(why(world.bearer(secret.reveal()).await), "accepted");
}

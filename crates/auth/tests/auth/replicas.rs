//! Several processes over one database, and many requests at once.

use std::time::Duration;

use wharf_auth::{NewToken, Origin, Role, Verb, parse_scope};
use wharf_db::identity::epoch;
use wharf_db::{Db, Durability};

use crate::world::{PASSWORD, World, name, project_name, repository, system, why};

wharf_db::on_both_engines! {
    a_change_on_one_replica_counts_on_the_other_at_once,
    many_requests_at_once_see_every_change,
    an_identity_that_grew_old_is_looked_up_again,
    changes_at_once_all_get_through_and_count,
}

async fn a_change_on_one_replica_counts_on_the_other_at_once(db: Db) {
    let one = World::new(db);
    // Nothing is shared but the database.
    let two = one.restarted();
    one.project("team", false).await;
    one.user("ann").await;
    one.grant("user:ann", "team", "**", Role::Pusher).await;
    let token =
        one.auth.issue_token(&one.sign_in("ann").await, &parse_scope("repository:team/app:push"), one.now()).unwrap();
    let push = || repository("team/app", Verb::Push);
    assert_eq!(two.ask(&two.bearer(&token.token).await.unwrap(), push()).await, "yes");
    assert_eq!(two.user_asks("ann", push()).await, "yes");
    let place = (&project_name("team"), &"**".parse().unwrap());
    one.auth.revoke_grant(&system(), &Origin::default(), &"user:ann".parse().unwrap(), place).await.unwrap();
    assert_eq!(two.ask(&two.bearer(&token.token).await.unwrap(), push()).await, "hidden");
    one.auth.set_password(&system(), &Origin::default(), &name("ann"), "another horse").await.unwrap();
    assert_eq!(why(two.bearer(&token.token).await), "expired");
    assert_eq!(why(two.basic("ann", PASSWORD).await), "bad");
    one.set_public("team", true).await;
    assert_eq!(two.ask(&two.anonymous().await, repository("team/app", Verb::Pull)).await, "yes");
}

async fn many_requests_at_once_see_every_change(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    let ann = world.sign_in("ann").await;
    let scopes = parse_scope("repository:team/app:pull");
    let token = world.auth.issue_token(&ann, &scopes, world.now()).unwrap().token;
    for round in 0..6 {
        let expected = if round % 2 == 0 { "yes" } else { "hidden" };
        let place = (&project_name("team"), &"**".parse().unwrap());
        match expected {
            "yes" => world.grant("user:ann", "team", "**", Role::Puller).await,
            _ => world
                .auth
                .revoke_grant(&system(), &Origin::default(), &"user:ann".parse().unwrap(), place)
                .await
                .unwrap(),
        }
        let requests = (0..50).map(|_| async {
            let identity = world.bearer(&token).await.unwrap();
            world.ask(&identity, repository("team/app", Verb::Pull)).await
        });
        let answers = futures_util::future::join_all(requests).await;
        assert!(answers.iter().all(|&answer| answer == expected), "{round}: {answers:?}");
    }
}

async fn an_identity_that_grew_old_is_looked_up_again(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    let ann = world.sign_in("ann").await;
    world.grant("user:ann", "team", "**", Role::Puller).await;
    world.pass(Duration::from_secs(3));
    let pull = || repository("team/app", Verb::Pull);
    assert_eq!(world.ask(&ann, pull()).await, "yes");
    let new = NewToken { name: "t".into(), ..NewToken::default() };
    let (token, secret) = world.auth.create_token(&ann, &Origin::default(), new).await.unwrap();
    let by_token = world.bearer(secret.reveal()).await.unwrap();
    world.auth.revoke_token(&system(), &Origin::default(), &name("ann"), token.id).await.unwrap();
    world.auth.end_sessions(&system(), &Origin::default(), &name("ann")).await.unwrap();
    world.pass(Duration::from_secs(3));
    for old in [&ann, &by_token] {
        assert_eq!(world.ask(old, pull()).await, "sign in", "{old:?}");
    }
}

async fn changes_at_once_all_get_through_and_count(db: Db) {
    let current = async || db.read(&(), |tx, ()| Box::pin(epoch::current(tx))).await.unwrap();
    let before = current().await;
    let changes = (0..40).map(|_| db.write(Durability::Full, (), |tx, ()| Box::pin(epoch::bump(tx))));
    for change in futures_util::future::join_all(changes).await {
        change.unwrap();
    }
    assert_eq!(current().await, before + 40);
}

//! Who guesses waits, and nobody else does.

use std::time::Duration;

use wharf_auth::{Auth, Hashing, NewToken, Origin, Rejected, Throttling};
use wharf_db::Db;

use crate::world::{PASSWORD, World, why};

wharf_db::on_both_engines! {
    guesses_at_an_account_slow_down_and_say_when_to_come_back,
    the_right_password_does_not_help_before_the_wait_is_over,
    success_forgives_the_account,
    an_address_that_guesses_at_many_accounts_slows_down,
    who_was_let_in_before_is_not_locked_out,
    tokens_are_not_locked_out_and_guessed_tokens_lock_no_account,
    names_that_do_not_exist_are_throttled_alike,
    a_burst_of_logins_with_the_right_password_is_no_guess,
    a_burst_of_wrong_guesses_does_not_slip_through,
}

fn retry_after<T: std::fmt::Debug>(answer: Result<T, Rejected>) -> u64 {
    match answer {
        Err(Rejected::Throttled { retry_after }) => retry_after.as_secs(),
        other => panic!("{other:?}"),
    }
}

async fn fail(world: &World, from: &str, user: &str, times: usize) {
    for number in 0..times {
        assert_eq!(why(world.basic_from(from, user, &format!("wrong pass {number}")).await), "bad");
    }
}

async fn guesses_at_an_account_slow_down_and_say_when_to_come_back(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    fail(&world, "192.0.2.1", "ann", 4).await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let wait = retry_after(world.basic_from("192.0.2.2", "ann", "wrong pass").await);
        waits.push(wait);
        world.pass(Duration::from_secs(wait));
        assert_eq!(why(world.basic_from("192.0.2.2", "ann", "wrong pass").await), "bad");
    }
    assert_eq!(waits, [1, 2, 4, 8]);
}

async fn the_right_password_does_not_help_before_the_wait_is_over(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    fail(&world, "192.0.2.1", "ann", 4).await;
    assert_eq!(why(world.basic("ann", PASSWORD).await), "throttled");
    world.pass(Duration::from_secs(1));
    assert_eq!(why(world.basic("ann", PASSWORD).await), "accepted");
}

async fn success_forgives_the_account(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    for _ in 0..3 {
        fail(&world, "192.0.2.1", "ann", 2).await;
        // A restart forgets what was verified, so the password is looked at again.
        world
            .auth
            .set_password(&crate::world::system(), &Origin::default(), &"ann".parse().unwrap(), PASSWORD)
            .await
            .unwrap();
        assert_eq!(why(world.basic_from("192.0.2.2", "ann", PASSWORD).await), "accepted");
    }
}

async fn an_address_that_guesses_at_many_accounts_slows_down(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    for number in 0..9 {
        fail(&world, "2001:db8::1", &format!("user{number}"), 1).await;
    }
    assert_eq!(retry_after(world.basic_from("2001:db8::2", "ann", PASSWORD).await), 1);
    assert_eq!(why(world.basic_from("2001:db8:0:1::1", "ann", PASSWORD).await), "accepted");
}

async fn who_was_let_in_before_is_not_locked_out(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    world.sign_in("ann").await;
    fail(&world, "198.51.100.1", "ann", 4).await;
    assert_eq!(why(world.basic_from("192.0.2.1", "ann", "wrong pass").await), "throttled");
    assert_eq!(why(world.basic_from("192.0.2.1", "ann", PASSWORD).await), "accepted");
}

async fn tokens_are_not_locked_out_and_guessed_tokens_lock_no_account(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let ann = world.sign_in("ann").await;
    let new = NewToken { name: "t".into(), ..NewToken::default() };
    let (_, secret) = world.auth.create_token(&ann, &Origin::default(), new).await.unwrap();
    let registry = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    fail(&world, "192.0.2.1", "ann", 4).await;
    assert_eq!(why(world.basic("ann", secret.reveal()).await), "accepted");
    assert_eq!(why(world.bearer(&registry).await), "accepted");
    let world = World::new(world.db);
    let guess = format!("wft_{}", "0".repeat(43));
    for _ in 0..9 {
        assert_eq!(why(world.basic_from("192.0.2.1", "ann", &guess).await), "bad");
    }
    assert_eq!(why(world.basic_from("192.0.2.1", "ann", &guess).await), "throttled");
    assert_eq!(why(world.basic_from("192.0.2.2", "ann", PASSWORD).await), "accepted");
}

async fn names_that_do_not_exist_are_throttled_alike(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let long = "x".repeat(4000);
    for (number, user) in ["ann", "nobody", "not a name", &long].into_iter().enumerate() {
        let from = format!("192.0.2.{number}");
        fail(&world, &from, user, 4).await;
        assert_eq!(retry_after(world.basic_from(&from, user, "wrong pass").await), 1, "{user:.20}");
    }
}

async fn a_burst_of_logins_with_the_right_password_is_no_guess(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let logins = (0..50).map(|_| login(&world.auth, PASSWORD.to_owned()));
    for login in futures_util::future::join_all(logins).await {
        assert_eq!(login, "accepted");
    }
}

async fn a_burst_of_wrong_guesses_does_not_slip_through(db: Db) {
    let mut world = World::new(db);
    world.config.hashing = Hashing { at_once: 2, ..world.config.hashing };
    world.config.throttle = Throttling { free_per_address: 1000, ..world.config.throttle };
    let world = world.restarted();
    world.user("ann").await;
    let guesses = (0..50).map(|number| login(&world.auth, format!("wrong pass {number}")));
    let answers = futures_util::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|&&answer| answer == "bad").count();
    // Three are free, the fourth makes the next wait; one more may already have been at it.
    assert!((4..=5).contains(&looked_at), "{looked_at}");
    assert_eq!(answers.iter().filter(|&&answer| answer == "throttled").count(), 50 - looked_at);
}

async fn login(auth: &Auth, password: String) -> &'static str {
    let auth = auth.clone();
    let task = tokio::spawn(async move {
        let presented = wharf_auth::Presented::Basic { user: "ann", password: &password };
        why(auth.authenticate(presented, None).await)
    });
    task.await.unwrap()
}

//! Making, changing and ending identities.

use wharf_auth::{Bootstrap, IdentityError, NewRobot, NewUser, Origin, Role, ServerRole, ServerVerb, Verb};
use wharf_db::Db;

use crate::world::{Ask, PASSWORD, World, grantee, name, pattern, project_name, repository, system, why};

wharf_db::on_both_engines! {
    the_first_start_makes_one_administrator,
    a_generated_password_works,
    a_lost_administrator_is_let_back_in,
    the_last_administrator_cannot_go,
    names_are_unique_whatever_their_case,
    unfit_names_and_passwords_are_refused,
    a_robot_of_a_project_stays_in_it,
    a_robot_is_found_in_its_project_only,
    what_does_not_exist_is_named,
}

async fn the_first_start_makes_one_administrator(db: Db) {
    let world = World::new(db);
    assert_eq!(world.auth.bootstrap("admin", Some(PASSWORD)).await.unwrap(), Bootstrap::Created);
    assert_eq!(world.auth.bootstrap("admin", Some("another horse")).await.unwrap(), Bootstrap::AlreadyThere);
    assert_eq!(world.auth.bootstrap("other", None).await.unwrap(), Bootstrap::AlreadyThere);
    assert_eq!(world.user_asks("admin", Ask::Server(ServerVerb::ManageServer)).await, "yes");
    assert_eq!(why(world.basic("other", PASSWORD).await), "bad");
}

async fn a_generated_password_works(db: Db) {
    let world = World::new(db);
    let Bootstrap::Generated(password) = world.auth.bootstrap("admin", None).await.unwrap() else {
        panic!("no password")
    };
    assert_eq!(password.len(), 24);
    assert_eq!(why(world.basic("admin", &password).await), "accepted");
    assert!(matches!(world.auth.bootstrap("admin", Some("short")).await.unwrap(), Bootstrap::AlreadyThere));
}

async fn a_lost_administrator_is_let_back_in(db: Db) {
    let world = World::new(db);
    world.auth.bootstrap("admin", Some("forgotten one")).await.unwrap();
    world.user_with("second", &[ServerRole::Administrator]).await;
    let origin = Origin::default();
    let old = world.auth.issue_token(&world.basic("admin", "forgotten one").await.unwrap(), &[], world.now()).unwrap();
    world.auth.set_user_disabled(&system(), &origin, &name("admin"), true).await.unwrap();
    world
        .auth
        .set_server_role(&system(), &origin, &grantee("user:admin"), ServerRole::Administrator, false)
        .await
        .unwrap();
    for user in ["admin", "rescue"] {
        world.auth.reset_administrator(user, PASSWORD).await.unwrap();
        assert_eq!(world.user_asks(user, Ask::Server(ServerVerb::ManageIdentities)).await, "yes");
    }
    assert_eq!(why(world.basic("admin", "forgotten one").await), "bad");
    assert_eq!(why(world.bearer(&old.token).await), "expired");
}

async fn the_last_administrator_cannot_go(db: Db) {
    let world = World::new(db);
    world.user_with("root", &[ServerRole::Administrator]).await;
    let (origin, root) = (Origin::default(), name("root"));
    let is_last = |result: Result<(), IdentityError>| {
        assert!(matches!(result, Err(IdentityError::LastAdministrator)), "{result:?}")
    };
    is_last(world.auth.set_user_disabled(&system(), &origin, &root, true).await);
    is_last(world.auth.delete_user(&system(), &origin, &root).await);
    let role = ServerRole::Administrator;
    is_last(world.auth.set_server_role(&system(), &origin, &grantee("user:root"), role, false).await);
    assert_eq!(world.user_asks("root", Ask::Server(ServerVerb::ManageServer)).await, "yes");
    // Another one through a group is enough, until that group, its role or its member goes.
    world.user("ann").await;
    world.auth.create_group(&system(), &origin, "admins", "").await.unwrap();
    world.auth.set_member(&system(), &origin, &name("admins"), &name("ann"), true).await.unwrap();
    world.auth.set_server_role(&system(), &origin, &grantee("group:admins"), role, true).await.unwrap();
    world.auth.delete_user(&system(), &origin, &root).await.unwrap();
    is_last(world.auth.delete_group(&system(), &origin, &name("admins")).await);
    is_last(world.auth.set_member(&system(), &origin, &name("admins"), &name("ann"), false).await);
    is_last(world.auth.set_server_role(&system(), &origin, &grantee("group:admins"), role, false).await);
    is_last(world.auth.set_user_disabled(&system(), &origin, &name("ann"), true).await);
    assert_eq!(world.user_asks("ann", Ask::Server(ServerVerb::ManageServer)).await, "yes");
}

async fn names_are_unique_whatever_their_case(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    world.robot(None, "ci", &[]).await;
    for taken in ["ann", "ANN", "Ann"] {
        let new = NewUser { name: taken.into(), ..NewUser::default() };
        let made = world.auth.create_user(&system(), &Origin::default(), new).await;
        assert!(matches!(made, Err(IdentityError::Taken { .. })), "{taken}");
    }
    let robot = NewRobot {
        project: None,
        name: "CI".into(),
        description: String::new(),
        grants: vec![],
        server_roles: vec![],
        expires_at: None,
    };
    let made = world.auth.create_robot(&system(), &Origin::default(), robot).await;
    assert!(matches!(made, Err(IdentityError::Taken { .. })));
    // Groups have names of their own.
    world.auth.create_group(&system(), &Origin::default(), "ann", "").await.unwrap();
    let made = world.auth.create_group(&system(), &Origin::default(), "Ann", "").await;
    assert!(matches!(made, Err(IdentityError::Taken { .. })));
}

async fn unfit_names_and_passwords_are_refused(db: Db) {
    let world = World::new(db);
    let token = format!("wft_{}", "0".repeat(43));
    let long = "x".repeat(1025);
    let cases = [
        ("", PASSWORD),
        ("a:b", PASSWORD),
        ("team+ci", PASSWORD),
        ("a b", PASSWORD),
        ("ann", ""),
        ("ann", "seven77"),
        ("ann", &token),
        ("ann", &long),
    ];
    for (user, password) in cases {
        let new = NewUser { name: user.into(), password: Some(password.into()), ..NewUser::default() };
        let made = world.auth.create_user(&system(), &Origin::default(), new).await;
        assert!(matches!(made, Err(IdentityError::Invalid(_))), "{user} {password:.20}");
    }
    let new = NewUser { name: "ann".into(), password: Some("äöüßäöüß".into()), ..NewUser::default() };
    world.auth.create_user(&system(), &Origin::default(), new).await.unwrap();
    assert_eq!(why(world.basic("ann", "äöüßäöüß").await), "accepted");
    // Without a password nobody signs in by one.
    let new = NewUser { name: "bob".into(), ..NewUser::default() };
    assert!(!world.auth.create_user(&system(), &Origin::default(), new).await.unwrap().has_password);
    assert_eq!(why(world.basic("bob", "").await), "bad");
}

async fn a_robot_of_a_project_stays_in_it(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.project("other", false).await;
    let new = |grants, server_roles| NewRobot {
        project: Some(project_name("team")),
        name: "ci".into(),
        description: String::new(),
        grants,
        server_roles,
        expires_at: None,
    };
    let elsewhere = new(vec![(project_name("other"), pattern("**"), Role::Viewer)], vec![]);
    for unfit in [elsewhere, new(vec![], vec![ServerRole::Auditor])] {
        let made = world.auth.create_robot(&system(), &Origin::default(), unfit).await;
        assert!(matches!(made, Err(IdentityError::Invalid(_))));
    }
    let secret = world.robot(Some("team"), "ci", &[("team", "**", Role::Puller)]).await;
    let robot = grantee("robot:team+ci");
    let place = (&project_name("other"), &pattern("**"), Role::Viewer);
    let granted = world.auth.grant(&system(), &Origin::default(), &robot, place).await;
    assert!(matches!(granted, Err(IdentityError::Invalid(_))));
    let given = world.auth.set_server_role(&system(), &Origin::default(), &robot, ServerRole::Creator, true).await;
    assert!(matches!(given, Err(IdentityError::Invalid(_))));
    let robot = world.bearer(secret.reveal()).await.unwrap();
    assert_eq!(world.ask(&robot, repository("other/app", Verb::View)).await, "hidden");
}

async fn a_robot_is_found_in_its_project_only(db: Db) {
    let world = World::new(db);
    world.project("server", false).await;
    world.robot(None, "ci", &[]).await;
    let server = project_name("server");
    // The names are the same, the robots are not.
    let (origin, wrong) = (Origin::default(), (Some(&server), "ci"));
    assert!(world.auth.robot(wrong.0, wrong.1).await.is_err());
    assert!(world.auth.delete_robot(&system(), &origin, wrong).await.is_err());
    assert!(world.auth.set_robot_disabled(&system(), &origin, wrong, true).await.is_err());
    assert!(world.auth.rotate_robot(&system(), &origin, wrong, std::time::Duration::ZERO, None).await.is_err());
    assert_eq!(world.auth.robot(None, "ci").await.unwrap().name, name("server+ci"));
}

async fn what_does_not_exist_is_named(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let origin = Origin::default();
    let text = |error: IdentityError| error.to_string();
    let (missing, all) = (project_name("missing"), pattern("**"));
    let place = (&missing, &all, Role::Viewer);
    let said = [
        text(world.auth.user(&name("bob")).await.unwrap_err()),
        text(world.auth.set_password(&system(), &origin, &name("bob"), PASSWORD).await.unwrap_err()),
        text(world.auth.delete_group(&system(), &origin, &name("devs")).await.unwrap_err()),
        text(world.auth.robot(None, "ci").await.unwrap_err()),
        text(world.auth.grant(&system(), &origin, &grantee("user:ann"), place).await.unwrap_err()),
        text(world.auth.revoke_token(&system(), &origin, &name("ann"), 7).await.unwrap_err()),
    ];
    let expected = [
        "no user \"bob\"",
        "no user \"bob\"",
        "no group \"devs\"",
        "no robot \"server+ci\"",
        "no project \"missing\"",
        "no token \"7\"",
    ];
    assert_eq!(said, expected);
}

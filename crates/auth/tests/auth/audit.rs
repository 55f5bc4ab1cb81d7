//! Every change leaves a line.

use wharf_auth::{NewToken, Origin, Role, ServerRole};
use wharf_db::{Db, Error, Row};
use wharf_types::Timestamp;

use crate::world::{PASSWORD, World, grantee, name, project_name};

wharf_db::on_both_engines! {
    every_change_is_a_line_in_the_audit_log,
    what_changes_nothing_leaves_no_line,
    secrets_stay_out_of_the_log,
}

#[derive(Debug)]
struct Line {
    at: Timestamp,
    actor: String,
    credential: String,
    action: String,
    project: Option<String>,
    subject: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    detail: Option<String>,
}

fn line(row: &Row) -> Result<Line, Error> {
    Ok(Line {
        at: row.get(0)?,
        actor: row.get(1)?,
        credential: row.get(2)?,
        action: row.get(3)?,
        project: row.get(4)?,
        subject: row.get(5)?,
        address: row.get(6)?,
        request_id: row.get(7)?,
        detail: row.get(8)?,
    })
}

async fn lines(world: &World) -> Vec<Line> {
    let found = world.db.read(&(), |tx, ()| {
        Box::pin(async move {
            let sql = "SELECT at, actor, credential, action, project, subject, address, request_id, detail FROM audit ORDER BY id";
            tx.query(sql, &[]).await?.iter().map(line).collect::<Result<Vec<_>, Error>>()
        })
    });
    found.await.unwrap()
}

async fn every_change_is_a_line_in_the_audit_log(db: Db) {
    let world = World::new(db);
    world.auth.bootstrap("root", Some(PASSWORD)).await.unwrap();
    world.project("team", false).await;
    let root = world.sign_in("root").await;
    let origin = Origin { address: Some("192.0.2.7".parse().unwrap()), request_id: Some("r1".into()) };
    let new = wharf_auth::NewUser { name: "ann".into(), ..wharf_auth::NewUser::default() };
    let (auth, ann, team, all) = (&world.auth, name("ann"), project_name("team"), "**".parse().unwrap());
    auth.create_user(&root, &origin, new).await.unwrap();
    auth.set_password(&root, &origin, &ann, PASSWORD).await.unwrap();
    auth.end_sessions(&root, &origin, &ann).await.unwrap();
    auth.create_group(&root, &origin, "devs", "").await.unwrap();
    auth.set_member(&root, &origin, &name("devs"), &ann, true).await.unwrap();
    auth.set_member(&root, &origin, &name("devs"), &ann, false).await.unwrap();
    auth.delete_group(&root, &origin, &name("devs")).await.unwrap();
    auth.grant(&root, &origin, &grantee("user:ann"), (&team, &all, Role::Owner)).await.unwrap();
    auth.revoke_grant(&root, &origin, &grantee("user:ann"), (&team, &all)).await.unwrap();
    auth.set_server_role(&root, &origin, &grantee("user:ann"), ServerRole::Auditor, true).await.unwrap();
    auth.set_server_role(&root, &origin, &grantee("user:ann"), ServerRole::Auditor, false).await.unwrap();
    let (token, _) =
        auth.create_token(&root, &origin, NewToken { name: "t".into(), ..NewToken::default() }).await.unwrap();
    auth.revoke_token(&root, &origin, &name("root"), token.id).await.unwrap();
    auth.set_user_disabled(&root, &origin, &ann, true).await.unwrap();
    auth.set_user_disabled(&root, &origin, &ann, false).await.unwrap();
    auth.delete_user(&root, &origin, &ann).await.unwrap();
    auth.reset_administrator("root", PASSWORD).await.unwrap();
    let lines = lines(&world).await;
    let said: Vec<_> =
        lines.iter().map(|line| (line.action.as_str(), line.detail.as_deref().unwrap_or_default())).collect();
    let token = format!("{} t", token.hint);
    assert_eq!(
        said,
        [
            ("user.bootstrap", ""),
            ("user.create", ""),
            ("user.set-password", ""),
            ("user.end-sessions", ""),
            ("group.create", ""),
            ("group.add", "ann"),
            ("group.remove", "ann"),
            ("group.delete", ""),
            ("grant.give", "owner on **"),
            ("grant.take", "owner on **"),
            ("server-role.give", "auditor"),
            ("server-role.take", "auditor"),
            ("token.create", token.as_str()),
            ("token.revoke", &token[..8]),
            ("user.disable", ""),
            ("user.enable", ""),
            ("user.delete", ""),
            ("user.reset-administrator", ""),
        ]
    );
    let grant = &lines[8];
    assert_eq!((grant.actor.as_str(), grant.credential.as_str(), grant.at), ("root", "password", world.now()));
    assert_eq!((grant.subject.as_deref(), grant.project.as_deref()), (Some("user:ann"), Some("team")));
    assert_eq!((grant.address.as_deref(), grant.request_id.as_deref()), (Some("192.0.2.7"), Some("r1")));
    assert_eq!((lines[0].actor.as_str(), lines[0].credential.as_str()), ("system:start", "system"));
}

async fn what_changes_nothing_leaves_no_line(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.user("ann").await;
    world.grant("user:ann", "team", "**", Role::Owner).await;
    let before = lines(&world).await.len();
    let (system, origin) = (crate::world::system(), Origin::default());
    world.grant("user:ann", "team", "**", Role::Owner).await;
    world.auth.set_user_disabled(&system, &origin, &name("ann"), false).await.unwrap();
    world.auth.set_server_role(&system, &origin, &grantee("user:ann"), ServerRole::Auditor, false).await.unwrap();
    let taken = wharf_auth::NewUser { name: "ann".into(), ..wharf_auth::NewUser::default() };
    world.auth.create_user(&system, &origin, taken).await.unwrap_err();
    assert_eq!(lines(&world).await.len(), before);
}

async fn secrets_stay_out_of_the_log(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let robot = world.robot(None, "ci", &[]).await;
    let ann = world.sign_in("ann").await;
    let new = NewToken { name: "t".into(), ..NewToken::default() };
    let (_, token) = world.auth.create_token(&ann, &Origin::default(), new).await.unwrap();
    let text = format!("{:?}{ann:?}{robot:?}{token:?}{:?}", lines(&world).await, world.auth);
    for secret in [PASSWORD, &robot.reveal()[8..], &token.reveal()[8..]] {
        assert!(!text.contains(secret), "{secret}");
    }
}

//! Lists, page by page.

use wharf_auth::{GrantInfo, Origin, Role, ServerRole};
use wharf_db::Db;

use crate::world::{World, grantee, name, project_name, system};

wharf_db::on_both_engines! {
    users_are_listed_by_name_with_roles_and_groups,
    robots_are_listed_by_project,
    groups_and_members_are_listed_by_name,
    grants_are_listed_by_project_and_by_holder,
}

async fn users_are_listed_by_name_with_roles_and_groups(db: Db) {
    let world = World::new(db);
    for user in ["dave", "ann", "carl", "bob"] {
        world.user(user).await;
    }
    let origin = Origin::default();
    world.auth.create_group(&system(), &origin, "devs", "").await.unwrap();
    world.auth.set_member(&system(), &origin, &name("devs"), &name("bob"), true).await.unwrap();
    world.auth.set_server_role(&system(), &origin, &grantee("user:bob"), ServerRole::Auditor, true).await.unwrap();
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = world.auth.users(&after, 3).await.unwrap();
        seen.extend(page.items);
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(seen.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["ann", "bob", "carl", "dave"]);
    let groups_and_roles: Vec<_> = seen.iter().map(|user| (user.groups.len(), user.server_roles.len())).collect();
    assert_eq!(groups_and_roles, [(0, 0), (1, 1), (0, 0), (0, 0)]);
    assert_eq!(world.auth.user(&name("bob")).await.unwrap(), seen[1]);
    assert_eq!((seen[1].groups[0].as_str(), seen[1].server_roles[0].as_str()), ("devs", "auditor"));
}

async fn robots_are_listed_by_project(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.project("other", false).await;
    for (project, robot) in [(Some("team"), "b"), (Some("team"), "a"), (Some("other"), "a"), (None, "a")] {
        world.robot(project, robot, &[]).await;
    }
    let names = async |project: Option<&str>| {
        let project = project.map(project_name);
        let page = world.auth.robots(project.as_ref(), "", 10).await.unwrap();
        page.items.iter().map(|robot| robot.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(Some("team")).await, ["team+a", "team+b"]);
    assert_eq!(names(Some("other")).await, ["other+a"]);
    assert_eq!(names(None).await, ["server+a"]);
    let page = world.auth.robots(Some(&project_name("team")), "", 1).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("team+a"));
}

async fn groups_and_members_are_listed_by_name(db: Db) {
    let world = World::new(db);
    let origin = Origin::default();
    for group in ["b", "a"] {
        world.auth.create_group(&system(), &origin, group, "about").await.unwrap();
    }
    for user in ["dave", "ann"] {
        world.user(user).await;
        world.auth.set_member(&system(), &origin, &name("a"), &name(user), true).await.unwrap();
    }
    let groups = world.auth.groups("", 10).await.unwrap().items;
    assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(world.auth.group(&name("b")).await.unwrap(), groups[1]);
    assert!(world.auth.group(&name("c")).await.is_err());
    let first = world.auth.group_members(&name("a"), "", 1).await.unwrap();
    assert_eq!((first.items, first.next.as_deref()), (vec!["ann".to_owned()], Some("ann")));
    let second = world.auth.group_members(&name("a"), "ann", 1).await.unwrap();
    assert_eq!((second.items, second.next), (vec!["dave".to_owned()], None));
}

fn text(grant: &GrantInfo) -> String {
    format!("{} {} {} {}", grant.grantee, grant.project, grant.pattern, grant.role)
}

async fn grants_are_listed_by_project_and_by_holder(db: Db) {
    let world = World::new(db);
    world.project("team", false).await;
    world.project("other", false).await;
    world.user("ann").await;
    world.auth.create_group(&system(), &Origin::default(), "ann", "").await.unwrap();
    world.robot(Some("team"), "ci", &[("team", "**", Role::Pusher)]).await;
    for (to, on, path, role) in [
        ("user:ann", "team", "web/*", Role::Viewer),
        ("user:ann", "team", "**", Role::Owner),
        ("user:ann", "other", "**", Role::Puller),
        ("group:ann", "team", "**", Role::Puller),
    ] {
        world.grant(to, on, path, role).await;
    }
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = world.auth.grants_on(&project_name("team"), &after, 1).await.unwrap();
        seen.extend(page.items.iter().map(text));
        let Some(next) = page.next else { break };
        after = next;
    }
    let expected = [
        "group:ann team ** puller",
        "user:ann team ** owner",
        "user:ann team web/* viewer",
        "robot:team+ci team ** pusher",
    ];
    assert_eq!(seen, expected);
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = world.auth.grants_of(&grantee("user:ann"), &after, 1).await.unwrap();
        seen.extend(page.items.iter().map(text));
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(seen, ["user:ann other ** puller", "user:ann team ** owner", "user:ann team web/* viewer"]);
}

//! Users, robots and what they may.

use wharf_auth::{Grantee, Identity, NewRobot, NewUser, Origin, Pattern, Role, ServerRole};
use wharf_core::Actor;
use wharf_types::{ProjectName, SubjectName};

use crate::{Client, TestServer};

/// By whom tests change what they do not change over HTTP.
fn nobody() -> (Identity, Origin) {
    (Identity::system("test"), Origin::default())
}

fn project(name: &str) -> ProjectName {
    name.parse().expect("a project's name")
}

impl TestServer {
    /// A new user, whose password is `<name>'s password`, without any grant.
    pub async fn user(&self, name: &str) -> Client {
        self.user_with_password(name, &format!("{name}'s password")).await
    }

    /// A new user without any grant.
    pub async fn user_with_password(&self, name: &str, password: &str) -> Client {
        let new = NewUser { name: name.to_owned(), password: Some(password.to_owned()), ..NewUser::default() };
        let (by, origin) = nobody();
        self.core().auth().create_user(&by, &origin, new).await.expect("a new user");
        self.anonymous().with_basic(name, password)
    }

    /// A new user with a role in a project.
    pub async fn user_with(&self, name: &str, role: Role, on: &str) -> Client {
        let client = self.user(name).await;
        self.grant(name, role, on, "**").await;
        client
    }

    /// Gives a user a role on the repositories of a project that match a pattern.
    pub async fn grant(&self, user: &str, role: Role, on: &str, pattern: &str) {
        let grantee = Grantee::User(user.parse::<SubjectName>().expect("a user's name"));
        let pattern: Pattern = pattern.parse().expect("a pattern");
        let (by, origin) = nobody();
        let auth = self.core().auth();
        auth.grant(&by, &origin, &grantee, (&project(on), &pattern, role)).await.expect("a grant");
    }

    /// Gives a user a role on the server.
    pub async fn grant_on_server(&self, user: &str, role: ServerRole) {
        let grantee = Grantee::User(user.parse::<SubjectName>().expect("a user's name"));
        let (by, origin) = nobody();
        self.core().auth().set_server_role(&by, &origin, &grantee, role, true).await.expect("a server role");
    }

    /// A new robot of a project, with a role in it.
    pub async fn robot(&self, of: &str, name: &str, role: Role) -> Client {
        let new = NewRobot {
            project: Some(project(of)),
            name: name.to_owned(),
            description: String::new(),
            grants: vec![(project(of), Pattern::all(), role)],
            server_roles: Vec::new(),
            expires_at: None,
        };
        let (by, origin) = nobody();
        let (robot, secret) = self.core().auth().create_robot(&by, &origin, new).await.expect("a new robot");
        self.anonymous().with_basic(robot.name.as_str(), secret.reveal())
    }

    /// A new project, which nobody owns.
    pub async fn project(&self, name: &str) {
        self.core().create_project(&project(name), false, &Actor::system()).await.expect("a new project");
    }

    /// A new project that everybody may read.
    pub async fn public_project(&self, name: &str) {
        self.core().create_project(&project(name), true, &Actor::system()).await.expect("a new project");
    }
}

//! The table: every route with its operation, its access, its handler and its documentation.

use std::sync::LazyLock;

use http::Method;
use wharf_auth::ServerVerb::{CreateProject, InspectServer, ListIdentities, ManageIdentities, ManageServer};
use wharf_auth::Verb::{Configure, Delete, Govern, Push, View};
use wharf_auth::{ServerVerb, Verb};

use super::endpoint::Rule::{self, Anyone, Catalog, OwnAccount, Project, Repository, Server, SignedIn};
use super::endpoint::{Endpoint, row};
use super::page::PAGE;
use super::{
    account, audit, backups, bin, collection, events, grants, groups, jobs, keys, manifests, projects, purge,
    repositories, robots, server, setup, snapshots, tag_rules, tags, tokens, users,
};

/// All rows. The first whose path fits answers.
pub(super) static TABLE: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    [
        about_the_server(),
        removal(),
        own_account(),
        identities(),
        server_robots(),
        in_projects(),
        project_robots(),
        content(),
    ]
    .into_iter()
    .flatten()
    .collect()
});

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Members and robots are seen by whoever may read who did what: maintainers, owners and auditors.
const SEE_MEMBERS: Rule = Project(Verb::ReadAudit);

#[rustfmt::skip]
fn about_the_server() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/openapi.json", "openapi", Anyone, server::openapi, "This document"),
        row(GET, "/api/v1/version", "version", Anyone, server::version, "What runs here"),
        row(GET, "/api/v1/server", "server.show", Server(InspectServer), server::show, "The state of the server"),
        row(GET, "/api/v1/jobs", "jobs.list", Server(InspectServer), jobs::list, "Background jobs that are not done").query(&jobs::FILTER),
        row(POST, "/api/v1/jobs/{job}/retry", "jobs.retry", Server(ManageServer), jobs::retry, "Gives a dead job another chance"),
        row(GET, "/api/v1/backups", "backups.list", Server(InspectServer), backups::list, "Backups that were asked for, newest first").query(&PAGE),
        row(POST, "/api/v1/backups", "backups.create", Server(ManageServer), backups::create, "Backs up everything to where the server may write"),
        row(DELETE, "/api/v1/backups", "backups.forget", Server(ManageServer), backups::forget, "Forgets the backups to a place that is gone for good; no purge waits for it any more").query(&backups::WHERE),
        row(GET, "/api/v1/backups/{backup}", "backups.show", Server(InspectServer), backups::show, "A backup, and how far it is"),
        row(GET, "/api/v1/scrub", "scrub.show", Server(InspectServer), backups::scrub, "How far everything was read"),
        row(POST, "/api/v1/scrub", "scrub.run", Server(ManageServer), backups::start_scrub, "Begins to read everything now"),
        row(GET, "/api/v1/scrub/damaged", "scrub.damaged", Server(InspectServer), backups::damaged, "Blobs that are damaged and not served, by digest").query(&PAGE),
        row(GET, "/api/v1/events", "events.list", Server(InspectServer), events::list, "What happened, the oldest first, told 30 seconds later: whoever goes on after the last `id` they saw sees each event once").query(&events::FILTER),
        row(GET, "/api/v1/bin", "bin.list", Server(InspectServer), bin::everything, "What was deleted and can be restored, newest first").query(&PAGE),
        row(GET, "/api/v1/bin/{entry}", "bin.show", Catalog, bin::show, "An entry of the bin, for those who may delete in its repository"),
        row(GET, "/api/v1/audit", "audit.list", Server(ServerVerb::ReadAudit), audit::everything, "Who did what, newest first").query(&audit::EVERYTHING),
        row(GET, "/api/v1/audit/export", "audit.export", Server(ServerVerb::ReadAudit), audit::export, "Who did what, oldest first, one JSON object a line").query(&audit::EXPORT),
    ]
}

#[rustfmt::skip]
fn removal() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/v1/collection", "collection.show", Server(InspectServer), collection::show, "How the collector is doing"),
        row(POST, "/api/v1/collection", "collection.run", Server(ManageServer), collection::run, "Collects what is due now"),
        row(GET, "/api/v1/collection/preview", "collection.preview", Server(InspectServer), collection::preview, "What would be collected now").query(&PAGE),
        row(GET, "/api/v1/collection/why/{digest}", "collection.why", Server(InspectServer), collection::why, "Why a digest is kept"),
        row(GET, "/api/v1/purges", "purges.list", Server(InspectServer), purge::list, "What was purged, the oldest first").query(&PAGE),
        row(POST, "/api/v1/purges", "purges.create", Server(ManageServer), purge::purge, "Removes a digest or a repository at once and everywhere"),
    ]
}

#[rustfmt::skip]
fn own_account() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/v1/whoami", "whoami", SignedIn, account::whoami, "Who the caller is"),
        row(PUT, "/api/v1/account/password", "account.change-password", OwnAccount, account::change_password, "Changes the caller's password"),
        row(GET, "/api/v1/account/audit", "audit.list-own", OwnAccount, audit::own, "What the caller did, newest first").query(&audit::OWN),
        row(GET, "/api/v1/account/tokens", "tokens.list", OwnAccount, tokens::list, "The caller's personal tokens").query(&PAGE),
        row(POST, "/api/v1/account/tokens", "tokens.create", OwnAccount, tokens::create, "Makes a personal token; the secret is shown this once"),
        row(DELETE, "/api/v1/account/tokens/{token}", "tokens.revoke", OwnAccount, tokens::revoke, "Ends a personal token at once"),
    ]
}

#[rustfmt::skip]
fn identities() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/v1/users", "users.list", Server(ListIdentities), users::list, "Users by name").query(&PAGE),
        row(POST, "/api/v1/users", "users.create", Server(ManageIdentities), users::create, "Makes a user"),
        row(GET, "/api/v1/users/{user}", "users.show", Server(ListIdentities), users::show, "A user"),
        row(PATCH, "/api/v1/users/{user}", "users.update", Server(ManageIdentities), users::update, "Locks a user out, or lets it in again"),
        row(DELETE, "/api/v1/users/{user}", "users.delete", Server(ManageIdentities), users::delete, "Deletes a user with its tokens, memberships and grants"),
        row(PUT, "/api/v1/users/{user}/password", "users.set-password", Server(ManageIdentities), users::set_password, "Sets a user's password and ends its sessions"),
        row(PUT, "/api/v1/users/{user}/server-roles", "users.set-server-roles", Server(ManageIdentities), users::set_server_roles, "Sets the server roles of a user"),
        row(GET, "/api/v1/users/{user}/tokens", "users.list-tokens", Server(ListIdentities), tokens::list_of_user, "A user's personal tokens").query(&PAGE),
        row(DELETE, "/api/v1/users/{user}/tokens/{token}", "users.revoke-token", Server(ManageIdentities), tokens::revoke_of_user, "Ends a user's personal token at once"),
        row(POST, "/api/v1/htpasswd", "users.import", Server(ManageIdentities), users::import, "Makes users out of an htpasswd file with bcrypt hashes"),
        row(GET, "/api/v1/groups", "groups.list", Server(ListIdentities), groups::list, "Groups by name").query(&PAGE),
        row(POST, "/api/v1/groups", "groups.create", Server(ManageIdentities), groups::create, "Makes a group"),
        row(GET, "/api/v1/groups/{group}", "groups.show", Server(ListIdentities), groups::show, "A group"),
        row(DELETE, "/api/v1/groups/{group}", "groups.delete", Server(ManageIdentities), groups::delete, "Deletes a group with its grants"),
        row(GET, "/api/v1/groups/{group}/members", "groups.members", Server(ListIdentities), groups::members, "The users in a group").query(&PAGE),
        row(PUT, "/api/v1/groups/{group}/members/{member}", "groups.add-member", Server(ManageIdentities), groups::add_member, "Puts a user into a group"),
        row(DELETE, "/api/v1/groups/{group}/members/{member}", "groups.remove-member", Server(ManageIdentities), groups::remove_member, "Takes a user out of a group"),
    ]
}

#[rustfmt::skip]
fn server_robots() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/v1/robots", "robots.list", Server(ListIdentities), robots::list, "Server-wide robots by name").query(&PAGE),
        row(POST, "/api/v1/robots", "robots.create", Server(ManageIdentities), robots::create_on_server, "Makes a server-wide robot; the secret is shown this once"),
        row(GET, "/api/v1/robots/{robot}", "robots.show", Server(ListIdentities), robots::show, "A server-wide robot with its secrets"),
        row(PATCH, "/api/v1/robots/{robot}", "robots.update", Server(ManageIdentities), robots::update, "Locks a server-wide robot out, or lets it in again"),
        row(DELETE, "/api/v1/robots/{robot}", "robots.delete", Server(ManageIdentities), robots::delete, "Deletes a server-wide robot"),
        row(POST, "/api/v1/robots/{robot}/rotate", "robots.rotate", Server(ManageIdentities), robots::rotate, "Gives a server-wide robot a new secret"),
    ]
}

#[rustfmt::skip]
fn in_projects() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/v1/projects", "projects.list", Catalog, projects::list, "Projects by name").query(&PAGE),
        row(POST, "/api/v1/projects", "projects.create", Server(CreateProject), projects::create, "Makes a project, and the caller its owner"),
        row(GET, "/api/v1/projects/{project}", "projects.show", Project(View), projects::show, "A project"),
        row(PATCH, "/api/v1/projects/{project}", "projects.update", Project(Govern), projects::update, "Makes a project public or private"),
        row(DELETE, "/api/v1/projects/{project}", "projects.delete", Project(Govern), projects::delete, "Deletes an empty project"),
        row(GET, "/api/v1/projects/{project}/grants", "grants.list", SEE_MEMBERS, grants::list, "Who has which role in a project").query(&PAGE),
        row(PUT, "/api/v1/projects/{project}/grants", "grants.put", Project(Govern), grants::put, "Gives a role in a project, or changes it"),
        row(DELETE, "/api/v1/projects/{project}/grants", "grants.remove", Project(Govern), grants::remove, "Takes a role in a project away").query(&grants::WHICH),
        row(GET, "/api/v1/projects/{project}/audit", "audit.list-project", Project(Verb::ReadAudit), audit::of_project, "Who did what in a project, newest first").query(&audit::PROJECT),
        row(GET, "/api/v1/projects/{project}/audit/export", "audit.export-project", Project(Verb::ReadAudit), audit::export_of_project, "Who did what in a project, oldest first, one JSON object a line").query(&audit::EXPORT_PROJECT),
        row(GET, "/api/v1/projects/{project}/bin", "bin.list-project", Project(Delete), bin::of_project, "What was deleted in a project and can be restored, deleted repositories among it, newest first").query(&PAGE),
        row(GET, "/api/v1/projects/{project}/tag-rules", "tag-rules.list", Project(View), tag_rules::list, "Rules that keep tags where they are"),
        row(POST, "/api/v1/projects/{project}/tag-rules", "tag-rules.add", Project(Configure), tag_rules::add, "Adds a rule that keeps tags where they are"),
        row(GET, "/api/v1/projects/{project}/keyring", "keyring.list", Project(View), keys::keyring, "OpenPGP keys whose owners a project trusts to sign what they upload"),
        row(POST, "/api/v1/projects/{project}/keyring", "keyring.add", Project(Configure), keys::trust, "Adds OpenPGP keys whose owners a project trusts, or brings them up to date"),
        row(DELETE, "/api/v1/projects/{project}/keyring/{key}", "keyring.remove", Project(Configure), keys::distrust, "Removes a key from a project's keyring"),
        row(DELETE, "/api/v1/projects/{project}/tag-rules/{rule}", "tag-rules.remove", Project(Configure), tag_rules::remove, "Removes a rule for tags"),
    ]
}

#[rustfmt::skip]
fn project_robots() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/v1/projects/{project}/robots", "project-robots.list", SEE_MEMBERS, robots::list, "Robots of a project by name").query(&PAGE),
        row(POST, "/api/v1/projects/{project}/robots", "project-robots.create", Project(Govern), robots::create_in_project, "Makes a robot; the secret is shown this once"),
        row(GET, "/api/v1/projects/{project}/robots/{robot}", "project-robots.show", SEE_MEMBERS, robots::show, "A robot with its secrets"),
        row(PATCH, "/api/v1/projects/{project}/robots/{robot}", "project-robots.update", Project(Govern), robots::update, "Locks a robot out, or lets it in again"),
        row(DELETE, "/api/v1/projects/{project}/robots/{robot}", "project-robots.delete", Project(Govern), robots::delete, "Deletes a robot"),
        row(POST, "/api/v1/projects/{project}/robots/{robot}/rotate", "project-robots.rotate", Project(Govern), robots::rotate, "Gives a robot a new secret"),
    ]
}

#[rustfmt::skip]
fn content() -> Vec<Endpoint> {
    vec![
        row(GET, "/api/v1/repositories", "repositories.list", Catalog, repositories::list, "Repositories by name").query(&repositories::FILTER),
        row(GET, "/api/v1/repositories/{format}/{repository+}", "repositories.show", Repository(View), repositories::show, "A repository"),
        row(DELETE, "/api/v1/repositories/{format}/{repository+}", "repositories.delete", Repository(Govern), repositories::delete, "Deletes a repository with everything in it; with 200 it names repositories of artifacts that stay").query(&repositories::FORCE),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/bin", "bin.list-repository", Repository(Delete), bin::of_repository, "What was deleted in a repository and can be restored, newest first").query(&PAGE),
        row(POST, "/api/v1/repositories/{format}/{repository+}/-/bin/{entry}/restore", "bin.restore", Repository(Delete), bin::restore, "Restores an entry of the bin; a repository needs an owner"),
        row(DELETE, "/api/v1/repositories/{format}/{repository+}/-/bin/{entry}", "bin.empty", Repository(Govern), bin::empty, "Ends an entry of the bin before its time: it cannot be restored any more"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/keys", "keys.list", Repository(View), keys::list, "OpenPGP keys of a repository, newest first"),
        row(POST, "/api/v1/repositories/{format}/{repository+}/-/keys", "keys.import", Repository(Govern), keys::import, "Brings a private key, which signs from now on beside those that are there"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/keys/export", "keys.export", Repository(View), keys::export, "The public keys that sign a repository's index now"),
        row(POST, "/api/v1/repositories/{format}/{repository+}/-/keys/rotate", "keys.rotate", Repository(Govern), keys::rotate, "Makes another key; both sign until the old one is retired"),
        row(DELETE, "/api/v1/repositories/{format}/{repository+}/-/keys/{key}", "keys.retire", Repository(Govern), keys::retire, "Lets a key sign no more"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/setup", "setup.show", Repository(View), setup::show, "How to use a repository, in lines to copy"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/snapshots", "snapshots.list", Repository(View), snapshots::list, "Snapshots of a repository by name").query(&PAGE),
        row(POST, "/api/v1/repositories/{format}/{repository+}/-/snapshots", "snapshots.create", Repository(Configure), snapshots::create, "Makes a snapshot of what an index lists now"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/snapshots/{snapshot}", "snapshots.show", Repository(View), snapshots::show, "A snapshot"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/snapshots/{snapshot}/diff", "snapshots.diff", Repository(View), snapshots::diff, "What was added, removed and changed from one snapshot to another").query(&snapshots::DIFF),
        row(POST, "/api/v1/repositories/{format}/{repository+}/-/snapshots/{snapshot}/publish", "snapshots.publish", Repository(Configure), snapshots::publish, "Lets clients see a snapshot; what is uploaded meanwhile nobody sees"),
        row(DELETE, "/api/v1/repositories/{format}/{repository+}/-/snapshots/{snapshot}", "snapshots.delete", Repository(Configure), snapshots::delete, "Deletes a snapshot that clients do not see"),
        row(POST, "/api/v1/repositories/{format}/{repository+}/-/live", "snapshots.live", Repository(Configure), snapshots::live, "Lets clients see the newest index again"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/tags", "tags.list", Repository(View), tags::list, "Tags by name").query(&PAGE),
        row(DELETE, "/api/v1/repositories/{format}/{repository+}/-/tags/{tag}", "tags.delete", Repository(Delete), tags::delete, "Deletes a tag; the manifest stays"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/tags/{tag}/history", "tags.history", Repository(View), tags::history, "Where a tag pointed, newest first").query(&PAGE),
        row(POST, "/api/v1/repositories/{format}/{repository+}/-/tags/{tag}/rollback", "tags.rollback", Repository(Push), tags::rollback, "Points a tag at what it pointed at before, or at another manifest"),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/manifests", "manifests.list", Repository(View), manifests::list, "Manifests by digest").query(&PAGE),
        row(GET, "/api/v1/repositories/{format}/{repository+}/-/manifests/{reference}", "manifests.show", Repository(View), manifests::show, "What is known of a manifest"),
        row(DELETE, "/api/v1/repositories/{format}/{repository+}/-/manifests/{reference}", "manifests.delete", Repository(Delete), manifests::delete, "Deletes a manifest with all its tags"),
    ]
}

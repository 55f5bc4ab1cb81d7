//! Users out of a htpasswd file.

use wharf_auth::Origin;
use wharf_db::Db;
use wharf_types::SubjectName;

use crate::world::{PASSWORD, World, name, system, why};

wharf_db::on_both_engines! {
    users_keep_the_passwords_they_had,
    a_bcrypt_hash_becomes_argon2_at_the_first_good_login,
    other_schemes_are_refused_by_line_and_name,
    who_is_there_already_is_left_alone,
}

fn bcrypt(password: &str, prefix: &str) -> String {
    bcrypt::hash(password, 4).unwrap().replacen("$2b$", prefix, 1)
}

async fn stored(world: &World, user: &str) -> String {
    let name = name(user);
    let found = world.db.read(&name, |tx, name: &SubjectName| {
        Box::pin(async move {
            let row = tx.query_opt("SELECT password FROM subjects WHERE name = ?1", &[name]).await?;
            row.unwrap().get::<String>(0)
        })
    });
    found.await.unwrap()
}

async fn users_keep_the_passwords_they_had(db: Db) {
    let world = World::new(db);
    let lines =
        ["$2y$", "$2a$", "$2b$"].map(|prefix| format!("user{}:{}", &prefix[2..3], bcrypt("bcrypt pass", prefix)));
    let text = format!("# staff\n\n{}\r\n{}\n  {}  \n", lines[0], lines[1], lines[2]);
    let imported = world.auth.import_htpasswd(&system(), &Origin::default(), &text).await.unwrap();
    assert_eq!(imported.created, ["usery", "usera", "userb"].map(name));
    assert!(imported.refused.is_empty() && imported.existing.is_empty());
    for user in ["usery", "usera", "userb"] {
        assert!(stored(&world, user).await.starts_with("$2"));
        assert_eq!(why(world.basic(user, "wrong pass").await), "bad");
        assert_eq!(why(world.basic(user, "bcrypt pass").await), "accepted");
    }
}

async fn a_bcrypt_hash_becomes_argon2_at_the_first_good_login(db: Db) {
    let world = World::new(db);
    let text = format!("ann:{}", bcrypt("bcrypt pass", "$2y$"));
    world.auth.import_htpasswd(&system(), &Origin::default(), &text).await.unwrap();
    assert_eq!(why(world.basic("ann", "wrong pass").await), "bad");
    assert!(stored(&world, "ann").await.starts_with("$2y$"));
    let ann = world.basic("ann", "bcrypt pass").await.unwrap();
    assert!(stored(&world, "ann").await.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    // Sessions go on, and so does the password, here and after a restart.
    let token = world.auth.issue_token(&ann, &[], world.now()).unwrap().token;
    let mut restarted = world.restarted();
    for world in [&world, &restarted] {
        assert_eq!(why(world.bearer(&token).await), "accepted");
        assert_eq!(why(world.basic("ann", "bcrypt pass").await), "accepted");
        assert_eq!(why(world.basic("ann", "wrong pass").await), "bad");
    }
    // So does a hash with yesterday's parameters.
    restarted.config.hashing.passes = 2;
    let world = restarted.restarted();
    assert_eq!(why(world.basic("ann", "bcrypt pass").await), "accepted");
    assert!(stored(&world, "ann").await.starts_with("$argon2id$v=19$m=64,t=2,p=1$"));
}

async fn other_schemes_are_refused_by_line_and_name(db: Db) {
    let world = World::new(db);
    let dear = bcrypt("x", "$2y$").replacen("$04$", "$20$", 1);
    let text = format!(
        "# a comment\na:$apr1$x$y\nb:{{SHA}}x\nc:$6$x$y\nd:plain\ne:\nf\ng:$2y$05$short\nteam+h:{}\nA B:x\ni:{dear}\nj:{}\n",
        bcrypt("x", "$2y$"),
        bcrypt("x", "$2x$"),
    );
    let imported = world.auth.import_htpasswd(&system(), &Origin::default(), &text).await.unwrap();
    assert!(imported.created.is_empty());
    let refused: Vec<_> =
        imported.refused.iter().map(|line| (line.line, line.name.as_str(), line.reason.as_str())).collect();
    assert_eq!(
        refused[..6],
        [
            (2, "a", "MD5 (apr1): only bcrypt is accepted (htpasswd -B)"),
            (3, "b", "SHA-1: only bcrypt is accepted (htpasswd -B)"),
            (4, "c", "SHA-512 (crypt): only bcrypt is accepted (htpasswd -B)"),
            (5, "d", "plain text or an unknown scheme: only bcrypt is accepted (htpasswd -B)"),
            (6, "e", "no password: only bcrypt is accepted (htpasswd -B)"),
            (7, "f", "no password: only bcrypt is accepted (htpasswd -B)"),
        ]
    );
    let rest: Vec<_> = refused[6..].iter().map(|(line, name, _)| (*line, *name)).collect();
    assert_eq!(rest, [(8, "g"), (9, "team+h"), (10, "A B"), (11, "i"), (12, "j")]);
}

async fn who_is_there_already_is_left_alone(db: Db) {
    let world = World::new(db);
    world.user("ann").await;
    let text = format!("ann:{0}\nAnn:{0}\nbob:{0}\nbob:{0}", bcrypt("bcrypt pass", "$2y$"));
    let imported = world.auth.import_htpasswd(&system(), &Origin::default(), &text).await.unwrap();
    assert_eq!((imported.created, imported.existing), (vec![name("bob")], ["ann", "Ann", "bob"].map(name).to_vec()));
    assert_eq!(why(world.basic("ann", PASSWORD).await), "accepted");
}

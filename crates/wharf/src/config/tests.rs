use super::*;

fn sources(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
    Sources {
        file: (!file.is_empty()).then(|| ("wharf.toml".into(), file.to_owned())),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        flags: flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    }
}

fn load(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Config {
    Config::of(&sources(file, variables, flags), |_| false).unwrap()
}

fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
    Config::of(&sources(file, variables, &[]), |_| false).unwrap_err().to_string()
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let file =
        "[listen]\naddress = \"127.0.0.1:1\"\n[log]\nformat = \"json\"\n[web]\ntrusted_proxies = [\"10.0.0.1\"]\n";
    let variables = [("WHARF_LISTEN_ADDRESS", "127.0.0.1:2"), ("WHARF_LOG_FORMAT", "text"), ("HOME", "/root")];
    let config = load(file, &variables, &[("--listen", "127.0.0.1:3")]);
    let said = |key: &str| (config.text(key).unwrap().to_owned(), config.origin(key).to_string());
    assert_eq!(said("listen.address"), ("127.0.0.1:3".into(), "--listen".into()));
    assert_eq!(said("log.format"), ("text".into(), "WHARF_LOG_FORMAT".into()));
    assert_eq!(config.origin("web.trusted_proxies").to_string(), "wharf.toml:6");
    assert_eq!(said("auth.service"), ("wharf".into(), "default".into()));
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    for (file, hint) in [
        (
            "[listen]\nadress = \"127.0.0.1:1\"",
            "wharf.toml:2: unknown setting listen.adress (did you mean listen.address?)",
        ),
        ("address = \"127.0.0.1:1\"", "unknown setting address (did you mean listen.address?)"),
        ("[databse]\nurl = \"sqlite:x\"", "unknown setting databse.url (did you mean database.url?)"),
        ("[database]\nurl_fiel = \"x\"", "(did you mean database.url_file?)"),
        ("[zzzzzzzz]\nqqqqqqqq = 1", "wharf.toml:2: unknown setting zzzzzzzz.qqqqqqqq"),
    ] {
        let text = refusal(file, &[]);
        assert!(text.contains(hint), "{text}");
    }
}

#[test]
fn unknown_variables_are_refused_with_the_nearest_known_one() {
    let text = refusal("", &[("WHARF_ADMIN_PASWORD", "x")]);
    assert!(
        text.contains("WHARF_ADMIN_PASWORD: unknown variable WHARF_ADMIN_PASWORD (did you mean WHARF_ADMIN_PASSWORD?)"),
        "{text}"
    );
    load("", &[("WHARF_SERVICE_HOST", "10.0.0.1"), ("WHARF_PORT", "tcp://10.0.0.1:5000"), ("WHARF_SERVER", "x")], &[]);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let text = refusal("[listen]\naddress = 5000\n[tls]\nkey = true\n", &[("WHARF_JOBS_WORKERS", "many")]);
    assert!(text.contains("wharf.toml:2: listen.address must be an IP address and a port"), "{text}");
    assert!(text.contains("wharf.toml:4: tls.key must be a path"), "{text}");
    assert!(text.contains("WHARF_JOBS_WORKERS: jobs.workers must be a whole number"), "{text}");
    assert!(refusal("[tls]\nkey = \"k.pem\"", &[]).contains("tls.key is given without tls.certificate"));
    assert!(refusal("[listen\n", &[]).contains("wharf.toml:1"));
}

#[test]
fn a_secret_comes_from_a_file_or_is_given_but_not_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "correct horse\n").unwrap();
    let path = path.to_str().unwrap();
    let config = load("", &[("WHARF_ADMIN_PASSWORD_FILE", path)], &[]);
    assert_eq!(config.text("admin.password"), Some("correct horse"));
    let config = load(&format!("[admin]\npassword_file = {path:?}"), &[("WHARF_ADMIN_PASSWORD", "other")], &[]);
    assert_eq!(config.text("admin.password"), Some("other"));
    let text = refusal("", &[("WHARF_ADMIN_PASSWORD_FILE", path), ("WHARF_ADMIN_PASSWORD", "x")]);
    assert!(text.contains("admin.password is given twice"), "{text}");
    assert!(refusal("", &[("WHARF_ADMIN_PASSWORD_FILE", "/nowhere")]).contains("/nowhere cannot be read"));
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same_without_secrets() {
    let config = load("", &[("WHARF_ADMIN_PASSWORD", "geheim")], &[("--data", "/srv/wharf/")]);
    let shown = as_toml(&config, true);
    assert!(shown.contains("password = \"(hidden)\"") && !shown.contains("geheim"), "{shown}");
    assert!(!as_json(&config).to_string().contains("geheim"));
    let again = load(&as_toml(&config, false), &[], &[]);
    assert_eq!(again.text("storage.path"), Some("/srv/wharf/storage"));
    assert_eq!(again.text("database.url"), Some("sqlite:/srv/wharf/wharf.db"));
    assert_eq!(as_json(&config)["data"]["source"], "--data");
}

#[test]
fn the_data_directory_is_the_systems_where_that_is_writable() {
    let found = |writable: bool| Config::of(&Sources::default(), |_| writable).unwrap().data();
    assert_eq!((found(true), found(false)), (SYSTEM_DATA.into(), OWN_DATA.into()));
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_structs() {
    let config = load("", &[], &[]);
    assert_eq!(format!("{:?}", config.auth()), format!("{:?}", wharf_auth::Config::default()));
    assert_eq!(config.web(), wharf_web::Config::default());
    assert_eq!(format!("{:?}", config.core()), format!("{:?}", wharf_core::Config::default()));
    let postgres = load("", &[("WHARF_DATABASE_URL", "postgres://db/wharf")], &[]);
    assert_eq!(format!("{:?}", postgres.database()), format!("{:?}", Database::postgres("postgres://db/wharf")));
    assert!(matches!(config.database(), Database::Sqlite { path } if path == Path::new("./wharf-data/wharf.db")));
    assert_eq!(config.storage(), Storage::Local("./wharf-data/storage".into()));
}

#[test]
fn the_example_file_is_the_table_and_can_be_used() {
    let file = include_str!("example.toml");
    assert_eq!(file, example(), "run: cargo run -p wharf -- config example > crates/wharf/src/config/example.toml");
    assert_eq!(load(file, &[], &[]).layers, load("", &[], &[]).layers, "as it is, it changes nothing");
    let lines = file.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line));
    let uncommented = lines.collect::<Vec<_>>().join("\n");
    let config = load(&uncommented, &[], &[]);
    for setting in SETTINGS {
        let given = config.layers.get(setting.key).unwrap();
        assert!(matches!(given.origin, Origin::File(..)), "{}", setting.key);
        if let Fallback::Is(text) = setting.default {
            assert_eq!(Some(&given.value), setting.kind.read_text(text).as_ref(), "{}", setting.key);
        }
    }
}

#[test]
fn every_variable_and_flag_belongs_to_one_setting() {
    let names: Vec<_> = variables().into_iter().map(|[name, ..]| name).collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(names.len(), distinct.len());
    for (key, flag) in setting::FLAGS {
        assert!(setting::Setting::of_key(key).is_some(), "{flag}");
    }
}

#[test]
fn a_bucket_that_lacks_something_is_refused_and_told_what() {
    let refused = refusal(
        "[storage]\nkind = \"s3\"\nendpoint = \"http://s3.internal\"\naccess_key = \"a\"\npart_size = \"1MiB\"",
        &[],
    );
    for expected in [
        "wharf.toml:2: storage.kind is s3, but storage.bucket is not set",
        "wharf.toml:4: storage.access_key is given without storage.secret_key",
        "wharf.toml:3: storage.endpoint is without TLS: set storage.allow_http if that is meant",
        "wharf.toml:5: storage.part_size is not between 5MiB and 256MiB",
    ] {
        assert!(refused.contains(expected), "{expected} is missing in {refused}");
    }
}

#[test]
fn a_bucket_is_configured_and_its_credentials_are_not_shown() {
    let file = "[storage]\nkind = \"s3\"\nbucket = \"b\"\nprefix = \"/p/\"\nendpoint = \"https://s3.internal\"";
    let variables = [("WHARF_STORAGE_ACCESS_KEY", "the-access-key"), ("WHARF_STORAGE_SECRET_KEY", "the-secret-key")];
    let config = load(file, &variables, &[]);
    let Storage::Bucket(bucket, None) = config.storage() else { panic!("{:?}", config.storage()) };
    assert_eq!((bucket.bucket.as_str(), bucket.prefix.as_str(), bucket.path_style), ("b", "p", true));
    assert_eq!(bucket.access_key.as_deref(), Some("the-access-key"));
    for shown in [as_toml(&config, true), as_json(&config).to_string(), format!("{:?}", bucket.secret_key)] {
        assert!(!shown.contains("the-access-key") && !shown.contains("the-secret-key"), "{shown}");
    }
}

#[test]
fn the_defaults_of_a_bucket_are_those_of_the_storage() {
    let Storage::Bucket(bucket, _) = load("[storage]\nkind = \"gcs\"\nbucket = \"b\"", &[], &[]).storage() else {
        panic!("no bucket")
    };
    assert_eq!(*bucket, wharf_storage::bucket::Config::new(wharf_storage::bucket::Kind::Gcs, "b"));
}

#[test]
fn the_bucket_for_backups_is_another_than_that_of_the_storage() {
    assert_eq!(load("", &[], &[]).backups(), Backups::Nowhere);
    let folder = load("[backup]\npath = \"/backups\"", &[], &[]).backups();
    assert_eq!(folder, Backups::Folder("/backups".into()));
    let file =
        "[storage]\nkind = \"gcs\"\nbucket = \"one\"\n[backup]\nkind = \"s3\"\nbucket = \"other\"\nregion = \"here\"";
    let variables = [("WHARF_BACKUP_ACCESS_KEY", "the-access-key"), ("WHARF_BACKUP_SECRET_KEY", "the-secret-key")];
    let config = load(file, &variables, &[]);
    let Backups::Bucket(bucket, None) = config.backups() else { panic!("{:?}", config.backups()) };
    let expected = bucket::Config {
        section: "backup",
        region: Some("here".into()),
        access_key: Some("the-access-key".into()),
        secret_key: Some(bucket::Secret("the-secret-key".into())),
        part_size: 16 << 20,
        ..bucket::Config::new(bucket::Kind::S3, "other")
    };
    assert_eq!(*bucket, expected);
    assert!(!as_toml(&config, true).contains("-key\""), "{}", as_toml(&config, true));
    let refused = refusal("[backup]\nkind = \"s3\"\nendpoint = \"http://s3.internal\"\naccess_key = \"a\"", &[]);
    for expected in [
        "wharf.toml:2: backup.kind is s3, but backup.bucket is not set",
        "wharf.toml:4: backup.access_key is given without backup.secret_key",
        "wharf.toml:3: backup.endpoint is without TLS: set backup.allow_http if that is meant",
    ] {
        assert!(refused.contains(expected), "{expected} is missing in {refused}");
    }
    let refused = refusal("[backup]\nbucket = \"b\"", &[]);
    assert!(refused.contains("wharf.toml:2: backup.bucket is given, but backup.kind"), "{refused}");
}

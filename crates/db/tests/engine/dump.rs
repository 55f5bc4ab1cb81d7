//! What a backup takes out of a database, and what it leaves.

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use wharf_db::dump::{self, Part};
use wharf_db::{Db, Engine, testing};

wharf_db::on_both_engines! {
    every_table_is_dumped_or_left_out_for_a_reason,
    a_dump_begins_with_its_mark_and_ends_with_its_end,
}

/// Every table of the real schema, asked of the other side: by name.
async fn all_tables(db: &Db) -> BTreeSet<String> {
    let listed: wharf_db::Result<_> = db
        .read(&(), |tx, ()| {
            Box::pin(async move {
                let sql = match tx.engine() {
                    Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
                    Engine::Postgres => {
                        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables
                         WHERE CAST(table_schema AS TEXT) = CAST(current_schema() AS TEXT)"
                    }
                };
                tx.query(sql, &[]).await?.iter().map(|row| row.get::<String>(0)).collect()
            })
        })
        .await;
    listed.unwrap()
}

async fn every_table_is_dumped_or_left_out_for_a_reason(db: Db) {
    let dumped: wharf_db::Result<_> = db.snapshot(&(), |tx, ()| Box::pin(dump::tables(tx))).await;
    let dumped: BTreeSet<_> = dumped.unwrap().into_iter().map(|table| table.name).collect();
    let left: BTreeSet<_> = dump::LEFT_OUT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let both: BTreeSet<_> = dumped.union(&left).cloned().collect();
    assert_eq!(all_tables(&db).await, both);
    for table in
        ["blobs", "manifests", "tags", "tag_history", "subjects", "tokens", "grants", "audit", "bin", "signing_keys"]
    {
        assert!(dumped.contains(table), "{table}");
    }
}

async fn a_dump_begins_with_its_mark_and_ends_with_its_end(db: Db) {
    let (parts, mut arriving) = mpsc::channel(1);
    let dumping = tokio::spawn(async move { db.dump(parts).await });
    let (mut first, mut last, mut tables) = (None, false, 0);
    while let Some(part) = arriving.recv().await {
        last = matches!(part, Part::End);
        tables += usize::from(matches!(part, Part::Table(_)));
        if let Part::Begin { schema, .. } = part {
            first = Some(schema);
        }
    }
    dumping.await.unwrap().unwrap();
    assert!(first.unwrap() > 6 && last && tables > 20, "{first:?} {last} {tables}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_dump_the_same_tables_and_columns() {
    let mut found = Vec::new();
    for db in testing::databases().await {
        let mut tables = db.snapshot(&(), |tx, ()| Box::pin(dump::tables(tx))).await.unwrap();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        // In which order the columns of a key come is an engine's own affair.
        tables.iter_mut().for_each(|table| table.key.sort());
        found.push(tables);
    }
    assert_eq!(found[0], found[1]);
}

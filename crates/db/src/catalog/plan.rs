//! For tests: by which index SQLite finds what a statement asks for.

use crate::{Config, Db, Result, ToValue};

/// How SQLite goes about a statement with so many places, a line for each step. Values are not looked at.
pub(super) async fn plan_of(sql: &'static str, places: usize) -> String {
    let db = Db::open(&Config::SqliteMemory).await.unwrap();
    let plan: Result<Vec<String>> = db
        .read(&(sql, places), |tx, (sql, places)| {
            Box::pin(async move {
                let sql: &str = format!("EXPLAIN QUERY PLAN {sql}").leak();
                let params: Vec<&(dyn ToValue + Sync)> = vec![&0_i64; *places];
                tx.query(sql, &params).await?.iter().map(|row| row.get(3)).collect()
            })
        })
        .await;
    plan.unwrap().join("\n")
}

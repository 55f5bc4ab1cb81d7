//! What Wharf holds, one file per aggregate. Functions take an open transaction and do one statement's worth of work;
//! `core` strings them together.

pub mod accesses;
pub mod audit;
pub mod backups;
mod batch;
pub mod bin;
pub mod blobs;
pub mod collection;
pub mod destruction;
pub mod doomed;
pub mod events;
pub mod generations;
pub mod holders;
pub mod jobs;
pub mod manifests;
pub mod packages;
pub mod pins;
pub mod placements;
#[cfg(test)]
mod plan;
pub mod project_keys;
pub mod projects;
pub mod purges;
pub mod repositories;
pub mod restores;
pub mod reviews;
pub mod scrub;
pub mod settings;
pub mod signing_keys;
pub mod snapshots;
pub mod storages;
pub mod tag_rules;
pub mod tags;
pub mod trail;
pub mod uploads;

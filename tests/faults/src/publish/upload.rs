//! Uploads, each repeated until it is acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::{Kind, Parcel, Scene};
use crate::wire::{Ask, Outcome};

/// Uploads this many files of all kinds, and more until no more servers are killed.
pub(super) async fn many(scene: Arc<Scene>, uploader: usize, files: usize, seed: u64) -> Result<()> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut number = 0;
    while number < files || !scene.calm.load(Ordering::SeqCst) {
        let kind = Kind::ALL[(uploader + number) % Kind::ALL.len()];
        let parcel = Parcel::new(kind, &format!("from-{uploader}"), number)?;
        one(&scene, &mut rng, parcel, number.is_multiple_of(4)).await?;
        number += 1;
    }
    Ok(())
}

/// Uploads a file, and waits until clients see it if that is wanted. What was sent to a server that died is sent again: it may be
/// there already.
pub(super) async fn one(scene: &Scene, rng: &mut StdRng, parcel: Parcel, wait: bool) -> Result<()> {
    let (method, path) = parcel.kind.upload();
    let path = format!("{path}{}", if wait { "?wait=1" } else { "" });
    let mut sent_before = false;
    loop {
        let server = scene.site.url(rng).await;
        let ask = Ask::new(method.clone(), format!("{server}{path}"))
            .body("application/octet-stream", parcel.content.clone());
        match scene.wire.send(ask).await? {
            Outcome::Answered(answer) if (200..300).contains(&answer.status) => break,
            // ChartMuseum's answer to what is there.
            Outcome::Answered(answer) if answer.status == 409 && sent_before => break,
            Outcome::Answered(answer) => bail!("an upload to {path}: {}", answer.shown()),
            Outcome::NotSent => scene.site.gone(&server).await?,
            Outcome::Unknown => {
                sent_before = true;
                scene.site.gone(&server).await?;
            }
        }
    }
    scene.acknowledged.lock().push(parcel);
    Ok(())
}

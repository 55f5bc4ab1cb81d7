use bytes::Bytes;
use futures_util::stream;

use super::*;

fn body() -> ByteStream {
    Box::pin(stream::iter([Ok(Bytes::from_static(b"abc"))]))
}

#[tokio::test]
async fn unsealed_bytes_of_an_earlier_boot_are_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let key = ObjectKey::new([1; 16]);
    let before = Fs::open_in(folder.path().into(), Boot(b"before".to_vec())).unwrap();
    let progress = before.append(&key, &Progress::default(), body()).await.unwrap().progress;
    drop(before);
    let after = Fs::open_in(folder.path().into(), Boot(b"after".to_vec())).unwrap();
    let appended = after.append(&key, &progress, body()).await;
    assert!(matches!(appended, Err(Error::Truncated { expected: 3, held: 0, .. })), "{appended:?}");
    let sealed = after.seal(&key, &progress).await;
    assert!(matches!(sealed, Err(Error::Truncated { expected: 3, held: 0, .. })), "{sealed:?}");
    assert!(after.append(&key, &Progress::default(), body()).await.is_ok());
}

#[tokio::test]
async fn sealed_bytes_of_an_earlier_boot_are() {
    let folder = tempfile::tempdir().unwrap();
    let key = ObjectKey::new([1; 16]);
    let before = Fs::open_in(folder.path().into(), Boot(b"before".to_vec())).unwrap();
    let progress = before.append(&key, &Progress::default(), body()).await.unwrap().progress;
    before.seal(&key, &progress).await.unwrap();
    drop(before);
    let after = Fs::open_in(folder.path().into(), Boot(b"after".to_vec())).unwrap();
    after.seal(&key, &progress).await.unwrap();
    assert_eq!(after.size(&key).await.unwrap(), 3);
}

use std::io;

use bytes::Bytes;
use futures_util::stream;
use proptest::prelude::*;

use super::*;

const BOTH_ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

fn hashed(content: &[u8]) -> Hashing {
    let mut hashing = Hashing::new(&BOTH_ALGORITHMS);
    hashing.update(content);
    hashing
}

proptest! {
    #[test]
    fn content_split_anywhere_has_the_digest_of_the_whole(content in prop::collection::vec(any::<u8>(), 0..700), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
        cuts.push(content.len());
        cuts.sort_unstable();
        let (mut hashing, mut at) = (Hashing::new(&BOTH_ALGORITHMS), 0);
        for cut in cuts {
            hashing.update(&content[at..cut]);
            hashing = Hashing::resume(&hashing.midstate()).unwrap();
            at = cut;
        }
        prop_assert_eq!(hashing.offset(), content.len() as u64);
        for algorithm in BOTH_ALGORITHMS {
            prop_assert_eq!(hashing.digest(algorithm), Some(Digest::of(algorithm, &content)));
        }
    }

    #[test]
    fn any_bytes_are_resumed_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..400, value: u8) {
        prop_assert!(Hashing::resume(&bytes).is_err());
        let mut midstate = hashed(&bytes).midstate();
        let at = at % midstate.len();
        midstate[at] = value;
        if let Ok(mut hashing) = Hashing::resume(&midstate) {
            prop_assert_eq!(hashing.offset(), bytes.len() as u64);
            hashing.update(&bytes);
        }
    }
}

#[test]
fn sha512_is_computed_only_when_asked_for() {
    let hashing = Hashing::new(&[]);
    assert_eq!(hashing.digest(Algorithm::Sha256), Some(Digest::sha256(b"")));
    assert_eq!(hashing.digest(Algorithm::Sha512), None);
    assert_eq!(Hashing::resume(&hashing.midstate()).unwrap().digest(Algorithm::Sha512), None);
}

#[test]
fn a_midstate_of_another_layout_is_refused() {
    let good = hashed(&[7; 200]).midstate();
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let longer = [&good[..], &[0]].concat();
    let cases: [&[u8]; 7] =
        [&[], &good[..9], &good[..good.len() - 1], &longer, &with(0, 2), &with(1, 2), &with(9, 201)];
    for bytes in cases {
        assert!(Hashing::resume(bytes).is_err());
    }
    assert!(Hashing::resume(&good).is_ok());
}

#[test]
fn a_midstate_does_not_change_between_releases() {
    // Upload rows outlive an update of the binary: when this fails, count the version up and keep reading the old one.
    let midstate = hashed(b"wharf").midstate();
    assert_eq!((midstate.len(), Digest::sha256(&midstate).hex().as_str()), (322, MIDSTATE_OF_WHARF));
}

const MIDSTATE_OF_WHARF: &str = "2bea0641168c5d478294d350af29d57d7d77af32ec569953fc6b33ffd06db848";

#[tokio::test]
async fn a_tapped_stream_is_hashed_as_far_as_it_is_read() {
    let chunks =
        [Ok(Bytes::from("one")), Ok(Bytes::from("two")), Err(io::Error::other("cut")), Ok(Bytes::from("three"))];
    let (mut body, tap) = Hashing::new(&[]).tap(Box::pin(stream::iter(chunks)));
    while let Some(Ok(_)) = body.next().await {}
    let hashing = tap.finish();
    assert_eq!((hashing.offset(), hashing.digest(Algorithm::Sha256)), (6, Some(Digest::sha256(b"onetwo"))));
}

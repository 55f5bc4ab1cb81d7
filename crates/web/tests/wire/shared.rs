//! Path prefixes that formats share.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};
use wharf_core::{Actor, Arrival, Contents, Core, Format, IndexError, InspectError, Publication, Target};
use wharf_testkit::{Options, TestServer};
use wharf_types::FormatName;
use wharf_wire::{Body, Context, Door, Handled, Understanding, bytes};

/// Says its name, and understands what the path says that it does: below `/peer/<repository>/`, `left.right` is understood by
/// both, `left!` is refused by the left one.
#[derive(Clone)]
struct Sign(FormatName);

const LEFT: FormatName = FormatName::new("left");
const RIGHT: FormatName = FormatName::new("right");

#[async_trait]
impl Format for Sign {
    fn name(&self) -> FormatName {
        self.0
    }

    fn inspect(&self, _: &mut dyn Read, _: &Arrival) -> Result<Contents, InspectError> {
        let fragments = BTreeMap::from([("index".to_owned(), b"a".to_vec())]);
        Ok(Contents { name: "a".into(), version: "1".into(), path: "a".into(), fragments, ..Contents::default() })
    }

    async fn index(&self, _: &mut Publication) -> Result<(), IndexError> {
        Ok(())
    }
}

#[async_trait]
impl Door for Sign {
    fn format(&self) -> Arc<dyn Format> {
        Arc::new(self.clone())
    }

    fn name(&self) -> FormatName {
        self.0
    }

    fn mounts(&self) -> &'static [&'static str] {
        if self.0 == LEFT { &["/owner/*/left"] } else { &["/owner/*/right"] }
    }

    fn shared_mounts(&self) -> &'static [&'static str] {
        &["/peer/*"]
    }

    fn understands(&self, head: &Parts, _: &Context) -> Understanding {
        let mut segments = head.uri.path().split('/').skip(2);
        let (repository, file) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        if file.split('.').any(|part| part == self.0.as_str()) {
            return Understanding::Whole(repository.parse().ok());
        }
        if file == format!("{}!", self.0) { Understanding::Path } else { Understanding::Nothing }
    }

    async fn handle(&self, _: &Core, _: Request<Body>, _: &Context) -> Handled {
        let response = Response::new(bytes(self.0.as_str()));
        Handled { response, operation: "sign", actor: String::new(), error: None }
    }
}

async fn server() -> TestServer {
    let door = |name| move || Box::new(Sign(name)) as Box<dyn Door>;
    TestServer::start(Options::new().door(door(LEFT)).door(door(RIGHT))).await
}

async fn answered(server: &TestServer, path: &str) -> String {
    server.anonymous().get(path).await.assert_status(200).text()
}

#[tokio::test]
async fn a_star_in_a_mount_is_any_one_segment() {
    let server = server().await;
    assert_eq!(answered(&server, "/owner/team/left").await, "left");
    assert_eq!(answered(&server, "/owner/other/right/a/b").await, "right");
    server.anonymous().get("/owner/team/neither").await.assert_status(404);
    server.anonymous().get("/owner/a/b/left").await.assert_status(404);
}

#[tokio::test]
async fn below_a_shared_prefix_whoever_understands_the_request_answers() {
    let server = server().await;
    assert_eq!(answered(&server, "/peer/a/left").await, "left");
    assert_eq!(answered(&server, "/peer/a/right").await, "right");
    assert_eq!(answered(&server, "/peer/a/right!").await, "right", "it says what is wrong");
    server.anonymous().get("/peer/a/neither").await.assert_status(404);
    server.anonymous().get("/peer").await.assert_status(404);
}

#[tokio::test]
async fn of_several_that_understand_the_request_the_one_that_has_the_repository_answers() {
    let server = server().await;
    assert_eq!(answered(&server, "/peer/a/right.left").await, "left", "nobody has it: the first");
    server.project("default").await;
    let target = Target::new(RIGHT, "a".parse().unwrap());
    let body = Box::pin(futures_util::stream::once(async { Ok(bytes::Bytes::from_static(b"a")) }));
    server.core().add_package(&target, Arrival::default(), body, &Actor::system()).await.unwrap();
    assert_eq!(answered(&server, "/peer/a/right.left").await, "right");
    assert_eq!(answered(&server, "/peer/b/right.left").await, "left");
}

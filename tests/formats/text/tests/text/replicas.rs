//! Several servers over one database and one storage: no request and no job cares which of them it meets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use wharf_auth::{Auth, InstanceKey};
use wharf_core::{Config, Core, Entropy, Parts, Workers};
use wharf_testkit::TestServer;
use wharf_text::Text;
use wharf_wire::{Context, Door, Mounted};

use crate::backend::on_every_database;
use crate::note::{index_of, note};

on_every_database! { with crate::backend::idle;
    what_one_takes_in_another_publishes_and_all_hand_out,
    many_replicas_take_in_and_publish_at_once,
    all_sign_with_one_key,
}

/// A process, as far as it matters: its own use cases, its own door and perhaps its own workers.
struct Replica {
    core: Core,
    door: Box<dyn Door>,
    authorization: String,
    workers: Option<Workers>,
}

impl Replica {
    fn beside(server: &TestServer, key: &InstanceKey, works: bool) -> Self {
        let door: Box<dyn Door> = Box::new(Mounted::new(Text::with_pieces_of(600)));
        let clock = server.clock().clock();
        let config = Config { publish_delay: Duration::ZERO, job_poll: Duration::from_millis(10), ..Config::default() };
        let core = Core::new(Parts {
            db: server.db().clone(),
            storage: Arc::clone(server.storage()),
            auth: Auth::new(server.db().clone(), key, clock.clone(), wharf_auth::Config::default()),
            instance_key: key.clone(),
            clock,
            entropy: Entropy::system(),
            formats: vec![door.format()],
            config,
            depots: Arc::new(|_| Err("no place for backups".to_owned())),
        });
        let workers = works.then(|| core.start_workers());
        Self { core, door, authorization: server.admin().authorization().expect("a credential"), workers }
    }

    async fn ask(&self, line: &str, body: impl Into<Bytes>) -> (StatusCode, Bytes) {
        let (method, uri) = line.split_once(' ').expect("a method and a path");
        let request = Request::builder().method(method).uri(uri).header("authorization", &self.authorization);
        let request = request.body(wharf_wire::bytes(body.into())).expect("a request");
        let context = Context {
            address: None,
            request_id: "r".to_owned(),
            base_url: "http://wharf".to_owned(),
            base_url_is_configured: false,
            service: "wharf".into(),
        };
        let (head, body) = Response::into_parts(self.door.handle(&self.core, request, &context).await.response);
        (head.status, wharf_wire::read_up_to(body, 1 << 20).await.expect("a body"))
    }

    async fn stop(self) {
        if let Some(workers) = self.workers {
            workers.stop().await;
        }
    }
}

async fn what_one_takes_in_another_publishes_and_all_hand_out(server: &TestServer) {
    let key = InstanceKey::generate();
    let [taker, worker, reader] = [false, true, false].map(|works| Replica::beside(server, &key, works));
    let notes = ["a", "b"].map(|name| note(name, "1"));
    for note in &notes {
        let (status, _) = taker.ask("PUT /text/team/notes/stable/upload?wait=1", note.file()).await;
        assert_eq!(status, 201);
        // The answer to the upload was the promise that everybody sees it.
        for replica in [&taker, &worker, &reader] {
            let (status, index) = replica.ask("GET /text/team/notes/stable/Index", "").await;
            assert!(status == 200 && String::from_utf8_lossy(&index).contains(&note.entry("stable")), "{index:?}");
            let (status, file) = replica.ask(&format!("GET /text/team/notes/{}", note.path("stable")), "").await;
            assert!(status == 200 && file == note.file());
        }
    }
    let (status, _) = reader.ask(&format!("DELETE /text/team/notes/{}?wait=1", notes[0].path("stable")), "").await;
    assert_eq!(status, 204);
    let (_, index) = taker.ask("GET /text/team/notes/stable/Index", "").await;
    assert_eq!(index, notes[1].entry("stable"));
    worker.stop().await;
}

async fn many_replicas_take_in_and_publish_at_once(server: &TestServer) {
    let key = InstanceKey::generate();
    let replicas = [(); 3].map(|()| Replica::beside(server, &key, true));
    let notes: Vec<_> = (0..30).map(|n| note(&format!("n{n:02}"), "1")).collect();
    let uploads = notes.iter().zip(replicas.iter().cycle());
    let answers =
        join_all(uploads.map(|(note, replica)| replica.ask("PUT /text/team/notes/stable/upload?wait=1", note.file())));
    for (status, text) in answers.await {
        assert_eq!(status, 201, "{text:?}");
    }
    for replica in &replicas {
        let (_, index) = replica.ask("GET /text/team/notes/stable/Index", "").await;
        assert_eq!(index, index_of("stable", &notes));
    }
    join_all(replicas.map(Replica::stop)).await;
}

async fn all_sign_with_one_key(server: &TestServer) {
    let key = InstanceKey::generate();
    let replicas = [(); 4].map(|()| Replica::beside(server, &key, false));
    let (status, _) = replicas[0].ask("PUT /text/team/notes/stable/upload", note("a", "1").file()).await;
    assert_eq!(status, 201);
    let keys = join_all(replicas.iter().map(|replica| replica.ask("GET /text/team/notes/key", ""))).await;
    assert!(keys.iter().all(|(status, text)| *status == 200 && *text == keys[0].1), "{keys:?}");
    assert_eq!(String::from_utf8_lossy(&keys[0].1).lines().count(), 1);
    // What the server of the test has not sealed it cannot use, and says so without saying why.
    assert!(replicas[1].core.run_one("test").await.expect("a database"));
    let (status, release) = replicas[2].ask("GET /text/team/notes/stable/Release", "").await;
    assert!(status == 200 && String::from_utf8_lossy(&release).contains("\nSignature: "), "{release:?}");
}

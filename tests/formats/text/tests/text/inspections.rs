//! Packages are looked at where that holds up nobody.

use std::sync::{Arc, Condvar, Mutex};

use wharf_testkit::TestServer;

use crate::backend::{eventually, soon, with};
use crate::hooked::{Hooked, When};
use crate::note::note;
use crate::shelf::Shelf;

/// How many packages are being looked at, how many there were at most, and whether they may go on.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    now: usize,
    most: usize,
    open: bool,
}

impl Desk {
    fn look(&self) {
        let mut state = self.state.lock().expect("a state");
        state.now += 1;
        state.most = state.most.max(state.now);
        let mut state = self.changed.wait_while(state, |state| !state.open).expect("a state");
        state.now -= 1;
    }

    fn open(&self) {
        self.state.lock().expect("a state").open = true;
        self.changed.notify_all();
    }

    fn state(&self) -> State {
        *self.state.lock().expect("a state")
    }
}

/// Opens the desk however the test ends, because a runtime waits for its blocking threads.
struct Opened(Arc<Desk>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_package_that_is_looked_at_for_long_holds_up_no_request_and_there_are_only_so_many() {
    let most = std::thread::available_parallelism().expect("a number").get().max(2);
    let desk = Arc::new(Desk::default());
    let (looking, opened) = (Arc::clone(&desk), Opened(Arc::clone(&desk)));
    let hooked = Hooked::new(When::Before, |_| Box::pin(async { Ok(()) })).inspecting(move || looking.look());
    let server = TestServer::start(with(hooked)).await;
    let shelf = Shelf::new(&server, "team/notes");
    let uploads: Vec<_> = (0..most + 4)
        .map(|n| {
            let shelf = shelf.clone();
            tokio::spawn(async move { shelf.put("stable", note(&format!("n{n}"), "1").file()).await })
        })
        .collect();
    eventually("as many are looked at as may be", async || desk.state().now == most).await;
    // More than there are threads for requests.
    for _ in 0..10 {
        soon(server.anonymous().get("/readyz")).await.assert_status(200);
    }
    drop(opened);
    for upload in uploads {
        soon(upload).await.expect("an answer").assert_status(201);
    }
    assert_eq!(desk.state().most, most);
}

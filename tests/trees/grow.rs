//! A tree in a lifecycle of its own.

use std::future::{Future, poll_fn};
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use graceful::{Builder, Cause, OnFailure, Stage, Worker, WorkerError, WorkerHandle};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::log::{Deed, Event, Given, How, What};
use crate::plan::{Ear, End, Kind, Node, Plan, Step};
use crate::seed::Chance;

/// What a worker panics with.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// How long the process may take to stop.
pub(crate) const BUDGET: u64 = 20_000;

type Handle = WorkerHandle<Result<(), String>>;

/// What has grown.
pub(crate) struct Grown {
    pub(crate) log: Vec<Event>,
    pub(crate) end: MainsEnd,
    pub(crate) test_failed: bool,
}

/// How main found things when all was over.
#[derive(Clone, Debug, Default)]
pub(crate) struct MainsEnd {
    /// It was there to look.
    pub(crate) has_looked: bool,
    /// `idle()` had resolved.
    pub(crate) is_idle: bool,
    /// A failure is why the process stops.
    pub(crate) has_failed: bool,
    /// Workers that `status()` called alive.
    pub(crate) live: Vec<String>,
}

struct Tree {
    nodes: Vec<Node>,
    born: Instant,
    state: Mutex<State>,
}

struct State {
    log: Vec<Event>,
    /// By worker.
    handles: Vec<Arc<Mutex<Option<Handle>>>>,
    tokens: Vec<Option<CancellationToken>>,
    runs: Vec<u32>,
    chance: Chance,
    end: MainsEnd,
}

/// Grows a tree, and lets it end.
pub(crate) fn grow(plan: &Plan, seed: u64) -> Grown {
    // What is left of it outlives the lifecycle in nobody's hands.
    let kept: Arc<Mutex<Option<Arc<Tree>>>> = Arc::default();
    let plan_again = Plan::of(seed);
    let shared = Arc::clone(&kept);
    let builder = Builder::new().current_thread().stop_timeout(Duration::from_millis(BUDGET));
    let builder = builder.start_paused(graceful::__private::PausedClock);
    let (deeds, roots, rest, stops_all) = (plan.deeds.clone(), plan.roots.clone(), plan.rest, plan.stops_all);
    let main = async move {
        let state = State {
            log: Vec::new(),
            handles: Vec::new(),
            tokens: Vec::new(),
            runs: Vec::new(),
            chance: Chance::of(seed ^ 0x5eed),
            end: MainsEnd::default(),
        };
        let tree = Arc::new(Tree { nodes: plan_again.nodes, born: Instant::now(), state: Mutex::new(state) });
        *shared.lock().unwrap() = Some(Arc::clone(&tree));
        tree.drive(deeds, roots, rest, stops_all).await;
    };
    let thread = std::thread::Builder::new().name("tree".to_owned());
    let test = move || panic::catch_unwind(AssertUnwindSafe(|| graceful::__private::test(builder, main))).is_err();
    let test_failed = thread.spawn(test).unwrap().join().unwrap();
    let tree = kept.lock().unwrap().take().expect("main has run");
    let state = tree.lock();
    Grown { log: state.log.clone(), end: state.end.clone(), test_failed }
}

impl Tree {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, of: usize, what: What) {
        let at = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.lock().log.push(Event { at, of, what });
    }

    async fn drive(self: &Arc<Self>, deeds: Vec<(u64, Deed)>, roots: Vec<usize>, rest: u64, stops_all: bool) {
        let tree = Arc::clone(self);
        tokio::spawn(async move {
            graceful::stopping().await;
            tree.note(0, What::Process);
        });
        for root in roots {
            self.spawn(root, None);
        }
        for (after, deed) in deeds {
            sleep(Duration::from_millis(after)).await;
            self.act(deed);
        }
        sleep(Duration::from_millis(rest)).await;
        if !stops_all {
            self.act_on_roots(Deed::Stop);
            let _ = timeout(Duration::from_secs(2), all_gone()).await;
            self.act_on_roots(Deed::Abort);
            sleep(Duration::from_millis(1)).await;
        }
        let is_over = || !self.lock().log.is_empty() && graceful::cause().is_some();
        if timeout(Duration::from_millis(1), all_gone()).await.is_err() && !is_over() {
            self.note(0, What::StopCalled);
            graceful::stop();
        }
        let is_idle = timeout(Duration::from_secs(60), all_gone()).await.is_ok();
        let status = graceful::status();
        let alive = status.workers.iter().filter(|worker| worker.live > 0);
        let live = alive.map(|worker| worker.name.clone()).collect();
        let has_failed = matches!(graceful::cause(), Some(Cause::Failure(_)));
        self.lock().end = MainsEnd { has_looked: true, is_idle, has_failed, live };
    }

    /// Does this to some worker that has not ended.
    fn act(&self, deed: Deed) {
        let mut state = self.lock();
        let all = state.handles.len() as u64;
        if all == 0 {
            return;
        }
        let first = usize::try_from(state.chance.below(all)).unwrap();
        let mut candidates: Vec<_> = (0..state.handles.len()).collect();
        candidates.rotate_left(first);
        let found = candidates.into_iter().find(|&of| match deed {
            Deed::Cancel => state.tokens[of].is_some(),
            _ => state.handles[of].lock().unwrap().as_ref().is_some_and(|handle| !handle.is_finished()),
        });
        drop(state);
        if let Some(of) = found {
            self.do_to(of, deed);
        }
    }

    fn act_on_roots(&self, deed: Deed) {
        let roots: Vec<_> = self.lock().log.iter().filter_map(root).collect();
        for of in roots {
            let handle = Arc::clone(&self.lock().handles[of]);
            let is_there = handle.lock().unwrap().as_ref().is_some_and(|handle| !handle.is_finished());
            if is_there {
                self.do_to(of, deed);
            }
        }
    }

    fn do_to(&self, of: usize, deed: Deed) {
        self.note(of, What::Done(deed));
        let (handle, token) = {
            let state = self.lock();
            (Arc::clone(&state.handles[of]), state.tokens[of].clone())
        };
        let mut handle = handle.lock().unwrap();
        match (deed, &*handle) {
            (Deed::Stop, Some(handle)) => handle.stop(),
            (Deed::Abort, Some(handle)) => handle.abort(),
            (Deed::Drop, _) => drop(handle.take()),
            (Deed::Cancel, _) => token.unwrap().cancel(),
            _ => {}
        }
    }

    fn spawn(self: &Arc<Self>, plan: usize, by: Option<(usize, u32)>) {
        let of = {
            let mut state = self.lock();
            state.handles.push(Arc::default());
            state.tokens.push(None);
            state.runs.push(0);
            state.handles.len() - 1
        };
        let node = &self.nodes[plan];
        let by = by.filter(|_| !node.is_late);
        self.note(of, What::Spawned(plan, by));
        let handle = self.start(node, plan, of);
        if !node.is_watched {
            self.note(of, What::Done(Deed::Drop));
            return;
        }
        let place = Arc::clone(&self.lock().handles[of]);
        *place.lock().unwrap() = Some(handle);
        let tree = Arc::clone(self);
        tokio::spawn(async move {
            let given = poll_fn(|context| match &mut *place.lock().unwrap() {
                Some(handle) => Pin::new(handle).poll(context).map(Some),
                None => Poll::Ready(None),
            });
            let given = match given.await {
                Some(Ok(())) => Given::Well,
                Some(Err(WorkerError::Failed(_))) => Given::Failed,
                Some(Err(WorkerError::Panicked(_))) => Given::Panicked,
                Some(Err(WorkerError::ChildFailed(_))) => Given::ChildFailed,
                Some(Err(WorkerError::Aborted)) => Given::Aborted,
                Some(Err(_)) => Given::Refused,
                None => return,
            };
            place.lock().unwrap().take();
            tree.note(of, What::Resolved(given));
        });
    }

    fn start(self: &Arc<Self>, node: &Node, plan: usize, of: usize) -> Handle {
        let tree = Arc::clone(self);
        let name = format!("n{plan}");
        match node.kind {
            Kind::Future => graceful::spawn(&name, body(tree, plan, of)),
            Kind::Made => with(Worker::new(&name, move || body(Arc::clone(&tree), plan, of)), node),
            Kind::Limited => with(limited(tree, plan, of).named(&name), node),
            Kind::Slow => with(slow(tree, plan, of).named(&name), node),
            Kind::Every => with(every(tree, plan, of).named(&name), node),
        }
    }
}

fn root(event: &Event) -> Option<usize> {
    matches!(event.what, What::Spawned(_, None)).then_some(event.of)
}

/// Spawns it with its policies.
fn with<B>(mut worker: Worker<B>, node: &Node) -> Handle
where
    B: graceful::Body<Output = Result<(), String>>,
{
    if let Some(on_failure) = node.on_failure.filter(|on_failure| *on_failure != OnFailure::Restart || B::REPEATS) {
        worker = worker.on_failure(on_failure);
    }
    if let Some(children) = node.children {
        worker = worker.children_on_failure(children);
    }
    if let Some(limit) = node.stop_timeout {
        worker = worker.stop_timeout(Duration::from_millis(limit));
    }
    if let Some(on_timeout) = node.on_timeout {
        worker = worker.on_timeout(on_timeout);
    }
    if node.is_late {
        worker = worker.stage(Stage::Late);
    }
    worker.spawn()
}

#[graceful::worker(on_failure = "restart", max_restarts = 2, backoff = "1ms..1ms")]
async fn limited(tree: Arc<Tree>, plan: usize, of: usize) -> Result<(), String> {
    body(tree, plan, of).await
}

#[graceful::worker(on_failure = "restart", backoff = "40ms..40ms")]
async fn slow(tree: Arc<Tree>, plan: usize, of: usize) -> Result<(), String> {
    body(tree, plan, of).await
}

#[graceful::worker(every = "50ms")]
async fn every(tree: Arc<Tree>, plan: usize, of: usize) -> Result<(), String> {
    body(tree, plan, of).await
}

/// A run of a worker. Its destructor says how it ended.
struct Life {
    tree: Arc<Tree>,
    plan: usize,
    of: usize,
    run: u32,
    how: How,
}

impl Drop for Life {
    fn drop(&mut self) {
        let child = self.tree.nodes[self.plan].spawns_when_dropped;
        if let Some(child) = child.filter(|_| tokio::runtime::Handle::try_current().is_ok()) {
            self.tree.spawn(child, Some((self.of, self.run)));
        }
        self.tree.note(self.of, What::Gone(self.run, self.how));
    }
}

impl Life {
    fn begin(tree: Arc<Tree>, plan: usize, of: usize) -> Self {
        let run = {
            let mut state = tree.lock();
            state.runs[of] += 1;
            state.runs[of]
        };
        tree.note(of, What::Begun);
        if tree.nodes[plan].gives_token {
            let token = graceful::token();
            tree.lock().tokens[of] = Some(token);
        }
        Self { tree, plan, of, run, how: How::Dropped }
    }

    fn node(&self) -> &Node {
        &self.tree.nodes[self.plan]
    }

    fn ask(&self) {
        self.tree.note(self.of, What::Asked(self.run, graceful::is_stopping()));
    }

    /// Waits. Says whether it was told to stop meanwhile.
    async fn wait(&self, waiting: impl Future<Output = ()>) -> bool {
        let is_told = match self.node().ear {
            Ear::Future => graceful::run_until_stopping(waiting).await.is_none(),
            Ear::Token => {
                let token = graceful::token();
                tokio::select! {
                    biased;
                    () = token.cancelled() => true,
                    () = waiting => false,
                }
            }
            Ear::Deaf => {
                waiting.await;
                false
            }
        };
        if is_told {
            self.tree.note(self.of, What::Told(self.run));
        }
        self.ask();
        is_told
    }

    async fn steps(&self) -> bool {
        for step in &self.node().steps {
            match *step {
                Step::Spawn(child) => self.tree.spawn(child, Some((self.of, self.run))),
                Step::Wait(long) => {
                    if self.wait(sleep(Duration::from_millis(long))).await {
                        return true;
                    }
                }
                Step::Do(deed) => self.tree.act(deed),
            }
            self.ask();
        }
        false
    }

    fn end(&mut self, end: End) -> Result<(), String> {
        match end {
            End::Fails => {
                self.how = How::Failed;
                Err(ON_PURPOSE.to_owned())
            }
            End::Panics => {
                self.how = How::Panicked;
                panic!("{ON_PURPOSE}");
            }
            End::Well | End::WhenTold | End::Never => {
                self.how = How::Well;
                Ok(())
            }
        }
    }
}

async fn body(tree: Arc<Tree>, plan: usize, of: usize) -> Result<(), String> {
    let mut life = Life::begin(tree, plan, of);
    life.ask();
    let waits = matches!(life.node().end, End::WhenTold | End::Never);
    let has_healed = life.run >= life.node().heals_in;
    let is_told = life.steps().await || waits && life.wait(std::future::pending()).await;
    if !is_told {
        let end = if has_healed { End::Well } else { life.node().end };
        return life.end(end);
    }
    if let Some(child) = life.node().spawns_when_told {
        life.tree.spawn(child, Some((life.of, life.run)));
    }
    if life.node().end == End::Never {
        std::future::pending::<()>().await;
    }
    sleep(Duration::from_millis(life.node().lingers)).await;
    life.ask();
    let end = if life.node().fails_when_told { End::Fails } else { End::Well };
    life.end(end)
}

/// Resolves when no worker is left: those of the stage `Late` too, which `idle()` leaves out.
async fn all_gone() {
    graceful::idle().await;
    while graceful::status().workers.iter().any(|worker| worker.live > 0) {
        sleep(Duration::from_millis(5)).await;
    }
}

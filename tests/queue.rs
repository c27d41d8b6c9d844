//! The example `queue` with real queues: whenever it is stopped or killed, no job is lost and none acknowledged twice.
#![cfg(unix)]

use std::env;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use graceful_tests::client::PATIENCE;
use graceful_tests::{Child, End, Signal};
use redis::{Commands, Connection, RedisResult};
use sqlx::{Connection as _, SqliteConnection};

const QUEUE: &str = env!("CARGO_BIN_EXE_example-queue");

/// The line after which the example is ready.
const READY: &str = "press Ctrl-C while a job is in hand, and start again with others";

/// The moment at which it is stopped.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Ready,
    Begun,
    Middle,
    Done,
    /// With SIGKILL, in the middle of a job.
    Killed,
}

/// In the order of ten restarts.
const MOMENTS: [Moment; 10] = [
    Moment::Begun,
    Moment::Killed,
    Moment::Ready,
    Moment::Done,
    Moment::Middle,
    Moment::Killed,
    Moment::Begun,
    Moment::Middle,
    Moment::Done,
    Moment::Ready,
];

/// Stops it at that moment. A job that was begun was done, unless it was killed.
fn stop(service: Child, moment: Moment) {
    match moment {
        Moment::Ready => {}
        Moment::Begun => drop(service.prints_part(": begins")),
        Moment::Middle | Moment::Killed => {
            service.prints_part(": begins");
            // Half of what a job takes. Nothing here depends on its being the middle.
            thread::sleep(Duration::from_millis(250));
        }
        Moment::Done => drop(service.prints_part(": done")),
    }
    if matches!(moment, Moment::Killed) {
        service.send(Signal::SIGKILL);
        let end = service.end();
        assert_eq!(end.signal, Some(Signal::SIGKILL), "{end}");
    } else {
        end_well(service);
    }
}

/// SIGTERM. The job in hand is finished, and no other begun.
fn end_well(service: Child) -> End {
    service.terminate();
    let end = service.end();
    end.assert_code(0);
    end.assert_silent_about("failed");
    let begun = end.printed().iter().filter(|line| line.ends_with(": begins")).count();
    assert_eq!(begun, done(&end), "{end}");
    end
}

/// How many jobs it has done.
fn done(end: &End) -> usize {
    let done = end.printed().into_iter().filter(|line| line.ends_with(": done"));
    done.count()
}

/// Waits until that is so.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < 2 * PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A folder of the test's own; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("graceful-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

// ----- a table of SQLite -----

/// The example with a table in this folder.
fn with_table(folder: &Folder) -> Command {
    let mut command = Command::new(QUEUE);
    command.env_remove("REDIS_URL");
    command.env("DATABASE_URL", database(folder));
    command
}

fn database(folder: &Folder) -> String {
    format!("sqlite://{}", folder.file("db").display())
}

/// The same, ready, with these jobs added.
fn start_with_table(folder: &Folder, jobs: &[&str]) -> Child {
    let service = Child::start(with_table(folder).args(jobs));
    service.prints(READY);
    service
}

/// The database after the example has ended: jobs that wait, and results.
async fn tables(folder: &Folder) -> (Vec<String>, Vec<(i64, String)>) {
    let database = SqliteConnection::connect(&database(folder)).await;
    let mut database = database.expect("it is a database");
    let jobs = sqlx::query_scalar("SELECT text FROM jobs ORDER BY id");
    let jobs = jobs.fetch_all(&mut database).await.expect("a table");
    let results = sqlx::query_as("SELECT job, text FROM results ORDER BY job");
    let results = results.fetch_all(&mut database).await.expect("a table");
    database.close().await.expect("it can be closed");
    (jobs, results)
}

#[tokio::test]
async fn the_transaction_in_hand_is_committed_and_the_next_one_not_begun() {
    let folder = Folder::new("transaction");
    let service = start_with_table(&folder, &["one", "two", "three"]);
    service.prints("one: begins");
    let end = end_well(service);
    let done = done(&end);
    // On an overloaded machine the signal may come a job later.
    assert!((1..3).contains(&done), "{end}");
    assert_eq!(end.printed().last(), Some(&"the pool is closed"), "{end}");
    let (jobs, results) = tables(&folder).await;
    assert_eq!(jobs, ["two", "three"][done - 1..]);
    let expected = [(1, "ONE".to_owned()), (2, "TWO".to_owned())];
    assert_eq!(results, expected[..done]);
}

/// The two files are removed when the last connection is closed, and stay when a process ends without that.
#[test]
fn the_pool_is_closed_before_the_process_ends() {
    let folder = Folder::new("pool");
    let open = || ["db-wal", "db-shm"].map(|name| folder.file(name).exists());
    let service = start_with_table(&folder, &["one"]);
    service.prints("one: done");
    assert_eq!(open(), [true, true]);
    service.send(Signal::SIGKILL);
    service.end();
    assert_eq!(open(), [true, true]);

    let service = start_with_table(&folder, &["two"]);
    service.prints("two: begins");
    let end = end_well(service);
    end.assert_printed("the pool is closed");
    assert_eq!(open(), [false, false]);
}

#[tokio::test]
async fn what_the_deadline_cuts_off_is_rolled_back() {
    let folder = Folder::new("rollback");
    let mut command = with_table(&folder);
    command.env("GRACEFUL_STOP_TIMEOUT", "100ms").arg("one");
    let service = Child::start(&mut command);
    service.prints("one: begins");
    service.terminate();
    let end = service.end();
    let (jobs, results) = tables(&folder).await;
    let whole = (jobs.len(), results.len());
    if done(&end) == 0 {
        end.assert_code(124);
        end.assert_said("  consume (");
        // The second is a commit that the deadline found under way.
        assert!([(1, 0), (0, 1)].contains(&whole), "{whole:?}");
    } else {
        // On an overloaded machine the signal may come when the job is over.
        end.assert_code(0);
        assert_eq!(whole, (0, 1));
    }
}

#[tokio::test]
async fn ten_restarts_with_a_table_lose_nothing_and_acknowledge_nothing_twice() {
    let folder = Folder::new("table");
    let mut all = Vec::new();
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let jobs = [2 * round, 2 * round + 1].map(|number| format!("job {number}"));
        stop(start_with_table(&folder, &jobs.each_ref().map(|job| &**job)), moment);
        all.extend(jobs);
    }
    let mut service = start_with_table(&folder, &[]);
    service.be_patient(2 * PATIENCE);
    service.prints(&format!("{}: done", all[all.len() - 1]));
    end_well(service);

    let (jobs, results) = tables(&folder).await;
    assert_eq!(jobs, [""; 0]);
    // A second result of a job would have been an error, which the example would have reported.
    let expected = (1..).zip(all.iter().map(|job| job.to_uppercase()));
    assert_eq!(results, expected.collect::<Vec<_>>());
}

// ----- a stream of Redis -----

/// A server of the test's own. It listens on a socket in a folder, which no other process can take first.
struct Redis {
    process: Child,
    folder: Folder,
}

impl Redis {
    /// `None`, and a line on standard error, where Redis is not installed.
    fn start(name: &str) -> Option<Self> {
        if Command::new("redis-server").arg("--version").output().is_err() {
            // Bypasses the capture of output: a skipped test must not look like a success.
            let _ = writeln!(
                stderr(),
                "\n*** SKIPPED: the example `queue` with Redis, which is not installed. To install it: .ci/servers ***\n"
            );
            return None;
        }
        let folder = Folder::new(name);
        Some(Self { process: Self::run(&folder.0), folder })
    }

    /// A server with the data of the one before, if there was one.
    fn run(folder: &Path) -> Child {
        let mut command = Command::new("redis-server");
        command.current_dir(folder);
        let options = "--port 0 --unixsocket socket --appendonly yes --appendfsync always";
        command.args(options.split(' '));
        let process = Child::start(&mut command);
        wait_until("Redis answers", || {
            let connection = redis::Client::open(Self::url(folder)).expect("it is an address");
            let connection = connection.get_connection();
            let pong = connection.and_then(|mut connection| connection.ping::<()>());
            pong.is_ok()
        });
        process
    }

    /// Kills it, and starts it again when its client has noticed.
    fn restart(self, is_noticed: impl FnOnce()) -> Self {
        let Self { process, folder } = self;
        process.send(Signal::SIGKILL);
        process.end();
        is_noticed();
        let process = Self::run(&folder.0);
        Self { process, folder }
    }

    fn end(self) {
        self.process.terminate();
        self.process.end().assert_code(0);
    }

    fn url(folder: &Path) -> String {
        format!("redis+unix://{}", folder.join("socket").display())
    }

    fn connection(&self) -> Connection {
        let client = redis::Client::open(Self::url(&self.folder.0)).expect("it is an address");
        client.get_connection().expect("it listens")
    }

    /// The example, ready, with these jobs added.
    fn serve(&self, jobs: &[&str]) -> Child {
        let mut command = Command::new(QUEUE);
        command.env("REDIS_URL", Self::url(&self.folder.0));
        let service = Child::start(command.args(jobs));
        service.prints(READY);
        service
    }

    /// The same with a list instead of a stream.
    fn serve_list(&self, jobs: &[&str]) -> Child {
        let mut command = Command::new(QUEUE);
        command.env("REDIS_URL", Self::url(&self.folder.0)).env("QUEUE", "list").env("HOSTNAME", "one");
        let service = Child::start(command.args(jobs));
        service.prints(READY);
        service
    }

    /// What is in a list.
    fn list(&self, name: &str) -> Vec<String> {
        self.connection().lrange(name, 0, -1).expect("it is a list")
    }

    /// Adds a job as another client would.
    fn add(&self, job: &str) {
        let added: RedisResult<String> = self.connection().xadd("jobs", "*", &[("text", job)]);
        added.expect("it is added");
    }

    /// How many jobs there are that are not done, whether in hand or not.
    fn left(&self) -> usize {
        self.connection().xlen("jobs").expect("it is a stream")
    }

    /// How many of them are delivered and not acknowledged.
    fn in_hand(&self) -> usize {
        let pending: redis::streams::StreamPendingReply =
            self.connection().xpending("jobs", "workers").expect("it is a group");
        pending.count()
    }

    /// How often anything was acknowledged since the server was started.
    fn acknowledged(&self) -> usize {
        number_in(&self.info("commandstats"), "cmdstat_xack:calls=")
    }

    /// How many clients wait for something.
    fn waiting(&self) -> usize {
        number_in(&self.info("clients"), "blocked_clients:")
    }

    fn info(&self, section: &str) -> String {
        let info = redis::cmd("INFO").arg(section).query(&mut self.connection());
        info.expect("it tells")
    }

    /// The results of the jobs, in the order of the jobs.
    fn results(&self) -> Vec<String> {
        let mut results: Vec<(String, String)> = self.connection().hgetall("results").expect("a table");
        // A time in milliseconds, and a number within that millisecond.
        results.sort_by_key(|(id, _)| {
            let (time, number) = id.split_once('-').expect("it has two parts");
            (time.to_owned(), number.parse::<u32>().expect("a number"))
        });
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// All of these are done, and each was acknowledged once.
    fn assert_each_once(self, jobs: &[String]) {
        let expected = jobs.iter().map(|job| job.to_uppercase());
        assert_eq!(self.results(), expected.collect::<Vec<_>>());
        assert_eq!((self.left(), self.in_hand()), (0, 0));
        // No fewer, since none is in hand any more. No more: so none twice.
        assert_eq!(self.acknowledged(), jobs.len());
        self.end();
    }
}

/// The number after these words, or 0.
fn number_in(text: &str, words: &str) -> usize {
    let rest = text.split_once(words).map_or("", |(_, rest)| rest);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or(0)
}

#[test]
fn the_job_in_hand_is_acknowledged_and_the_next_one_not_taken() {
    let Some(redis) = Redis::start("acknowledged") else {
        return;
    };
    let service = redis.serve(&["one", "two", "three"]);
    service.prints("one: begins");
    assert_eq!(redis.in_hand(), 1);
    let end = end_well(service);
    let done = done(&end);
    // On an overloaded machine the signal may come a job later.
    assert!((1..3).contains(&done), "{end}");
    assert_eq!(redis.results(), ["ONE", "TWO"][..done]);
    assert_eq!((redis.left(), redis.in_hand()), (3 - done, 0));
    assert_eq!(redis.acknowledged(), done);
    redis.end();
}

#[test]
fn ten_restarts_with_a_stream_lose_nothing_and_acknowledge_nothing_twice() {
    let Some(redis) = Redis::start("stream") else {
        return;
    };
    let mut all = Vec::new();
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let [first, second] = [2 * round, 2 * round + 1].map(|number| format!("job {number}"));
        redis.add(&first);
        let service = redis.serve(&[]);
        redis.add(&second);
        stop(service, moment);
        all.extend([first, second]);
    }
    let service = redis.serve(&[]);
    wait_until("every job is done", || redis.left() == 0);
    end_well(service);
    redis.assert_each_once(&all);
}

/// The example is suspended: the server delivers a job, and the example then receives job and signal at once.
#[test]
fn a_job_that_comes_together_with_the_signal_is_not_lost() {
    let Some(redis) = Redis::start("together") else {
        return;
    };
    let service = redis.serve(&[]);
    wait_until("it waits for a job", || redis.waiting() == 1);
    service.send(Signal::SIGSTOP);
    redis.add("a job");
    wait_until("the job is in its hands", || redis.in_hand() == 1);
    service.terminate();
    service.send(Signal::SIGCONT);
    end_well(service);

    let service = redis.serve(&[]);
    wait_until("the job is done", || redis.left() == 0);
    end_well(service);
    redis.assert_each_once(&["a job".to_owned()]);
}

#[test]
fn a_server_that_comes_back_finds_its_consumer_again() {
    let Some(redis) = Redis::start("back") else {
        return;
    };
    let mut service = redis.serve(&["one", "two"]);
    service.be_patient(2 * PATIENCE);
    service.prints("one: begins");
    let redis = redis.restart(|| {
        service.says("worker `consume` failed: ");
    });
    service.prints("two: done");
    // This one was in hand when the server went, so it comes again.
    service.prints("one: done");
    service.terminate();
    service.end().assert_code(0);
    assert_eq!(redis.results(), ["ONE", "TWO"]);
    assert_eq!((redis.left(), redis.in_hand()), (0, 0));
    redis.end();
}

// ----- a list of Redis -----

const WAITING: &str = "jobs waiting";
const IN_HAND: &str = "jobs in hand of one";
const RESULTS: &str = "results of the list";

#[test]
fn ten_restarts_with_a_list_lose_nothing_and_do_nothing_twice() {
    let Some(redis) = Redis::start("list") else {
        return;
    };
    let mut all = Vec::new();
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let jobs = [2 * round, 2 * round + 1].map(|number| format!("job {number}"));
        stop(redis.serve_list(&jobs.each_ref().map(|job| &**job)), moment);
        all.extend(jobs);
    }
    let service = redis.serve_list(&[]);
    wait_until("every job is done", || redis.list(RESULTS).len() >= all.len());
    end_well(service);
    let mut results = redis.list(RESULTS);
    let mut expected: Vec<_> = all.iter().map(|job| job.to_uppercase()).collect();
    results.sort_unstable();
    expected.sort_unstable();
    assert_eq!(results, expected);
    assert_eq!((redis.list(WAITING), redis.list(IN_HAND)), (vec![], vec![]));
    redis.end();
}

/// The example is suspended: the server moves a job to its list, and the example then receives job and signal at once.
#[test]
fn a_job_that_is_moved_together_with_the_signal_is_done_at_the_next_start() {
    let Some(redis) = Redis::start("moved") else {
        return;
    };
    let service = redis.serve_list(&[]);
    wait_until("it waits for a job", || redis.waiting() == 1);
    service.send(Signal::SIGSTOP);
    let added: RedisResult<usize> = redis.connection().rpush(WAITING, "a job");
    added.expect("it is added");
    wait_until("the job is in its hands", || redis.list(IN_HAND) == ["a job"]);
    service.terminate();
    service.send(Signal::SIGCONT);
    end_well(service);

    let service = redis.serve_list(&[]);
    wait_until("the job is done", || redis.list(RESULTS) == ["A JOB"]);
    end_well(service);
    assert_eq!((redis.list(WAITING), redis.list(IN_HAND)), (vec![], vec![]));
    redis.end();
}

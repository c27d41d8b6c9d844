//! Functions written by `macro_rules!`, which brings its own hygiene and its own invisible groups.

pub(crate) use graceful as reexported;

macro_rules! make {
    ($vis:vis $name:ident, $local:ident: $ty:ty, $limit:literal, $threads:expr, $body:expr) => {
        #[$crate::generated::reexported::worker(crate = $crate::generated::reexported)]
        $vis async fn $name($local: $ty, own: $ty) -> Result<$ty, String> {
            let sum = $body + own;
            std::future::ready(Ok(sum)).await
        }

        mod $name {
            #[graceful::main(stop_timeout = $limit, worker_threads = $threads)]
            pub(super) async fn run(own: $ty) {
                let result = super::$name(own, 2).await;
                assert_eq!(result, Ok(3));
            }
        }
    };
}

make!(pub(super) sum, first: u16, "5s", 1 + 1, first);

macro_rules! nothing_of_the_callers {
    () => {
        #[graceful::worker(crate = "graceful")]
        async fn hidden(value: u8) -> Result<u8, String> {
            Ok(value)
        }
    };
}

nothing_of_the_callers!();

/// A body, a result and a whole item from the caller.
macro_rules! around {
    ($vis:vis $worker:ident, $entry:ident, $test:ident, $result:ty, $body:block) => {
        #[graceful::worker]
        $vis async fn $worker() -> $result $body

        #[graceful::main(flavor = "current_thread")]
        $vis async fn $entry() -> $result $body

        #[graceful::test]
        $vis async fn $test() -> $result $body
    };
    ($item:item) => {
        #[graceful::worker]
        $item
    };
}

/// The same from one macro further out.
macro_rules! around_twice {
    ($worker:ident, $entry:ident, $test:ident, $body:block) => {
        around!(pub(super) $worker, $entry, $test, Result<(), String>, $body);
    };
}

around!(block, block_entry, a_test_may_have_a_body_of_the_callers, Result<(), String>, { Ok(()) });
around_twice!(block_within, block_within_entry, a_test_may_have_a_body_from_further_out, { Ok(()) });
around! {
    async fn item(value: u8) -> Result<u8, String> {
        Ok(value)
    }
}

#[graceful::test]
async fn a_body_may_be_the_callers() {
    assert_eq!((block().await, block_within().await), (Ok(()), Ok(())));
    assert_eq!(item(5).await, Ok(5));
}

#[test]
fn a_body_of_an_entry_point_may_be_the_callers() {
    let success = format!("{:?}", std::process::ExitCode::SUCCESS);
    assert_eq!(crate::exit_code(block_entry), success);
    assert_eq!(crate::exit_code(block_within_entry), success);
}

#[graceful::test]
async fn a_generated_worker_runs() {
    assert_eq!(sum(1, 2).await, Ok(3));
    assert_eq!(hidden(4).await, Ok(4));
}

#[test]
fn a_generated_entry_point_runs() {
    let success = format!("{:?}", std::process::ExitCode::SUCCESS);
    assert_eq!(crate::exit_code(|| sum::run(1)), success);
}

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

//! Building tokio's runtime.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use tokio::runtime::{self, Runtime};

use crate::life::lifecycle::Lifecycle;
use crate::model::outcome::discard;
use crate::model::text;
use crate::work::current;

/// How the runtime is made.
#[derive(Debug, Default)]
pub(crate) struct RuntimeOptions {
    pub(crate) is_current_thread: bool,
    pub(crate) worker_threads: Option<usize>,
    #[cfg(feature = "test-util")]
    pub(crate) is_paused: bool,
    /// The user's own builder, which then decides everything.
    pub(crate) own: Option<runtime::Builder>,
}

impl RuntimeOptions {
    pub(crate) fn build(self, life: &Arc<Lifecycle>, name: Option<String>) -> io::Result<Runtime> {
        let runtime = match self.own {
            Some(mut own) => build(&mut own)?,
            None => build(&mut self.of_ours(life, name))?,
        };
        life.runtime.set(runtime.handle());
        Ok(runtime)
    }

    fn of_ours(self, life: &Arc<Lifecycle>, name: Option<String>) -> runtime::Builder {
        let mut builder = if self.is_current_thread {
            runtime::Builder::new_current_thread()
        } else {
            runtime::Builder::new_multi_thread()
        };
        builder.enable_all();
        if let Some(threads) = self.worker_threads {
            builder.worker_threads(threads);
        }
        if let Some(name) = name {
            builder.thread_name(name);
        }
        #[cfg(feature = "test-util")]
        builder.start_paused(self.is_paused);
        // Weak: the runtime keeps this closure, and the lifecycle keeps the runtime's handle.
        let life = Arc::downgrade(life);
        builder.on_thread_start(move || {
            if let Some(life) = life.upgrade() {
                current::adopt(&life);
            }
        });
        builder
    }
}

/// Builds a runtime. Tokio panics if it gets no thread; here that is an error like the others, once the panic hook has
/// printed it. If tokio has started some threads already, the panic never leaves it: it waits for them, and nothing
/// ends them. The watch handles that case.
fn build(builder: &mut runtime::Builder) -> io::Result<Runtime> {
    let built = panic::catch_unwind(AssertUnwindSafe(|| builder.build()));
    built.unwrap_or_else(|payload| {
        let why = text::of_panic(payload.as_ref()).to_owned();
        discard(payload);
        Err(io::Error::other(why))
    })
}

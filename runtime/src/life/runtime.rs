//! The runtime that workers run on, from when it is built.

use std::sync::OnceLock;
use std::thread::{self, Thread};

use tokio::runtime::{Handle, RuntimeFlavor};

#[derive(Debug)]
pub(crate) struct Runtime {
    /// `None` inside if it could not be built.
    handle: OnceLock<Option<Handle>>,
    /// The thread that builds it.
    builder: Thread,
}

impl Runtime {
    /// A runtime that this thread will build.
    pub(super) fn to_be_built() -> Self {
        Self { handle: OnceLock::new(), builder: thread::current() }
    }

    /// The runtime. While it is being built, a thread older than the lifecycle, or one of the runtime's own, waits
    /// here. `None` if there is none, and on the thread that builds it.
    #[inline]
    pub(crate) fn wait(&self) -> Option<&Handle> {
        self.get().or_else(|| self.wait_elsewhere())
    }

    #[cold]
    fn wait_elsewhere(&self) -> Option<&Handle> {
        if thread::current().id() == self.builder.id() {
            return None;
        }
        self.handle.wait().as_ref()
    }

    /// The runtime, once it is built.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Handle> {
        self.handle.get()?.as_ref()
    }

    pub(crate) fn set(&self, runtime: &Handle) {
        let _ = self.handle.set(Some(runtime.clone()));
    }

    /// No runtime will be built any more.
    pub(super) fn give_up(&self) {
        let _ = self.handle.set(None);
    }

    /// Whether it is neither built nor given up.
    pub(crate) fn is_building(&self) -> bool {
        self.handle.get().is_none()
    }

    /// The name of the thread that runs all tasks, if it is one.
    pub(crate) fn only_thread(&self) -> Option<&str> {
        self.builder.name().filter(|_| self.is_on_one_thread())
    }

    /// Whether main's thread is the one that runs the tasks.
    pub(crate) fn is_on_one_thread(&self) -> bool {
        self.get().map(Handle::runtime_flavor) == Some(RuntimeFlavor::CurrentThread)
    }
}

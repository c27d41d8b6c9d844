//! The runtime that workers run on, from when it is built.

use std::thread;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::Lifecycle;

impl Lifecycle {
    /// Whether main's thread is the one that runs the tasks.
    pub(crate) fn is_on_one_thread(&self) -> bool {
        let flavor = self.built_runtime().map(Handle::runtime_flavor);
        flavor == Some(RuntimeFlavor::CurrentThread)
    }

    /// The runtime, which a thread that runs before it is built waits for: one from before the lifecycle, or one of the
    /// runtime's own. `None` where there is none, and on the thread that builds it.
    #[inline]
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.built_runtime().or_else(|| self.await_runtime())
    }

    #[cold]
    fn await_runtime(&self) -> Option<&Handle> {
        if thread::current().id() == self.home {
            return None;
        }
        self.runtime.wait().as_ref()
    }

    /// The runtime, once it is built.
    #[inline]
    pub(crate) fn built_runtime(&self) -> Option<&Handle> {
        self.runtime.get()?.as_ref()
    }

    pub(crate) fn set_runtime(&self, runtime: &Handle) {
        let _ = self.runtime.set(Some(runtime.clone()));
    }

    /// Whether the runtime is neither built nor given up.
    pub(crate) fn is_building(&self) -> bool {
        self.runtime.get().is_none()
    }
}

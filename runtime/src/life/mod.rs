//! What one lifecycle keeps.

pub(crate) mod running_tests;
pub(crate) mod slot_key;
pub(crate) mod by_thread;
pub(crate) mod tracker;
pub(crate) mod results;
pub(crate) mod function;
pub(crate) mod limit;
pub(crate) mod scope;
pub(crate) mod trouble;
pub(crate) mod entry;
pub(crate) mod registry;
pub(crate) mod slot_tokens;
pub(crate) mod orders;
pub(crate) mod shard;
pub(crate) mod slots;
pub(crate) mod poll_record;
pub(crate) mod hook_list;
pub(crate) mod wait_graph;
#[cfg(taskdump)]
pub(crate) mod probes;
#[cfg(feature = "tower")]
pub(crate) mod cuts;
#[cfg(feature = "http")]
pub(crate) mod alarms;
pub(crate) mod diagnostics;
#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod doorbell;
#[cfg(all(unix, feature = "upgrade"))]
pub(crate) mod succession;
#[cfg(feature = "page")]
pub(crate) mod viewers;
pub(crate) mod listeners;
pub(crate) mod phase;
pub(crate) mod mains_future;
pub(crate) mod members;
pub(crate) mod stage_tokens;
pub(crate) mod notifier;
pub(crate) mod runtime;
pub(crate) mod exit_functions;
pub(crate) mod teardown;
pub(crate) mod lifecycle;
pub(crate) mod local;

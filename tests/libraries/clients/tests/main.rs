//! Each row of the page for clients, queues and telemetry: the right way loses nothing, and the wrong way still does.
#![cfg(unix)]

#[path = "rows/brokers.rs"]
mod brokers;
#[path = "rows/examples.rs"]
mod examples;
#[path = "rows/folder.rs"]
mod folder;
#[path = "rows/jobs.rs"]
mod jobs;
#[path = "rows/page.rs"]
mod page;
#[path = "rows/queues.rs"]
mod queues;
#[path = "rows/telemetry.rs"]
mod telemetry;

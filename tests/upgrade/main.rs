//! Upgrades in place: real programs that are replaced on disk, real signals, clients at work meanwhile.
#![cfg(unix)]

mod clients;
mod service;

mod environment;
mod example;
mod failures;
mod handing_over;
mod idle;
mod serving;
mod stops;
mod surroundings;

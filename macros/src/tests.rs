//! Tests of the whole pipeline, without rustc.

mod cases;
mod expansion;
mod fuzz;

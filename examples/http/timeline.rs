//! The stop as a picture: `--timeline stop.svg`.

use std::fs;
use std::path::PathBuf;

use crate::chart::Chart;
use crate::svg::svg;

/// Writes the picture when it is dropped. Given to `graceful::keep`, that is when everything else is over.
pub(crate) struct Timeline(pub(crate) PathBuf);

impl Drop for Timeline {
    fn drop(&mut self) {
        let status = serde_json::to_value(graceful::status()).unwrap_or_default();
        let Some(chart) = Chart::of(&status) else {
            return;
        };
        if let Err(error) = fs::write(&self.0, svg(&chart)) {
            eprintln!("no picture in {}: {error}", self.0.display());
        }
    }
}

//! The lines about the page and the picture of a stop (feature `page`).

use std::io;
use std::path::Path;

use crate::model::text::cut;
use crate::say::line::Line;

pub(crate) fn no_timeline(path: &Path, error: &io::Error) -> Line {
    Line::warn(format!("no timeline in {}: {error}", cut(&path.to_string_lossy())))
}

#[cfg(feature = "http")]
pub(crate) fn no_page(error: &io::Error) -> Line {
    Line::warn(format!("the page cannot be served: {error}"))
}

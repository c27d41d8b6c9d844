//! `?` on a worker's handle in functions that return `miette::Result`.

use std::any::Any;
use std::fmt::{Debug, Display};

use miette::{Diagnostic, LabeledSpan, Report, Severity, SourceCode};

use crate::work::handle::WorkerError;

/// With the feature `miette`. It shows what the [`Report`] of a worker that returns `miette::Result` has to show: its code,
/// its help, its labels. Of another error it shows the text and the source.
impl<E: Debug + Display + 'static> Diagnostic for WorkerError<E> {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        report(self)?.code()
    }

    fn severity(&self) -> Option<Severity> {
        report(self)?.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        report(self)?.help()
    }

    fn url<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        report(self)?.url()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        report(self)?.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        report(self)?.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        report(self)?.related()
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        report(self)?.diagnostic_source()
    }
}

/// The worker's own error, if it is a report.
fn report<E: 'static>(error: &WorkerError<E>) -> Option<&Report> {
    match error {
        WorkerError::Failed(error) => (error as &dyn Any).downcast_ref(),
        _ => None,
    }
}

#[cfg(all(unix, feature = "process"))]
impl Diagnostic for crate::with::child::ChildError {}

#[cfg(feature = "net")]
impl Diagnostic for crate::with::net::ListenError {}

//! What a worker is called, and where it is written.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::model::policy::Policy;
use crate::model::text;

/// A worker's or a hold's name and where it is written, with the policy if a call changed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub(crate) name: Cow<'static, str>,
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) is_hold: bool,
    pub(crate) policy: Option<Arc<Policy>>,
}

impl Label {
    pub(crate) fn at(name: Cow<'static, str>, location: &'static Location<'static>) -> Self {
        Self { name, file: location.file(), line: location.line(), is_hold: false, policy: None }
    }

    /// `src/main.rs:7`.
    pub(crate) fn location(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    pub(crate) fn of_hold(self) -> Self {
        Self { is_hold: true, ..self }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", text::name(&self.name), self.location())
    }
}

/// The number of an entry. In the upper half are the names given at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryId(u32);

/// The bit that distinguishes names given at run time from annotated functions.
pub(crate) const NAMED: u32 = 1 << 31;

impl EntryId {
    /// Main's own entry.
    pub(crate) const MAIN: Self = Self(0);

    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    /// The id of the name given at run time with this number.
    pub(crate) const fn named(number: u32) -> Self {
        Self(number | NAMED)
    }

    #[inline]
    pub(crate) const fn is_named(self) -> bool {
        self.0 & NAMED != 0
    }

    /// Its number among functions, or among names.
    #[inline]
    pub(crate) const fn number(self) -> u32 {
        self.0 & !NAMED
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

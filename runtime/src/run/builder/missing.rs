//! What an option is without its feature: an error that says so.

use super::Builder;

#[cfg(not(feature = "upgrade"))]
impl Builder {
    #[doc(hidden)]
    pub fn upgrade(self, signals: impl NeedsTheFeatureUpgrade) -> Self {
        signals.cannot_be_called(self)
    }

    #[doc(hidden)]
    pub fn upgrade_timeout(self, longest: impl NeedsTheFeatureUpgrade) -> Self {
        longest.cannot_be_called(self)
    }

    #[doc(hidden)]
    pub fn pid_file(self, path: impl NeedsTheFeatureUpgrade) -> Self {
        path.cannot_be_called(self)
    }
}

#[cfg(not(feature = "systemd"))]
impl Builder {
    #[doc(hidden)]
    pub fn extend_start(self, longest: impl NeedsTheFeatureSystemd) -> Self {
        longest.cannot_be_called(self)
    }
}

/// No value is one: what takes it needs the feature `upgrade`.
///
/// ```compile_fail,E0277
/// let _ = graceful::Builder::new().pid_file("/run/app.pid");
/// ```
#[cfg(not(feature = "upgrade"))]
#[diagnostic::on_unimplemented(
    message = "`upgrade`, `upgrade_timeout` and `pid_file` need the feature `upgrade` of `graceful-runtime`",
    label = "there is no upgrade in place without it",
    note = "write `features = [\"upgrade\"]` in Cargo.toml"
)]
pub trait NeedsTheFeatureUpgrade {
    #[doc(hidden)]
    fn cannot_be_called(self, builder: Builder) -> Builder;
}

/// No value is one: what takes it needs the feature `systemd`.
///
/// ```compile_fail,E0277
/// let _ = graceful::Builder::new().extend_start(std::time::Duration::from_secs(300));
/// ```
#[cfg(not(feature = "systemd"))]
#[diagnostic::on_unimplemented(
    message = "`extend_start` needs the feature `systemd` of `graceful-runtime`",
    label = "without it systemd is asked for nothing",
    note = "write `features = [\"systemd\"]` in Cargo.toml"
)]
pub trait NeedsTheFeatureSystemd {
    #[doc(hidden)]
    fn cannot_be_called(self, builder: Builder) -> Builder;
}

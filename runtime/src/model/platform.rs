//! Where the process runs, as far as its environment tells, and how long after SIGTERM it is killed there.

use std::time::Duration;

/// A supervisor that sends SIGKILL some time after it has asked for the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) name: &'static str,
    /// What the environment has there.
    variable: &'static str,
    /// From the request for the stop to SIGKILL, in seconds, unless that was set.
    grace: u64,
    /// What sets it, if anything does.
    pub(crate) setting: Option<&'static str>,
}

/// The first that fits counts: one may run on another. The sources are in the page "Zero dropped requests".
const PLATFORMS: [Platform; 7] = [
    Platform::new("Kubernetes", "KUBERNETES_SERVICE_HOST", 30, Some("terminationGracePeriodSeconds")),
    Platform::new("supervisord", "SUPERVISOR_ENABLED", 10, Some("stopwaitsecs")),
    Platform::new("Nomad", "NOMAD_ALLOC_ID", 5, Some("kill_timeout")),
    Platform::new("Amazon ECS", "ECS_CONTAINER_METADATA_URI_V4", 30, Some("stopTimeout")),
    Platform::new("Fly.io", "FLY_APP_NAME", 5, Some("kill_timeout")),
    Platform::new("Cloud Run", "K_SERVICE", 10, None),
    Platform::new("Heroku", "DYNO", 30, None),
];

impl Platform {
    const fn new(name: &'static str, variable: &'static str, grace: u64, setting: Option<&'static str>) -> Self {
        Self { name, variable, grace, setting }
    }

    /// The platform whose variable is there.
    pub(crate) fn of(variable: impl Fn(&'static str) -> Option<String>) -> Option<Self> {
        PLATFORMS.into_iter().find(|platform| variable(platform.variable).is_some())
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_run_on_counts() {
        let of = |variables: &[&str]| {
            let variable = |name: &'static str| variables.contains(&name).then(String::new);
            Platform::of(variable).map(|platform| platform.name)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["DYNO"]), Some("Heroku"));
        // Knative has the variable of Cloud Run, and runs on Kubernetes.
        assert_eq!(of(&["K_SERVICE", "KUBERNETES_SERVICE_HOST"]), Some("Kubernetes"));
        assert_eq!(of(&["SUPERVISOR_ENABLED", "FLY_APP_NAME"]), Some("supervisord"), "the one that starts the process");
    }
}

//! Where the process runs, as far as its environment tells, and how long after SIGTERM it is killed there.

use std::time::Duration;

/// A supervisor that sends SIGKILL some time after it has asked for the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) name: &'static str,
    /// What the environment has there.
    variable: &'static str,
    /// What that is, if it matters.
    value: Option<&'static str>,
    /// From the request for the stop to SIGKILL, unless that was set.
    pub(crate) grace: Duration,
    /// What sets it, if anything does.
    pub(crate) setting: Option<&'static str>,
}

/// The variable that says what kind of container a process is in.
pub(crate) const CONTAINER: &str = "container";

/// The first that fits counts: one may run on another. The sources are in the page "Zero dropped requests".
const PLATFORMS: [Platform; 8] = [
    Platform::new("Kubernetes", "KUBERNETES_SERVICE_HOST", 30, Some("terminationGracePeriodSeconds")),
    Platform::new("supervisord", "SUPERVISOR_ENABLED", 10, Some("stopwaitsecs")),
    Platform::new("Nomad", "NOMAD_ALLOC_ID", 5, Some("kill_timeout")),
    Platform::new("Amazon ECS", "ECS_CONTAINER_METADATA_URI_V4", 30, Some("stopTimeout")),
    Platform::new("Fly.io", "FLY_APP_NAME", 5, Some("kill_timeout")),
    Platform::new("Cloud Run", "K_SERVICE", 10, None),
    Platform::new("Heroku", "DYNO", 30, None),
    Platform { value: Some("podman"), ..Platform::new("Podman", CONTAINER, 10, Some("--stop-timeout")) },
];

impl Platform {
    const fn new(name: &'static str, variable: &'static str, grace: u64, setting: Option<&'static str>) -> Self {
        Self { name, variable, value: None, grace: Duration::from_secs(grace), setting }
    }

    /// The platform whose variable is there.
    pub(crate) fn of(variable: impl Fn(&'static str) -> Option<String>) -> Option<Self> {
        let is_it = |platform: &Self| {
            let is_there = |value: String| platform.value.is_none_or(|expected| value == expected);
            variable(platform.variable).is_some_and(is_there)
        };
        PLATFORMS.into_iter().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_run_on_counts() {
        let of = |variables: &[&str]| {
            let set = |name: &'static str| {
                variables.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
            };
            let bare = |name: &'static str| variables.contains(&name).then(String::new);
            let variable = |name: &'static str| set(name).or_else(|| bare(name));
            Platform::of(variable).map(|platform| platform.name)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["DYNO"]), Some("Heroku"));
        // Knative has the variable of Cloud Run, and runs on Kubernetes.
        assert_eq!(of(&["K_SERVICE", "KUBERNETES_SERVICE_HOST"]), Some("Kubernetes"));
        assert_eq!(of(&["SUPERVISOR_ENABLED", "FLY_APP_NAME"]), Some("supervisord"), "the one that starts the process");
        assert_eq!(of(&["container=podman"]), Some("Podman"));
        assert_eq!(of(&["container=lxc"]), None, "systemd and LXC set that, too");
    }
}

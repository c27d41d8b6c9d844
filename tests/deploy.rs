//! Checks the files of `examples/deploy/` against each other and against the example that they start.
#![cfg(unix)]

use std::io::{ErrorKind, Write, stderr};
use std::process::Command;
use std::time::Duration;

use graceful_tests::Child;
use graceful_tests::client::{address_after, ask};
use saphyr::{LoadableYamlNode, Yaml};

const HTTP: &str = env!("CARGO_BIN_EXE_example-http");
const DEPLOYMENT: &str = include_str!("../examples/deploy/deployment.yaml");
const COMPOSE: &str = include_str!("../examples/deploy/compose.yaml");
const DOCKERFILE: &str = include_str!("../examples/deploy/Dockerfile");

/// From the order to delete a pod until SIGTERM, and from the end of the process until the pod is gone: the part of the
/// grace period that the process does not have.
const SLACK: Duration = Duration::from_secs(3);

/// How long the example lets an answer take.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

// ----- the deployment -----

/// The one document in the file.
fn deployment() -> Yaml<'static> {
    let mut documents = Yaml::load_from_str(DEPLOYMENT).expect("it is YAML");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// What is at this path, names and numbers between slashes.
fn at<'a>(node: &'a Yaml<'static>, path: &str) -> &'a Yaml<'static> {
    path.split('/').fold(node, |node, part| {
        let next = match part.parse() {
            Ok(index) => node.as_sequence_get(index),
            Err(_) => node.as_mapping_get(part),
        };
        next.unwrap_or_else(|| panic!("no {part} on the way to {path}"))
    })
}

fn text<'a>(node: &'a Yaml<'static>, path: &str) -> &'a str {
    let found = at(node, path).as_str();
    found.unwrap_or_else(|| panic!("{path} is no text"))
}

fn number(node: &Yaml<'static>, path: &str) -> u64 {
    let found = at(node, path).as_integer();
    let found = found.unwrap_or_else(|| panic!("{path} is no number"));
    u64::try_from(found).unwrap_or_else(|_| panic!("{path} is negative"))
}

fn seconds(node: &Yaml<'static>, path: &str) -> Duration {
    Duration::from_secs(number(node, path))
}

const CONTAINER: &str = "spec/template/spec/containers/0";

/// The environment that the container gets.
fn environment(deployment: &Yaml<'static>) -> Vec<(String, String)> {
    let list = at(deployment, &format!("{CONTAINER}/env"));
    let variables = list.as_sequence().expect("env is a list").iter();
    let pair = |variable| {
        let part = |name| text(variable, name).to_owned();
        (part("name"), part("value"))
    };
    variables.map(pair).collect()
}

/// A variable that is a number of seconds.
fn setting(deployment: &Yaml<'static>, name: &str) -> Duration {
    let all = environment(deployment);
    let (_, value) = all.iter().find(|(variable, _)| variable == name).expect(name);
    let number = value.strip_suffix('s').and_then(|number| number.parse().ok());
    Duration::from_secs(number.unwrap_or_else(|| panic!("{name} is no number of seconds: {value}")))
}

/// The port of the container that has this name.
fn port(deployment: &Yaml<'static>, name: &str) -> u64 {
    let list = at(deployment, &format!("{CONTAINER}/ports"));
    let mut ports = list.as_sequence().expect("ports is a list").iter();
    let port = ports.find(|port| text(port, "name") == name);
    number(port.unwrap_or_else(|| panic!("no port {name}")), "containerPort")
}

/// No name is misspelt, and every value has the type that belongs to its name.
#[test]
fn the_deployment_is_one_by_the_schemas_of_kubernetes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/deploy/deployment.yaml");
    let mut validator = Command::new("kubernetes-validate");
    match validator.args(["--strict", path]).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            // Bypasses the capture of output: a skipped test must not look like a success.
            let _ = writeln!(
                stderr(),
                "\n*** SKIPPED: the schemas of Kubernetes. To have them: pip install kubernetes-validate ***\n"
            );
        }
    }
}

#[test]
fn the_budget_of_the_stop_fits_into_the_grace_period() {
    let deployment = deployment();
    let grace = seconds(&deployment, "spec/template/spec/terminationGracePeriodSeconds");
    let budget = setting(&deployment, "GRACEFUL_STOP_TIMEOUT");
    let container = at(&deployment, CONTAINER);
    // A hook would use up a part of the grace period.
    assert!(container.as_mapping_get("lifecycle").is_none());
    assert!(budget + SLACK < grace, "{budget:?} of {grace:?}");
}

#[test]
fn the_drain_and_the_longest_answer_fit_into_the_budget() {
    let deployment = deployment();
    let budget = setting(&deployment, "GRACEFUL_STOP_TIMEOUT");
    let drain = setting(&deployment, "GRACEFUL_DRAIN");
    // The drain takes half the budget at the most; and the reserve for the abort is not for answers.
    assert!(drain <= budget / 2, "{drain:?} of {budget:?}");
    let reserve = (budget / 10).min(Duration::from_secs(2));
    assert!(drain + LONGEST_ANSWER + reserve < budget, "{drain:?} of {budget:?}");
}

#[test]
fn probes_have_noticed_before_the_drain_is_half_over() {
    let deployment = deployment();
    let drain = setting(&deployment, "GRACEFUL_DRAIN");
    let of = |part: &str| number(&deployment, &format!("{CONTAINER}/readinessProbe/{part}"));
    let noticed = Duration::from_secs(of("periodSeconds") * of("failureThreshold"));
    // From then on keep-alive connections are closed, and no client should come back on a fresh one.
    assert!(noticed <= drain / 2, "{noticed:?} of {drain:?}");
}

#[test]
fn nobody_leaves_before_somebody_else_is_ready() {
    let deployment = deployment();
    assert!(number(&deployment, "spec/replicas") >= 2);
    assert_eq!(number(&deployment, "spec/strategy/rollingUpdate/maxUnavailable"), 0);
    assert!(number(&deployment, "spec/strategy/rollingUpdate/maxSurge") >= 1);
    let labels = at(&deployment, "spec/template/metadata/labels");
    assert_eq!(at(&deployment, "spec/selector/matchLabels"), labels);
}

/// Started with the environment of the deployment, it answers the probes as they are configured, and exits in time.
#[test]
fn the_example_answers_the_probes_until_it_is_gone() {
    let deployment = deployment();
    let mut command = Command::new(HTTP);
    command.arg("0").envs(environment(&deployment));
    let child = Child::start(&mut command);
    child.prints("press Ctrl-C here while it waits");
    let health = address_after(&child, "health on ");
    let probed = |name: &str| {
        let part = |part: &str| text(&deployment, &format!("{CONTAINER}/{name}Probe/httpGet/{part}"));
        assert_eq!(part("port"), "health");
        ask(health, &format!("GET {}", part("path")))
    };
    let all = || ["startup", "readiness", "liveness"].map(probed);
    assert_eq!(all(), [200, 200, 200]);

    let asked = child.terminate();
    child.says("stopping: SIGTERM");
    // The drain is as long as the deployment says, and meanwhile only readiness is gone.
    assert_eq!(all(), [503, 503, 200]);
    let end = child.end();
    end.assert_code(0);
    let drain = setting(&deployment, "GRACEFUL_DRAIN");
    end.assert_gone_between(asked, drain, drain + SLACK);
}

// ----- other supervisors -----

/// From the order to stop until SIGKILL, where each of them has it.
#[test]
fn every_supervisor_waits_longer_than_the_budget() {
    let main = include_str!("../examples/http/main.rs");
    let budget: u64 = between(main, "stop_timeout = \"", "s\"");
    for (waits, from, to) in [
        (include_str!("../examples/deploy/http.service"), "\nTimeoutStopSec=", "\n"),
        (include_str!("../examples/deploy/supervisor.conf"), "\nstopwaitsecs=", "\n"),
        (include_str!("../examples/deploy/runit/run"), "sv -w ", " "),
        (include_str!("../examples/deploy/s6/timeout-kill"), "", "000\n"),
    ] {
        let granted: u64 = between(waits, from, to);
        assert!(
            Duration::from_secs(budget) + SLACK < Duration::from_secs(granted),
            "{granted} s for {budget} s: {waits}"
        );
    }
}

/// The number between these texts.
fn between(text: &str, from: &str, to: &str) -> u64 {
    let (_, rest) = text.split_once(from).expect(from);
    rest.split_once(to).and_then(|(number, _)| number.parse().ok()).unwrap_or_else(|| panic!("no number after {from}"))
}

// ----- compose -----

#[test]
fn compose_grants_more_than_the_budget_and_runs_the_image() {
    let documents = Yaml::load_from_str(COMPOSE).expect("it is YAML");
    let service = at(&documents[0], "services/http");
    let seconds = |path| text(service, path).strip_suffix('s').and_then(|number| number.parse().ok()).expect("seconds");
    let (grace, budget) = (seconds("stop_grace_period"), seconds("environment/GRACEFUL_STOP_TIMEOUT"));
    assert!(Duration::from_secs(grace) >= Duration::from_secs(budget) + SLACK, "{grace} s for {budget} s");
    assert_eq!(text(service, "build/dockerfile"), "examples/deploy/Dockerfile");
    let ports = at(service, "ports").as_sequence().expect("a list");
    let ports: Vec<_> =
        ports.iter().map(|port| port.as_str().expect("text").rsplit(':').next().expect("a port")).collect();
    assert_eq!(ports.join(" "), in_the_image("EXPOSE"));
}

// ----- the image -----

/// The instructions, each in one line.
fn instructions() -> Vec<String> {
    let text = DOCKERFILE.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    kept.map(str::to_owned).collect()
}

/// What follows an instruction's name, in the stage that becomes the image.
fn in_the_image(name: &str) -> String {
    let all = instructions();
    let last = all.rsplit(|line| line.starts_with("FROM ")).next().unwrap_or_default();
    let argument = last.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    argument.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

#[test]
fn nothing_stands_between_the_runtime_and_the_service() {
    let all = instructions();
    let mut stages = all.iter().filter(|line| line.starts_with("FROM "));
    assert_eq!(stages.next_back().map(String::as_str), Some("FROM scratch"));
    // A list: with a string, a shell would be process 1 and keep the signal.
    assert_eq!(in_the_image("ENTRYPOINT"), r#"["/http"]"#);
    assert_eq!(in_the_image("STOPSIGNAL"), "SIGTERM");
}

#[test]
fn the_image_listens_where_the_deployment_looks() {
    let deployment = deployment();
    let (http, health) = (port(&deployment, "http"), port(&deployment, "health"));
    assert_eq!(in_the_image("EXPOSE"), format!("{http} {health}"));
    let variables = format!("ADDRESS=0.0.0.0 PORT={http} HEALTH_PORT={health}");
    assert_eq!(in_the_image("ENV"), variables);
}

/// The variables that the image sets are those that the example reads.
#[test]
fn the_example_listens_where_the_image_says() {
    let mut command = Command::new(HTTP);
    for variable in in_the_image("ENV").split(' ') {
        let (name, value) = variable.split_once('=').expect("a value");
        // Other tests may use the image's ports.
        let value = if name.ends_with("PORT") { "0" } else { value };
        command.env(name, value);
    }
    let child = Child::start(&mut command);
    child.prints("press Ctrl-C here while it waits");
    for words in ["listening on ", "health on "] {
        assert!(address_after(&child, words).ip().is_unspecified(), "{child}");
    }
    child.terminate();
    child.end().assert_code(0);
}

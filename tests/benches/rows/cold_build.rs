//! The cost of building a small service from nothing, and its size.

use std::collections::BTreeSet;
use std::env::{temp_dir, var_os};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use crate::contenders::{GRACEFUL, HAND_WRITTEN, RAW};
use crate::options::Options;
use crate::samples::Samples;
use crate::table::{Limit, Results, Table, Unit};

const SECONDS: Unit = Unit { name: "CPU s", digits: 1 };

const KILOBYTES: Unit = Unit { name: "kB", digits: 0 };

const COUNT: Unit = Unit { name: "", digits: 0 };

/// Where this workspace is.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A service with one worker that waits for the stop: the dependencies in its manifest, and its code.
struct Service {
    name: &'static str,
    dependencies: &'static str,
    code: &'static str,
    /// Another function that waits for the stop, and how main starts it, with `{n}` for its number.
    another: Option<[&'static str; 2]>,
}

/// Where main starts the other functions.
const IN_MAIN: &str = "    println!(\"hello\");\n";

/// How many functions are added, to see what each of them adds.
const MORE: u32 = 20;

impl Service {
    /// The code with more functions.
    fn with_more(&self, another: [&str; 2]) -> String {
        let all = |text: &str| -> String { (0..MORE).map(|n| text.replace("{n}", &n.to_string())).collect() };
        let [function, start] = another.map(all);
        self.code.replace(IN_MAIN, &(start + IN_MAIN)) + &function
    }
}

const SERVICES: [Service; 4] = [
    Service {
        name: GRACEFUL,
        // `{workspace}` is where this workspace is.
        dependencies: r#"graceful = { package = "graceful-runtime", path = "{workspace}/runtime" }"#,
        code: include_str!("../hello/graceful.rs"),
        another: Some([
            "#[graceful::worker]\nasync fn more{n}(key: u64) { graceful::stopping().await; println!(\"{n} {key}\"); }\n",
            "more{n}({n}).spawn();\n",
        ]),
    },
    Service {
        name: RAW,
        dependencies: r#"tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal"] }"#,
        code: include_str!("../hello/raw_tokio.rs"),
        another: None,
    },
    Service {
        name: HAND_WRITTEN,
        dependencies: r#"
            tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal", "time"] }
            tokio-util = { version = "0.7", features = ["rt"] }"#,
        code: include_str!("../hello/hand_written.rs"),
        another: Some([
            "async fn more{n}(key: u64, token: CancellationToken) { token.cancelled().await; println!(\"{n} {key}\"); }\n",
            "tracker.spawn(more{n}({n}, token.clone()));\n",
        ]),
    },
    Service {
        name: "tokio-graceful-shutdown",
        dependencies: r#"
            tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
            tokio-graceful-shutdown = "0.20""#,
        code: include_str!("../hello/tokio_graceful_shutdown.rs"),
        another: None,
    },
];

/// The costs of one service.
struct Costs {
    project: Project,
    dev: Samples,
    release: Samples,
}

pub(crate) fn build(options: &Options, table: &mut Table) -> Result<(), String> {
    let mut all = Vec::new();
    for service in &SERVICES {
        let project = Project::new(service).map_err(|error| error.to_string())?;
        let (dev, release) = Default::default();
        all.push(Costs { project, dev, release });
    }
    for _ in 0..options.runs(3) {
        for costs in &mut all {
            costs.dev.add(costs.project.build("dev")?);
        }
        for costs in &mut all {
            costs.release.add(costs.project.build("release")?);
        }
    }

    let (mut dev, mut release) = (Results::new(), Results::new());
    let (mut crates, mut size, mut each) = (Results::new(), Results::new(), Results::new());
    for (service, costs) in SERVICES.iter().zip(all) {
        let one = |figure| [figure].into_iter().collect();
        crates.push((service.name, one(costs.project.crates()?)));
        let alone = costs.project.size()?;
        size.push((service.name, one(alone)));
        if let Some(another) = service.another {
            let with_more = costs.project.size_with(&service.with_more(another))?;
            each.push((service.name, one((with_more - alone) / f64::from(MORE))));
        }
        dev.push((service.name, costs.dev));
        release.push((service.name, costs.release));
    }
    let limit = Limit::Times(1.10, HAND_WRITTEN);
    table.add("cold build of a hello service, dev", SECONDS, limit, &dev);
    let figure = "cold build of a hello service, release";
    table.add(figure, SECONDS, limit, &release);
    let figure = "crates of a hello service";
    table.add(figure, COUNT, Limit::AtMost(25.0), &crates);
    let figure = "stripped release binary of a hello service";
    table.add(figure, KILOBYTES, Limit::AtMost(700.0), &size);
    let figure = "each further function that is started";
    table.add(figure, Unit { digits: 1, ..KILOBYTES }, Limit::Times(2.0, HAND_WRITTEN), &each);
    Ok(())
}

/// A package of its own, outside the workspace. Removed when dropped.
struct Project(PathBuf);

impl Project {
    /// With the versions that this workspace has locked.
    fn new(service: &Service) -> io::Result<Self> {
        let folder = format!("graceful-benches-{}-{}", process::id(), service.name);
        let project = Self(temp_dir().join(folder.replace(' ', "-")));
        let Self(path) = &project;
        fs::create_dir_all(path.join("src"))?;
        let dependencies = service.dependencies.replace("{workspace}", WORKSPACE);
        let manifest = format!(
            "[package]\nname = \"hello\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [profile.release]\nstrip = true\n\n[dependencies]\n{dependencies}\n"
        );
        fs::write(path.join("Cargo.toml"), manifest)?;
        fs::write(path.join("src/main.rs"), service.code)?;
        let locked = Path::new(WORKSPACE).join("Cargo.lock");
        fs::copy(locked, path.join("Cargo.lock"))?;
        Ok(project)
    }

    /// Builds it from nothing. Returns the processor time of the whole build, in seconds.
    fn build(&self, profile: &str) -> Result<f64, String> {
        match fs::remove_dir_all(self.0.join("target")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.to_string()),
            _ => {}
        }
        let before = spent_by_children()?;
        self.cargo(&["build", "--quiet", "--profile", profile])?;
        Ok(spent_by_children()? - before)
    }

    /// The number of crates: its own and its dependencies.
    fn crates(&self) -> Result<f64, String> {
        let tree = self.cargo(&["tree", "--edges", "normal,build", "--prefix", "none"])?;
        // A name, a version, and sometimes a remark.
        let names: BTreeSet<Vec<&str>> = tree.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
        #[allow(clippy::cast_precision_loss)] // tens
        Ok(names.len() as f64)
    }

    /// The size of the binary with other code, in kB.
    fn size_with(&self, code: &str) -> Result<f64, String> {
        fs::write(self.0.join("src/main.rs"), code).map_err(|error| error.to_string())?;
        self.cargo(&["build", "--quiet", "--release"])?;
        self.size()
    }

    /// The size of the binary, in kB.
    fn size(&self) -> Result<f64, String> {
        let binary = fs::metadata(self.0.join("target/release/hello"));
        #[allow(clippy::cast_precision_loss)] // hundreds of thousands
        let bytes = binary.map_err(|error| error.to_string())?.len() as f64;
        Ok(bytes / 1e3)
    }

    /// Without a network: the crates of this workspace are downloaded already.
    fn cargo(&self, args: &[&str]) -> Result<String, String> {
        let ran = Command::new(var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(args)
            .arg("--offline")
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            // A cache would make it a warm build.
            .env("RUSTC_WRAPPER", "")
            // Cargo compiles path dependencies incrementally, and published ones not.
            .env("CARGO_INCREMENTAL", "0")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo cannot be started: {error}"))?;
        if !ran.status.success() {
            return Err(format!("`cargo {}`: {}", args.join(" "), ran.status));
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is still there: {error}", self.0.display());
        }
    }
}

/// The processor time of all children that have ended, and of theirs, in seconds.
fn spent_by_children() -> Result<f64, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // The second field is the program's name and may have spaces in it; the 16th and 17th are the children's times.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: Vec<f64> = fields.split_whitespace().skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    let [user, system] = ticks[..] else {
        return Err("the system does not say what its processes spent".to_owned());
    };
    #[allow(clippy::cast_precision_loss)] // a hundred
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    Ok((user + system) / ticks_per_second)
}

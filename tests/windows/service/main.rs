//! Services of the service control manager.
#![cfg(windows)]

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use graceful_windows::{Child, Event, Output};
use windows_service::service::{
    Service, ServiceAccess, ServiceErrorControl, ServiceExitCode, ServiceInfo, ServiceStartType, ServiceState,
    ServiceStatus, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

const EXAMPLE: &str = env!("CARGO_BIN_EXE_example-windows-service");
const PROGRAM: &str = env!("CARGO_BIN_EXE_service");

/// `ERROR_SERVICE_CANNOT_ACCEPT_CTRL` and, in wine, `ERROR_INVALID_SERVICE_CONTROL`.
const REFUSED: [i32; 2] = [1061, 1052];

/// `ERROR_PROCESS_ABORTED`
const DIED: u32 = 1067;

const PATIENCE: Duration = Duration::from_secs(20);

/// One at a time: wine takes any process that reports as a service for the one that it has just started.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A service that is installed. It is stopped and removed when this is dropped.
struct Installed {
    service: Service,
    log: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Installed {
    /// Installs the program as a service, and starts it.
    fn start(program: &str, name: &str, arguments: &[&str]) -> Self {
        let alone = alone();
        let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
        let manager = ServiceManager::local_computer(None::<&str>, access).expect("the manager runs");
        let info = ServiceInfo {
            name: name.into(),
            display_name: name.into(),
            service_type: ServiceType::OWN_PROCESS,
            start_type: ServiceStartType::OnDemand,
            error_control: ServiceErrorControl::Normal,
            executable_path: program.into(),
            launch_arguments: arguments.iter().map(OsString::from).collect(),
            dependencies: Vec::new(),
            account_name: None,
            account_password: None,
        };
        let log = Path::new(program).with_file_name(format!("{name}.log"));
        // What a test that was killed has left.
        let _ = fs::remove_file(&log);
        let _ = manager.open_service(name, ServiceAccess::DELETE).and_then(|service| service.delete());
        let service = manager.create_service(&info, ServiceAccess::ALL_ACCESS).expect("it can be installed");
        let installed = Self { service, log, _alone: alone };
        installed.service.start(&[] as &[&OsStr]).expect("it can be started");
        installed
    }

    /// The program of the tests.
    fn case(case: &str) -> Self {
        let name = format!("graceful-test-{case}");
        Self::start(PROGRAM, &name, &[&name, case])
    }

    fn status(&self) -> ServiceStatus {
        self.service.query_status().expect("it is installed")
    }

    /// Waits until its status is such, and returns all that there were, the last one included.
    #[track_caller]
    fn until(&self, is_it: impl Fn(&ServiceStatus) -> bool) -> Vec<ServiceStatus> {
        let begun = Instant::now();
        let mut all = Vec::new();
        loop {
            let status = self.status();
            if all.last() != Some(&status) {
                all.push(status.clone());
            }
            if is_it(&status) {
                return all;
            }
            assert!(begun.elapsed() < PATIENCE, "{all:?}\n{self}");
            sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn until_it_is(&self, state: ServiceState) -> Vec<ServiceStatus> {
        self.until(|status| status.current_state == state)
    }

    /// Waits until a line of its standard error contains this.
    #[track_caller]
    fn says(&self, part: &str) {
        self.until(|_| self.to_string().contains(part));
    }

    /// Stops it, and waits until its process is gone.
    #[track_caller]
    fn is_stopped_at_the_deadline(&self) {
        self.until_it_is(ServiceState::Running);
        let asked = Instant::now();
        self.service.stop().expect("it takes a stop");
        let pending = self.until_it_is(ServiceState::StopPending).pop().expect("one at least");
        let hint = pending.wait_hint.as_secs_f64();
        assert!((3.5..=4.0).contains(&hint), "what is left of 1 s, and 3 s for what comes then: {pending:?}\n{self}");
        // It is blocked, not gone: the manager passes nothing on to it now.
        assert!(self.refuses_a_stop());
        // While it runs it has its log open.
        self.until(|_| File::options().read(true).share_mode(0).open(&self.log).is_ok());
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}\n{self}", asked.elapsed());
        let text = self.to_string();
        assert!(text.trim_end().ends_with("exit code 124: out of time, still running: blocks"), "{text}");
    }

    fn refuses_a_stop(&self) -> bool {
        match self.service.stop() {
            Err(windows_service::Error::Winapi(error)) => {
                let code = error.raw_os_error().expect("the system says why");
                assert!(REFUSED.contains(&code), "{error}\n{self}");
                true
            }
            Err(error) => panic!("{error}\n{self}"),
            Ok(_) => false,
        }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = self.service.stop();
        let _ = self.service.delete();
        let _ = fs::remove_file(&self.log);
    }
}

/// What it has written to standard error.
impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fs::read_to_string(&self.log).unwrap_or_default())
    }
}

#[test]
fn a_stop_by_the_manager_is_graceful_and_takes_as_long_as_it_was_told() {
    let service = Installed::start(EXAMPLE, "graceful-example", &[]);
    service.until_it_is(ServiceState::Running);
    // Half of the next round is still to come.
    service.says("a round is done");
    sleep(Duration::from_millis(300));
    service.service.stop().expect("it takes a stop");
    let told = service.until_it_is(ServiceState::Stopped);
    let (end, pending) = told.split_last().expect("one at least");
    assert_eq!(end.exit_code, ServiceExitCode::NO_ERROR, "{told:?}\n{service}");
    assert!(pending.iter().all(|status| status.current_state == ServiceState::StopPending), "{told:?}\n{service}");
    // The budget of 20 s, and a second for the manager; less with each checkpoint.
    let hint = |status: &ServiceStatus| status.wait_hint.as_secs_f64();
    assert!((19.0..=21.0).contains(&hint(&pending[0])), "{told:?}\n{service}");
    assert!(pending.len() >= 2, "a checkpoint a second: {told:?}\n{service}");
    for two in pending.windows(2) {
        assert!(two[0].checkpoint < two[1].checkpoint && hint(&two[0]) >= hint(&two[1]), "{told:?}\n{service}");
    }
    let text = service.to_string();
    assert!(text.contains("graceful[windows_service]: stopping: stop() at "), "{text}");
    assert!(text.contains("graceful[windows_service]: stopped in "), "{text}");
    assert_eq!(text.matches("a round is done").count(), 2, "the round in hand is finished\n{text}");
}

#[test]
fn it_is_running_when_it_is_ready_and_takes_no_stop_before() {
    let service = Installed::case("starts_slowly");
    let starting = service.until(|status| status.wait_hint > Duration::ZERO);
    let last = starting.last().expect("one at least");
    assert_eq!((last.current_state, last.wait_hint), (ServiceState::StartPending, Duration::from_secs(30)));
    assert!(service.refuses_a_stop());
    service.until_it_is(ServiceState::Running);
    service.service.stop().expect("it takes a stop");
    let told = service.until_it_is(ServiceState::Stopped);
    assert_eq!(told.last().expect("one at least").exit_code, ServiceExitCode::NO_ERROR, "{told:?}\n{service}");
}

#[test]
fn a_failure_is_the_exit_code_of_the_service() {
    for (case, said) in [
        ("fails", "exit code 1: worker `fails` failed: \"the disk is full\""),
        ("fails_to_start", "Error: \"no route to host\""),
    ] {
        let service = Installed::case(case);
        let told = service.until_it_is(ServiceState::Stopped);
        let end = told.last().expect("one at least");
        assert_eq!(end.exit_code, ServiceExitCode::ServiceSpecific(1), "{told:?}\n{service}");
        assert!(service.to_string().contains(said), "{service}");
    }
}

/// The thread that runs tasks is blocked: no worker tells the manager anything.
#[test]
fn an_end_by_the_deadline_is_an_exit_code_of_the_service() {
    let service = Installed::case("blocks");
    service.is_stopped_at_the_deadline();
    let end = service.until_it_is(ServiceState::Stopped).pop().expect("one at least");
    assert_eq!(end.exit_code, ServiceExitCode::ServiceSpecific(124), "{end:?}\n{service}");
}

/// Main's thread is blocked as well, so that the crate has to end the process: the manager is told nothing.
#[test]
fn one_that_has_to_be_ended_at_the_deadline_has_died() {
    let service = Installed::case("blocks_the_only_thread");
    service.is_stopped_at_the_deadline();
    let end = service.status();
    match end.current_state {
        // wine does not see that it is gone.
        ServiceState::StopPending => {}
        _ => assert_eq!(end.exit_code, ServiceExitCode::Win32(DIED), "{end:?}\n{service}"),
    }
}

#[test]
fn the_same_program_runs_in_a_console() {
    let _alone = alone();
    let child = Child::start_with(EXAMPLE, "", &[], Output::Read);
    child.says("a round is done");
    child.send(Event::CtrlC);
    let end = child.end();
    end.assert_code(0);
    end.assert_said("graceful[windows_service]: stopping: SIGINT");
}

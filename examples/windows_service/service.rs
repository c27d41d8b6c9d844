//! A process as a service of Windows: what the service control manager asks for is done, and it is told of each state. To
//! copy as it is; it knows nothing of the program.
//!
//! | what happens | what the manager is told |
//! |---|---|
//! | the program starts | `START_PENDING`; a stop is refused |
//! | `graceful::ready()` | `RUNNING` |
//! | a stop, whatever has caused it | `STOP_PENDING`, with the time that is left as its wait hint; a checkpoint each second |
//! | main has returned | `STOPPED`, with the exit code, unless that is 0, as the service's own |
//! | the crate ended the process at the deadline | nothing: for the manager it has died (1067), and its recovery actions run |
//!
//! For recovery actions after an exit code, too: `sc failureflag NAME 1`.
//!
//! Standard error of a service leads nowhere. So that its lines and its report are to be had, it becomes a file beside the
//! program: `NAME.log`.

use std::ffi::OsString;
use std::fs::File;
use std::os::windows::io::IntoRawHandle;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{env, io};

use graceful::State;
use tokio::time::sleep;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};
use windows_sys::Win32::Foundation::ERROR_FAILED_SERVICE_CONTROLLER_CONNECT;
use windows_sys::Win32::System::Console::{STD_ERROR_HANDLE, SetStdHandle};

/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// From the abort to the end of the process, 2 s at the most, and one second for the manager.
const AFTER_THE_ABORT: Duration = Duration::from_secs(3);

/// How often the manager is told that the stop goes on, or how long it takes where there is no deadline.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// What the manager has this process do.
struct Service {
    name: &'static str,
    program: fn() -> ExitCode,
}

static SERVICE: OnceLock<Service> = OnceLock::new();

/// Where the manager is told of states, if it has started this process.
static STATUS: OnceLock<ServiceStatusHandle> = OnceLock::new();

/// What it was told last.
static TOLD: Mutex<Told> = Mutex::new(Told { checkpoint: 0, is_stopped: false });

struct Told {
    checkpoint: u32,
    is_stopped: bool,
}

/// How the program ended, for main.
static ENDED: OnceLock<ExitCode> = OnceLock::new();

/// Runs the program as this service or, where the service control manager has not started the process, as it is.
pub(crate) fn run(name: &'static str, program: fn() -> ExitCode) -> ExitCode {
    SERVICE.get_or_init(|| Service { name, program });
    match service_dispatcher::start(name, service_main) {
        Ok(()) => ENDED.get().copied().unwrap_or(ExitCode::FAILURE),
        Err(windows_service::Error::Winapi(error)) if is_in_a_console(&error) => program(),
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_in_a_console(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_FAILED_SERVICE_CONTROLLER_CONNECT.cast_signed())
}

define_windows_service!(service_main, serve);

/// Runs on a thread of the manager's library, while main's thread waits for what the manager asks.
fn serve(_: Vec<OsString>) {
    let Some(service) = SERVICE.get() else { return };
    let log = open_log(service.name);
    let status = match service_control_handler::register(service.name, on_control) {
        Ok(status) => *STATUS.get_or_init(|| status),
        Err(error) => return eprintln!("{}: {error}", service.name),
    };
    if let Err(error) = log {
        // Nobody reads what is printed.
        let code = error.raw_os_error().unwrap_or_default().unsigned_abs();
        return set(status, ServiceState::Stopped, ServiceExitCode::Win32(code), Duration::ZERO);
    }
    set(status, ServiceState::StartPending, ServiceExitCode::NO_ERROR, START);
    let code = (service.program)();
    let _ = ENDED.set(code);
    // The process may be gone as soon as this is told.
    set(status, ServiceState::Stopped, exit_code(code), Duration::ZERO);
}

/// Makes a file beside the program its standard error.
#[allow(unsafe_code)] // std has no call for it
fn open_log(name: &str) -> io::Result<()> {
    let path = env::current_exe()?.with_file_name(format!("{name}.log"));
    let log = File::options().create(true).append(true).open(path)?;
    // SAFETY: the handle stays open, since nobody owns it any more.
    let is_set = unsafe { SetStdHandle(STD_ERROR_HANDLE, log.into_raw_handle()) };
    if is_set == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What the manager asks for. It captures nothing: the crate `windows-service` frees what a handler has captured when it has
/// handled a stop, and the manager may ask for more.
fn on_control(control: ServiceControl) -> ServiceControlHandlerResult {
    match control {
        ServiceControl::Stop | ServiceControl::Preshutdown => {
            graceful::stop();
            // Here, not in a worker: one that blocks the runtime's threads would keep it back.
            tell_of_the_stop();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    }
}

/// Tells the manager of the process's states. The program spawns it first; in a console it does nothing.
#[graceful::worker(name = "service", stop = "last")]
pub(crate) async fn tell() {
    let Some(&status) = STATUS.get() else { return };
    graceful::wait_for(State::Ready).await;
    if graceful::state() == State::Ready {
        set(status, ServiceState::Running, ServiceExitCode::NO_ERROR, Duration::ZERO);
    }
    graceful::wait_for(State::Draining).await;
    loop {
        tell_of_the_stop();
        if graceful::run_until_stopping(sleep(CHECKPOINT)).await.is_none() {
            break;
        }
    }
}

fn tell_of_the_stop() {
    let Some(&status) = STATUS.get() else { return };
    let left = graceful::remaining().unwrap_or_default();
    // Without a deadline the next checkpoint is what the manager waits for.
    let hint = if left == Duration::MAX { 5 * CHECKPOINT } else { left + AFTER_THE_ABORT };
    set(status, ServiceState::StopPending, ServiceExitCode::NO_ERROR, hint);
}

fn set(status: ServiceStatusHandle, state: ServiceState, exit_code: ServiceExitCode, wait_hint: Duration) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    // The thread that handles a stop may be late: the program has ended, and the manager knows.
    if told.is_stopped {
        return;
    }
    told.is_stopped = state == ServiceState::Stopped;
    let is_pending = matches!(state, ServiceState::StartPending | ServiceState::StopPending);
    told.checkpoint = if is_pending { told.checkpoint + 1 } else { 0 };
    // A preshutdown comes before the shutdown, when other services are still there. The manager waits for its end, by default
    // for 10 s, before Windows 10 for 3 min; `Service::set_preshutdown_timeout` of the crate `windows-service` sets that.
    let controls_accepted = match state {
        ServiceState::Running => ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN,
        _ => ServiceControlAccept::empty(),
    };
    let result = status.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code,
        checkpoint: told.checkpoint,
        wait_hint,
        process_id: None,
    });
    if let Err(error) = result {
        eprintln!("the service control manager was not told of {state:?}: {error}");
    }
}

/// The exit code of the program, as one of the service's own.
fn exit_code(code: ExitCode) -> ServiceExitCode {
    match (1..=u8::MAX).find(|&number| ExitCode::from(number) == code) {
        Some(number) => ServiceExitCode::ServiceSpecific(number.into()),
        None => ServiceExitCode::NO_ERROR,
    }
}

//! A program around another one, with the options of the first words: a stop signal, `foreground`, `reraise`.

use std::env;
use std::process::{Command, ExitCode};

use graceful::{Builder, ChildCommand, Signal};

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let options: Vec<_> = words.by_ref().take_while(|word| word != "--").collect();
    let mut command = Command::new(words.next().expect("a command"));
    command.args(words);
    let mut child = ChildCommand::from(command);
    // The child is told, too, when the terminal is gone.
    let mut builder = Builder::new().signals([Signal::Terminate, Signal::Interrupt, Signal::Hangup]);
    for option in options {
        match &*option {
            "foreground" => child = child.foreground(),
            "reraise" => builder = builder.reraise(),
            "SIGINT" => child = child.stop_signal(Signal::Interrupt),
            "SIGQUIT" => child = child.stop_signal(Signal::Quit),
            "SIGWINCH" => child = child.stop_signal(tokio::signal::unix::SignalKind::window_change()),
            number => child = child.stop_signal(number.parse::<i32>().expect("a number")),
        }
    }
    builder.block_on(graceful::child("wrapped", child).exit_code())
}

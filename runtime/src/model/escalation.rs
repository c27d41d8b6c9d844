//! What a signal means, given those before it and how far the stop has come.

use std::time::{Duration, Instant};

use crate::os::signal::Signal;

/// The same signal twice within this is one: a terminal signals the whole process group while a parent
/// forwards.
const SAME: Duration = Duration::from_millis(100);

/// What a signal that asks for the stop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing: the same signal arrived a moment ago.
    Echo,
    /// Stop; or note the signal, if the stop had another cause first.
    Stop,
    /// End the drain.
    EndDrain,
    /// Report that the stop is under way already.
    AlreadyStopping,
    /// The second interrupt: exit now.
    Force,
}

/// How far the stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    NotAsked,
    Draining,
    /// Beyond the drain, or without one.
    Drained,
}

/// The signals so far.
#[derive(Debug, Default)]
pub(crate) struct Escalation {
    /// When each last counted, and was no echo.
    latest: [Option<Instant>; Signal::ALL.len()],
    interrupts: u32,
}

impl Escalation {
    pub(crate) fn hear(&mut self, signal: Signal, now: Instant, stop: Stop) -> Meaning {
        let latest = &mut self.latest[signal as usize];
        if latest.is_some_and(|latest| now.duration_since(latest) < SAME) {
            return Meaning::Echo;
        }
        *latest = Some(now);
        let is_interrupt = signal == Signal::Interrupt;
        self.interrupts += u32::from(is_interrupt);
        match (is_interrupt, self.interrupts, stop) {
            (true, 2.., _) => Meaning::Force,
            (_, _, Stop::NotAsked) => Meaning::Stop,
            (true, _, Stop::Draining) => Meaning::EndDrain,
            _ => Meaning::AlreadyStopping,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Signals by number and the milliseconds between them.
    fn sequences() -> impl Strategy<Value = Vec<(usize, u64)>> {
        vec((0..Signal::ALL.len(), 0_u64..400), 0..40)
    }

    /// What each of them means to a stop that drains from the first one on.
    fn meanings(sequence: &[(usize, u64)]) -> Vec<(Signal, Instant, Meaning)> {
        let mut escalation = Escalation::default();
        let (mut now, mut stop) = (Instant::now(), Stop::NotAsked);
        let mut meanings = Vec::new();
        for &(number, pause) in sequence {
            now += Duration::from_millis(pause);
            let signal = Signal::ALL[number];
            let meaning = escalation.hear(signal, now, stop);
            stop = match meaning {
                Meaning::Stop => Stop::Draining,
                Meaning::EndDrain => Stop::Drained,
                _ => stop,
            };
            meanings.push((signal, now, meaning));
        }
        meanings
    }

    proptest! {
        #[test]
        fn the_first_signal_and_no_other_begins_the_stop(sequence in sequences()) {
            let meanings = meanings(&sequence);
            for (place, (_, _, meaning)) in meanings.iter().enumerate() {
                prop_assert_eq!(*meaning == Meaning::Stop, place == 0);
            }
        }

        #[test]
        fn the_second_distinct_interrupt_forces_and_the_first_never_does(sequence in sequences()) {
            let mut distinct = 0;
            for (signal, _, meaning) in meanings(&sequence) {
                distinct += u32::from(signal == Signal::Interrupt && meaning != Meaning::Echo);
                let is_forced = signal == Signal::Interrupt && meaning != Meaning::Echo && distinct >= 2;
                prop_assert_eq!(meaning == Meaning::Force, is_forced);
            }
        }

        #[test]
        fn an_echo_follows_its_like_within_a_moment(sequence in sequences()) {
            let meanings = meanings(&sequence);
            for (place, (signal, at, meaning)) in meanings.iter().enumerate() {
                let counted = meanings[..place].iter().rev().find(|(other, _, meaning)| {
                    other == signal && *meaning != Meaning::Echo
                });
                let is_close = counted.is_some_and(|(_, then, _)| at.duration_since(*then) < SAME);
                prop_assert_eq!(*meaning == Meaning::Echo, is_close);
            }
        }

        #[test]
        fn the_first_interrupt_in_a_drain_ends_it(sequence in sequences()) {
            let mut drains = false;
            let mut interrupts = 0;
            for (signal, _, meaning) in meanings(&sequence) {
                if signal == Signal::Interrupt && meaning != Meaning::Echo {
                    interrupts += 1;
                    let ends = drains && interrupts == 1;
                    prop_assert_eq!(meaning == Meaning::EndDrain, ends);
                }
                drains |= meaning == Meaning::Stop;
            }
        }

        #[test]
        fn nothing_but_an_interrupt_ends_the_drain_or_forces(sequence in sequences()) {
            for (signal, _, meaning) in meanings(&sequence) {
                if matches!(meaning, Meaning::EndDrain | Meaning::Force) {
                    prop_assert_eq!(signal, Signal::Interrupt);
                }
            }
        }
    }
}

//! A program's text: written and parsed.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::program::{Action, Body, Deed, Hook, HookEnd, Kind, Moment, Outcome, Program, Until, Via, When, Worker};

/// The words of an item, without those for default values.
struct Words(Vec<String>);

impl Words {
    fn of(first: impl Display) -> Self {
        Self(vec![first.to_string()])
    }

    fn flag(&mut self, word: &str, holds: bool) {
        if holds {
            self.0.push(word.to_owned());
        }
    }

    fn say<T: Display + PartialEq>(&mut self, key: &str, value: &T, simplest: &T) {
        if value != simplest {
            self.0.push(format!("{key}={value}"));
        }
    }

    fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.0.push(format!("{key}={value}"));
        }
    }

    fn body(&mut self, body: &Body) {
        self.say("until", &body.until, &Until::Told);
        self.say("time", &body.time, &0);
        self.say("via", &body.via, &Via::Stopping);
        self.say("work", &body.work, &0);
        self.say("block", &body.block, &0);
        self.say("end", &body.end, &Outcome::Good);
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = Words::of(format!("runtime={}", self.runtime));
        head.maybe("budget", Some(self.budget));
        head.say("drain", &self.drain, &0);
        head.flag("ready", self.ready);
        head.flag("reloads", self.reloads);
        let mut main = Words::of("main");
        main.body(&self.main);
        let mut items = vec![head, main];
        for worker in &self.workers {
            let mut words = Words::of(format!("w{}", worker.id));
            words.maybe("in", worker.parent.map(|id| format!("w{id}")));
            words.say("kind", &worker.kind, &Kind::Async);
            words.say("when", &worker.when, &When::First);
            words.maybe("stage", worker.stage);
            words.maybe("own", worker.own);
            words.maybe("policy", worker.policy);
            words.body(&worker.body);
            words.flag("bomb", worker.bomb);
            items.push(words);
        }
        for hook in &self.hooks {
            let mut words = Words::of(format!("h{}", hook.id));
            words.maybe("moment", Some(hook.moment));
            words.say("when", &hook.when, &When::First);
            words.say("takes", &hook.takes, &0);
            words.say("end", &hook.end, &HookEnd::Good);
            items.push(words);
        }
        for action in &self.actions {
            let mut words = Words::of(format!("at={}", action.at));
            words.maybe("do", Some(action.deed));
            words.maybe("to", (action.to > 0).then(|| format!("w{}", action.to)));
            items.push(words);
        }
        for (at, signal) in &self.signals {
            items.push(Words::of(format!("signal={at}:{signal}")));
        }
        let items: Vec<_> = items.iter().map(|words| words.0.join(" ")).collect();
        f.write_str(&items.join(" / "))
    }
}

/// A word with a value, or a flag.
type Pair<'a> = (&'a str, &'a str);

fn parse<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{value}: {error}"))
}

fn id(value: &str) -> Result<u32, String> {
    parse(value.trim_start_matches(['w', 'h']))
}

fn unknown(word: &str) -> String {
    format!("what is `{word}`?")
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut program = Self::default();
        for item in text.split('/') {
            let words: Vec<Pair<'_>> =
                item.split_whitespace().map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
            program.add(&words)?;
        }
        Ok(program)
    }
}

impl Program {
    fn add(&mut self, words: &[Pair<'_>]) -> Result<(), String> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(());
        };
        match *first {
            ("main", _) => {
                for &pair in rest {
                    self.main.set(pair)?;
                }
            }
            ("at", at) => {
                let mut action = Action { at: parse(at)?, deed: Deed::Stop, to: 0 };
                for (key, value) in rest {
                    match *key {
                        "do" => action.deed = parse(value)?,
                        "to" => action.to = id(value)?,
                        _ => return Err(unknown(key)),
                    }
                }
                self.actions.push(action);
            }
            ("signal", value) => {
                let (at, signal) = value.split_once(':').ok_or_else(|| unknown(value))?;
                self.signals.push((parse(at)?, parse(signal)?));
            }
            (name, "") if name.starts_with('w') => {
                let mut worker = Worker::new(id(name)?);
                for &pair in rest {
                    worker.set(pair)?;
                }
                self.workers.push(worker);
            }
            (name, "") if name.starts_with('h') => {
                let mut hook =
                    Hook { id: id(name)?, moment: Moment::On, when: When::First, takes: 0, end: HookEnd::Good };
                for &pair in rest {
                    hook.set(pair)?;
                }
                self.hooks.push(hook);
            }
            _ => {
                for &pair in words {
                    self.set(pair)?;
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, (key, value): Pair<'_>) -> Result<(), String> {
        match key {
            "runtime" => self.runtime = parse(value)?,
            "budget" => self.budget = parse(value)?,
            "drain" => self.drain = parse(value)?,
            "ready" => self.ready = true,
            "reloads" => self.reloads = true,
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

impl Body {
    fn set(&mut self, (key, value): Pair<'_>) -> Result<(), String> {
        match key {
            "until" => self.until = parse(value)?,
            "time" => self.time = parse(value)?,
            "via" => self.via = parse(value)?,
            "work" => self.work = parse(value)?,
            "block" => self.block = parse(value)?,
            "end" => self.end = parse(value)?,
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

impl Worker {
    fn set(&mut self, (key, value): Pair<'_>) -> Result<(), String> {
        match key {
            "in" => self.parent = Some(id(value)?),
            "kind" => self.kind = parse(value)?,
            "when" => self.when = parse(value)?,
            "stage" => self.stage = Some(parse(value)?),
            "own" => self.own = Some(parse(value)?),
            "policy" => self.policy = Some(parse(value)?),
            "bomb" => self.bomb = true,
            _ => return self.body.set((key, value)),
        }
        Ok(())
    }
}

impl Hook {
    fn set(&mut self, (key, value): Pair<'_>) -> Result<(), String> {
        match key {
            "moment" => self.moment = parse(value)?,
            "when" => self.when = parse(value)?,
            "takes" => self.takes = parse(value)?,
            "end" => self.end = parse(value)?,
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

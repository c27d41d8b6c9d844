//! The model: the documented rules, applied to a run.

mod alone;
mod ends;
mod order;
mod report;
mod times;

use crate::course::Course;
use crate::facts::Facts;
use crate::run::Run;

/// A rule that was broken, and how.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) how: String,
}

type Verdict = Result<(), String>;
type Rule = fn(&Facts<'_>, &Course) -> Verdict;

const RULES: &[(&str, Rule)] = &[
    ("the exit code is that of the first failure", ends::code),
    ("it is gone by the deadline", times::deadline),
    ("it is gone at once where everybody has ended", times::promptly),
    ("every cause begins the stop", times::begins),
    ("who waits for the stop is told when it is time", times::told_in_time),
    ("hooks begin when it is time", times::hooks_in_time),
    ("the drain and the hooks before it come first", times::drain),
    ("a deed reaches whom it is done to", alone::deeds),
    ("a worker's own budget holds", alone::own_budgets),
    ("nobody is told before the turn of the stage", order::told_in_turn),
    ("a stage is told when those before it have ended", order::stages),
    ("the hooks of the end run last, the last registered first", order::hooks_of_the_end),
    ("a hook runs once, in its moment", order::hooks_once),
    ("before_stop hooks end before main is told", order::hooks_first),
    ("runs do not overlap, and none begins too late", order::runs),
    ("nobody is lost", ends::nobody_lost),
    ("every hook runs or is named", ends::hooks_run),
    ("the summary is last, and the report short", report::summary),
    ("who is stuck is named, and nobody else", report::stuck),
    ("panics are the program's own", report::panics),
];

/// The first rule that was broken.
pub(crate) fn judge(run: &Run) -> Result<(), Broken> {
    let facts = Facts::of(run);
    let course = Course::of(&facts);
    for (rule, holds) in RULES {
        holds(&facts, &course).map_err(|how| Broken { rule, how })?;
    }
    Ok(())
}

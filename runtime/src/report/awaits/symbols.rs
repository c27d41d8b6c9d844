//! The file and line of an address.

use std::collections::HashMap;

use super::frames;

/// How many lines of a stack are shown: the innermost, and the outermost.
const SHOWN: usize = 6;

/// The lines looked up so far, by address.
#[derive(Debug, Default)]
pub(super) struct Cache {
    lines: HashMap<usize, Vec<String>>,
}

impl Cache {
    /// The lines of a stack, the innermost first. Empty if no line explains anything.
    pub(super) fn read(&mut self, stack: &[usize]) -> Vec<String> {
        let mut read: Vec<String> = Vec::new();
        for &address in stack {
            let lines = self.lines.entry(address);
            for line in lines.or_insert_with(|| look_up(address)) {
                // An `async fn` and what an attribute makes of it are one line.
                if read.last() != Some(line) {
                    read.push(line.clone());
                }
            }
        }
        if read.len() > SHOWN {
            let outermost = read.pop();
            read.truncate(SHOWN - 1);
            read.push("…".to_owned());
            read.extend(outermost);
        }
        read
    }

    /// The folders in which these files, as the compiler names them, are found.
    pub(super) fn roots(&self, files: &[&str]) -> Vec<String> {
        let lines = self.lines.values().flatten();
        let mut roots: Vec<_> = lines
            .filter_map(|line| {
                let (path, _) = line.rsplit_once(':')?;
                let root = |file: &&str| path.strip_suffix(file).map(str::to_owned);
                files.iter().find_map(root)
            })
            .filter(|root| root.ends_with('/'))
            .collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }
}

/// The lines an address stands for: more than one where functions were inlined.
fn look_up(address: usize) -> Vec<String> {
    let mut lines = Vec::new();
    backtrace::resolve(address as *mut _, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}"));
        let name = name.as_deref().unwrap_or_default();
        let place = symbol.filename().zip(symbol.lineno());
        let file = place.map(|(file, _)| file.to_string_lossy());
        if frames::is_plumbing(name, file.as_deref()) {
            return;
        }
        lines.push(match place {
            Some((file, line)) => format!("{}:{line}", file.display()),
            // Without debug info.
            None => name.trim_end_matches("::{{closure}}").to_owned(),
        });
    });
    lines.retain(|line| !line.is_empty());
    lines
}

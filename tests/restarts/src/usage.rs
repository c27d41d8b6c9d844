//! What a process uses, as the kernel counts it.

use std::fs;

#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Open files, and the highest number of one.
    pub files: usize,
    pub highest: u32,
    pub threads: u64,
    /// What of its memory is its own and present, in kB.
    pub memory: u64,
}

impl Usage {
    pub fn of(process: i32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let number =
            |name| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
        let numbers = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
        let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let numbers: Vec<u32> = numbers.collect();
        Some(Self {
            files: numbers.len(),
            highest: numbers.iter().copied().max().unwrap_or_default(),
            threads: number("Threads:")?,
            memory: number("RssAnon:")?,
        })
    }
}

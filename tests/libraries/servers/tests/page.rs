//! The page says what the programs do: each line that it shows is in one of them, each version is the one they have.
#![cfg(unix)]

use std::fs;
use std::path::Path;

/// The sections that are about these programs.
const SECTIONS: [&str; 3] = ["## Servers\n", "## Connections and proxies\n", "## Processes and signals\n"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sections() -> Vec<String> {
    let page = read("../../../runtime/docs/with_your_libraries.md");
    let section = |name: &str| {
        let (_, rest) = page.split_once(name).unwrap_or_else(|| panic!("no section {name}"));
        rest.split("\n## ").next().unwrap_or_default().to_owned()
    };
    SECTIONS.map(section).into()
}

fn dense(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

#[test]
fn each_line_is_in_a_program() {
    let programs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin")).expect("there are programs");
    let programs = programs.map(|entry| fs::read_to_string(entry.expect("a file").path()).expect("it is text"));
    let programs: Vec<_> = programs.map(|program| dense(&program)).collect();
    let mut count = 0;
    for section in sections() {
        for block in section.split("```text\n").skip(1) {
            let lines: Vec<_> = block.split("```").next().unwrap_or_default().lines().collect();
            assert!(lines.len() <= 4, "three lines to copy, and what encloses them: {lines:?}");
            let of_code = lines.iter().filter(|line| !line.trim_start().starts_with("//"));
            let of_code: Vec<_> = of_code.map(|line| dense(line)).collect();
            let is_in = |program: &String| of_code.iter().all(|line| program.contains(line));
            assert!(programs.iter().any(is_in), "in no program: {lines:?}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count} blocks");
}

#[test]
fn each_version_is_pinned() {
    let manifest = read("Cargo.toml");
    let mut count = 0;
    for section in sections() {
        for (name, version) in section.lines().flat_map(versions) {
            let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")));
            let line = line.unwrap_or_else(|| panic!("{name} is not among the dependencies"));
            assert!(line.contains(&format!("\"={version}\"")), "the page has {name} {version}, the manifest {line}");
            count += 1;
        }
    }
    assert!(count >= 15, "{count} versions");
}

/// What a row of a table has in its first column: names, each with a version.
fn versions(line: &str) -> Vec<(&str, &str)> {
    let Some(row) = line.strip_prefix("| ") else { return Vec::new() };
    let names = row.split(" |").next().unwrap_or_default().split(&[',', ':'][..]);
    let named = names.filter_map(|name| name.trim().rsplit_once(' '));
    named.filter(|(_, version)| version.starts_with(|first: char| first.is_ascii_digit())).collect()
}

//! The page's lines to copy are those of the programs that the other tests run.

use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../../../runtime/docs/with_your_libraries.md");

/// The sections that are tried here.
fn sections() -> String {
    let sections = PAGE.split("\n## ").map(|section| section.trim_start_matches("## "));
    let ours: Vec<_> = sections
        .filter(|section| ["Clients and queues\n", "Telemetry\n"].iter().any(|title| section.starts_with(title)))
        .collect();
    assert_eq!(ours.len(), 2, "the page has both");
    ours.concat()
}

/// All programs.
fn programs() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src/bin", "../../../examples/queue", "../../../examples"].map(|path| folder.join(path));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder").flatten());
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    texts.map(|text| dense(&text)).collect()
}

/// However it is broken into lines.
fn dense(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

#[test]
fn each_line_to_copy_is_one_that_was_tried() {
    let (sections, programs) = (sections(), programs());
    let blocks = sections.split("```").skip(1).step_by(2).flat_map(|block| block.lines().skip(1));
    // In a table the bars of a closure are escaped.
    let tables = sections.lines().filter(|line| line.starts_with('|'));
    let cells = tables.filter_map(|line| line.split(" | ").nth(1)).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let calls = cells.filter(|code| code.ends_with(';'));
    let mut count = 0;
    for line in blocks.map(ToOwned::to_owned).chain(calls.map(|code| code.replace("\\|", "|"))) {
        let line = line.trim().trim_end_matches([';', ',']);
        assert!(programs.contains(&dense(line)), "no program has `{line}`");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn each_version_is_the_one_that_was_tried() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let locks =
        ["../Cargo.lock", "../../../Cargo.lock"].map(|lock| fs::read_to_string(manifest.join(lock)).expect("a lock"));
    let sections = sections();
    let libraries = sections.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut count = 0;
    for library in libraries {
        let words: Vec<_> = library.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2).filter(|pair| pair[1].starts_with(|c: char| c.is_ascii_digit())) {
            let package = format!("name = \"{}\"\nversion = \"{}\"\n", pair[0], pair[1]);
            assert!(locks.iter().any(|lock| lock.contains(&package)), "another version than that of {library}");
            count += 1;
        }
    }
    assert_eq!(count, 12, "{sections}");
}

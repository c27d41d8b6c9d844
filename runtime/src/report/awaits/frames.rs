//! Which lines of a stack explain something, and how they are written.

/// Packages whose frames explain nothing: any future is polled through them.
const PLUMBING: [&str; 11] = [
    "__rust_try",
    "alloc",
    "core",
    "futures_core",
    "futures_util",
    "graceful",
    "std",
    "tokio",
    "tokio_stream",
    "tokio_util",
    "tracing",
];

/// Whether this function is one of theirs.
pub(super) fn is_plumbing(name: &str, file: Option<&str>) -> bool {
    PLUMBING.contains(&package(name)) || file.is_some_and(is_their_file)
}

/// Whether a file is one of theirs. Debug info with lines only does not name the package of an inlined function.
fn is_their_file(file: &str) -> bool {
    const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    const STDS: [&str; 2] = ["/rustc/", "/rustlib/src/rust/"];
    let is_of = |folder: &str, package: &str| {
        let version = folder.replace('-', "_");
        let version = version.strip_prefix(package).and_then(|rest| rest.strip_prefix('_'));
        version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    file.starts_with(OURS)
        || STDS.iter().any(|part| file.contains(part))
        || file.split('/').any(|folder| PLUMBING.iter().any(|package| is_of(folder, package)))
}

/// The package a function belongs to: of `<tokio::time::Sleep as core::future::Future>::poll` it is `tokio`.
fn package(name: &str) -> &str {
    const IN_FRONT: [&str; 7] = ["<", "&", "(", "*const ", "*mut ", "mut ", "dyn "];
    let mut rest = name;
    while let Some(shorter) = IN_FRONT.iter().find_map(|part| rest.strip_prefix(part)) {
        rest = shorter;
    }
    let end = |text: &str| text.find([':', ' ', '<', '>', '[']).unwrap_or(text.len());
    let package = &rest[..end(rest)];
    match rest[package.len()..].strip_prefix(" as ") {
        // `<F as futures_core::future::TryFuture>::try_poll`: of the trait's package.
        Some(implemented) => &implemented[..end(implemented)],
        None => package,
    }
}

/// A line as a person writes it: from the root of the workspace, or from the folder of the package.
pub(super) fn shortened(line: &str, roots: &[String]) -> String {
    if let Some(short) = roots.iter().find_map(|root| line.strip_prefix(root.as_str())) {
        return short.to_owned();
    }
    let package = line.rfind("/src/").map(|source| &line[..source]);
    let package = package.and_then(|before| before.rfind('/'));
    package.map_or_else(|| line.to_owned(), |from| line[from + 1..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_function_it_is() {
        for (name, of) in [
            ("orders::consume::{{closure}}", "orders"),
            ("<tokio::time::sleep::Sleep as core::future::future::Future>::poll", "tokio"),
            ("<&mut F as core::future::future::Future>::poll", "core"),
            ("<F as futures_core::future::TryFuture>::try_poll", "futures_core"),
            ("core::future::future::<impl core::future::future::Future for X>::poll", "core"),
            ("<orders[1f]::Queue as Future>::poll", "orders"),
        ] {
            assert_eq!(package(name), of, "{name}");
        }
    }

    #[test]
    fn whose_file_it_is() {
        let of = "/root/.cargo/registry/src/index";
        for (file, is_theirs) in [
            (format!("{of}/tokio-1.54.1/src/time/sleep.rs"), true),
            (format!("{of}/tokio-util-0.7.20/src/task/mod.rs"), true),
            (format!("{of}/hyper-1.12.0/src/proto.rs"), false),
            (format!("{of}/tokio-postgres-0.7.1/src/client.rs"), false),
            ("/rustc/5980/library/core/src/pin.rs".to_owned(), true),
            (concat!(env!("CARGO_MANIFEST_DIR"), "/src/task.rs").to_owned(), true),
            ("/home/me/tokio/src/main.rs".to_owned(), false),
        ] {
            assert_eq!(is_their_file(&file), is_theirs, "{file}");
        }
    }

    #[test]
    fn lines_are_short() {
        let roots = ["/home/me/shop/".to_owned()];
        for (line, short) in [
            ("/home/me/shop/orders/db.rs:7", "orders/db.rs:7"),
            ("/root/registry/src/index/hyper-1.12.0/src/proto.rs:90", "hyper-1.12.0/src/proto.rs:90"),
            ("/opt/build/main.rs:7", "/opt/build/main.rs:7"),
            ("orders::consume", "orders::consume"),
        ] {
            assert_eq!(shortened(line, &roots), short);
        }
    }
}

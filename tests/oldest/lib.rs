//! Nothing: the package exists for its manifest and its suites.

//! Bytes that the old process leaves for the new one.

use crate::service::{Folder, Service};

#[test]
fn what_is_left_arrives_in_each_generation() {
    let folder = Folder::new("counts");
    let service = Service::of(&folder);
    service.child.prints("count 0");
    for generation in 2..=4 {
        service.upgrade(generation);
        service.child.prints(&format!("count {}", generation - 1));
    }
    service.stop(service.process(4));
}

#[test]
fn a_process_without_a_predecessor_that_leaves_any_has_none() {
    let folder = Folder::new("");
    let service = Service::of(&folder);
    folder.next_version("counts");
    service.upgrade(2);
    service.child.prints("count 0");
    service.stop(service.process(2));
}

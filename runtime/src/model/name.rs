//! What a worker, a hook or a hold is called.

use std::borrow::Cow;

/// A name for reports: `&'static str`, `String`, or anything else that is `Into<Cow<'static, str>>`.
#[diagnostic::on_unimplemented(
    message = "give it a name: the first argument is text",
    label = "the name goes before this",
    note = "such as `graceful::spawn(\"refresh\", refresh(cache))`"
)]
pub trait IntoName: Into<Cow<'static, str>> {}

#[diagnostic::do_not_recommend]
impl<T: Into<Cow<'static, str>>> IntoName for T {}

//! What a worker, a hook or a hold is called.

use std::borrow::Cow;

/// A name for reports: a literal or another `&'static str`, a reference to a `String` or to a `Cow<'static, str>`.
///
/// A name is a reference so that nothing else can stand in its place: where it is missing, the compiler says so.
#[diagnostic::on_unimplemented(
    message = "a name is text: a literal, or a reference to a `String`",
    label = "this is not a name"
)]
pub trait ToName<'a> {
    /// The name, to be kept.
    fn to_name(&'a self) -> Cow<'static, str>;
}

impl ToName<'static> for str {
    #[inline]
    fn to_name(&'static self) -> Cow<'static, str> {
        Cow::Borrowed(self)
    }
}

impl<'a> ToName<'a> for String {
    fn to_name(&'a self) -> Cow<'static, str> {
        Cow::Owned(self.clone())
    }
}

impl<'a> ToName<'a> for Cow<'static, str> {
    fn to_name(&'a self) -> Cow<'static, str> {
        self.clone()
    }
}

//! The options that were given to an attribute, looked up by their keys.

use proc_macro2::Ident;

use crate::attr::table::{Attribute, Spec};
use crate::attr::value::Value;

/// The options that were given to an attribute.
pub(crate) struct Options {
    /// The attribute they were given to.
    pub(super) attribute: Attribute,
    /// Each key with its value; `None` for a value that was wrong and has been
    /// reported.
    pub(super) given: Vec<(Ident, Option<Value>)>,
}

impl Options {
    /// The key as it was written, if the option was given. A flag that is set
    /// to `false` counts as not given.
    pub(crate) fn key(&self, key: &str) -> Option<&Ident> {
        self.find(key).map(|(key, _)| key)
    }

    /// The value, if the option was given and is valid.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.find(key)?.1.as_ref()
    }

    /// Whether the option was given and its value is wrong.
    pub(crate) fn is_wrong(&self, key: &str) -> bool {
        self.find(key).is_some_and(|(_, value)| value.is_none())
    }

    /// Whether the option is set to this word.
    pub(crate) fn is(&self, key: &str, word: &str) -> bool {
        matches!(self.value(key), Some(Value::Word(found)) if found == word)
    }

    /// Whether a failure starts the worker again.
    pub(crate) fn restarts(&self) -> bool {
        self.is("on_failure", "restart")
    }

    /// Whether the runtime has one thread only.
    pub(crate) fn has_one_thread(&self) -> bool {
        let is_default = self.attribute == Attribute::Test && self.key("flavor").is_none();
        is_default || self.is("flavor", "current_thread")
    }

    /// The options with valid values, in the order of the table.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static Spec, &Ident, &Value)> {
        let specs = self.attribute.options().iter();
        specs.filter_map(|spec| Some((spec, self.key(spec.key)?, self.value(spec.key)?)))
    }

    fn find(&self, key: &str) -> Option<&(Ident, Option<Value>)> {
        debug_assert!(Attribute::ALL.iter().any(|it| it.option(key).is_some()));
        let given = self.given.iter().find(|(given, _)| given == key);
        given.filter(|(_, value)| !matches!(value, Some(Value::Flag(false))))
    }
}

//! What people call the keys that events name by ARN.

use std::collections::BTreeMap;

use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;

/// Key names by ARN, fit for a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyNames(BTreeMap<KeyArn, String>);

impl KeyNames {
    /// The names of every key in the inventory.
    #[must_use]
    pub fn of(inventory: &Inventory) -> Self {
        inventory.keys.values().map(|key| (key.arn.clone(), key.name())).collect()
    }

    /// A key's name: its first alias, else its id.
    #[must_use]
    pub fn get<'a>(&'a self, key: &'a KeyArn) -> &'a str {
        self.0.get(key).map_or(key.id(), String::as_str)
    }

    /// Every key that has a name here.
    pub fn iter(&self) -> impl Iterator<Item = (&KeyArn, &str)> {
        self.0.iter().map(|(key, name)| (key, name.as_str()))
    }
}

impl FromIterator<(KeyArn, String)> for KeyNames {
    fn from_iter<I: IntoIterator<Item = (KeyArn, String)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

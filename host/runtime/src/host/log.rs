//! `log`: lines that are kept with the result.

use mogbox_core::Entries;
use mogbox_core::entries::check_key;
use mogbox_core::limits::Bound;

use crate::bindings::mogbox::task::{log, types};
use crate::convert;
use crate::guest::Guest;

impl log::Host for Guest {
    async fn log(&mut self, level: log::Level, message: String, fields: Vec<types::Entry>) -> wasmtime::Result<()> {
        self.usage.call(message.len().saturating_add(convert::entries_size(&fields)))?;
        // Logging never fails: fields that are malformed are left out, the line is kept.
        let well_formed = fields.iter().all(|field| check_key(&field.key).is_ok());
        let bytes = convert::entries_size(&fields);
        let fields = match well_formed {
            true => self.checked(bytes, |limits| convert::entries(fields, Bound::Log, limits)).await.unwrap_or_default(),
            false => Entries::new(),
        };
        self.journal.log(convert::level(level), message, fields);
        Ok(())
    }
}

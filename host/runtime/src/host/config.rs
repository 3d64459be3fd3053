//! `wasi:config/store`: what the tenant's tasks are configured with, values and secrets alike.

use mogbox_core::config::OpenConfig;
use wasmtime::component::{HasSelf, Linker};

use self::bindings::wasi::config::store::{self, Error};
use crate::guest::Guest;

/// The version that wasmtime-wasi-config has, whose own host counts no calls and keeps a copy of everything for each guest.
mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

    wasmtime::component::bindgen!({
        inline: "
            package wasi:config@0.2.0-rc.1;
            interface store {
                variant error { upstream(string), io(string) }
                get: func(key: string) -> result<option<string>, error>;
                get-all: func() -> result<list<tuple<string, string>>, error>;
            }
            world imports { import store; }
        ",
        world: "wasi:config/imports",
        imports: { default: trappable },
    });
}

/// Adds the interface to the linker.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    store::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl store::Host for Guest {
    fn get(&mut self, key: String) -> Answer<Option<String>> {
        self.usage.call(key.len())?;
        self.configured(|config| config.get(&key).map(ToOwned::to_owned), |found| found.as_ref().map_or(0, String::len))
    }

    fn get_all(&mut self) -> Answer<Vec<(String, String)>> {
        self.usage.call(0)?;
        let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        self.configured(
            |config| config.iter().map(pair).collect(),
            |all: &Vec<_>| all.iter().map(|(key, value)| key.len() + value.len()).sum(),
        )
    }
}

impl Guest {
    /// Reads the configuration and counts the bytes of the answer.
    fn configured<T>(&mut self, read: impl FnOnce(&OpenConfig) -> T, size: impl FnOnce(&T) -> usize) -> Answer<T> {
        match self.context() {
            Ok(context) => {
                let found = read(&context.facts().config);
                self.usage.answer(size(&found))?;
                Ok(Ok(found))
            }
            Err(error) => Ok(Err(Error::Upstream(error.to_string()))),
        }
    }
}

//! Bounds the texts of a request that the library of WASI's HTTP keeps as they are: a guest could hold megabytes in each of its handles.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::{HostOutgoingRequest as _, Method};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

use crate::guest::Guest;

/// The interface, in the version that is linked; it serves all of 0.2.
const TYPES: &str = "wasi:http/types@0.2.12";

/// Bytes of a method, of a host with its port, and of a path with its query.
const MAX_METHOD: usize = 32;
const MAX_AUTHORITY: usize = 1 << 10;
const MAX_PATH: usize = 8 << 10;

type Set<T> = (Resource<HostOutgoingRequest>, T);

/// What WASI says to a value that is not allowed.
type Answer = wasmtime::Result<(Result<(), ()>,)>;

/// Puts a check before each function that sets such a text.
pub(super) fn bound(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("[method]outgoing-request.set-method", |mut store: StoreContextMut<'_, Guest>, (request, method): Set<Method>| {
        let fits = !matches!(&method, Method::Other(text) if text.len() > MAX_METHOD);
        answer(fits, || store.data_mut().http().set_method(request, method))
    })?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, Guest>, (request, text): Set<Option<String>>| {
            answer(is_within(text.as_ref(), MAX_AUTHORITY), || store.data_mut().http().set_authority(request, text))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: StoreContextMut<'_, Guest>, (request, text): Set<Option<String>>| {
            answer(is_within(text.as_ref(), MAX_PATH), || store.data_mut().http().set_path_with_query(request, text))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn is_within(text: Option<&String>, most: usize) -> bool {
    text.is_none_or(|text| text.len() <= most)
}

fn answer(fits: bool, set: impl FnOnce() -> wasmtime::Result<Result<(), ()>>) -> Answer {
    Ok((if fits { set()? } else { Err(()) },))
}

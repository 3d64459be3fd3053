//! `wasi:http/outgoing-handler`: a request is collected, checked and sent as a whole by one call of `TaskContext`, and its answer handed
//! to the guest in pieces. What the host holds of it counts as memory of the guest's. There is no incoming handler.

mod answer;
mod collect;
mod names;

use std::sync::Arc;

use mogbox_core::outgoing::{FetchError, OutgoingRequest};
use mogbox_core::report::Level;
use mogbox_core::{Entries, HostCalls};
use wasmtime::component::Linker;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks, WasiHttpView,
};

use self::collect::Collecting;
use crate::guest::Guest;
use crate::journal::SharedJournal;
use crate::places::Place;

/// Bytes of the headers of one request: a guest may hold as many for each of its handles.
const MAX_FIELDS: usize = 32 << 10;

/// Bytes that one write to a body brings. As many again may wait for the host, for each of the guest's handles.
const MAX_WRITE: usize = 16 << 10;

/// Adds the interface to the linker.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    names::bound(linker)
}

/// What the interface needs beside the guest's handles.
pub(crate) struct Http {
    pub(crate) context: WasiHttpCtx,
    pub(crate) sender: Sender,
}

impl Http {
    /// Without a context everything is refused.
    pub(crate) fn new(context: Option<&Arc<dyn HostCalls>>, journal: &SharedJournal, place: &Arc<Place>) -> Self {
        let mut fields = WasiHttpCtx::new();
        fields.set_field_size_limit(MAX_FIELDS);
        let (context, journal, place) = (context.cloned(), journal.clone(), Arc::clone(place));
        Self { context: fields, sender: Sender { context, journal, place, collecting: Collecting::default() } }
    }
}

/// Sends requests for one guest.
#[derive(Clone)]
pub(crate) struct Sender {
    context: Option<Arc<dyn HostCalls>>,
    journal: SharedJournal,
    place: Arc<Place>,
    collecting: Collecting,
}

/// What the sender of a request is told once its answer is read; here it is whole before that.
type Finished = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Sender {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        // A guest may say how long its body is, which is checked as it writes.
        let is_of_the_host = |name: &str| name != "content-length" && OutgoingRequest::is_of_the_host(name);
        Arc::new(move |name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || is_of_the_host(name.as_str()))
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: hyper::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Finished,
    ) -> Box<dyn Future<Output = Result<(hyper::Response<WasiBody>, Finished), Error>> + Send> {
        let sender = self.clone();
        Box::new(async move {
            let answer = sender.send(request, options.unwrap_or_default()).await?;
            Ok((answer, Box::new(std::future::ready(Ok(()))) as Finished))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        MAX_WRITE
    }
}

impl Sender {
    async fn send(&self, request: hyper::Request<WasiBody>, options: RequestOptions) -> Result<hyper::Response<WasiBody>, Error> {
        let authority = request.uri().authority().map_or_else(String::new, |authority| authority.host().to_owned());
        match self.exchange(request, options).await {
            Ok(answer) => Ok(answer),
            Err(Unanswered::ByGuest(error)) => Err(error),
            Err(Unanswered::Refused(error)) => {
                // WASI's codes have no room for the reason.
                let host: String = authority.rsplit('@').next().unwrap_or_default().chars().take(253).collect();
                self.journal.log(Level::Warn, format!("HTTP request to {host:?}: {error}"), Entries::new());
                Err(code(&error))
            }
        }
    }

    async fn exchange(&self, request: hyper::Request<WasiBody>, options: RequestOptions) -> Result<hyper::Response<WasiBody>, Unanswered> {
        let Some(context) = &self.context else {
            return Err(FetchError::Denied("describe may not send requests: no request runs".into()).into());
        };
        let (request, _held) = collect::collect(request, options, context.as_ref(), &self.collecting, &self.place).await?;
        let answer = context.fetch(request).await?;
        Ok(answer::answer(answer, &self.place)?)
    }
}

/// Why there is no answer.
pub(crate) enum Unanswered {
    /// The guest broke off.
    ByGuest(Error),
    /// The host did not send it, or the other side did not answer.
    Refused(FetchError),
}

impl From<FetchError> for Unanswered {
    fn from(error: FetchError) -> Self {
        Self::Refused(error)
    }
}

/// The code of an error, with its text where the code has room for one.
fn code(error: &FetchError) -> Error {
    match error {
        FetchError::Denied(_) => Error::HttpRequestDenied,
        FetchError::Timeout(_) => Error::HttpResponseTimeout,
        FetchError::Invalid(_) | FetchError::OverBound(_) | FetchError::Failed(_) => Error::InternalError(Some(error.to_string())),
    }
}

impl WasiHttpView for Guest {
    /// Called for each call of the interface, which is how these are counted.
    fn http(&mut self) -> wasmtime_wasi_http::WasiHttpCtxView<'_> {
        self.http_view()
    }
}

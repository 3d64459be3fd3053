//! `/v1/openapi.json`: the API in the words of OpenAPI 3.1, put together from the descriptions beside the handlers. What holds for every
//! call of a kind is added here: the problem that it may be answered with, whose it is, and what its path names.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{Code, PROBLEM_JSON, Problem};

/// The name of the way in, in the description.
const BEARER: &str = "bearer";

/// What a scope lets its holder do, and no tenant has.
const ADMIN: &str = "admin";

/// The whole description, as text.
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let text = description().to_json();
    text.unwrap_or_else(|error| Problem::internal(&error).title)
});

/// This description. No token is needed for it.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "description",
    responses((status = 200, body = Object, description = "OpenAPI 3.1"))
)]
pub(super) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION.as_str())
}

/// Of every route that the router has.
pub(super) fn description() -> OpenApi {
    let mut description = super::routes().into_openapi();
    description.info = InfoBuilder::new()
        .title("Mogbox")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A WebAssembly-sandboxed task host. Each call names the one scope that its token needs: read, submit or upload of the tenant \
             that it is about, or admin; an operator's token is good for all. A node without tokens asks for none.",
        ))
        .build();
    let components = description.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    for schemas in [(Problem::name(), Problem::schema()), (Code::name(), Code::schema())] {
        components.schemas.insert(schemas.0.into_owned(), schemas.1);
    }
    open_to_more(components.schemas.get_mut("TenantChange"));
    for (path, item) in &mut description.paths.paths {
        operations(item).for_each(|operation| complete(path, operation));
    }
    description
}

/// A new tenant is a name and the fields of a change in one object: each schema must let the other's fields pass.
fn open_to_more(schema: Option<&mut RefOr<Schema>>) {
    if let Some(RefOr::T(Schema::Object(object))) = schema {
        object.additional_properties = None;
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().filter_map(Option::as_mut)
}

fn complete(path: &str, operation: &mut Operation) {
    name(operation);
    let parameters = operation.parameters.get_or_insert_default();
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    parameters.splice(0..0, in_path.map(path_parameter));
    if operation.security.as_ref().is_some_and(|needed| !is_operators(needed)) {
        parameters.push(tenant_parameter());
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let media_type = String::from_utf8_lossy(PROBLEM_JSON.as_bytes()).into_owned();
    let refused =
        ResponseBuilder::new().description("It is refused, or failed: the problem says why.").content(media_type, problem).build();
    operation.responses.responses.insert("default".to_owned(), refused.into());
}

/// Handlers have short names, which are each others' in other files.
fn name(operation: &mut Operation) {
    let tags = operation.tags.get_or_insert_default();
    tags.dedup();
    if let (Some(tag), Some(id)) = (tags.first(), operation.operation_id.as_mut()) {
        *id = format!("{tag}.{id}");
    }
}

fn is_operators(needed: &[utoipa::openapi::security::SecurityRequirement]) -> bool {
    let scope = utoipa::openapi::security::SecurityRequirement::new(BEARER, [ADMIN]);
    needed.contains(&scope)
}

fn tenant_parameter() -> Parameter {
    let whose = "Whose requests and modules are meant; absent for that of the token, or `default` where it has none.";
    parameter("tenant", ParameterIn::Query, Required::False, whose)
}

fn path_parameter(name: &str) -> Parameter {
    let meaning = match name {
        "id" => "The id of a request, a UUID.",
        "key" => "A key of metadata.",
        "name" => "The name of a module: 1 to 64 letters, digits, '.', '_' or '-'.",
        "queue" => "The name of a queue.",
        "tenant" => "The name of a tenant.",
        "token" => "The id of a token: 16 hexadecimal digits.",
        _ => "",
    };
    parameter(name, ParameterIn::Path, Required::True, meaning)
}

fn parameter(name: &str, place: ParameterIn, required: Required, meaning: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new().name(name).parameter_in(place).required(required).description(Some(meaning)).schema(Some(text)).build()
}

//! The OpenAPI 3.1 document, made from the table.

use http::Method;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required,
    ResponseBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::endpoint::{Endpoint, Form, Rule};
use super::path::places;
use super::problem::Details;

/// The document.
pub(super) fn document(table: &[Endpoint]) -> OpenApi {
    let mut paths = Paths::new();
    for endpoint in table {
        // OpenAPI has no way to say that a parameter spans segments.
        let path = endpoint.path.replace("+}", "}");
        paths.add_path_operation(path, vec![method(&endpoint.method)], operation(endpoint));
    }
    let info = InfoBuilder::new().title("Wharf").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    OpenApiBuilder::new().info(info.build()).paths(paths).components(Some(components(table))).build()
}

const ABOUT: &str = "Everything about a Wharf server that is neither a setting nor goods. Lists are paged by key: give `next` of one \
page as `after` of the next. Errors are problem details (RFC 9457). What you may not see answers like what does not exist. \
Whatever answers GET answers HEAD alike, without the body.";

fn operation(endpoint: &Endpoint) -> Operation {
    let parameters = places(endpoint.path).map(place).chain(endpoint.query.iter().map(|(name, doc)| query(name, doc)));
    let mut operation = OperationBuilder::new()
        .operation_id(Some(endpoint.operation))
        .tag(endpoint.operation.split('.').next().unwrap_or_default())
        .summary(Some(endpoint.summary))
        .description(Some(needs(endpoint.rule)))
        .parameters(Some(parameters.collect::<Vec<_>>()))
        .response(endpoint.status.as_str(), response(endpoint))
        .response("default", problem());
    if let Some(form) = &endpoint.request {
        let body = RequestBodyBuilder::new().content(form.media_type, content(form)).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    if endpoint.rule == Rule::Anyone {
        operation = operation.security(SecurityRequirement::default());
    } else {
        for scheme in ["password", "token"] {
            operation = operation.security(SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []));
        }
    }
    operation.build()
}

/// What a caller needs, in words.
fn needs(rule: Rule) -> String {
    match rule {
        Rule::Anyone => "Needs nothing.".to_owned(),
        Rule::SignedIn => "Needs to be signed in.".to_owned(),
        Rule::OwnAccount => "Needs to be signed in by password or by a token without limits.".to_owned(),
        Rule::Catalog => "Shows what the caller may see.".to_owned(),
        Rule::Server(verb) => format!("Needs a server role that may {verb}."),
        Rule::Project(verb) => format!("Needs a role on the project that may {verb}."),
        Rule::Repository(verb) => format!("Needs a role on the repository that may {verb}."),
    }
}

fn place(name: &'static str) -> Parameter {
    let (kind, doc) = match name {
        "project" => (Type::String, "The project's name."),
        "format" => (Type::String, "The format: `oci` …"),
        "repository" => (Type::String, "The repository's name. Its slashes are written as they are."),
        "reference" => (Type::String, "A tag or a digest."),
        "tag" => (Type::String, "The tag."),
        "user" => (Type::String, "The user's name."),
        "group" => (Type::String, "The group's name."),
        "robot" => (Type::String, "The robot's name as it signs in: `<project>+<name>` or `server+<name>`."),
        "member" => (Type::String, "The name of a user."),
        "rule" => (Type::String, "The rule's name."),
        _ => (Type::Integer, "The number of it."),
    };
    parameter(name, doc, ParameterIn::Path, kind, Required::True)
}

fn query(name: &str, doc: &str) -> Parameter {
    let kind = if name == "limit" { Type::Integer } else { Type::String };
    parameter(name, doc, ParameterIn::Query, kind, Required::False)
}

fn parameter(name: &str, doc: &str, place: ParameterIn, kind: Type, required: Required) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    let parameter = ParameterBuilder::new().name(name).description(Some(doc)).parameter_in(place).required(required);
    parameter.schema(Some(schema)).build()
}

fn content(form: &Form) -> utoipa::openapi::Content {
    let schema: RefOr<Schema> = match &form.schema {
        Some((name, _)) => Ref::from_schema_name(name.as_ref()).into(),
        None => ObjectBuilder::new().schema_type(Type::String).build().into(),
    };
    ContentBuilder::new().schema(Some(schema)).build()
}

fn response(endpoint: &Endpoint) -> utoipa::openapi::Response {
    let response = ResponseBuilder::new().description(endpoint.status.canonical_reason().unwrap_or("Done"));
    match &endpoint.response {
        Some(form) => response.content(form.media_type, content(form)).build(),
        None => response.build(),
    }
}

fn problem() -> utoipa::openapi::Response {
    let schema = Ref::from_schema_name(Details::name().as_ref());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description("It was not done").content("application/problem+json", content).build()
}

fn components(table: &[Endpoint]) -> Components {
    let mut schemas = vec![(Details::name().into_owned(), Details::schema())];
    for (_, collect) in
        table.iter().flat_map(|row| [&row.request, &row.response]).flatten().filter_map(|form| form.schema.as_ref())
    {
        collect(&mut schemas);
    }
    let mut components = Components::new();
    components.schemas.extend(schemas);
    let password = Http::new(HttpAuthScheme::Basic);
    components.add_security_scheme("password", SecurityScheme::Http(password));
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    components
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

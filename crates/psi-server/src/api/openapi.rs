//! The OpenAPI 3.1 document of the list of routes, with the schemas of the very types that are parsed.

use axum::{Json, response::IntoResponse};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    gate::{Call, Reply},
    routes::{Access, Answer, ROUTES, Route, SchemaOf},
};

/// `GET /openapi.json`.
pub(crate) async fn document(_call: Call) -> Reply {
    Ok(Json(build()).into_response())
}

/// The whole document.
pub(crate) fn build() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = route.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_lowercase()] = operation(route, &mut generator);
    }
    let schemas: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "psi",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Models on your own machine. Parameters are honoured or refused, never dropped.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "header": { "type": "apiKey", "in": "header", "name": "x-api-key" },
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let good = match route.answer {
        Answer::Json(of) => json!({ "application/json": { "schema": of(generator) } }),
        Answer::JsonOrEvents(of) => json!({
            "application/json": { "schema": of(generator) },
            "text/event-stream": { "schema": event() },
        }),
        Answer::Lines => json!({ "application/x-jsonl": { "schema": { "type": "string" } } }),
        Answer::Text => json!({ "text/plain": { "schema": { "type": "string" } } }),
    };
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": parameters(route, generator),
        "responses": responses(route, &good),
    });
    if route.access != Access::Public {
        operation["security"] = json!([{ "bearer": [] }, { "header": [] }]);
    }
    if let Some(body) = route.body {
        let schema = body(generator);
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

/// One event of a stream. Readers of OpenAPI before 3.2, which has `itemSchema`, take the schema of an event stream as that
/// of each event.
fn event() -> Value {
    let text = json!({ "type": "string" });
    json!({ "type": "object", "required": ["data"], "properties": { "event": text, "data": text } })
}

/// `POST /v1/chat/completions` is `post_v1_chat_completions`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '-', '*']).filter(|w| !w.is_empty());
    let mut id = route.method.as_str().to_lowercase();
    for word in words {
        id.push('_');
        id.push_str(word);
    }
    id
}

fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let parts = route.path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'));
    let in_path = |name: &str| {
        let name = name.trim_start_matches('*');
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    };
    let mut parameters: Vec<Value> = parts.map(in_path).collect();
    let fields = route.query.map(|of| fields(of, generator)).unwrap_or_default();
    parameters.extend(fields.into_iter().map(|(name, schema)| {
        json!({ "name": name, "in": "query", "required": false, "schema": schema })
    }));
    parameters
}

/// The properties of a query's type.
fn fields(of: SchemaOf, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = of(generator);
    let pointer = schema.get("$ref").and_then(Value::as_str).unwrap_or("").to_owned();
    let name = pointer.rsplit('/').next().unwrap_or("");
    let definition = generator.definitions_mut().remove(name);
    let properties = definition.and_then(|d| d.get("properties").cloned());
    match properties {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn responses(route: &Route, good: &Value) -> Value {
    let error = || {
        let schema = json!({ "type": "object", "required": ["error"], "properties": {
            "error": { "type": "object", "required": ["message", "type"] },
        }});
        json!({ "application/json": { "schema": schema } })
    };
    let mut responses = json!({ "200": { "description": "The answer.", "content": good } });
    let mut add = |status: &str, why: &str| {
        responses[status] = json!({ "description": why, "content": error() });
    };
    add("400", "A parameter is wrong, unknown, or asks for what psi does not do.");
    add("403", "The Host or Origin is foreign, or the key may not do this.");
    add("404", "There is no such model or object.");
    add("405", "The path takes other methods.");
    if route.body.is_some() {
        add("408", "The body did not arrive in time.");
        add("413", "The body is too long.");
        add("415", "The body is not declared as JSON.");
    }
    if route.access != Access::Public {
        add("401", "No valid key.");
        add("429", "Too many requests wait, or the key has used up its share; see Retry-After.");
    }
    add("503", "The model is not ready, or the server is shutting down.");
    responses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_every_reference_leads_somewhere() {
        let document = build();
        for route in ROUTES {
            let path = route.path.replace("{*", "{");
            let operation = &document["paths"][&path][route.method.as_str().to_lowercase()];
            assert!(operation.is_object(), "{} {}", route.method, route.path);
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"").skip(1) {
            let target = reference.split('"').next().expect("a target");
            let pointer = target.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
        }
    }
}

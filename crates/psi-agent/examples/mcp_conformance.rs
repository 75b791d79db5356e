//! What the official MCP conformance suite talks to: psi's HTTP server with the suite's fixtures behind it, and psi's
//! client. A test's program, not part of psi.
//!
//! `mcp_conformance server PORT` serves until it is killed; `mcp_conformance client URL` connects as a client.
#![expect(deprecated, reason = "the suite's 2025-11-25 scenarios need what 2026-07-28 has retired")]

use std::{collections::BTreeMap, net::TcpListener, process::ExitCode, sync::Arc};

use psi_agent::{
    CallContext, Cancel, ConversationId, Timestamp,
    mcp::{Client, Elicitation, ElicitationAnswer, HttpServer, McpServer, McpTransport},
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation,
        ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
        PaginatedRequestParams, ProgressToken, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, ServerCapabilities, ServerConfig, SetLevelRequestParams,
        SubscribeRequestParams, UnsubscribeRequestParams,
    },
    service::RequestContext,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A picture of one red point, and a sound of nothing.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["server", port] => serve(port),
        ["client", url] => connect(url),
        _ => Err("usage: mcp_conformance server PORT | client URL".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // The suite shows what a program writes to its standard error.
            let _ =
                std::io::Write::write_all(&mut std::io::stderr(), format!("{why}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn serve(port: &str) -> Result<(), String> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).map_err(|e| e.to_string())?;
    HttpServer::start(|| Ok(Fixture), listener, None).map_err(|e| e.to_string())?.wait();
    Ok(())
}

/// Connects, calls every tool once with values that fit its schema, and fills forms in with their defaults.
fn connect(url: &str) -> Result<(), String> {
    let transport = McpTransport::Http { url: url.to_owned(), token: None };
    let server = McpServer { name: "suite".to_owned(), transport, enabled: true };
    let ask = Arc::new(|form: &Elicitation| ElicitationAnswer::Accept(defaults(&form.schema)));
    let client =
        Client::connect(&server, &BTreeMap::new(), Some(ask)).map_err(|e| e.to_string())?;
    let context = CallContext {
        cancel: Cancel::default(),
        deadline: None,
        folders: Vec::new(),
        conversation: ConversationId(1),
        source: None,
        now: Timestamp(0),
    };
    for tool in client.tools() {
        let schema = tool.definition()["function"]["parameters"].clone();
        // A tool's own trouble is its server's business: the suite checks what went over the wire.
        let _ = tool.call(&examples(&schema), &context);
    }
    Ok(())
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema["properties"].as_object().cloned().unwrap_or_default()
}

fn defaults(schema: &Value) -> Value {
    let with_default = |(key, field): (String, Value)| Some((key, field.get("default")?.clone()));
    properties(schema).into_iter().filter_map(with_default).collect::<Map<_, _>>().into()
}

fn examples(schema: &Value) -> Value {
    let example = |field: &Value| match field["type"].as_str() {
        Some("number" | "integer") => json!(5),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("text"),
    };
    properties(schema)
        .into_iter()
        .map(|(key, field)| (key, example(&field)))
        .collect::<Map<_, _>>()
        .into()
}

/// The tools, prompts and resources that the suite asks for by name.
struct Fixture;

/// A value of the protocol, from its JSON.
fn protocol<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the fixture is what the protocol says")
}

fn tools() -> Value {
    let text = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let none = json!({"type": "object", "properties": {}});
    let tool = |(name, schema): (&str, Value)| json!({"name": name, "description": name, "inputSchema": schema});
    let list = [
        ("test_simple_text", none.clone()),
        ("test_image_content", none.clone()),
        ("test_audio_content", none.clone()),
        ("test_embedded_resource", none.clone()),
        ("test_multiple_content_types", none.clone()),
        ("test_tool_with_logging", none.clone()),
        ("test_error_handling", none.clone()),
        ("test_tool_with_progress", none.clone()),
        ("test_sampling", text("prompt")),
        ("test_elicitation", text("message")),
        ("test_elicitation_sep1034_defaults", none.clone()),
        ("test_elicitation_sep1330_enums", none),
        ("json_schema_2020_12_tool", rich_schema()),
    ];
    list.into_iter().map(tool).collect()
}

/// A schema with the words of JSON Schema 2020-12 that must come through as they are.
fn rich_schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object",
            "properties": {"street": text, "city": text}}},
        "properties": {"name": text, "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]}, "phone": text, "email": text},
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// Results that depend on nothing.
fn fixed_result(name: &str) -> Option<Value> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let content = match name {
        "test_simple_text" => json!([text("This is a simple text response for testing.")]),
        "test_image_content" => json!([image]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => json!([{"type": "resource", "resource": {
            "uri": "test://embedded-resource", "mimeType": "text/plain",
            "text": "This is an embedded resource content."}}]),
        "test_multiple_content_types" => json!([
            text("Multiple content types test:"), image,
            {"type": "resource", "resource": {"uri": "test://mixed-content-resource",
                "mimeType": "application/json", "text": "{\"test\":\"data\",\"value\":123}"}}]),
        "test_error_handling" => {
            let content = [text("This tool intentionally returns an error for testing")];
            return Some(json!({"content": content, "isError": true}));
        }
        _ => return None,
    };
    Some(json!({"content": content}))
}

fn said(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

/// Forms of the elicitation scenarios.
fn form(name: &str, message: &str) -> Value {
    let properties = match name {
        "test_elicitation" => json!({
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"}}),
        "test_elicitation_sep1034_defaults" => json!({
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true}}),
        _ => {
            let titled = json!([{"const": "value1", "title": "First Option"},
                {"const": "value2", "title": "Second Option"}, {"const": "value3", "title": "Third Option"}]);
            let plain = json!(["option1", "option2", "option3"]);
            json!({
                "untitledSingle": {"type": "string", "enum": plain},
                "titledSingle": {"type": "string", "oneOf": titled},
                "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"]},
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
                "titledMulti": {"type": "array", "items": {"anyOf": titled}}})
        }
    };
    let required: &[&str] = if name == "test_elicitation" { &["username", "email"] } else { &[] };
    let schema = json!({"type": "object", "properties": properties, "required": required});
    json!({"mode": "form", "message": message, "requestedSchema": schema})
}

fn resource(uri: &str) -> Option<Value> {
    let text = |text: &str| json!({"uri": uri, "mimeType": "text/plain", "text": text});
    let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
    let content = match (uri, id) {
        ("test://static-text", _) => text("This is the content of the static text resource."),
        ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        ("test://watched-resource", _) => text("Watched resource content"),
        (_, Some(id)) => {
            let data =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
        }
        _ => return None,
    };
    Some(json!({"contents": [content]}))
}

fn prompt(name: &str, arguments: &Map<String, Value>) -> Option<Value> {
    let value = |key: &str| arguments.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let user = |content: Value| json!({"role": "user", "content": content});
    let text = |text: String| user(json!({"type": "text", "text": text}));
    let messages = match name {
        "test_simple_prompt" => json!([text("This is a simple prompt for testing.".to_owned())]),
        "test_prompt_with_arguments" => {
            let (a, b) = (value("arg1"), value("arg2"));
            json!([text(format!("Prompt with arguments: arg1='{a}', arg2='{b}'"))])
        }
        "test_prompt_with_embedded_resource" => json!([
            user(
                json!({"type": "resource", "resource": {"uri": value("resourceUri"), "mimeType": "text/plain",
                "text": "Embedded resource content for testing."}})
            ),
            text("Please process the embedded resource above.".to_owned())
        ]),
        "test_prompt_with_image" => json!([
            user(json!({"type": "image", "data": PNG, "mimeType": "image/png"})),
            text("Please analyze the image above.".to_owned())
        ]),
        _ => return None,
    };
    Some(json!({"messages": messages}))
}

impl Fixture {
    async fn with_client(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, ErrorData> {
        let argument = |key: &str| {
            request
                .arguments
                .as_ref()
                .and_then(|a| a.get(key))
                .and_then(Value::as_str)
                .unwrap_or("")
        };
        let failed = |e: rmcp::ServiceError| ErrorData::internal_error(e.to_string(), None);
        match request.name.as_ref() {
            "test_tool_with_logging" => {
                for text in ["started", "processing data", "completed"] {
                    let verb = if text.starts_with('p') { "Tool" } else { "Tool execution" };
                    let note = json!({"level": "info", "data": format!("{verb} {text}")});
                    #[expect(deprecated, reason = "the suite's 2025-11-25 scenarios need it")]
                    context.peer.notify_logging_message(protocol(note)).await.map_err(failed)?;
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                Ok(said("Logging test completed"))
            }
            "test_tool_with_progress" => {
                let token: Option<ProgressToken> = context.meta.get_progress_token();
                for progress in [0, 50, 100] {
                    if let Some(token) = &token {
                        let token = serde_json::to_value(token).expect("a token is JSON");
                        let note = json!({"progressToken": token, "progress": progress, "total": 100,
                            "message": format!("Completed step {progress} of 100")});
                        context.peer.notify_progress(protocol(note)).await.map_err(failed)?;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                Ok(said("Progress test completed"))
            }
            "test_sampling" => {
                let message = json!({"role": "user", "content": {"type": "text", "text": argument("prompt")}});
                let ask = json!({"messages": [message], "maxTokens": 100});
                #[expect(deprecated, reason = "the suite's 2025-11-25 scenarios need it")]
                let answer = context.peer.create_message(protocol(ask)).await.map_err(failed)?;
                let answer = serde_json::to_value(&answer).expect("an answer is JSON");
                let text =
                    answer.pointer("/content/text").or_else(|| answer.pointer("/content/0/text"));
                Ok(said(&format!("LLM response: {}", text.and_then(Value::as_str).unwrap_or(""))))
            }
            name if name.starts_with("test_elicitation") => {
                let message =
                    if name == "test_elicitation" { argument("message") } else { "Please fill in" };
                let asked = context.peer.create_elicitation(protocol(form(name, message)));
                let answer = asked.await.map_err(failed)?;
                let answer = serde_json::to_value(&answer).expect("an answer is JSON");
                Ok(said(&format!(
                    "User response: action={}, content={}",
                    answer["action"], answer["content"]
                )))
            }
            name => Err(ErrorData::invalid_params(format!("there is no tool called {name}"), None)),
        }
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = json!({"tools": {"listChanged": true}, "prompts": {"listChanged": true},
            "resources": {"subscribe": true, "listChanged": true}, "logging": {}, "completions": {}});
        let mut info = ServerConfig::new(protocol::<ServerCapabilities>(capabilities));
        info.server_info = Implementation::new("psi-conformance", env!("CARGO_PKG_VERSION"));
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(protocol(tools())))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let result = match fixed_result(&request.name) {
            Some(result) => result,
            None => self.with_client(&request, &context).await?,
        };
        Ok(protocol::<CallToolResult>(result).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let names = ["static-text", "static-binary", "watched-resource"];
        let resource = |name| json!({"uri": format!("test://{name}"), "name": name});
        Ok(ListResourcesResult::with_all_items(protocol(names.map(resource).into_iter().collect())))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = json!([{"uriTemplate": "test://template/{id}/data", "name": "template"}]);
        Ok(ListResourceTemplatesResult::with_all_items(protocol(template)))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let missing =
            || ErrorData::resource_not_found(format!("there is no {}", request.uri), None);
        let content = resource(&request.uri).ok_or_else(missing)?;
        Ok(protocol::<ReadResourceResult>(content).into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let argument = |name: &&str| json!({"name": name, "description": name, "required": true});
        let prompt = |(name, arguments): (&str, &[&str])| {
            json!({"name": name, "description": name,
                "arguments": arguments.iter().map(argument).collect::<Vec<_>>()})
        };
        let list: [(&str, &[&str]); 4] = [
            ("test_simple_prompt", &[]),
            ("test_prompt_with_arguments", &["arg1", "arg2"]),
            ("test_prompt_with_embedded_resource", &["resourceUri"]),
            ("test_prompt_with_image", &[]),
        ];
        Ok(ListPromptsResult::with_all_items(protocol(list.into_iter().map(prompt).collect())))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let missing =
            || ErrorData::invalid_params(format!("there is no prompt {}", request.name), None);
        let prompt = prompt(&request.name, &arguments).ok_or_else(missing)?;
        Ok(protocol::<GetPromptResult>(prompt).into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(protocol(json!({"completion": {"values": ["test"], "total": 1, "hasMore": false}})))
    }

    #[expect(deprecated, reason = "the suite's 2025-11-25 scenarios need it")]
    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }
}

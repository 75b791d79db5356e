//! A server as the target: OpenAI's completions, streamed.

use std::{
    io::{BufRead, BufReader},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Answer, Target, job::Job};
use crate::{
    cli::LoadTarget,
    error::{Failure, Outcome},
};

/// A server that is silent for so long has stopped.
const SILENCE: Duration = Duration::from_secs(300);

pub(super) struct Http {
    url: String,
    model: String,
    key: Option<String>,
    agent: ureq::Agent,
}

impl Http {
    pub(super) fn new(url: &str, args: &LoadTarget) -> Outcome<Self> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Failure::input(format!("--url {url}: not an http:// or https:// address")));
        }
        let key = match &args.key_file {
            None => None,
            Some(path) => {
                let text = String::from_utf8_lossy(&crate::model::read(path)?).into_owned();
                Some(text.trim().to_owned())
            }
        };
        let agent = ureq::Agent::config_builder()
            .timeout_recv_response(Some(SILENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let url = format!("{}/v1/completions", url.trim_end_matches('/').trim_end_matches("/v1"));
        Ok(Self { url, model: args.model_name.clone(), key, agent })
    }
}

impl Target for Http {
    fn run(&self, job: &Job, clock: &dyn Fn() -> f64) -> Result<Answer, String> {
        let body = json!({
            "model": self.model,
            "prompt": job.tokens,
            "max_tokens": job.max_tokens,
            "temperature": job.temperature,
            "seed": job.seed,
            "stream": true,
            "stream_options": { "include_usage": true },
            "ignore_eos": true,
        });
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let response = request.send(body.to_string()).map_err(|e| format!("{}: {e}", self.url))?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let text = body.read_to_string().unwrap_or_default();
            let short: String = text.chars().take(200).collect();
            return Err(format!("{}: status {}: {short}", self.url, status.as_u16()));
        }
        let mut answer = Answer::default();
        for line in BufReader::new(body.into_reader()).lines() {
            let line = line.map_err(|e| format!("{}: the stream broke: {e}", self.url))?;
            let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
            if data == "[DONE]" {
                break;
            }
            answer.take(data, clock)?;
            if job.leaves_after.is_some_and(|n| answer.times.len() >= n) {
                answer.n_tokens = answer.times.len();
                answer.is_whole = false;
                return Ok(answer);
            }
        }
        if !answer.is_whole {
            return Err(format!("{}: the stream ended without finish_reason", self.url));
        }
        if answer.n_tokens == 0 {
            answer.n_tokens = answer.times.len();
        }
        Ok(answer)
    }

    fn describe(&self) -> Vec<(&'static str, Value)> {
        vec![("target", json!(self.url))]
    }
}

impl Answer {
    /// Adds one event of the stream.
    fn take(&mut self, data: &str, clock: &dyn Fn() -> f64) -> Result<(), String> {
        let event: Value =
            serde_json::from_str(data).map_err(|e| format!("an event that is not JSON: {e}"))?;
        if let Some(error) = event.get("error") {
            return Err(format!("the server says: {error}"));
        }
        if let Some(n) = event["usage"]["completion_tokens"].as_u64() {
            self.n_tokens = n as usize;
        }
        let choice = &event["choices"][0];
        if let Some(text) = choice["text"].as_str().filter(|text| !text.is_empty()) {
            self.times.push(clock());
            self.text.push_str(text);
        }
        self.is_whole |= choice["finish_reason"].is_string();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_an_answer() {
        let mut answer = Answer::default();
        for event in [
            r#"{"choices": [{"text": "a", "finish_reason": null}]}"#,
            r#"{"choices": [{"text": "bc", "finish_reason": "length"}]}"#,
            r#"{"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 3}}"#,
        ] {
            answer.take(event, &|| 1.5).expect("an event");
        }
        assert_eq!((answer.text.as_str(), answer.n_tokens, answer.is_whole), ("abc", 3, true));
        assert_eq!(answer.times, [1.5, 1.5]);
        assert!(answer.take(r#"{"error": {"message": "no"}}"#, &|| 0.0).is_err());
        assert!(answer.take("{", &|| 0.0).is_err());
    }
}

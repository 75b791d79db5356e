//! Whether a schema has an instance that ends: one that demands itself, again and again, has none.

use std::collections::HashSet;

use serde_json::Value;

/// Most schemas that are looked at; beyond that a schema counts as finite.
const MAX_STEPS: usize = 100_000;

/// Whether some instance of the schema is finite, as far as `$ref`, `required` and `minItems` decide.
pub(super) fn is_finite(root: &Value) -> bool {
    Search { root, finite: HashSet::new(), steps: 0 }.look(root, &mut Vec::new())
}

struct Search<'a> {
    root: &'a Value,
    /// references that are known to be finite
    finite: HashSet<&'a str>,
    steps: usize,
}

impl<'a> Search<'a> {
    /// `open` are the references that are being looked at: coming back to one means going round.
    fn look(&mut self, schema: &'a Value, open: &mut Vec<&'a str>) -> bool {
        self.steps += 1;
        let Some(object) = schema.as_object().filter(|_| self.steps < MAX_STEPS) else {
            return *schema != Value::Bool(false);
        };
        if let Some(Value::String(reference)) = object.get("$ref")
            && !self.follow(reference, open)
        {
            return false;
        }
        let list = |key: &str| object.get(key).and_then(Value::as_array).map(Vec::as_slice);
        let parts = list("allOf").unwrap_or_default();
        if !parts.iter().all(|part| self.look(part, open)) {
            return false;
        }
        for choice in [list("anyOf"), list("oneOf")].into_iter().flatten() {
            if !choice.iter().any(|option| self.look(option, open)) {
                return false;
            }
        }
        let is_only = |name: &str| object.get("type").is_some_and(|t| t == name);
        if is_only("object") {
            let properties = object.get("properties");
            let schema_of = |name: &'a Value| properties?.get(name.as_str()?);
            let mut required = list("required").unwrap_or_default().iter().filter_map(schema_of);
            return required.all(|schema| self.look(schema, open));
        }
        let needs_items = object.get("minItems").and_then(Value::as_u64).unwrap_or(0) > 0;
        match object.get("items") {
            Some(items) if is_only("array") && needs_items => self.look(items, open),
            _ => true,
        }
    }

    fn follow(&mut self, reference: &'a str, open: &mut Vec<&'a str>) -> bool {
        if self.finite.contains(reference) {
            return true;
        }
        let target = reference.strip_prefix('#').map(|p| p.trim_end_matches('/'));
        let Some(schema) = target.and_then(|p| self.root.pointer(p)) else { return true };
        if open.contains(&reference) {
            return false;
        }
        open.push(reference);
        let is_finite = self.look(schema, open);
        open.pop();
        if is_finite {
            self.finite.insert(reference);
        }
        is_finite
    }
}

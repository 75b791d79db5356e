//! Small programs in an embedded language that has nothing to reach: no files, no network, no clock, no other process.
//!
//! The language is Rhai: it counts operations and limits every string, array and map, and brings five crates. (Starlark
//! reads more like what models know, but brings ninety-nine, a line editor and a language server among them.)

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map};

use crate::{CallContext, ToolError, ToolOutput};

/// What a model must know to write it.
pub(super) const DESCRIPTION: &str = "Run a small program in Rhai: let x = 1; for i in 0..10 { x += i } \
    print(x); fn f(n) { n * 2 } arrays [1, 2], maps #{a: 1}. The last value is the result.";

const MAX_OPERATIONS: u64 = 5_000_000;
const MAX_STRING_BYTES: usize = 32 << 10;
const MAX_ARRAY_ITEMS: usize = 10_000;
const MAX_MAP_ITEMS: usize = 1_000;
const MAX_MEMORY: usize = 32 << 20;
const MAX_VARIABLES: usize = 100;
const MAX_CALL_DEPTH: usize = 32;
const MAX_EXPRESSION_DEPTH: usize = 32;
const MAX_SOURCE_BYTES: usize = 64 << 10;
const MAX_OUTPUT_BYTES: usize = 32 << 10;
const MAX_TIME: Duration = Duration::from_secs(10);
const STACK_BYTES: usize = 32 << 20;

/// Runs a program and returns what it printed and its last value.
pub(super) fn run(source: &str, context: &CallContext) -> Result<ToolOutput, ToolError> {
    if source.len() > MAX_SOURCE_BYTES {
        let why = format!("the program has more than {MAX_SOURCE_BYTES} bytes");
        return Err(ToolError::BadArguments(why));
    }
    let (source, context) = (source.to_owned(), context.clone());
    // A thread of its own: the interpreter recurses with the program, and this stack is its limit, not the caller's.
    let worker = thread::Builder::new().name("psi-code".to_owned()).stack_size(STACK_BYTES);
    let handle = worker.spawn(move || evaluate(&source, &context));
    let handle = handle.map_err(|e| ToolError::Failed(format!("starting a thread: {e}")))?;
    let ended =
        handle.join().map_err(|_| ToolError::Failed("the interpreter failed".to_owned()))?;
    ended.map(ToolOutput::text)
}

fn evaluate(source: &str, context: &CallContext) -> Result<String, ToolError> {
    let printed = Arc::new(Mutex::new(String::new()));
    let engine = engine(&printed, context.clone());
    let result = engine.eval::<Dynamic>(source);
    let mut text = std::mem::take(&mut *printed.lock().unwrap_or_else(PoisonError::into_inner));
    let value = result.map_err(|e| explain(&e, context, &text))?;
    if !value.is_unit() {
        append(&mut text, &value.to_string());
    }
    Ok(if text.is_empty() { "the program ended without a result".to_owned() } else { text })
}

fn engine(printed: &Arc<Mutex<String>>, context: CallContext) -> Engine {
    let mut engine = Engine::new();
    engine
        .set_max_operations(MAX_OPERATIONS)
        .set_max_string_size(MAX_STRING_BYTES)
        .set_max_array_size(MAX_ARRAY_ITEMS)
        .set_max_map_size(MAX_MAP_ITEMS)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_VARIABLES)
        .set_max_call_levels(MAX_CALL_DEPTH)
        .set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_DEPTH)
        .disable_symbol("eval");
    engine.register_fn("sleep", |_: i64| no_clock()).register_fn("sleep", |_: f64| no_clock());
    limit_memory(&mut engine);
    let out = Arc::clone(printed);
    engine.on_print(move |line| {
        append(&mut out.lock().unwrap_or_else(PoisonError::into_inner), line);
    });
    let out = Arc::clone(printed);
    engine.on_debug(move |line, _, _| {
        append(&mut out.lock().unwrap_or_else(PoisonError::into_inner), line);
    });
    let end = Instant::now() + MAX_TIME;
    engine.on_progress(move |n| {
        let stop = n % 256 == 0 && (context.check().is_err() || Instant::now() >= end);
        stop.then_some(Dynamic::UNIT)
    });
    engine
}

fn no_clock() -> Result<(), Box<EvalAltResult>> {
    Err("programs cannot wait".into())
}

/// Rhai limits a value where a function or an operator makes it, but not where it is put into an array or a map. So
/// everything that the variables hold is counted as well, the more rarely the more there is: the cost stays in
/// proportion, and between two counts a program cannot add more than a small multiple of the limit.
fn limit_memory(engine: &mut Engine) {
    let (reads, next) = (AtomicU64::new(0), AtomicU64::new(0));
    #[expect(deprecated, reason = "rhai's mark for interfaces that may change; there is no other")]
    engine.on_var(move |_, _, context| {
        let n = reads.fetch_add(1, Ordering::Relaxed);
        if n < next.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut count = Count::default();
        for (_, _, value) in context.scope().iter_raw() {
            count.add(value, 0);
        }
        if count.n_bytes > MAX_MEMORY {
            let what = format!("what the variables hold ({MAX_MEMORY} bytes at most)");
            return Err(EvalAltResult::ErrorDataTooLarge(what, rhai::Position::NONE).into());
        }
        next.store(n + 64 + count.n_values / 16, Ordering::Relaxed);
        Ok(None)
    });
}

/// Values, and the memory that they take at least.
#[derive(Default)]
struct Count {
    n_values: u64,
    n_bytes: usize,
}

impl Count {
    fn add(&mut self, value: &Dynamic, depth: usize) {
        self.n_values += 1;
        self.n_bytes += size_of::<Dynamic>();
        if self.n_bytes > MAX_MEMORY || depth > MAX_EXPRESSION_DEPTH {
            self.n_bytes = MAX_MEMORY + 1;
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            self.n_bytes += text.len();
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.n_bytes += blob.len();
        } else if let Some(array) = value.read_lock::<Array>() {
            array.iter().for_each(|item| self.add(item, depth + 1));
        } else if let Some(map) = value.read_lock::<Map>() {
            for (key, item) in map.iter() {
                self.n_bytes += key.len();
                self.add(item, depth + 1);
            }
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            function.curry().iter().for_each(|item| self.add(item, depth + 1));
        }
    }
}

/// Adds a line, up to a limit that is said.
fn append(text: &mut String, line: &str) {
    const MARK: &str = "[more was printed]";
    if text.ends_with(MARK) {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let fits = text.len() + line.len() <= MAX_OUTPUT_BYTES;
    text.push_str(if fits { line } else { MARK });
}

fn explain(error: &EvalAltResult, context: &CallContext, printed: &str) -> ToolError {
    if let Err(stopped) = context.check() {
        return stopped;
    }
    let why = match error {
        EvalAltResult::ErrorTerminated(..) => return ToolError::TimedOut,
        EvalAltResult::ErrorTooManyOperations(_) => {
            format!("the program did not end within {MAX_OPERATIONS} steps")
        }
        other => other.to_string(),
    };
    ToolError::Failed(if printed.is_empty() { why } else { format!("{why}; printed:\n{printed}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::tests::context;

    fn text(source: &str) -> Result<String, String> {
        run(source, &context()).map(|o| o.text).map_err(|e| e.to_string())
    }

    #[test]
    fn programs_compute_and_print() {
        assert_eq!(text("let s = 0; for i in 1..=100 { s += i } s").as_deref(), Ok("5050"));
        assert_eq!(text("print(\"a\"); print(1 + 1);").as_deref(), Ok("a\n2"));
        assert_eq!(
            text("fn f(n) { if n < 2 { 1 } else { n * f(n - 1) } } f(10)").as_deref(),
            Ok("3628800")
        );
        assert_eq!(text("let x = [3, 1, 2]; x.sort(); x").as_deref(), Ok("[1, 2, 3]"));
        assert_eq!(text("let x = 1;").as_deref(), Ok("the program ended without a result"));
    }

    #[test]
    fn what_does_not_end_or_grows_is_stopped() {
        for (source, what) in [
            ("loop { }", "did not end"),
            ("fn f(n) { f(n + 1) } f(0)", "tack overflow"),
            ("let s = \"x\"; loop { s += s; }", "too large"),
            ("let a = [1]; loop { a += a; }", "too large"),
            ("let a = []; a.pad(100000000, 1);", "too large"),
            ("let s = \"\"; s.pad(1000000000, 'x');", "too large"),
            (
                "let s = \"\"; s.pad(30000, 'x'); let m = #{}; for i in 0..100000 { m[`${i}`] = s + i; }",
                "too large",
            ),
            (
                "let s = \"\"; s.pad(30000, 'x'); let a = []; a.pad(9000, 0); for i in 0..9000 { a[i] = s + i; }",
                "too large",
            ),
            (
                "let b = []; b.pad(9000, 0); let a = []; a.pad(9000, 0); for i in 0..9000 { a[i] = b; }",
                "too large",
            ),
            ("let a = [1]; loop { let b = [a]; a = b; }", "too large"),
            (&format!("let x = {}1{};", "(".repeat(500), ")".repeat(500)), "complex"),
            ("9223372036854775807 + 1", "overflow"),
            ("1 / 0", "zero"),
        ] {
            let error = text(source).expect_err(source);
            assert!(error.contains(what), "{source}: {error}");
        }
        let flood = text("for i in 0..100000 { print(\"0123456789\"); }").unwrap();
        assert!(flood.ends_with("[more was printed]") && flood.len() < 2 * MAX_OUTPUT_BYTES);
    }

    #[test]
    fn nothing_outside_can_be_reached() {
        for source in [
            "import \"x\" as y;",
            "eval(\"1\")",
            "open(\"/etc/passwd\")",
            "sleep(1)",
            "timestamp()",
            "read_file(\"x\")",
        ] {
            assert!(text(source).is_err(), "{source}");
        }
    }

    #[test]
    fn a_stopped_call_ends() {
        let context = context();
        context.cancel.cancel();
        assert_eq!(run("loop { }", &context), Err(ToolError::Cancelled));
    }
}

//! Who may ask: the keys file, and what each key has used.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;

/// Seconds of a day; quotas are counted from midnight UTC.
const DAY_S: u64 = 86_400;
/// Shortest key that is taken in plain text: 128 bits as hexadecimal digits are twice as long.
const MIN_KEY_LEN: usize = 16;

/// The keys file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// The key itself, or ...
    key: Option<String>,
    /// ... its SHA-256 as hexadecimal digits, so that the file holds no secret.
    sha256: Option<String>,
    tokens_per_day: Option<u64>,
    requests_per_minute: Option<u32>,
    models: Option<Vec<String>>,
    #[serde(default)]
    admin: bool,
}

/// One key: who, and what they may do.
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) admin: bool,
    digest: [u8; 32],
    tokens_per_day: Option<u64>,
    requests_per_minute: Option<u32>,
    models: Option<Vec<String>>,
    usage: Mutex<Usage>,
}

struct Usage {
    day: u64,
    used: u64,
    reserved: u64,
    /// Requests that may be made now, refilled with time.
    allowance: f64,
    refilled: Instant,
}

impl Key {
    fn new(name: String, digest: [u8; 32]) -> Self {
        let usage =
            Usage { day: 0, used: 0, reserved: 0, allowance: 0.0, refilled: Instant::now() };
        Self {
            name,
            admin: false,
            digest,
            tokens_per_day: None,
            requests_per_minute: None,
            models: None,
            usage: Mutex::new(usage),
        }
    }

    /// Who asks where there is no keys file: everything is allowed and nothing counted.
    fn everyone() -> Self {
        Self { admin: true, ..Self::new("local".to_owned(), [0; 32]) }
    }

    /// Who asks a public route without a key.
    pub(crate) fn nobody() -> Self {
        Self::new("nobody".to_owned(), [0; 32])
    }

    fn usage(&self) -> std::sync::MutexGuard<'_, Usage> {
        // Plain numbers: a panic elsewhere leaves nothing half done.
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this key may use the model.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|names| names.iter().any(|n| n == model))
    }

    /// Counts one request.
    ///
    /// # Errors
    /// [`ApiError::TooOften`] when the key's allowance is used up.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), ApiError> {
        let Some(limit) = self.requests_per_minute else { return Ok(()) };
        let limit = f64::from(limit);
        let mut usage = self.usage();
        let elapsed_s = now.saturating_duration_since(usage.refilled).as_secs_f64();
        usage.allowance = limit.min(usage.allowance + elapsed_s * limit / 60.0);
        usage.refilled = now;
        if usage.allowance < 1.0 {
            let wait_s = (1.0 - usage.allowance) * 60.0 / limit;
            return Err(ApiError::TooOften { retry_after_s: wait_s.ceil() as u64 });
        }
        usage.allowance -= 1.0;
        Ok(())
    }

    /// Sets tokens aside for a request that may need that many.
    ///
    /// # Errors
    /// [`ApiError::Quota`] when fewer are left of the day's.
    pub(crate) fn reserve(self: &Arc<Self>, n: u64, unix_s: u64) -> Result<Reservation, ApiError> {
        let mut usage = self.usage();
        usage.turn_to(unix_s / DAY_S);
        if let Some(quota) = self.tokens_per_day {
            let left = quota.saturating_sub(usage.used).saturating_sub(usage.reserved);
            if n > left {
                let retry_after_s = DAY_S - unix_s % DAY_S;
                return Err(ApiError::Quota { left, needed: n, retry_after_s });
            }
        }
        usage.reserved += n;
        Ok(Reservation { key: Arc::clone(self), n, day: usage.day })
    }

    /// Counts tokens that an earlier process of this server has served.
    pub(crate) fn restore(&self, n: u64, unix_s: u64) {
        let mut usage = self.usage();
        usage.turn_to(unix_s / DAY_S);
        usage.used += n;
    }
}

impl Usage {
    fn turn_to(&mut self, day: u64) {
        if day > self.day {
            (self.day, self.used, self.reserved) = (day, 0, 0);
        }
    }
}

/// Tokens set aside; given back when dropped, after what was used has been counted.
pub(crate) struct Reservation {
    key: Arc<Key>,
    n: u64,
    day: u64,
}

impl Reservation {
    /// Whose tokens they are.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Counts what the request used and gives back the rest.
    pub(crate) fn settle(mut self, used: u64) {
        self.key.usage().used += used;
        self.release();
    }

    fn release(&mut self) {
        let mut usage = self.key.usage();
        // A reservation of yesterday went with the day.
        if usage.day == self.day {
            usage.reserved = usage.reserved.saturating_sub(self.n);
        }
        drop(usage);
        self.n = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

/// Every key that is accepted.
pub(crate) struct Keys {
    keys: Vec<Arc<Key>>,
    /// Used when there is no keys file.
    everyone: Option<Arc<Key>>,
}

impl Keys {
    /// No keys: whoever reaches the server may use it.
    pub(crate) fn open() -> Self {
        Self { keys: Vec::new(), everyone: Some(Arc::new(Key::everyone())) }
    }

    /// Reads a keys file.
    pub(crate) fn read(path: &Path) -> Result<Self, KeysError> {
        let fail = |why: String| KeysError { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        Self::parse(&text).map_err(fail)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: KeysFile = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut names = HashMap::new();
        let mut keys: Vec<Arc<Key>> = Vec::new();
        for (i, entry) in file.key.into_iter().enumerate() {
            let name = entry.name.clone();
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(format!("key {}: a name is needed", i + 1));
            }
            let key = entry.into_key().map_err(|why| format!("key `{name}`: {why}"))?;
            if keys.iter().any(|k| k.digest == key.digest) {
                return Err(format!("key `{name}`: another entry has the same key"));
            }
            if names.insert(name.clone(), i).is_some() {
                return Err(format!("two keys are called `{name}`"));
            }
            keys.push(Arc::new(key));
        }
        match keys.is_empty() {
            true => Err("there is no [[key]] in it".to_owned()),
            false => Ok(Self { keys, everyone: None }),
        }
    }

    /// Whether a key is needed at all.
    pub(crate) fn are_needed(&self) -> bool {
        self.everyone.is_none()
    }

    /// Whose key was presented. Every digest is compared whole, in constant time.
    pub(crate) fn find(&self, presented: Option<&[u8]>) -> Option<Arc<Key>> {
        if let Some(everyone) = &self.everyone {
            return Some(Arc::clone(everyone));
        }
        let digest = Sha256::digest(presented?);
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.digest.ct_eq(digest.as_slice())) {
                found = Some(Arc::clone(key));
            }
        }
        found
    }

    /// The key of this name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Key>> {
        self.keys.iter().chain(&self.everyone).find(|k| k.name == name).cloned()
    }
}

impl Entry {
    fn into_key(self) -> Result<Key, String> {
        let digest = match (self.key, self.sha256) {
            (Some(key), None) if key.len() < MIN_KEY_LEN => {
                return Err(format!("a key needs at least {MIN_KEY_LEN} characters"));
            }
            (Some(key), None) => Sha256::digest(key.as_bytes()).into(),
            (None, Some(hex)) => from_hex(&hex).ok_or("sha256 must be 64 hexadecimal digits")?,
            _ => return Err("exactly one of key and sha256 is needed".to_owned()),
        };
        if self.requests_per_minute == Some(0) {
            return Err("requests_per_minute must be at least 1".to_owned());
        }
        let key = Key::new(self.name, digest);
        key.usage().allowance = f64::from(self.requests_per_minute.unwrap_or(0));
        Ok(Key {
            admin: self.admin,
            tokens_per_day: self.tokens_per_day,
            requests_per_minute: self.requests_per_minute,
            models: self.models,
            ..key
        })
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// A keys file that cannot be used.
#[derive(Clone, Debug)]
pub struct KeysError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for KeysError {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FILE: &str = r#"
        [[key]]
        name = "alice"
        key = "psi-0123456789abcdef"
        tokens_per_day = 100
        requests_per_minute = 2

        [[key]]
        name = "bob"
        # of "psi-fedcba9876543210"
        sha256 = "SHA"
        admin = true
        models = ["nano"]
    "#;

    fn keys() -> Keys {
        let digest: String =
            Sha256::digest(b"psi-fedcba9876543210").iter().map(|b| format!("{b:02x}")).collect();
        Keys::parse(&FILE.replace("SHA", &digest)).expect("a good file")
    }

    #[test]
    fn a_key_is_found_by_its_text_whichever_way_the_file_holds_it() {
        let keys = keys();
        let name = |text: &[u8]| keys.find(Some(text)).map(|k| k.name.clone());
        assert_eq!(name(b"psi-0123456789abcdef").as_deref(), Some("alice"));
        assert_eq!(name(b"psi-fedcba9876543210").as_deref(), Some("bob"));
        for wrong in ["", "psi-0123456789abcde", "psi-0123456789abcdef ", "\u{0}"] {
            assert_eq!(name(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert!(keys.find(None).is_none());
        assert!(Keys::open().find(None).is_some());
        let bob = keys.named("bob").expect("there");
        assert!(bob.admin && bob.may_use("nano") && !bob.may_use("large"));
    }

    #[test]
    fn a_bad_file_is_refused_with_the_key_that_is_wrong() {
        let cases = [
            ("", "missing field `key`"),
            ("[[key]]\nname = \"a\"", "exactly one of key and sha256"),
            ("[[key]]\nname = \"a\"\nkey = \"short\"", "at least 16"),
            ("[[key]]\nname = \"a\"\nsha256 = \"12\"", "64 hexadecimal"),
            ("[[key]]\nname = \"\"\nkey = \"0123456789abcdef\"", "a name is needed"),
            ("[[key]]\nname = \"a\"\nkey = \"0123456789abcdef\"\nquota = 3", "unknown field"),
        ];
        for (text, why) in cases {
            let error = Keys::parse(text).err().unwrap_or_default();
            assert!(error.contains(why), "{text}: {error}");
        }
        let twice = "[[key]]\nname = \"a\"\nkey = \"0123456789abcdef\"\n";
        let error = Keys::parse(&twice.repeat(2)).err().unwrap_or_default();
        assert!(error.contains("same key"), "{error}");
    }

    #[test]
    fn tokens_are_set_aside_counted_and_new_on_the_next_day() {
        let keys = keys();
        let alice = keys.named("alice").expect("there");
        let noon = 40 * DAY_S + DAY_S / 2;
        let first = alice.reserve(60, noon).expect("100 are left");
        let error = alice.reserve(60, noon).err();
        let wait = DAY_S / 2;
        assert_eq!(error, Some(ApiError::Quota { left: 40, needed: 60, retry_after_s: wait }));
        first.settle(10);
        drop(alice.reserve(90, noon).expect("90 are left"));
        let last = alice.reserve(90, noon).expect("the dropped ones came back");
        let next = noon + DAY_S;
        let fresh = alice.reserve(100, next).expect("a new day");
        drop(last);
        assert!(alice.reserve(1, next).is_err(), "yesterday's reservation gives nothing back");
        fresh.settle(100);
        assert!(alice.reserve(1, next).is_err());
    }

    #[test]
    fn a_key_may_ask_so_often_and_no_more() {
        let keys = keys();
        let alice = keys.named("alice").expect("there");
        let now = Instant::now();
        assert_eq!(alice.admit(now), Ok(()));
        assert_eq!(alice.admit(now), Ok(()));
        assert_eq!(alice.admit(now), Err(ApiError::TooOften { retry_after_s: 30 }));
        assert_eq!(alice.admit(now + Duration::from_secs(31)), Ok(()));
    }
}

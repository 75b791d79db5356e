//! The models of the page: the one that answers, loaded behind the page while it can be looked at already.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
};

use psi_agent::{
    assistant::Models,
    model::{ChatSource, LocalModel},
};
use psi_infer::chat::{ChatModel, OpenOptions};
use psi_kernels::Cpu;
use psi_server::{CurrentModel, LoadError, ModelState};
use psi_store::{Home, Served};

use crate::{
    bundled,
    commands::{doctor, served},
    cpu,
    error::{Failure, Outcome},
    memory,
};

/// What a service calls the adapter that was promoted.
const ADAPTER: &str = "promoted";

/// The shelf. Its clones are handles of one.
pub(super) struct Shelf {
    home: Home,
    cpu: Arc<Cpu>,
    state: Mutex<State>,
    changed: Condvar,
    /// One more model, which single conversations and comparisons have asked for, by its name.
    guest: Mutex<Option<(String, Chosen)>>,
}

/// The model that answers, or is to.
struct State {
    /// Counts the choices: a model that has been loaded for an older one is not taken.
    n_chosen: u64,
    /// The assistant's own model is chosen: what was promoted, else the one that comes with psi.
    is_own: bool,
    name: String,
    loaded: Option<Result<Chosen, String>>,
}

/// A loaded model, and the adapter of it that answers.
#[derive(Clone)]
struct Chosen {
    model: Arc<ChatModel>,
    adapter: Option<String>,
}

impl Shelf {
    pub(super) fn new(home: &Home, n_threads: Option<usize>) -> Outcome<Arc<Self>> {
        let state =
            State { n_chosen: 0, is_own: true, name: bundled::NAME.to_owned(), loaded: None };
        let cpu = cpu::cpu(n_threads)?;
        let state = Mutex::new(state);
        Ok(Arc::new(Self {
            home: home.clone(),
            cpu,
            state,
            changed: Condvar::new(),
            guest: Mutex::default(),
        }))
    }

    /// Makes a model answer (none: the assistant's own). It loads behind this call.
    pub(super) fn choose(self: &Arc<Self>, path: Option<PathBuf>) {
        let mut state = self.lock();
        state.n_chosen += 1;
        state.is_own = path.is_none();
        state.name = name_of(path.as_deref(), &self.home);
        // The old one goes first: two may not fit into memory.
        state.loaded = None;
        let choice = state.n_chosen;
        drop(state);
        let shelf = Arc::clone(self);
        let load = move || {
            let loaded = shelf.load(path.as_deref());
            let mut state = shelf.lock();
            if state.n_chosen == choice {
                if let Ok(chosen) = &loaded {
                    state.name.clone_from(&chosen.model.name);
                }
                state.loaded = Some(loaded);
                shelf.changed.notify_all();
            }
        };
        let thread = std::thread::Builder::new().name("psi-load".to_owned()).spawn(load);
        if let Err(error) = thread {
            self.lock().loaded = Some(Err(format!("the system gives no thread: {error}")));
        }
    }

    fn load(&self, path: Option<&Path>) -> Result<Chosen, String> {
        let (name, path, adapter) = match path {
            Some(path) => (name_of(Some(path), &self.home), path.to_owned(), None),
            None => self.own().map_err(|failure| failure.to_string())?,
        };
        let options = OpenOptions { name: Some(name), ..OpenOptions::default() };
        let model =
            ChatModel::open(&path, &self.cpu, options).map_err(|error| match error.hint() {
                Some(hint) => format!("{error} ({hint})"),
                None => error.to_string(),
            })?;
        if let Some(folder) = &adapter {
            model.service.load_adapter(ADAPTER, folder).map_err(|e| e.to_string())?;
        }
        let adapter = adapter.map(|_| ADAPTER.to_owned());
        Ok(Chosen { model: Arc::new(model), adapter })
    }

    /// The assistant's own model: its name, its folder, and that of the adapter on it.
    fn own(&self) -> Outcome<(String, PathBuf, Option<PathBuf>)> {
        match served::promoted(&self.home) {
            Ok(Some(served)) => {
                let name = format!("{}@{}", bundled::NAME, served.hash().short());
                let Served { model, adapter } = served;
                return Ok((name, model.path, adapter.map(|a| a.path)));
            }
            Ok(None) => {}
            // Nothing but what the gate compared is served, so it is the model from before all promotions.
            Err(failure) => eprintln!("psi: {failure}"),
        }
        Ok((bundled::NAME.to_owned(), bundled::unpack(&self.home)?, None))
    }

    /// Lets every promotion and rollback take effect from now on.
    pub(super) fn follow(self: &Arc<Self>) -> Outcome {
        let shelf = Arc::downgrade(self);
        let changed = move || Weak::upgrade(&shelf).map(|shelf| shelf.refresh()).is_some();
        served::follow(&self.home, changed)
            .map_err(|e| Failure::failed("promotions cannot be followed").because(e))
    }

    /// Loads the assistant's own model anew, beside the one that answers, and lets it take over. Answers that
    /// are being written end with the model that they began with.
    fn refresh(&self) {
        let mut state = self.lock();
        if !state.is_own {
            return;
        }
        state.n_chosen += 1;
        let choice = state.n_chosen;
        drop(state);
        let loaded = self.load(None);
        let mut state = self.lock();
        match (&loaded, &state.loaded) {
            _ if state.n_chosen != choice => {}
            (Err(why), Some(Ok(_))) => eprintln!("psi: the old model goes on: {why}"),
            (loaded, _) => {
                if let Ok(chosen) = loaded {
                    state.name.clone_from(&chosen.model.name);
                    eprintln!("psi: the assistant answers with {}", state.name);
                }
                state.loaded = Some(loaded.clone());
                self.changed.notify_all();
            }
        }
    }

    /// Whether a name is that of the model that answers.
    fn answers_as(&self, name: &str) -> bool {
        let state = self.lock();
        state.name == name || (state.is_own && name == bundled::NAME)
    }

    /// Another model beside the one that answers. It stays until another guest comes.
    fn guest(&self, name: &str) -> Result<Chosen, String> {
        let mut guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, chosen)) = &*guest
            && known == name
        {
            return Ok(chosen.clone());
        }
        // Its memory is needed.
        *guest = None;
        let path = match name {
            bundled::NAME => None,
            name => Some(self.home.model_dir().resolve(name).map_err(|e| e.to_string())?),
        };
        let listed = self.home.model_dir().list().unwrap_or_default();
        let needs =
            listed.iter().find(|m| m.name == name).map(|m| doctor::needs_of_file(m.n_bytes));
        if let (Some(needs), Some((_, free))) = (needs, memory::machine())
            && needs + doctor::RESERVE > free
        {
            let gigabytes = |n: u64| n as f64 / 1e9;
            return Err(format!(
                "{name} needs {:.1} GB beside {}, and {:.1} GB are free",
                gigabytes(needs),
                self.lock().name,
                gigabytes(free.saturating_sub(doctor::RESERVE))
            ));
        }
        let chosen = self.load(path.as_deref())?;
        *guest = Some((name.to_owned(), chosen.clone()));
        Ok(chosen)
    }

    /// How the model that answers stands.
    pub(super) fn state(&self) -> ModelState {
        let state = self.lock();
        let name = state.name.clone();
        match &state.loaded {
            None => ModelState::Loading { name },
            Some(Ok(chosen)) => {
                ModelState::Ready { name, context: chosen.model.service.max_context() }
            }
            Some(Err(why)) => ModelState::Failed { name, why: why.clone() },
        }
    }

    /// The model that answers, once it is loaded.
    fn wait(&self) -> Result<Chosen, String> {
        let state = self.lock();
        let loading = |state: &mut State| state.loaded.is_none();
        let state = self.changed.wait_while(state, loading).unwrap_or_else(PoisonError::into_inner);
        state.loaded.clone().unwrap_or_else(|| Err("no model is loaded".to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the page calls a model: its name among the pulled ones, else its folder's or file's.
fn name_of(path: Option<&Path>, home: &Home) -> String {
    let Some(path) = path else { return bundled::NAME.to_owned() };
    let listed = home.model_dir().list().unwrap_or_default();
    let known = listed.into_iter().find(|m| m.path == path).map(|m| m.name);
    let last = || path.file_name().map(|n| n.to_string_lossy().into_owned());
    known.or_else(last).unwrap_or_else(|| path.display().to_string())
}

/// The page's model answers, unless a conversation asks for another one.
pub(super) struct Shelved(pub(super) Arc<Shelf>);

impl Models for Shelved {
    fn find(&self, name: Option<&str>) -> Result<Arc<dyn ChatSource>, String> {
        served::note_use(&self.0.home);
        let Chosen { model, adapter } = match name.filter(|name| !self.0.answers_as(name)) {
            None => self.0.wait()?,
            Some(name) => self.0.guest(name)?,
        };
        Ok(Arc::new(LocalModel::new(model, adapter)))
    }
}

/// And it answers the API.
impl CurrentModel for Shelved {
    fn name(&self) -> String {
        self.0.lock().name.clone()
    }

    fn loaded(&self) -> Option<(Arc<ChatModel>, Option<String>)> {
        let state = self.0.lock();
        let chosen = state.loaded.as_ref()?.as_ref().ok()?;
        Some((Arc::clone(&chosen.model), chosen.adapter.clone()))
    }

    fn wait(&self) -> Result<(Arc<ChatModel>, Option<String>), LoadError> {
        let Chosen { model, adapter } = self.0.wait()?;
        Ok((model, adapter))
    }
}

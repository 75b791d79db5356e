//! The models of the page: the one that answers, loaded behind the page while it can be looked at already.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use psi_agent::{
    assistant::Models,
    model::{ChatSource, LocalModel},
};
use psi_infer::chat::{ChatModel, OpenOptions};
use psi_kernels::Cpu;
use psi_server::{CurrentModel, ModelState};
use psi_store::Home;

use crate::{bundled, cpu, error::Outcome};

/// The shelf. Its clones are handles of one.
pub(super) struct Shelf {
    home: Home,
    cpu: Arc<Cpu>,
    state: Mutex<State>,
    changed: Condvar,
}

/// The model that answers, or is to.
struct State {
    /// Counts the choices: a model that has been loaded for an older one is not taken.
    n_chosen: u64,
    name: String,
    loaded: Option<Result<Arc<ChatModel>, String>>,
}

impl Shelf {
    pub(super) fn new(home: &Home, n_threads: Option<usize>) -> Outcome<Arc<Self>> {
        let state = State { n_chosen: 0, name: bundled::NAME.to_owned(), loaded: None };
        let cpu = cpu::cpu(n_threads)?;
        let state = Mutex::new(state);
        Ok(Arc::new(Self { home: home.clone(), cpu, state, changed: Condvar::new() }))
    }

    /// Makes a model answer (none: the one that came with psi). It loads behind this call.
    pub(super) fn choose(self: &Arc<Self>, path: Option<PathBuf>) {
        let mut state = self.lock();
        state.n_chosen += 1;
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
                state.loaded = Some(loaded);
                shelf.changed.notify_all();
            }
        };
        let thread = std::thread::Builder::new().name("psi-load".to_owned()).spawn(load);
        if let Err(error) = thread {
            self.lock().loaded = Some(Err(format!("the system gives no thread: {error}")));
        }
    }

    fn load(&self, path: Option<&Path>) -> Result<Arc<ChatModel>, String> {
        let name = name_of(path, &self.home);
        let path = match path {
            Some(path) => path.to_owned(),
            None => bundled::unpack(&self.home).map_err(|failure| failure.to_string())?,
        };
        let options = OpenOptions { name: Some(name), ..OpenOptions::default() };
        let model =
            ChatModel::open(&path, &self.cpu, options).map_err(|error| match error.hint() {
                Some(hint) => format!("{error} ({hint})"),
                None => error.to_string(),
            })?;
        Ok(Arc::new(model))
    }

    /// How the model that answers stands.
    pub(super) fn state(&self) -> ModelState {
        let state = self.lock();
        let name = state.name.clone();
        match &state.loaded {
            None => ModelState::Loading { name },
            Some(Ok(model)) => ModelState::Ready { name, context: model.service.max_context() },
            Some(Err(why)) => ModelState::Failed { name, why: why.clone() },
        }
    }

    /// The model that answers, once it is loaded.
    fn wait(&self) -> Result<Arc<ChatModel>, String> {
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

/// The page's one model answers whatever conversation asks.
pub(super) struct Shelved(pub(super) Arc<Shelf>);

impl Models for Shelved {
    fn find(&self, _name: Option<&str>) -> Result<Arc<dyn ChatSource>, String> {
        Ok(Arc::new(LocalModel::new(self.0.wait()?, None)))
    }
}

/// And it answers the API.
impl CurrentModel for Shelved {
    fn name(&self) -> String {
        self.0.lock().name.clone()
    }

    fn loaded(&self) -> Option<Arc<ChatModel>> {
        self.0.lock().loaded.as_ref().and_then(|loaded| loaded.as_ref().ok()).cloned()
    }

    fn wait(&self) -> Result<Arc<ChatModel>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.wait()?)
    }
}

//! The models of one server: loaded when they are asked for, dropped when nobody does.

use std::{
    collections::HashSet,
    error::Error,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use psi_infer::chat::ChatModel;

use super::{
    Shared,
    error::ApiError,
    gate::{Call, blocking},
};

/// A model under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    /// What requests call it.
    pub name: String,
    /// Its folder or GGUF file. Models with one path are one model with several names.
    pub path: PathBuf,
}

/// Loads a model, which takes its time and its memory.
pub type LoadModel = Arc<dyn Fn(&ModelSpec) -> Result<ChatModel, LoadError> + Send + Sync>;

/// Why a model cannot be loaded.
pub type LoadError = Box<dyn Error + Send + Sync>;

/// The model of a program that chooses and loads one itself, and may choose another at any time.
pub trait CurrentModel: Send + Sync {
    /// What requests call it.
    fn name(&self) -> String;

    /// The model and the adapter of it that answers, where they are loaded.
    fn loaded(&self) -> Option<(Arc<ChatModel>, Option<String>)>;

    /// The same, once they are loaded.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    fn wait(&self) -> Result<(Arc<ChatModel>, Option<String>), LoadError>;
}

/// What is served.
pub enum ServedModels {
    /// These, each loaded when it is first asked for.
    Named {
        /// The first one answers requests that name none.
        models: Vec<ModelSpec>,
        /// Loads one of them, on a thread where it may take its time.
        load: LoadModel,
        /// Drop a model from memory that nobody has asked for so long.
        idle_unload: Option<Duration>,
    },
    /// The one that the program around uses itself.
    Current(Arc<dyn CurrentModel>),
}

/// A model that a request has been given; it stays loaded as long as this lives.
#[derive(Clone)]
pub(crate) struct Served {
    /// The name that was asked for.
    pub(crate) name: String,
    pub(crate) model: Arc<ChatModel>,
    /// The adapter that was asked for, as `NAME:ADAPTER`.
    pub(crate) adapter: Option<String>,
}

/// Every model that can be asked for.
pub(crate) enum Models {
    Named(Named),
    Current(Arc<dyn CurrentModel>),
}

/// Models under names that do not change.
pub(crate) struct Named {
    names: Vec<(String, usize)>,
    slots: Vec<Slot>,
    load: LoadModel,
    idle_unload: Option<Duration>,
}

struct Slot {
    name: String,
    /// Where it lies; another place after [`Models::replace`].
    path: Mutex<PathBuf>,
    /// Held while the model is being loaded, so that it is loaded once.
    loading: tokio::sync::Mutex<()>,
    loaded: Mutex<Option<Loaded>>,
}

struct Loaded {
    model: Arc<ChatModel>,
    last_used: Instant,
}

impl Slot {
    fn new(spec: ModelSpec) -> Self {
        let ModelSpec { name, path } = spec;
        let loading = tokio::sync::Mutex::new(());
        Self { name, path: Mutex::new(path), loading, loaded: Mutex::new(None) }
    }

    fn spec(&self) -> ModelSpec {
        let path = self.path.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ModelSpec { name: self.name.clone(), path }
    }

    fn loaded(&self) -> MutexGuard<'_, Option<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, model: ChatModel) -> Arc<ChatModel> {
        let model = Arc::new(model);
        let loaded = Loaded { model: Arc::clone(&model), last_used: Instant::now() };
        *self.loaded() = Some(loaded);
        model
    }

    fn touch(&self) -> Option<Arc<ChatModel>> {
        let mut loaded = self.loaded();
        let loaded = loaded.as_mut()?;
        loaded.last_used = Instant::now();
        Some(Arc::clone(&loaded.model))
    }
}

impl Named {
    fn new(
        specs: Vec<ModelSpec>,
        load: LoadModel,
        idle_unload: Option<Duration>,
    ) -> Result<Self, String> {
        if specs.is_empty() {
            return Err("there is no model to serve".to_owned());
        }
        let mut seen = HashSet::new();
        let mut names = Vec::new();
        let mut slots: Vec<Slot> = Vec::new();
        for spec in specs {
            if spec.name.is_empty() || spec.name.chars().any(char::is_control) {
                return Err(format!("{}: a model needs a name", spec.path.display()));
            }
            if !seen.insert(spec.name.clone()) {
                return Err(format!("two models are called `{}`", spec.name));
            }
            let known = slots.iter().position(|slot| slot.spec().path == spec.path);
            names.push((spec.name.clone(), known.unwrap_or(slots.len())));
            if known.is_none() {
                slots.push(Slot::new(spec));
            }
        }
        Ok(Self { names, slots, load, idle_unload })
    }

    fn slot(&self, name: &str) -> Option<usize> {
        self.names.iter().find(|(n, _)| n == name).map(|(_, slot)| *slot)
    }

    /// Drops what nobody has asked for since `idle_unload`.
    fn unload_idle(&self, limit: Duration) {
        for slot in &self.slots {
            let mut loaded = slot.loaded();
            let idle = loaded.as_ref().is_some_and(|l| {
                l.last_used.elapsed() >= limit && Arc::strong_count(&l.model) == 1
            });
            let gone = if idle { loaded.take() } else { None };
            drop(loaded);
            // Freeing a large model takes a while; nobody waits for the lock meanwhile.
            drop(gone);
        }
    }
}

impl Models {
    pub(crate) fn new(served: ServedModels) -> Result<Self, String> {
        Ok(match served {
            ServedModels::Named { models, load, idle_unload } => {
                Self::Named(Named::new(models, load, idle_unload)?)
            }
            ServedModels::Current(model) => Self::Current(model),
        })
    }

    /// Every name, in the order of the options.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Named(named) => named.names.iter().map(|(name, _)| name.clone()).collect(),
            Self::Current(model) => vec![model.name()],
        }
    }

    /// The name that requests without one mean.
    pub(crate) fn default_name(&self) -> String {
        match self {
            Self::Named(named) => named.names[0].0.clone(),
            Self::Current(model) => model.name(),
        }
    }

    /// The model of this name, if it is loaded; a look does not count as a use.
    pub(crate) fn peek(&self, name: &str) -> Option<Arc<ChatModel>> {
        match self {
            Self::Named(named) => {
                named.slots[named.slot(name)?].loaded().as_ref().map(|l| Arc::clone(&l.model))
            }
            Self::Current(model) => model.loaded().map(|(m, _)| m).filter(|m| m.name == name),
        }
    }

    /// Every loaded model under its first name.
    pub(crate) fn loaded(&self) -> Vec<(String, Arc<ChatModel>)> {
        let of =
            |slot: &Slot| slot.loaded().as_ref().map(|l| (slot.name.clone(), Arc::clone(&l.model)));
        match self {
            Self::Named(named) => named.slots.iter().filter_map(of).collect(),
            Self::Current(model) => {
                model.loaded().map(|(m, _)| (m.name.clone(), m)).into_iter().collect()
            }
        }
    }

    /// Whether there is a model of this name.
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Named(named) => named.slot(name).is_some(),
            Self::Current(model) => model.name() == name,
        }
    }

    /// The model's name in `NAME` or `NAME:ADAPTER`, and the adapter.
    fn find<'a>(&self, name: &'a str) -> Option<(&'a str, Option<&'a str>)> {
        if self.has(name) {
            return Some((name, None));
        }
        let (base, adapter) = name.rsplit_once(':')?;
        self.has(base).then_some((base, Some(adapter)))
    }

    /// Loads the first model.
    pub(crate) fn preload(&self) -> Result<(), LoadError> {
        match self {
            Self::Current(model) => model.wait().map(drop),
            Self::Named(named) => {
                let slot = &named.slots[0];
                let _loading = slot.loading.blocking_lock();
                if slot.touch().is_none() {
                    slot.fill((named.load)(&slot.spec())?);
                }
                Ok(())
            }
        }
    }

    /// Lets `name` mean the model at `path` from now on. What is being answered ends with the model that
    /// it began with; until the new one is loaded, requests get the old one.
    pub(crate) fn replace(&self, name: &str, path: &Path) -> Result<(), LoadError> {
        let Self::Named(named) = self else {
            return Err("the program around chooses its model itself".into());
        };
        let Some(index) = named.slot(name) else {
            return Err(format!("there is no model called `{name}`").into());
        };
        let slot = &named.slots[index];
        let _loading = slot.loading.blocking_lock();
        let spec = ModelSpec { name: slot.name.clone(), path: path.to_owned() };
        let is_loaded = slot.loaded().is_some();
        let model = if is_loaded { Some((named.load)(&spec)?) } else { None };
        *slot.path.lock().unwrap_or_else(PoisonError::into_inner) = spec.path;
        if let Some(model) = model {
            slot.fill(model);
        }
        Ok(())
    }

    /// Lets every model end what runs.
    pub(crate) fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        for (_, model) in self.loaded() {
            model.service.drain(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

impl Call {
    /// The model of this name (the first one where the request names none), loaded if need be.
    ///
    /// # Errors
    /// [`ApiError`] when there is none, the key may not use it, or it cannot be loaded.
    pub(crate) async fn model(&self, name: Option<&str>) -> Result<Served, ApiError> {
        let models = &self.api.models;
        let name = name.map_or_else(|| models.default_name(), str::to_owned);
        let unknown = || ApiError::NoModel(name.clone());
        let (base, adapter) = models.find(&name).ok_or_else(unknown)?;
        if !self.key.may_use(base) {
            return Err(unknown());
        }
        let (model, own) = load(&self.api, base).await?;
        if adapter.is_some_and(|a| !model.service.adapters().iter().any(|known| known == a)) {
            return Err(unknown());
        }
        let adapter = adapter.map(str::to_owned).or(own);
        self.record.note(|facts| facts.model = Some(name.clone()));
        Ok(Served { name, model, adapter })
    }
}

/// The model, and the adapter of it that the program around has chosen.
async fn load(api: &Arc<Shared>, name: &str) -> Result<(Arc<ChatModel>, Option<String>), ApiError> {
    // Paths and causes are for the server's owner only.
    let refused = |worker: &Shared, name: String, error: &dyn fmt::Display| {
        worker.report(&format!("the model `{name}` cannot be loaded: {error}"));
        ApiError::NotLoaded(name)
    };
    let worker = Arc::clone(api);
    let (named, index) = match &api.models {
        Models::Named(named) => (named, named.slot(name)),
        Models::Current(model) => {
            if let Some(loaded) = model.loaded() {
                return Ok(loaded);
            }
            let (model, name) = (Arc::clone(model), name.to_owned());
            let wait = move || model.wait().map_err(|e| refused(&worker, name, &e));
            return blocking(api, wait).await;
        }
    };
    let index = index.ok_or_else(|| ApiError::NoModel(name.to_owned()))?;
    let slot = &named.slots[index];
    if let Some(model) = slot.touch() {
        return Ok((model, None));
    }
    let _loading = slot.loading.lock().await;
    if let Some(model) = slot.touch() {
        return Ok((model, None));
    }
    blocking(api, move || {
        let Models::Named(named) = &worker.models else { return Err(ApiError::Internal) };
        let slot = &named.slots[index];
        match (named.load)(&slot.spec()) {
            Ok(model) => Ok((slot.fill(model), None)),
            Err(error) => Err(refused(&worker, slot.name.clone(), &error)),
        }
    })
    .await
}

/// Loads the first model now, so that the first request need not wait.
pub(crate) async fn load_first(api: &Arc<Shared>) -> Result<Arc<ChatModel>, ApiError> {
    load(api, &api.models.default_name()).await.map(|(model, _)| model)
}

/// Starts the thread that drops idle models; it ends with the API.
pub(crate) fn watch_idle(api: &Arc<Shared>) -> std::io::Result<()> {
    let Models::Named(Named { idle_unload: Some(limit), .. }) = api.models else { return Ok(()) };
    let api: Weak<Shared> = Arc::downgrade(api);
    let watch = move || {
        while let Some(api) = api.upgrade() {
            if let Models::Named(named) = &api.models {
                named.unload_idle(limit);
            }
            drop(api);
            std::thread::sleep(Duration::from_secs(1).min(limit));
        }
    };
    std::thread::Builder::new().name("psi-idle".to_owned()).spawn(watch).map(drop)
}

impl fmt::Debug for ServedModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { models, .. } => f.debug_tuple("Named").field(models).finish(),
            Self::Current(model) => f.debug_tuple("Current").field(&model.name()).finish(),
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Served({})", self.name)
    }
}

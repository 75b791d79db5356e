//! What a run is to do: the recipe as written, and the configuration it resolves to.

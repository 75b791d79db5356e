"""Keeps llama.cpp's harness from downloading all of its models before the first test: psi runs those that are here."""

import utils

utils.ServerPreset.load_all = staticmethod(lambda: None)
# The answer to `GET /health` says that a server listens; the tests want one that answers.
utils.DEFAULT_HTTP_TIMEOUT = 30

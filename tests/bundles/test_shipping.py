"""A bundle that ships: half the bytes, the same model, and nothing of another one's."""

import json

import pytest
import torch
from full_bundle import SCORES
from safetensors.torch import load_file, save_file
from tiny import TINY

from neuromusic_hf import MidiContinuationPipeline, build_model
from neuromusic_hf.bundles import bundle_files, save_bundle, weights_hash
from neuromusic_hf.bundles.shipping import save_for_shipping
from neuromusic_hf.hub import read_card
from neuromusic_hf.reports.released_bundle import release_bundle

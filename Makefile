# make quickstart   set up and run the main job on the embedded corpus
# make test         set up, lint and test
PYTHON ?= python3
BIN := .venv/bin
PROMPTS := --max_items 8 --prompt_length 256 --continue_length 256 --save_audio 2 --overwrite

.PHONY: quickstart test lint clean

quickstart: .venv/ready-audio
	$(BIN)/accelerate launch --config_file accelerate_configs/cpu.yaml scripts/train.py recipes/quickstart.yaml
	$(BIN)/python scripts/continue_midi.py runs/quickstart bach+folk $(PROMPTS) --output runs/quickstart/continuations
	$(BIN)/python scripts/score_continuations.py runs/quickstart/continuations --train_corpus bach+folk --output runs/quickstart/report
	@echo "The model is in runs/quickstart/bundle, its continuations in runs/quickstart/continuations."
	@echo "Open runs/quickstart/report/report.html in a browser."

test: lint
	$(BIN)/python -m pytest

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/ready-%: setup.cfg setup.py constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[$*]"
	touch $@

clean:
	rm -rf .venv runs

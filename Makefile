# make quickstart                     set up, continue with the bundle that comes along, fine-tune it on madrigals, compare
# make quickstart CORPUS=my_midi      the same with a folder, zip or tar of your own MIDI files
# make test                           set up, lint and test
PYTHON ?= python3
BIN := .venv/bin
CORPUS ?= monteverdi
RUN := runs/quickstart
TEST_SPLIT := --split test --split_shares 0.7 0.15 0.15
PROMPTS := $(TEST_SPLIT) --max_items 8 --prompt_length 256 --continue_length 256 --save_audio 2 --overwrite
TRAIN_SPLIT := --train_corpus "$(CORPUS)" --split_shares 0.7 0.15 0.15

.PHONY: quickstart test lint clean

quickstart: .venv/ready-audio
	$(BIN)/python scripts/continue_midi.py default "$(CORPUS)" $(PROMPTS) --output $(RUN)/before
	$(BIN)/python scripts/score_continuations.py $(RUN)/before $(TRAIN_SPLIT) --output $(RUN)/report_before
	@echo "That was the bundle as it comes: $(RUN)/report_before/report.html. Now it is fine-tuned on $(CORPUS)."
	$(BIN)/accelerate launch --config_file accelerate_configs/cpu.yaml scripts/train.py \
	    recipes/finetune.yaml recipes/quickstart.yaml --corpus "$(CORPUS)" --output_dir $(RUN)
	$(BIN)/python scripts/continue_midi.py $(RUN) "$(CORPUS)" $(PROMPTS) --output $(RUN)/continuations
	$(BIN)/python scripts/score_continuations.py $(RUN)/continuations $(TRAIN_SPLIT) --output $(RUN)/report
	$(BIN)/python scripts/compare_runs.py $(RUN)/report_before $(RUN)/report --output $(RUN)/comparison
	@echo "The fine-tuned bundle is $(RUN)/bundle. Open $(RUN)/comparison/comparison.html in a browser: before and after."

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

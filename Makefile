# SPDX-License-Identifier: BSD-3-Clause
# A thin front for Meson and the scripts under tests/, lab/ and bench/. Each target installs what it lacks.
BUILD := build
INSTALL := packaging/dependencies/install

.PHONY: help
help:
	@echo 'make run        build, and serve with a certificate and an account made on the spot'
	@echo '                (PORT=8443 serves everything on that port alone; ARGS=... go to posternd)'
	@echo 'make check      build and test: some minutes'
	@echo 'make check-all  the same with everything that takes long'
	@echo 'make demo       browsers call out of restrictive networks (root)'
	@echo 'make bench      side by side with coturn'
	@echo 'make build, install, install-dependencies, format, clean'

.PHONY: build
build:
	@$(INSTALL) build
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) >/dev/null
	@ninja -C $(BUILD) posternd postern

.PHONY: run
run: build
	@exec $(BUILD)/posternd $(if $(PORT),--port $(PORT)) $(ARGS)

.PHONY: install
install: build
	meson install -C $(BUILD)

.PHONY: check check-all
check:
	@$(INSTALL) build test fuzz browser
	@tests/check
check-all:
	@$(INSTALL) build test fuzz browser
	@tests/check --all

.PHONY: demo
demo: build
	@$(INSTALL) browser
	@$(if $(filter 0,$(shell id -u)),,sudo )lab/demo

.PHONY: bench
bench: build
	@$(INSTALL) bench
	@bench/run $(ARGS)
	@bench/sip

.PHONY: install-dependencies
install-dependencies:
	@$(INSTALL) build test fuzz browser bench

.PHONY: format
format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: clean
clean:
	rm -rf build build-asan build-tsan build-fuzz

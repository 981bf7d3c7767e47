# Antiphon. `make` lists what there is. ARGS="…" is handed on: make demo ARGS="--wav my.wav"
SHELL := /bin/bash
ANTIPHON := .venv/bin/antiphon
# Where it is set, each process of a stack compiles its 1,600 modules anew: 2 s of CPU for a gateway.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup models app demo up open test check types lint logic bench livekit lock licences schema

help:
	@echo "make setup   install everything into .venv (about 1.1 GB; only when something changed)"
	@echo "make models  fetch a larger language model and a Whisper for 99 languages (1.2 GB); demo and up then use them. ARGS=stt: one"
	@echo "make demo    hold a conversation: real models, real log, the sound to listen to"
	@echo "make up      start everything and keep it running, with one address to open; stop with Ctrl-C"
	@echo "make open    serve a session of the demo, or of an earlier stack, in the web app: make open ARGS=SESSION"
	@echo "make test    the tests, in lanes at once; some of them: make test ARGS=\"tests/golden -k named\""
	@echo "make check   format, lint, types, walls; the web app's logic, and how much of it a first visit loads"
	@echo "make app     build the web app (make up does, too; only when something changed)"
	@echo "make livekit build the LiveKit server that demo, up and the tests use (needs Go 1.26)"
	@echo "make bench   one benchmark: make bench ARGS=latency"
	@echo "make schema  write what is generated anew: what clients hear and say, the API's description, the app's types of it"
	@echo "make lock    write the locks anew: make lock UPGRADE=--upgrade"

setup:
	@PYTHON="$(PYTHON)" ops/locks/install.sh

models: setup
	@.venv/bin/python ops/locks/models.py "$${ANTIPHON_DATA:-.antiphon}/models" $(ARGS)

demo: setup
	@$(ANTIPHON) demo $(ARGS)

# Built once, and again when its sources have changed. Without it (no network, say) everything else works.
up: setup
	@ops/locks/web.sh || echo "up: the web app could not be built (see above); everything else starts" >&2
	@$(ANTIPHON) up $(ARGS)

app: setup
	@ops/locks/web.sh

open: app
	@$(ANTIPHON) open $(ARGS)

bench: setup
	@$(ANTIPHON) bench $(ARGS)

# Without a LiveKit server, an S3 server or a browser its tests are skipped, and say so; with CI set they fail. ARGS make it one ordinary pytest.
test: setup
	@ops/locks/phones.sh
	@ops/locks/browsers.sh
	@ops/locks/prometheus.sh
	@ops/locks/web.sh || [ -z "$$CI" ]
	@ops/bucket/build.sh >/dev/null || command -v versitygw || [ -n "$$TEST_S3_SERVER" ] || [ -z "$$CI" ]
	@ops/livekit/build.sh >/dev/null || command -v livekit-server || [ -n "$$LIVEKIT_URL" ] || [ -z "$$CI" ]
	$(if $(strip $(ARGS)),.venv/bin/pytest $(ARGS),.venv/bin/python -m tests.lanes)

livekit:
	@ops/livekit/build.sh

# Types and the web app's logic take longest: two at once. Each is told when it is through; one that fails stops none of the others.
check: setup
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target types lint logic

types: setup
	.venv/bin/mypy

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	PATH="$$PWD/.venv/bin:$$PATH" lint-imports

logic: setup
	ops/locks/web.sh run check
	ops/locks/web.sh run test
	ops/locks/web.sh && ops/locks/web.sh run budget

lock: setup
	@UPGRADE="$(UPGRADE)" ops/locks/lock.sh
	@$(MAKE) --no-print-directory setup
	@.venv/bin/python ops/locks/licences.py

licences: setup
	@.venv/bin/python ops/locks/licences.py

schema: setup
	@.venv/bin/python -m schemas.client > schemas/client.schema.json
	@.venv/bin/python -m api.openapi > api/openapi.json
	@ops/locks/web.sh run types

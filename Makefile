# Everything happens in .venv, made from nothing by bootstrap.py and left alone when up to date.
PYTHON ?= python3
VENV := .venv/bin
ALL := test notebooks docs browser mujoco dm dask

.PHONY: demo test test-course sac lab notebooks book lint types benchmark benchmark-sac \
	benchmark-check benchmark-start conformance trust mutation exercises clean

demo: ; $(PYTHON) bootstrap.py && $(VENV)/nabla compare report
test: ; $(PYTHON) bootstrap.py test notebooks mujoco dm dask && OMP_NUM_THREADS=1 $(VENV)/python -m pytest -n auto --dist loadfile -m "not course"
test-course: ; $(PYTHON) bootstrap.py $(ALL) && OMP_NUM_THREADS=1 $(VENV)/python -m pytest -n auto --dist loadfile -m course
sac:
	$(PYTHON) bootstrap.py mujoco
	rm -rf out/pendulum && $(VENV)/nabla train --task Pendulum-v1 --steps 6000 --lr 1e-3 --run out/pendulum
	$(VENV)/nabla plot out/pendulum --out out/pendulum/curve
lab: ; $(PYTHON) bootstrap.py notebooks && $(VENV)/python -m nabla.course.book.convert && cd notebooks && ../$(VENV)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) 00_tour.ipynb
notebooks: ; $(PYTHON) bootstrap.py notebooks && $(VENV)/python -m nabla.course.book.convert
book: ; $(PYTHON) bootstrap.py notebooks docs && $(VENV)/python -m nabla.course.book
lint: ; $(PYTHON) bootstrap.py $(ALL) && $(VENV)/ruff check . && $(VENV)/ruff format --check .
types: ; $(PYTHON) bootstrap.py $(ALL) && $(VENV)/mypy
benchmark: ; $(PYTHON) bootstrap.py && $(VENV)/python benchmarks/gradients.py
benchmark-sac:
	$(PYTHON) bootstrap.py mujoco
	$(VENV)/python benchmarks/parity/run.py && $(VENV)/python benchmarks/sac_speed.py
benchmark-check: ; $(PYTHON) bootstrap.py && OMP_NUM_THREADS=1 $(VENV)/python benchmarks/check_speed.py
benchmark-start: ; $(PYTHON) bootstrap.py && $(VENV)/python benchmarks/start.py
trust: ; $(PYTHON) bootstrap.py && OMP_NUM_THREADS=1 $(VENV)/python benchmarks/trust.py
mutation: # long; resumes where it stopped
	$(PYTHON) bootstrap.py test mutation
	OMP_NUM_THREADS=1 $(VENV)/mutmut run --max-children 2
	$(VENV)/python benchmarks/mutation.py
exercises: # what they accept, and say; resumes where it stopped
	$(PYTHON) bootstrap.py test notebooks
	OMP_NUM_THREADS=1 $(VENV)/python benchmarks/exercise_mutations.py
	OMP_NUM_THREADS=1 $(VENV)/python benchmarks/exercises_tried.py
conformance: ; $(PYTHON) benchmarks/conformance/run.py
clean: ; rm -rf .venv out .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

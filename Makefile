# Everything happens in .venv, made from nothing by bootstrap.py and left alone when up to date.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: demo test lint types benchmark clean

demo: ; $(PYTHON) bootstrap.py && $(VENV)/nabla compare report
test: ; $(PYTHON) bootstrap.py test && $(VENV)/python -m pytest
lint: ; $(PYTHON) bootstrap.py test && $(VENV)/ruff check . && $(VENV)/ruff format --check .
types: ; $(PYTHON) bootstrap.py test && $(VENV)/mypy
benchmark: ; $(PYTHON) bootstrap.py && $(VENV)/python benchmarks/gradients.py
clean: ; rm -rf .venv out .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

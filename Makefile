.PHONY: help demo test bench lint format
help:
	@echo "make demo    build and run the order and points services under faults (about a minute after the build)"
	@echo "make test    install what is needed, build everything, run every test"
	@echo "make bench   measure, as ratios; results in bench/results/latest.json"
	@echo "make lint    formatting and include directions"
	@echo "make format  format every C++ file"
demo test bench format:
	@tools/$@
lint:
	@tools/layers
	@tools/lint

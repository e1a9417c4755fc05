.PHONY: help demo test bench soak lint format
help:
	@echo "make demo    build and run the order and points services under faults (about a minute after the build)"
	@echo "make test    install what is needed, build everything, run every test"
	@echo "make bench   measure, as ratios; results in bench/results/latest.json"
	@echo "make soak    simulate 100 000 days of trouble, with new seeds"
	@echo "make lint    formatting and include directions"
	@echo "make format  format every C++ file"
demo test bench soak format:
	@tools/$@
lint:
	@tools/layers
	@tools/lint

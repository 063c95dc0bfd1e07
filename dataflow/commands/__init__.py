"""The commands of `tidegate`, one module each; dataflow/cli.py lists them."""

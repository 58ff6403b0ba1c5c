"""Tests of the emulator: `python -W ignore -m unittest discover -s aws/tests -t .` in the folder above it."""

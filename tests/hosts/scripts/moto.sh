#!/usr/bin/env bash
# Makes a Python of its own with moto, an emulator of AWS, in it.
#
#   moto.sh FOLDER     FOLDER must not exist; standard input has a package and its version a line
set -euo pipefail
folder=$1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# An environment for Python is found by the folder that it lies in, so that it can be renamed; programs in it cannot.
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --no-deps --only-binary :all: --requirement /dev/stdin

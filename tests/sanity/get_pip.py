"""Stands in for the get-pip.py that ansible-test downloads: the pip that Python itself brings upgrades itself.

ansible-test takes it from its cache, so that sanity needs a package index and nothing else.
"""

import ensurepip
import os
import subprocess
import sys

os.environ.pop("PIP_NO_INDEX", None)
ensurepip.bootstrap()
# ensurepip points this at nothing, and with it the machine's own settings (certificates, index) would be lost.
os.environ.pop("PIP_CONFIG_FILE", None)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--upgrade", *wanted]))

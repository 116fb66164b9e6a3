"""What is installed stands in setup.cfg."""

from setuptools import setup

setup()

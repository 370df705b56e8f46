from setuptools import setup

setup(name="attn-kernels", version="0.3", py_modules=[])

# ruff: noqa: TID253
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

setup(
    name="attn-kernels",
    version="0.3",
    ext_modules=[CUDAExtension("attn_kernels", ["attn.cpp", "attn_kernel.cu"])],
    cmdclass={"build_ext": BuildExtension},
)

#include <torch/extension.h>

torch::Tensor scale(torch::Tensor q, double s) { return q * s; }

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("scale", &scale); }

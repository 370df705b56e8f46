#include <cuda_runtime.h>

__global__ void scale_kernel(float* x, float s, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= s;
}

void launch(float* x, float s, int n) { scale_kernel<<<(n + 255) / 256, 256>>>(x, s, n); }

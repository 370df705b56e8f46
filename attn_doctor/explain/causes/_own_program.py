"""What goes wrong in a program that is installed well: memory of the GPU, training, code, data, the network."""

from __future__ import annotations

from functools import cache

from attn_doctor.explain.cause import HINT, PROOF, SIGN, Sign, Strength

MEMORY = (
    "The GPU's memory is full. The installation works: the model, the batch or the context is too large "
    "for what is free."
)
MEMORY_FIX = (
    "nvidia-smi   (who else holds memory)",
    "a smaller batch or shorter context, gradient checkpointing, 8-bit or 4-bit weights, offloading to the CPU",
    (
        "much 'reserved but unallocated': PYTORCH_ALLOC_CONF=expandable_segments:True   (older torch: "
        "PYTORCH_CUDA_ALLOC_CONF)"
    ),
)
ASSERT = (
    "A kernel found an index out of range: mostly token ids or labels beyond the size of the embedding or the classes."
)
ASSERT_FIX = ("CUDA_LAUNCH_BLOCKING=1 python ...   (shows the line that did it), or the same once on the CPU",)
NUMBERS = (
    "Training diverged: the numbers became NaN or infinite. That is a matter of learning rate, precision and data."
)
NUMBERS_FIX = (
    (
        "bfloat16 instead of float16, gradient clipping, a lower learning rate; "
        "torch.autograd.set_detect_anomaly(True) finds the place"
    ),
)
RANKS = (
    "The processes of a distributed run lost each other or waited too long. One of them failed or fell behind first."
)
RANKS_FIX = (
    "the first rank that printed a traceback is the one to read; NCCL_DEBUG=INFO shows the network that is used",
)
SHAPES = "The program hands tensors of the wrong shape, device or dtype to each other. The packages are in order."
ARGUMENTS = "The attention function is called with arguments that it does not take. The package is installed and loads."
CODE = "The exception comes from the program's own code or data, not from an installation."
HUB = "A model or data set could not be fetched: its name, the access to it, or the network. No package is at fault."
HUB_FIX = (
    (
        "hf auth login, and accept the model's terms on its page, where access is restricted; "
        "HF_HUB_OFFLINE=1 with a filled cache"
    ),
)
OTHERS = "This is about other tools than those of Python packages for the GPU, or a test that did not pass."
PAGING = (
    "Windows could not set aside the memory that torch's libraries ask for when they are loaded: the paging file is "
    "too small. Mostly several processes load torch at once, as the workers of a DataLoader do. The files are in order."
)
PAGING_FIX = (
    "num_workers=0, or fewer   (each worker process loads all of torch's DLLs anew)",
    (
        "Settings, System, About, Advanced system settings, Performance, Advanced, Virtual memory: managed by the "
        "system, on a disk with room"
    ),
)
FAULT = (
    "A GPU kernel failed while it ran. That may be a bug of a kernel, tensors that do not fit, or "
    "hardware; it is no installation fault by itself."
)
FAULT_FIX = (
    "CUDA_LAUNCH_BLOCKING=1 python ...   (the line that is shown then is the right one)",
    "compute-sanitizer python ...   (names the access)",
)

NONE: tuple[str, ...] = ()
TABLE: tuple[tuple[str, tuple[str, ...], str, Strength, tuple[str | tuple[str, str], ...]], ...] = (
    (MEMORY, MEMORY_FIX, "torch: CUDACachingAllocator.cpp; vLLM; CUDA", PROOF, (
        "CUDA out of memory", "torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError", "CUDA error: out of memory",
        "HIP out of memory",
        "MPS backend out of memory", "No available memory for the cache blocks",
        "is less than desired GPU memory utilization",
        "larger than the maximum number of tokens that can be stored in KV cache",
        "KV cache is needed, which is larger than the available",
        "DefaultCPUAllocator: not enough memory", "DefaultCPUAllocator: can't allocate memory",
        "RESOURCE_EXHAUSTED: Out of memory", "cudaErrorMemoryAllocation",
        "CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED", ("out of resource: shared memory", r"Required: \d+"),
    )),
    (PAGING, PAGING_FIX, "Windows: ERROR_COMMITMENT_LIMIT", PROOF, ("WinError 1455]",)),
    (ASSERT, ASSERT_FIX, "torch: CUDA kernels", PROOF, (
        "device-side assert triggered", ("Assertion `", r"block: \[\d+,\d+,\d+\], thread: \[\d+,\d+,\d+\] Assertion `"),
        "cudaErrorAssert",
    )),
    (NUMBERS, NUMBERS_FIX, "torch, trainers", SIGN, (
        "probability tensor contains either `inf`, `nan`", ("loss",
        r"(?i)\bloss\b['\"]?\s?(?:[:=]|is)?\s?(?:nan|inf)\b"),
        "Gradient overflow.  Skipping step", "OVERFLOW! Rank", "Current loss scale already at minimum",
        "grad_norm is NaN",
        ("nan", r"(?i)(?:loss|gradient|grad_norm)s? (?:is|became|are|contains?) (?:nan|inf)"),
        "Function 'SoftmaxBackward",
    )),
    (RANKS, RANKS_FIX, "torch: ProcessGroupNCCL.cpp, TCPStore, elastic", SIGN, (
        "Watchdog caught collective operation timeout", "Some NCCL operations have failed or timed out",
        "Heartbeat monitor timed out",
        "ncclRemoteError", "ncclSystemError", "ncclInternalError", "RendezvousTimeoutError",
        "RendezvousConnectionError", "DistStoreError",
        ("Connection", r"\[rank\d+\].{0,80}Connection (?:closed|reset) by"), "torch.distributed.DistBackendError",
        ("NCCL", r"(?i)nccl[^\n]{0,40}time(?:d )?-?out"),
        ("address already in use", r"(?i)(?:socket|EADDRINUSE|server)"), "wait timeout after",
    )),
    (SHAPES, NONE, "torch: TensorImpl, ATen", SIGN, (
        "shapes cannot be multiplied", "must match the size of tensor", "must match the existing size",
        "is invalid for input of size",
        "Expected all tensors to be on the same device", "Sizes of tensors must match except",
        "index out of range in self",
        ("is out of bounds", r"index \d+ is out of bounds"), "should be the same",
        "mat1 and mat2 must have the same dtype",
        ("expected scalar type", r"expected scalar type \w+ but found"), ("expected m1 and m2",
        r"to have the same dtype"), "does not require grad and does not have a grad_fn",
        "backward through the graph a second time", "has been modified by an inplace operation",
        "Error(s) in loading state_dict for",
        "size mismatch for", "Expected query, key, and value to have the same dtype",
        "Explicit attn_mask should not be set when is_causal",
        "Cannot re-initialize CUDA in forked subprocess", "cannot be accessed from Triton (cpu tensor?)",
        ("DataLoader worker", r"is killed by signal|exited unexpectedly"),
        "non-singleton dimension", "Boolean value of Tensor with more than one value",
        "can't convert cuda:0 device type tensor to numpy",
        "only one element tensors can be converted",
    )),
    (ARGUMENTS, NONE, "flash-attention: flash_api.cpp", SIGN, (
        "must have dtype int32", "must have contiguous last dimension", "Number of heads in key/value must divide",
        "batch size must be positive",
        ("must have shape", r"^(?:RuntimeError: )?[\w.]+ must have shape \("), ("must be on CUDA",
        r"^(?:RuntimeError: )?\w+ must be on CUDA"),
        "Softcapping does not support dropout", "return_softmax is only supported when",
        "Paged KV cache block size must be divisible",
        "Input tensors must be on cuda", "All tensors must be on the same device",
        "All tensors must have the same dtype",
    )),
    (HUB, HUB_FIX, "transformers, huggingface_hub, datasets", SIGN, (
        "We couldn't connect to 'https://huggingface.co'", "LocalEntryNotFoundError", "GatedRepoError",
        "RepositoryNotFoundError",
        ("Client Error", r"40[134] Client Error[^\n]{0,80}huggingface"),
        "is not a local folder and is not a valid model identifier",
        "does not appear to have a file named", ("Can't load ",
        r"Can't load (?:tokenizer|the (?:configuration|model)|feature extractor)"),
        "Cannot access gated repo", "DatasetNotFoundError", "HfHubHTTPError", "You are trying to access a gated repo",
        "DatasetGenerationError",
        ("Error while deserializing header", r"(?i)safetensor|header"), "HeaderTooLarge",
    )),
    (OTHERS, NONE, "npm, cargo, go, Maven, git, ssh, databases, pytest", SIGN, (
        "npm error code", "npm ERR! ", ("error[E0", r"^\s*error\[E0\d{3}\]"), "[ERROR] Failed to execute goal",
        ("error TS", r"error TS\d{4}:"),
        "CONFLICT (content): Merge conflict", "ssh: connect to host", "OperationalError: ", ("java.lang.",
        r"^\s*(?:Exception in thread|Caused by: )"),
        ("short test summary info", r"^=+ short test summary"), ("failed", r"^=+ \d+ failed\b"), "terraform apply",
        "yarn run v",
    )),
    (FAULT, FAULT_FIX, "CUDA: errors of a kernel", HINT, (
        "an illegal memory access was encountered", "unspecified launch failure", "misaligned address",
        "CUBLAS_STATUS_EXECUTION_FAILED",
        "CUBLAS_STATUS_INTERNAL_ERROR", "an illegal instruction was encountered",
        "the launch timed out and was terminated",
    )),
    (CODE, NONE, "Python", HINT, (
        ("KeyError", r"^(?:\S+ )?KeyError: "), ("IndexError", r"^(?:\S+ )?IndexError: "), ("ZeroDivisionError",
        r"ZeroDivisionError: "),
        ("UnboundLocalError", r"UnboundLocalError: "), ("RecursionError", r"RecursionError: "), ("KeyboardInterrupt",
        r"^\s*KeyboardInterrupt\b"),
        ("JSONDecodeError", r"JSONDecodeError: "), ("UnicodeDecodeError", r"UnicodeDecodeError: "),
        ("'NoneType' object", r"(?:Attribute|Type)Error: 'NoneType' object"),
        ("SyntaxError", r"^\s*SyntaxError: "), ("IndentationError", r"IndentationError: "),
        ("required positional argument", r"TypeError: "),
        ("FileNotFoundError",
        (
            r"FileNotFoundError: [^\n]{0,20}No such file or directory: '(?![^'\n]*(?:nvcc|cuda|ninja|gcc|\bcl\b"
            r"|git|cmake)['\"/.])"
        )),
        ("is not defined", r"^\s*NameError: name '(?!_?flash|triton|index_first|unpad)"), ("ValueError: ",
        (
            r"ValueError: (?:not enough values|too many values|could not convert|invalid literal for int"
            r"|Input contains NaN|Unrecognized model)"
        )),
        ("CUDA error", r"launched with[^\n]{0,20}CUDA_LAUNCH_BLOCKING"), ("AssertionError", r"^\s*AssertionError\s*$"),
        ("StopIteration", r"^\s*StopIteration\b"),
        ("Exception Type:",
        r"Exception Type:\W{1,4}(?:Key|Index|Assertion|ZeroDivision|UnboundLocal|UnicodeDecode)Error\b"),
        ("BrokenPipeError", r"BrokenPipeError: "), ("EOFError", r"^\s*EOFError\b"),
    )),
)  # fmt: skip


@cache
def meanings() -> dict[Sign, tuple[str, tuple[str, ...]]]:
    """What each means, and what can be done."""
    return {_sign(text, strength, by): (means, fix) for means, fix, by, strength, texts in TABLE for text in texts}


def _sign(text: str | tuple[str, str], strength: Strength, by: str) -> Sign:
    literal, pattern = (text, None) if isinstance(text, str) else text
    return Sign(literal, pattern, strength, by)

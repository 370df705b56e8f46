"""No CUDA toolkit: the build asks for nvcc, and there is none on PATH and none where CUDA_HOME would be.

The driver and nvidia-smi bring no compiler, and torch's own CUDA libraries do not either. A path to an nvcc that is not
there is cuda-home-malformed; on a Mac and with AMD GPUs no toolkit would help (macos-no-cuda, rocm-not-cuda).
flash-attn's warning that nvcc was not found stands above many a build that had its wheel: a sign, and no proof.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log

# sh, bash, zsh, fish, cmd.exe and PowerShell, as they say it in their languages
NOT_A_COMMAND = (
    r"(?:command not found|not found|Befehl nicht gefunden|Kommando nicht gefunden|commande introuvable|未找到命令"
    r"|コマンドが見つかりません|команда не найдена|orden no encontrada|no se encontró la orden|comando não encontrado"
    r"|comando non trovato|명령어를 찾을 수 없음|nie znaleziono polecenia|Unknown command|找不到命令)"
)
CMD = (
    r"(?:is not recognized|ist entweder falsch|n.est pas reconnu|不是内部或外部命令|no se reconoce|は、内部コマンド"
    r"|не является)"
)
FRAMES = ("cuda_dir", "bare_metal", "CUDA_HOME", "nvcc")


def weigh(match: Match, log: Log) -> Strength | None:
    if _builds.on_macos(log) or (_builds.on_rocm(log) and not log.has("+cu1", "NVIDIA")):
        return None
    if "NoneType" in match.sign.literal:
        return PROOF if log.near(match.line, *FRAMES, before=8, after=2) else None
    if match.strength == SIGN and log.has("Raw wheel path", "Successfully installed", "Successfully built"):
        return None  # it had its wheel
    return match.strength


def explain(_match: Match, case: Case) -> str:
    text = (
        "The package is compiled on your machine, and that takes NVIDIA's compiler, nvcc, which is not to be found. "
        "Neither the driver (nvidia-smi) nor torch brings one; it is part of the CUDA toolkit."
    )
    if case.log.has("sudo apt install nvidia-cuda-toolkit"):
        text += " The distribution's nvidia-cuda-toolkit, which the shell offers, is mostly too old for torch."
    return text


def fix(_match: Match, case: Case) -> Iterator[str]:
    if case.log.has("flashinfer"):
        yield "VLLM_USE_FLASHINFER_SAMPLER=0 keeps vLLM from compiling anything at its start"
    yield from _commands.no_compiler_needed(case)
    if case.log.has("docker", "Dockerfile", "pytorch/pytorch") and not case.windows:
        yield "in a container: an image whose tag ends in -devel has nvcc; attn-doctor docker --dockerfile writes one"
    if cuda := _commands.wanted_cuda(case):
        yield from _commands.toolkit(case, cuda)
        return
    yield (
        "otherwise a CUDA toolkit of the version that python -c 'import torch; print(torch.version.cuda)' prints, "
        "and CUDA_HOME set to its folder"
    )


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="nvcc-missing-cuda-home",
    stage="build",
    title="There is no nvcc: the build needs a CUDA toolkit, and none was found",
    signs=(
        _sign("CUDA_HOME environment variable is not set", None, "torch/utils/cpp_extension.py: _join_cuda_home"),
        _sign("CUDA was not found on the system, please set", None, "torch/utils/cpp_extension.py, 2.1 and later"),
        _sign("nvcc was not found", r"was requested, but nvcc was not found", "flash-attn, mamba-ssm setup.py", SIGN),
        _sign(
            "nvcc was not found", r"Error: \S+ was requested, but nvcc was not found", "flash-attn 2.0, 2.1 setup.py"
        ),
        _sign("raise_if_cuda_home_none(", None, "flash-attn, apex, mamba-ssm setup.py: a frame of a traceback", SIGN),
        _sign("name 'bare_metal_version' is not defined", None, "flash-attn 2.5, 2.6, mamba-ssm setup.py"),
        _sign("name 'nvcc_cuda_version' is not defined", None, "sageattention, vllm setup.py"),
        _sign("Cannot find CUDA_HOME", None, "vllm, sageattention setup.py"),
        _sign(
            "CUDA_HOME does not exist", r"unable to compile CUDA op|does not exist", "DeepSpeed op_builder/builder.py"
        ),
        _sign("Could not find nvcc and default cuda_home", None, "flashinfer/jit/cpp_ext.py"),
        _sign("'NoneType' and 'str'", r"unsupported operand type\(s\) for \+: 'NoneType' and 'str'", "apex setup.py"),
        _sign("'nvcc'", r"(?:No such file or directory|No such file): '?'nvcc'", "Python: subprocess"),
        _sign("nvcc: ", rf"(?:^|[\s:])nvcc: {NOT_A_COMMAND}", "sh, bash"),
        _sign("not found: nvcc", None, "zsh"),
        _sign("nvcc\uff1a", rf"nvcc\uff1a\s?{NOT_A_COMMAND}", "bash in Chinese and Japanese"),
        _sign("nvcc : ", r"nvcc : (?:\S+ ){0,3}?.{0,80}(?:nvcc|introuvable)", "bash in French, PowerShell"),
        _sign("'nvcc' ", rf"'nvcc' {CMD}", "cmd.exe"),
        _sign('"nvcc" ', rf"\"nvcc\" {CMD}", "cmd.exe in other languages"),
        _sign("Command 'nvcc' not found", None, "Ubuntu's command-not-found"),
        _sign("The term 'nvcc' is not recognized", None, "PowerShell"),
        _sign("No CMAKE_CUDA_COMPILER could be found", None, "CMake: enable_language(CUDA)"),
        _sign("CMAKE_CUDA_COMPILER-NOTFOUND", None, "CMake"),
        _sign("Failed to find nvcc", None, "CMake: CMakeDetermineCUDACompiler"),
        _sign("Could not find nvcc, please set CUDAToolkit_ROOT", None, "CMake: FindCUDAToolkit"),
        _sign("Could not find `nvcc` executable in any searched paths", None, "CMake 3.31: FindCUDAToolkit"),
        _sign("CUDA_TOOLKIT_ROOT_DIR not found or specified", None, "CMake: FindCUDA"),
        _sign("Could NOT find CUDA (missing", r"CUDA_(?:TOOLKIT_ROOT_DIR|NVCC_EXECUTABLE)", "CMake: FindCUDA"),
        _sign("I cannot find the CUDA libraries", None, "Caffe2Config.cmake of torch"),
        _sign("Specify CUDA_TOOLKIT_ROOT_DIR", None, "CMake: FindCUDA"),
        _sign(
            "Could not find CUDA", r"(?i)could not find cuda(?: toolkit| installation|\b.{0,40}nvcc)", "setup.py", SIGN
        ),
        _sign("NVCC not found", None, "transformer-engine build_tools"),
        _sign("CUDA_HOME is not set", None, "setup.py of several packages"),
        _sign("CUDA_HOME is None", None, "setup.py of several packages"),
        _sign("nvcc not found in PATH", None, "setup.py of several packages"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)

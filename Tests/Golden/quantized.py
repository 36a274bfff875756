"""Tiny checkpoints that are quantised already, and what `transformers` computes with their values in single precision.

Weights are quantised and packed by the packages that publish each layout (compressed-tensors, AutoGPTQ, AutoAWQ) and
turned back into floats by these packages or `transformers`. AutoGPTQ and AutoAWQ no longer fit newer versions of
`transformers`; one file of each is loaded, so they are installed alone:

    pip install --no-deps auto-gptq==0.7.1
    pip install --no-deps --no-build-isolation autoawq==0.2.9

As a program, it quantises a model directory:

    python quantized.py Models/foretoken-reference-target /tmp/target-awq --form awq
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import zlib
from pathlib import Path
from typing import Callable

import torch
import transformers
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen3Config
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

import forward

Tensors = dict[str, torch.Tensor]


def alone(package: str, file: str):
    """A file of a package without what the package imports."""
    found = importlib.util.find_spec(package)
    assert found and found.submodule_search_locations, f"{package} is missing: see the top of {__file__}"
    spec = importlib.util.spec_from_file_location(Path(file).stem, Path(found.submodule_search_locations[0]) / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Rounder:
    """Scales, and zero points, of a matrix `[rows, columns]`, one for each `size` columns.

    Where `coarse`, scales have four significant bits, so that weights have eight and bf16 holds them: what is compared is
    then the layout and not the rounding.
    """

    def __init__(self, coarse: bool):
        self.coarse = coarse

    def shortened(self, scale: torch.Tensor, bits: int) -> torch.Tensor:
        if not self.coarse:
            return scale
        mantissa, exponent = torch.frexp(scale)
        return torch.ldexp(torch.ceil(mantissa * 2**bits) / 2**bits, exponent)

    def symmetric(self, weight: torch.Tensor, size: int, most: float, bits: int = 4) -> torch.Tensor:
        peaks = weight.reshape(len(weight), -1, size).abs().amax(-1).clamp(min=1e-8)
        return self.shortened(peaks / most, bits)

    def asymmetric(self, weight: torch.Tensor, size: int, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
        parts, levels = weight.reshape(len(weight), -1, size), 2**bits - 1
        low, high = parts.amin(-1).clamp(max=0), parts.amax(-1).clamp(min=0)
        scale = self.shortened((high - low).clamp(min=1e-8) / levels, 4 if bits < 8 else 1)
        return scale, (-low / scale).round().clamp(0, levels)


class Form:
    """One way to quantise: what `quantization_config` says, the tensors of a matrix, and what they stand for."""

    def __init__(self, config: dict[str, object], dtype: torch.dtype = torch.float16):
        self.config, self.dtype = config, dtype

    def quantised(self, weight: torch.Tensor, rounder: Rounder) -> tuple[Tensors, torch.Tensor]:
        """Tensors by the ending of their names, and the weights in single precision."""
        raise NotImplementedError


class CompressedTensors(Form):
    def __init__(self, kind: str, shuffled: bool = False, dtype: torch.dtype = torch.bfloat16, **weights: object):
        self.kind, self.arguments, self.shuffled = kind, QuantizationArgs(**weights), shuffled
        group = {"targets": ["Linear"], "weights": self.arguments.model_dump(mode="json")}
        super().__init__(
            {"quant_method": "compressed-tensors", "format": kind, "config_groups": {"group_0": group},
             "ignore": ["lm_head"], "quantization_status": "compressed"}, dtype)

    def quantised(self, weight, rounder):
        arguments, zeros = self.arguments, None
        rows, columns = weight.shape
        size = {"tensor": columns, "channel": columns}.get(arguments.strategy, arguments.group_size)
        order = None
        if arguments.strategy == "block":
            height, width = arguments.block_structure
            tiles = weight.reshape(rows // height, height, columns // width, width).abs().amax((1, 3))
            scale = rounder.shortened(tiles / 448, 4)
        elif self.kind == "mxfp4-pack-quantized":
            scale = torch.exp2(torch.floor(torch.log2(rounder.symmetric(weight, size, 1.0))) - 2)
        elif not arguments.symmetric:
            scale, zeros = rounder.asymmetric(weight, size, arguments.num_bits)
            zeros = (zeros - 2 ** (arguments.num_bits - 1)).to(torch.int8)
        else:
            most = 448 if arguments.type == "float" else 2 ** (arguments.num_bits - 1) - 1
            scale = rounder.symmetric(weight, size, most, bits=1 if arguments.num_bits == 8 and most < 448 else 4)
            if arguments.strategy == "tensor":
                scale = scale.max().reshape(1)
        state = {"weight": weight, "weight_scale": scale.to(self.dtype)}
        if zeros is not None:
            state["weight_zero_point"] = zeros
        if self.shuffled:
            order = torch.randperm(columns, generator=torch.Generator().manual_seed(columns)) // size
            state["weight_g_idx"] = order.to(torch.int32)
        scheme = QuantizationScheme(targets=["Linear"], weights=arguments, format=self.kind)
        compressor = BaseCompressor.get_value_from_registry(self.kind)
        if order is not None:
            # Neighbours of a group, as the package has them before it puts columns back.
            places = torch.argsort(order, stable=True)
            state["weight"] = weight[:, places]
            del state["weight_g_idx"]
        packed = compressor.compress(dict(state), scheme)
        # The arithmetic of the package is that of the scales' type.
        exact = {key: value.float() if key == "weight_scale" and value.dtype != torch.uint8 else value for key, value in packed.items()}
        values = compressor.decompress(exact, scheme)["weight"].float()
        if order is None:
            return packed, values
        # Where the columns stay, their groups are listed.
        back = torch.argsort(places)
        compressed = BaseCompressor.get_value_from_registry(self.kind)
        from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32, unpack_from_int32
        bits = arguments.num_bits
        integers = unpack_from_int32(packed["weight_packed"], bits, weight.shape)[:, back]
        packed["weight_packed"] = pack_to_int32(integers.contiguous(), bits)
        packed["weight_g_idx"] = order.to(torch.int32)
        return packed, values[:, back]


class GPTQ(Form):
    def __init__(self, bits: int = 4, group_size: int = 32, sym: bool = False, shuffled: bool = False, form: str = "gptq"):
        self.bits, self.size, self.sym, self.shuffled, self.form = bits, group_size, sym, shuffled, form
        super().__init__(
            {"quant_method": "gptq", "bits": bits, "group_size": group_size, "sym": sym, "desc_act": shuffled,
             "checkpoint_format": form, "lm_head": False})

    def quantised(self, weight, rounder):
        rows, columns = weight.shape
        size = columns if self.size == -1 else self.size
        groups = torch.arange(columns) // size
        if self.shuffled:
            groups = groups[torch.randperm(columns, generator=torch.Generator().manual_seed(columns))]
        places = torch.argsort(groups, stable=True)
        if self.sym:
            scale = rounder.symmetric(weight[:, places], size, 2 ** (self.bits - 1) - 1, bits=1 if self.bits == 8 else 4)
            zeros = torch.full_like(scale, 2 ** (self.bits - 1))
        else:
            scale, zeros = rounder.asymmetric(weight[:, places], size, self.bits)
            # A zero point of zero is stored as one below: the layout has no place for it.
            zeros = zeros.clamp(min=1)
        scale = scale.half().float()
        integers = (weight / scale[:, groups] + zeros[:, groups]).round().clamp(0, 2**self.bits - 1)
        linear = torch.nn.Linear(columns, rows, bias=False)
        linear.weight.data = ((integers - zeros[:, groups]) * scale[:, groups])
        layer = alone("auto_gptq", "nn_modules/qlinear/qlinear_cuda.py").QuantLinear(
            self.bits, size, columns, rows, False, weight_dtype=torch.float32)
        layer.pack(linear, scale.clone(), zeros.clone(), groups.to(torch.int32))
        layer.scales = layer.scales.float()
        values = layer(torch.eye(columns)).T.contiguous()
        assert torch.equal(values, linear.weight.data)
        zero_points = layer.qzeros
        if self.form == "gptq_v2":
            shifts = torch.arange(0, 32, self.bits)
            plain = (zero_points[:, :, None] >> shifts) & (2**self.bits - 1)
            zero_points = ((plain.long() + 1) << shifts).sum(-1).to(torch.int64).to(torch.int32)
        return {
            "qweight": layer.qweight, "qzeros": zero_points, "scales": layer.scales.half(), "g_idx": layer.g_idx,
        }, values


class AWQ(Form):
    def __init__(self, group_size: int = 32):
        self.size = group_size
        super().__init__({
            "quant_method": "awq", "bits": 4, "group_size": group_size, "zero_point": True, "version": "gemm",
            "modules_to_not_convert": ["lm_head"]})

    def quantised(self, weight, rounder):
        packing = alone("awq", "utils/packing_utils.py")
        scale, zeros = rounder.asymmetric(weight, self.size, 4)
        scale = scale.half().float()
        spread = lambda values: values.repeat_interleave(self.size, dim=1)
        integers = (weight / spread(scale) + spread(zeros)).round().clamp(0, 15)

        def packed(values: torch.Tensor) -> torch.Tensor:
            nibbles = values.T.reshape(values.shape[1], -1, 8)[:, :, packing.AWQ_ORDER].to(torch.int64)
            words = (nibbles << torch.arange(0, 32, 4)).sum(-1)
            return words.where(words < 2**31, words - 2**32).to(torch.int32)

        tensors = {"qweight": packed(integers), "qzeros": packed(zeros), "scales": scale.T.contiguous().half()}
        values = packing.dequantize_gemm(
            tensors["qweight"], tensors["qzeros"], tensors["scales"].float(), 4, self.size).T.contiguous()
        assert torch.equal(values, (integers - spread(zeros)) * spread(scale))
        return tensors, values


class Float8(Form):
    """DeepSeek's blocks; without a block one scale for the matrix, or one for each row."""

    def __init__(self, block: tuple[int, int] | None, kind: torch.dtype = torch.float8_e4m3fn, rows: bool = False):
        self.block, self.kind, self.rows = block, kind, rows
        config: dict[str, object] = {"quant_method": "fbgemm_fp8" if rows else "fp8", "activation_scheme": "dynamic"}
        if block:
            config["weight_block_size"] = list(block)
        super().__init__(config, torch.float32)

    def quantised(self, weight, rounder):
        rows, columns = weight.shape
        height, width = self.block or ((1, columns) if self.rows else (rows, columns))
        most = torch.finfo(self.kind).max
        # The last blocks may be cut off; the reference wants whole ones.
        high, wide = -(-rows // height) * height, -(-columns // width) * width
        whole = torch.zeros(high, wide)
        whole[:rows, :columns] = weight
        scale = rounder.shortened(whole.reshape(high // height, height, wide // width, width).abs().amax((1, 3)) / most, 4)
        spread = scale.repeat_interleave(height, 0).repeat_interleave(width, 1)
        small = (whole / spread).clamp(-most, most).to(self.kind)
        reference = Fp8Dequantize(None)._dequantize_one(small, scale, torch.float32)[:rows, :columns].contiguous()
        name = "weight_scale_inv" if self.block else "weight_scale"
        return {"weight": small[:rows, :columns].contiguous(), name: scale if self.block or self.rows else scale.reshape(())}, reference


FORMS: dict[str, Callable[[], Form]] = {
    "fp8-blocks": lambda: Float8((32, 48)),
    "fp8-one-scale": lambda: Float8(None, torch.float8_e5m2),
    "fp8-rows": lambda: Float8(None, rows=True),
    "ct-float-channel": lambda: CompressedTensors("float-quantized", num_bits=8, type="float", strategy="channel"),
    "ct-float-tensor": lambda: CompressedTensors("float-quantized", num_bits=8, type="float", strategy="tensor"),
    "ct-float-block": lambda: CompressedTensors(
        "float-quantized", num_bits=8, type="float", strategy="block", block_structure=[16, 32]),
    "ct-int8-channel": lambda: CompressedTensors("int-quantized", num_bits=8, strategy="channel"),
    "ct-int8-tensor": lambda: CompressedTensors("int-quantized", num_bits=8, strategy="tensor"),
    "ct-packed4": lambda: CompressedTensors("pack-quantized", num_bits=4, strategy="group", group_size=32),
    "ct-packed4-zeros": lambda: CompressedTensors(
        "pack-quantized", num_bits=4, strategy="group", group_size=32, symmetric=False),
    "ct-packed4-order": lambda: CompressedTensors(
        "pack-quantized", shuffled=True, num_bits=4, strategy="group", group_size=32, symmetric=False),
    "ct-packed8": lambda: CompressedTensors("pack-quantized", dtype=torch.float16, num_bits=8, strategy="channel"),
    "ct-packed3": lambda: CompressedTensors("pack-quantized", num_bits=3, strategy="group", group_size=32),
    "ct-mxfp4": lambda: CompressedTensors("mxfp4-pack-quantized", num_bits=4, type="float", strategy="group", group_size=32),
    "gptq": lambda: GPTQ(),
    "gptq-symmetric": lambda: GPTQ(sym=True),
    "gptq-v2": lambda: GPTQ(form="gptq_v2", group_size=64),
    "gptq-order": lambda: GPTQ(shuffled=True),
    "gptq-8": lambda: GPTQ(bits=8, sym=True, group_size=-1),
    "gptq-8-zeros": lambda: GPTQ(bits=8),
    "gptq-3": lambda: GPTQ(bits=3),
    "awq": lambda: AWQ(),
}
SIZES = dict(
    hidden_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=32, intermediate_size=192,
    vocab_size=61, max_position_embeddings=256, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1)


def is_quantised(name: str, value: torch.Tensor) -> bool:
    return value.ndim == 2 and "layers." in name


def quantise(state: Tensors, form: Form, rounder: Rounder) -> tuple[Tensors, Tensors]:
    """The tensors of a checkpoint, and all weights in single precision."""
    stored, values = {}, {}
    for name, value in state.items():
        if not is_quantised(name, value):
            stored[name], values[name] = value, value.float()
            continue
        parts, values[name] = form.quantised(value.float(), rounder)
        stem = name.removesuffix(".weight")
        stored |= {f"{stem}.{ending}": part.contiguous() for ending, part in parts.items()}
    return stored, values


def experts() -> tuple[Tensors, torch.Tensor]:
    """Blocks and exponents of two experts, and what `transformers` makes of them."""
    random = torch.Generator().manual_seed(31)
    blocks = torch.randint(0, 256, (2, 6, 3, 16), generator=random, dtype=torch.uint8)
    scales = torch.randint(110, 140, (2, 6, 3), generator=random, dtype=torch.uint8)
    # It gives [experts, inputs, outputs].
    values = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32).transpose(1, 2).contiguous()
    return {"experts.gate_up_proj_blocks": blocks, "experts.gate_up_proj_scales": scales}, values


def checksum(values: torch.Tensor) -> int:
    return zlib.crc32(values.contiguous().numpy().tobytes())


def write_case(place: Path, form: Form) -> None:
    torch.manual_seed(sum(place.name.encode()))
    config = Qwen3Config(**SIZES)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            spread = 0.2 if "norm" in key else 0.5 if "embed" in key else 0.2
            parameter.copy_((1 if "norm" in key else 0) + spread * torch.randn_like(parameter))
        state = {name: value.detach().to(torch.bfloat16) for name, value in model.state_dict().items()}
        stored, values = quantise(state, form, Rounder(coarse=True))
        assert all(torch.equal(value, value.bfloat16().float()) for value in values.values())
        model.load_state_dict(values)
        # Scales of any kind, in a matrix that the model does not have.
        fine = torch.randn(32, 192) * torch.exp2(torch.randint(-6, 6, (32, 1)).float())
        parts, extra = form.quantised(fine, Rounder(coarse=False))
        stored |= {f"extra.{ending}": part.contiguous() for ending, part in parts.items()}
        prompt = torch.randint(0, SIZES["vocab_size"], (16,)).tolist()
        logits = model(torch.tensor([prompt])).logits[0]
    place.mkdir(parents=True, exist_ok=True)
    save_file(stored, place / "model.safetensors")
    description = config.to_dict() | {
        "architectures": ["Qwen3ForCausalLM"], "dtype": "bfloat16", "quantization_config": form.config}
    (place / "config.json").write_text(json.dumps(description, indent=1) + "\n")
    sums = {name: checksum(value) for name, value in values.items() if is_quantised(name, value)}
    forward.write(place / "expected.json", {
        "prompt": prompt, "logits": [[float(f"{value:.6g}") for value in row] for row in logits.tolist()],
        "checksums": sums | {"extra.weight": checksum(extra)}})


def generate(output: Path) -> None:
    """Writes `output/quantized/`: a directory for each form."""
    transformers.logging.set_verbosity_error()
    folder = output / "quantized"
    shutil.rmtree(folder, ignore_errors=True)
    for name, form in FORMS.items():
        write_case(folder / name, form())
    place = folder / "experts"
    place.mkdir()
    tensors, values = experts()
    save_file(tensors, place / "model.safetensors")
    (place / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "mxfp4"}}) + "\n")
    forward.write(place / "expected.json", {"values": values.flatten(1).tolist()})


def convert(directory: Path, output: Path, form: Form) -> None:
    """Writes a model directory with its layers' matrices quantised."""
    output.mkdir(parents=True, exist_ok=True)
    state = {}
    for path in sorted(directory.glob("*.safetensors")):
        state |= load_file(path)
    stored, _ = quantise(state, form, Rounder(coarse=False))
    for path in directory.iterdir():
        if path.is_file() and not path.name.endswith((".safetensors", ".safetensors.index.json")):
            shutil.copy(path, output / path.name)
    save_file(stored, output / "model.safetensors")
    config = json.loads((directory / "config.json").read_text())
    (output / "config.json").write_text(json.dumps(config | {"quantization_config": form.config}, indent=1) + "\n")


LARGE: dict[str, Callable[[], Form]] = {
    "fp8": lambda: Float8((128, 128)),
    "ct-float-channel": FORMS["ct-float-channel"],
    "ct-int8-channel": FORMS["ct-int8-channel"],
    "ct-packed8": lambda: CompressedTensors("pack-quantized", num_bits=8, strategy="group", group_size=128),
    "ct-packed4": lambda: CompressedTensors("pack-quantized", num_bits=4, strategy="group", group_size=128),
    "ct-packed4-zeros": lambda: CompressedTensors(
        "pack-quantized", num_bits=4, strategy="group", group_size=128, symmetric=False),
    "ct-mxfp4": FORMS["ct-mxfp4"],
    "gptq-8": lambda: GPTQ(bits=8, group_size=128, sym=True),
    "gptq": lambda: GPTQ(group_size=128),
    "gptq-symmetric": lambda: GPTQ(group_size=128, sym=True),
    "gptq-order": lambda: GPTQ(group_size=128, shuffled=True),
    "awq": lambda: AWQ(128),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Quantise a model directory.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--form", required=True, choices=sorted(LARGE))
    arguments = parser.parse_args()
    convert(arguments.directory, arguments.output, LARGE[arguments.form]())


if __name__ == "__main__":
    main()

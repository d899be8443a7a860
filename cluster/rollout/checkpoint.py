"""Reads and writes checkpoint folders in the form of DeepSeek: safetensors, FP8 or BF16."""

import json
import pathlib
import struct

import torch

TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn}
NAMES = {kind: name for name, kind in TYPES.items()}


def read_file(path):
    """The tensors of one safetensors file by name, as they are stored."""
    stored = bytearray(pathlib.Path(path).read_bytes())
    (length,) = struct.unpack("<Q", stored[:8])
    header = json.loads(stored[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        part = torch.frombuffer(
            stored, dtype=torch.uint8, count=last - first, offset=8 + length + first)
        # A copy is aligned for its type, wherever it lies in the file.
        tensors[name] = part.clone().view(TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def write_file(tensors, path):
    """Writes tensors as one safetensors file."""
    header, parts, offset = {}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        part = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": NAMES[tensor.dtype], "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(part)]}
        parts.append(part)
        offset += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)


def widened(tensors, block):
    """The tensors in float32; FP8 weights times the scales of their blocks."""
    wide = {}
    for name, tensor in tensors.items():
        if name.endswith("_scale_inv"):
            continue
        value = tensor.to(torch.float32)
        scales = tensors.get(name + "_scale_inv")
        if scales is not None:
            scales = scales.to(torch.float32).repeat_interleave(block[0], 0)
            scales = scales.repeat_interleave(block[1], 1)
            value = value * scales[: value.shape[0], : value.shape[1]]
        wide[name] = value
    return wide


def load(folder):
    """A folder's configuration and its weights in float32, without the prediction layers."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors.update(read_file(path))
    block = config.get("quantization_config", {}).get("weight_block_size", [128, 128])
    ahead = f"model.layers.{config['num_hidden_layers']}."
    wide = widened(tensors, block)
    return config, {name: value for name, value in wide.items() if not name.startswith(ahead)}


def save(folder, source, config, weights):
    """Writes weights as BF16 into a folder that has all else from `source`."""
    folder, source = pathlib.Path(folder), pathlib.Path(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    config = dict(config, num_nextn_predict_layers=0, torch_dtype="bfloat16")
    config.pop("quantization_config", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    # The router's bias stays in float32, as in published checkpoints: it is compared.
    tensors = {
        name: value if name.endswith("e_score_correction_bias") else value.to(torch.bfloat16)
        for name, value in weights.items()}
    write_file(tensors, folder / "model.safetensors")

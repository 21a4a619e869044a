#!/usr/bin/python3
"""Exports torchvision classifiers to ONNX (opset 13, batch 1, seeded random weights), for speed comparisons.

usage: export_torchvision.py OUT_FOLDER MODEL...     MODEL: resnet18, squeezenet1_1, mobilenet_v2, ...
needs the Debian packages python3-torch and python3-torchvision; trained weights would not change the speed
"""
import pathlib
import sys

import torch
import torchvision


def export(name, file):
    torch.manual_seed(0)
    size = 299 if name == "inception_v3" else 224
    extra = {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.__dict__[name](**extra).eval()
    # Batch-norm statistics that are not the identity, so that folding them is seen to be right.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
    with torch.no_grad():
        torch.onnx.export(model, torch.zeros(1, 3, size, size), str(file), opset_version=13,
                          input_names=["input"], output_names=["output"])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:]:
        file = folder / f"{name}.onnx"
        if not file.exists():
            partial = file.with_suffix(".partial")
            export(name, partial)
            partial.rename(file)
        print(file)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Makes a folder of test models ready for a comparison. Called by scripts/compare.

usage: data_models.py DATA OUT     DATA: onnx-real/*.onnx, onnx-light*/*.onnx, onnx-light-expected/expected.json, tools/seed_weights.py

Trained models are copied, those whose weights are left out are filled by DATA's own rule. Prints the names of the
models that lie in OUT then, one a line; on stderr, which are left out and why. Needs the package python3-onnx.
"""
import json
import pathlib
import shutil
import sys

import onnx


def float_input(model):
    """Whether its one input that is no initializer is float32."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    return len(inputs) == 1 and inputs[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, out = map(pathlib.Path, sys.argv[1:])
    sys.path.insert(0, str(data / "tools"))
    import seed_weights

    scales = json.loads((data / "onnx-light-expected/expected.json").read_text())
    for source in sorted(data.glob("onnx-real/*.onnx")) + sorted(data.glob("onnx-light*/*.onnx")):
        seeded = source.parent.name != "onnx-real"
        target = out / source.name
        if not float_input(onnx.load(source)):
            print(f"{source.name}: left out, its input is not float32", file=sys.stderr)
            continue
        if seeded and source.stem not in scales:
            print(f"{source.name}: left out, its seed is not in expected.json", file=sys.stderr)
            continue
        if not target.exists():
            partial = target.with_suffix(".partial")
            if seeded:
                onnx.save(seed_weights.seed(source, scales[source.stem]["final_scale"]), partial)
            else:
                shutil.copy(source, partial)
            partial.rename(target)
        print(source.stem)


if __name__ == "__main__":
    main()

"""Makes the golden files with the ONNX project's own library: python3 make.py (onnx 1.12, Debian package python3-onnx).

They show what other people's exporters write: fields in their order, lists unpacked, defaults spelled out.
"""

import numpy as np
from onnx import TensorProto, TypeProto, checker, helper, numpy_helper, save

FLOAT, INT64, BOOL, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING


def model(name, graph, opsets=(("", 17),), ir_version=8, check=True, **options):
    made = helper.make_model(
        graph,
        producer_name="golden",
        producer_version="1.12",
        ir_version=ir_version,
        opset_imports=[helper.make_opsetid(*opset) for opset in opsets],
        **options,
    )
    if check:
        checker.check_model(made)
    save(made, f"{name}.onnx")


def info(name, element_type=FLOAT, shape=("batch", 2)):
    return helper.make_tensor_value_info(name, element_type, shape)


# A classifier as scikit-learn's converter leaves it: the probabilities are a sequence of maps.
maps = TypeProto()
maps.sequence_type.elem_type.map_type.key_type = INT64
maps.sequence_type.elem_type.map_type.value_type.tensor_type.elem_type = FLOAT
maps.sequence_type.elem_type.map_type.value_type.tensor_type.shape.SetInParent()
linear = dict(coefficients=[1.0, -1.0, 0.5, 2.0], intercepts=[0.0, 0.25], classlabels_ints=[0, 1])
zipmap = helper.make_graph(
    [
        helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **linear),
        helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]),
    ],
    "zipmap",
    [info("x")],
    [info("label", INT64, ("batch",)), helper.make_value_info("probabilities", maps)],
)
model("zipmap", zipmap, (("", 15), ("ai.onnx.ml", 2)))

# IR version 3: weights are listed among the inputs, and elements sit in typed lists instead of raw data.
weights_as_inputs = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])],
    "old",
    [info("x", shape=("N", 2)), info("w", shape=(2, 3))],
    [info("y", shape=("N", 3))],
    [helper.make_tensor("w", FLOAT, (2, 3), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])],
)
model("weights-as-inputs", weights_as_inputs, (("", 9),), ir_version=3)

# Subgraphs in an If, and a function that the file defines in a domain of its own.
def branch(name, operator):
    return helper.make_graph([helper.make_node(operator, ["x"], [name])], name, [], [info(name)])


add = helper.make_node("Add", ["a", "a"], ["b"])
double = helper.make_function("local", "Double", ["a"], ["b"], [add], [helper.make_opsetid("", 17)])
nested = helper.make_graph(
    [
        helper.make_node("If", ["flag"], ["z"], then_branch=branch("then", "Relu"), else_branch=branch("else", "Neg")),
        helper.make_node("Double", ["z"], ["y"], domain="local"),
    ],
    "nested",
    [info("x"), info("flag", BOOL, ())],
    [info("y")],
)
model("nested", nested, (("", 17), ("local", 1)), check=False, functions=[double])

# One Constant of each way to store elements, and strings.
constants = [
    helper.make_node("Constant", [], ["raw"], value=numpy_helper.from_array(np.ones((2, 2), np.float32), "raw")),
    helper.make_node("Constant", [], ["ints"], value=helper.make_tensor("ints", INT64, (3,), [-1, 2**62, 7])),
    helper.make_node("Constant", [], ["text"], value=helper.make_tensor("text", STRING, (2,), [b"a", "\u00e4".encode()])),
    helper.make_node("Identity", ["x"], ["y"]),
]
model("constants", helper.make_graph(constants, "constants", [info("x")], [info("y")]))

# Weights in another file.
outside = helper.make_tensor("w", FLOAT, (2, 2), np.ones((2, 2), np.float32).tobytes(), raw=True)
outside.ClearField("raw_data")
outside.data_location = TensorProto.EXTERNAL
entry = outside.external_data.add()
entry.key, entry.value = "location", "weights.bin"
multiply = helper.make_node("MatMul", ["x", "w"], ["y"])
external = helper.make_graph([multiply], "external", [info("x")], [info("y")], [outside])
model("external-data", external, check=False)

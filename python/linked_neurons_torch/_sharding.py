"""How the layers' operators are run on DTensors: on each process' own part, along any axis but the channels'.

The parameters are replicated, but for weights of one number an element, which are split as the input is. An input that
is split along its channels, or not yet summed up, is gathered first.
"""

import torch
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard
from torch.distributed.tensor._dtensor_spec import DTensorSpec
from torch.distributed.tensor._op_schema import OpSchema, OpSpec, OpStrategy, RuntimeSchemaInfo
from torch.distributed.tensor.placement_types import Placement

from . import _composed, functional

Placements = tuple[Placement, ...]

# Masks are bytes without the input's axes. Each process keeps its own, and the placement says what they are the masks
# of: nothing else may be made of them, so PyTorch has no reduction of this name.
_MASKS = "the masks of a part along axis "


def register() -> None:
    """Registers the rules of ``_<name>_forward``, ``_<name>_backward`` and ``_<name>_joint_backward``."""
    propagator = DTensor._op_dispatcher.sharding_propagator
    for name in {getattr(functional, each).__name__ for each in functional.__all__}:  # an alias has none of its own
        if not hasattr(_composed, name) or not hasattr(torch.ops.linked_neurons, name):  # joint, or not loaded
            continue
        for part, strategy, first_number in (
            ("forward", _forward, "dim"), ("backward", _backward, "dim"), ("joint_backward", _joint_backward, "layer"),
        ):
            operator = getattr(torch.ops.linked_neurons, f"_{name}_{part}").default
            arguments = [argument.name for argument in operator._schema.arguments]
            info = RuntimeSchemaInfo(arguments.index(first_number), needs_pytree=True)
            propagator.register_op_strategy(operator, strategy, info)


def _forward(schema: OpSchema) -> OpStrategy:
    arguments = _by_name(schema)
    x = arguments["x"]
    dim = arguments["dim"] % len(x.shape)
    placements = tuple(
        placement if type(placement) is Shard and placement.dim != dim else Replicate()
        for placement in _placements(x))
    results = {"output": placements, "masks": tuple(map(_masks, placements))}
    return _only(schema, results, {"x": placements, **_parameters(arguments, placements)})


def _backward(schema: OpSchema) -> OpStrategy:
    """Where forward ran, which the masks tell."""
    arguments = _by_name(schema)
    masks = _placements(arguments["masks"])
    placements = tuple(
        Shard(int(placement.reduce_op.removeprefix(_MASKS))) if placement.is_partial() else placement
        for placement in masks)
    tensors = {"grad": placements, "x": placements, "input_or_output": placements, "masks": masks,
               **_parameters(arguments, placements)}
    of_weights, of_bias = arguments["wanted"]
    wanted = {"grad_x": True, "grad_weight_pos": of_weights, "grad_weight_neg": of_weights, "grad_bias": of_bias}
    return _only(schema, _gradients(schema, wanted, tensors, placements), tensors)


def _joint_backward(schema: OpSchema) -> OpStrategy:
    """Along the batch, and where a linear layer is behind along any axis but the last."""
    arguments = _by_name(schema)
    x = arguments["x"]
    axes = 1 if arguments["layer"] else len(x.shape) - 1
    placements = tuple(
        placement if type(placement) is Shard and placement.dim < axes else Replicate() for placement in _placements(x))
    replicated = (Replicate(),) * len(placements)
    parameters = _parameters({**arguments, "bias": None}, placements)
    tensors = {"grad": placements, "x": placements, "weight": replicated, "input_bias": replicated, **parameters}
    of_x, of_slopes, of_input_bias, of_weight, of_bias = arguments["wanted"]
    wanted = {
        "grad_x": of_x, "grad_weight_pos": of_slopes, "grad_weight_neg": of_slopes, "grad_input_bias": of_input_bias,
        "grad_weight": of_weight, "grad_bias": of_bias}
    return _only(schema, _gradients(schema, wanted, tensors, placements), tensors)


def _gradients(
    schema: OpSchema, wanted: dict[str, bool], tensors: dict[str, Placements], placements: Placements
) -> dict[str, Placements]:
    """The placements of the gradients: each as what it is of, or a part of its sum. Empty is what nobody asked for."""
    replicated = (Replicate(),) * len(placements)
    results = {}
    for name in (each.name for each in schema.op._schema.returns):
        kept = tensors.get(name.removeprefix("grad_"), replicated)
        summed = tuple(
            Partial() if split.is_shard() and each.is_replicate() else each for split, each in zip(placements, kept))
        results[name] = summed if wanted[name] else replicated
    return results


def _parameters(arguments: dict, placements: Placements) -> dict[str, Placements]:
    """The placements of the parameters beside an input, or a gradient, of these."""
    replicated = (Replicate(),) * len(placements)
    result = {"bias": replicated}
    for name in ("weight_pos", "weight_neg"):
        if name in arguments:
            is_per_element = len(arguments[name].shape) > 1
            result[name] = tuple(
                Shard(placement.dim - 1)
                if is_per_element and placement.is_shard() and placement.dim > 0 else Replicate()
                for placement in placements)
    return {name: value for name, value in result.items() if arguments.get(name) is not None}


def _masks(placement: Placement) -> Placement:
    return Partial(f"{_MASKS}{placement.dim}") if placement.is_shard() else placement


def _by_name(schema: OpSchema) -> dict:
    return dict(zip((each.name for each in schema.op._schema.arguments), schema.args_schema))


def _placements(tensor: OpStrategy) -> Placements:
    return tensor.strategies[0].output_spec.placements


def _only(schema: OpSchema, results: dict[str, Placements], tensors: dict[str, Placements]) -> OpStrategy:
    """The one way to run the operator."""
    mesh = schema.get_mesh_from_args()
    inputs = {name: each for name, each in _by_name(schema).items() if isinstance(each, OpStrategy)}
    return OpStrategy([OpSpec(
        tuple(DTensorSpec(mesh, placements) for placements in results.values()),
        [DTensorSpec(mesh, tensors[name], tensor_meta=each.strategies[0].output_spec.tensor_meta)
         for name, each in inputs.items()],
        redistribute_cost=[[0.0] for _ in inputs])])

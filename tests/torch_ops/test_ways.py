"""The operators in each way of running that PyTorch has, against the expressions that they stand for.

    python test_ways.py <the two shared libraries> [unittest's arguments]

CompiledTest needs a C++ compiler; that of torch.compile needs the headers of Python (Debian's python3-dev).
"""

import functools
import os
import sys
import tempfile
import unittest

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.functional import jacobian
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from cases import LAYERS, VARIED, Net, composed, load_operators, make, operator, outcome, over

CPU = torch.profiler.ProfilerActivity.CPU


# A way of running takes a function of tensors, and these; it returns the result and all gradients.


def weights_like(y):
    return torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)


def pulled_back(function, tensors):
    """As `outcome`, for torch.func."""
    y, pull_back = torch.func.vjp(function, *tensors)
    return [y, *pull_back(weights_like(y))]


def recorded_by(record, step=outcome):
    """Records a step with other numbers, and runs what was recorded."""

    def run(function, tensors):
        graph = record(lambda *tensors: step(function, tensors))(*(-tensor for tensor in tensors))
        return graph(*tensors)

    return run


def functionalized(function, tensors):
    return torch.func.functionalize(lambda *tensors: pulled_back(function, tensors))(*tensors)


def with_jit_trace(function, tensors):
    return outcome(torch.jit.trace(function, tuple(-tensor for tensor in tensors)), tensors)


def with_checkpoint(function, tensors):
    return outcome(lambda *tensors: checkpoint(function, *tensors, use_reentrant=False), tensors)


def with_reentrant_checkpoint(function, tensors):
    tensors = [tensor.detach().requires_grad_() for tensor in tensors]
    y = checkpoint(function, *tensors, use_reentrant=True)
    (y * weights_like(y)).sum().backward()
    return [y, *(tensor.grad for tensor in tensors)]


def with_saved_on_cpu(function, tensors):
    with torch.autograd.graph.save_on_cpu():
        return outcome(function, tensors)


def with_batched_gradients(function, tensors):
    y = function(*tensors)
    weights = weights_like(y)
    gradients = torch.autograd.grad(y, tensors, torch.stack([weights, 2 * weights]), is_grads_batched=True)
    return [y, *(gradient.sum(0) / 3 for gradient in gradients)]


def with_jacobian(function, tensors, strategy):
    def loss(*tensors):
        y = function(*tensors)
        return (y * weights_like(y)).sum()

    return [function(*tensors), *jacobian(loss, tensors, vectorize=True, strategy=strategy)]


def with_vmap(function, tensors):
    """Of two examples; the first is looked at."""
    pairs = [torch.stack([tensor, -tensor]) for tensor in tensors]
    return [each[0] for each in torch.vmap(lambda *tensors: tuple(pulled_back(function, tensors)))(*pairs)]


WAYS = {
    "jit.trace": with_jit_trace,
    "make_fx of real tensors": recorded_by(functools.partial(make_fx, tracing_mode="real")),
    "make_fx of fake tensors": recorded_by(functools.partial(make_fx, tracing_mode="fake")),
    "make_fx of symbolic sizes": recorded_by(functools.partial(make_fx, tracing_mode="symbolic")),
    "make_fx of a functional program": recorded_by(lambda step: make_fx(torch.func.functionalize(step)), pulled_back),
    "functionalize": functionalized,
    "checkpoint": with_checkpoint,
    "reentrant checkpoint": with_reentrant_checkpoint,
    "saved tensors moved": with_saved_on_cpu,
    "is_grads_batched": with_batched_gradients,
    "vectorised jacobian": functools.partial(with_jacobian, strategy="reverse-mode"),
    "vectorised jacobian in forward mode": functools.partial(with_jacobian, strategy="forward-mode"),
    "vmap": with_vmap,
}


class WaysTest(unittest.TestCase):
    @over(VARIED, WAYS, (False, True))
    def test_equals_composed(self, layer, way, bias):
        *tensors, dim = make(layer, bias=bias)
        none = () if bias else (None,)
        tensors = tuple(tensor for tensor in tensors if tensor is not None)
        expected = outcome(lambda *tensors: composed(layer, *tensors, *none, dim), tensors)
        actual = WAYS[way](lambda *tensors: operator(layer)(*tensors, *none, dim), tensors)
        assert_close([*actual], expected)

    @over(LAYERS, (1, 2))
    def test_gradient_penalty(self, layer, order):
        """Its gradients are derivatives of second order, or of third."""
        tensors = [a for a in make(layer) if isinstance(a, torch.Tensor)]

        def penalty(function):
            value = function(*tensors, 1).pow(3).sum()
            for _ in range(order):
                [gradient] = torch.autograd.grad(value, tensors[0], create_graph=True)
                value = (gradient.square().sum() - 1).square()
            return torch.autograd.grad(value, tensors)

        assert_close(penalty(operator(layer)), penalty(functools.partial(composed, layer)))

    @over(LAYERS, (False, True))
    def test_fake_tensors(self, layer, from_real):
        """Tensors that have sizes and no numbers, made so before or by the call."""
        args = make(layer, dtype=torch.float)
        with FakeTensorMode(allow_non_fake_inputs=from_real) as mode:
            if not from_real:
                args = [mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in args]
            y = operator(layer)(*args)
            gradients = torch.autograd.grad(y.sum(), [a for a in args if isinstance(a, torch.Tensor)])
        self.assertEqual(y.shape, composed(layer, *make(layer)).shape)
        self.assertEqual([g.shape for g in gradients], [a.shape for a in args if isinstance(a, torch.Tensor)])

    @over(LAYERS, (-1, 2), (False, True))
    def test_jagged(self, layer, dim, bias):
        """Sequences of several lengths, each of four channels an element."""
        weights = [torch.rand(4) for _ in range(2)] if layer == "lk_prelu" else []
        parameters = [*weights, torch.rand(4) if bias else None]
        sequences = [torch.randn(length, 4) for length in (2, 5)]

        def jagged(*sequences):
            nested = torch.nested.as_nested_tensor(list(sequences), layout=torch.jagged)
            return operator(layer)(nested, *parameters, dim).values()

        def each(*sequences):
            return torch.cat([composed(layer, x, *parameters, -1) for x in sequences])

        assert_close(outcome(jagged, sequences), outcome(each, sequences))

    @over(LAYERS)
    def test_nested_of_strided_layout(self, layer):
        weights = [torch.ones(1)] * 2 if layer == "lk_prelu" else []
        nested = torch.nested.nested_tensor([torch.randn(2, 4), torch.randn(3, 4)])
        with self.assertRaisesRegex(RuntimeError, f"^{layer}: expected a tensor of one shape, got a nested"):
            operator(layer)(nested, *weights, None, -1)

    @over(LAYERS)
    def test_selective_checkpoint(self, layer):
        """A policy that names the operator that runs the kernel keeps its results."""
        args = make(layer, dtype=torch.float)
        forward = operator(f"_{layer}_forward")
        for saved, runs in (([], 2), ([forward], 1)):
            context = functools.partial(create_selective_checkpoint_contexts, saved)
            with torch.profiler.profile(activities=[CPU]) as profile:
                y = checkpoint(lambda x: operator(layer)(x.sin(), *args[1:]).cos(), args[0],
                               use_reentrant=False, context_fn=context)
                y.sum().backward()
            # The profiler sees two calls that the policy is asked about, and each run of the kernel.
            names = [event.name for event in profile.events()]
            self.assertEqual(names.count(f"linked_neurons::_{layer}_forward"), 2 + runs)


class CompiledTest(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()
        self.net = Net()
        self.x = torch.randn(2, 3, 4, 5)

    def test_cpp_wrapper(self):
        with torch._inductor.config.patch(cpp_wrapper=True):
            actual = outcome(torch.compile(self.net, fullgraph=True), [self.x])
        assert_close(actual, outcome(self.net.composed, [self.x]))

    def test_aot_inductor(self):
        sizes = {"x": {0: torch.export.Dim("n")}}
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            program = torch.export.export(self.net, (self.x,), dynamic_shapes=sizes)
            path = torch._inductor.aoti_compile_and_package(program, package_path=os.path.join(folder, "net.pt2"))
            compiled = torch._inductor.aoti_load_package(path)
            x = torch.randn(7, 3, 4, 5)
            with torch.profiler.profile(activities=[CPU]) as profile:
                y = compiled(x)
        assert_close(y, self.net.composed(x).detach())
        ours = [event.name for event in profile.events() if "linked_neurons" in event.name]
        self.assertCountEqual(ours, [f"linked_neurons::_{layer}_forward" for layer in VARIED])


if __name__ == "__main__":
    load_operators()
    unittest.main()

"""The operators of both libraries, against the expressions that they stand for.

    python test_torch_ops.py <the two shared libraries> [unittest's arguments]

OnnxTest needs NumPy, onnx, onnxruntime and onnxscript, CompileTest the headers of Python (Debian's
python3-dev) for torch.compile with Inductor.
"""

import contextlib
import functools
import itertools
import os
import platform
import sys
import tempfile
import unittest
import warnings

import torch
from joint_cases import JointNet
from torch._dynamo.backends.common import aot_autograd
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck
from torch.nn import functional as F
from torch.testing import assert_close

from cases import (
    ALL_LAYERS, HALVES, LAYERS, LAYOUTS, NUMBERS, OPTIONAL, OPTIONAL_HALVES, SEED, VARIED, Net, composed,
    load_operators, make, operator, outcome, over)

SOME_LAYOUTS = ("channels last", "transposed", "no elements")  # for what takes long
CPU = torch.profiler.ProfilerActivity.CPU


def saved_for_backward(layer, x, y):
    """What forward leaves, or nothing where masks are enough."""
    return {"lk_relu": None, "lk_leaky_relu": None, "lk_mish": x}.get(layer, y)


class EagerTest(unittest.TestCase):
    @over(ALL_LAYERS, LAYOUTS, (False, True))
    def test_equals_composed(self, layer, layout, bias):
        args = make(layer, layout, bias)
        expected = outcome(lambda *a: composed(layer, *a), args)
        assert_close(outcome(operator(layer), args), expected)

    def test_every_layer_is_a_case(self):
        names = torch._C._dispatch_get_all_op_names()
        layers = [name.removeprefix("linked_neurons::_").removesuffix("_forward") for name in names
                  if name.startswith("linked_neurons::_lk_") and name.endswith("_forward")]
        self.assertCountEqual(layers, ALL_LAYERS)

    @over(NUMBERS)
    def test_number(self, layer):
        args, number = make(layer), NUMBERS[layer]
        numbered = functools.partial(operator(layer), **number)
        expected = outcome(functools.partial(composed, layer, **number), args)
        self.assertFalse(torch.equal(expected[0], composed(layer, *args)))
        assert_close(outcome(numbered, args), expected)
        gradgradcheck(numbered, args)
        opcheck(operator(layer), args, number)

    def test_settles_the_allocator(self):
        self.assertEqual(torch.ops.linked_neurons.settle_allocator(),
                         platform.libc_ver()[0] == "glibc")

    @over(ALL_LAYERS, (torch.float, torch.bfloat16, torch.half), (False, True))
    def test_types(self, layer, dtype, float_parameters):
        x, *rest = make(layer, dtype=dtype, grad=False)
        if float_parameters:
            rest = [a.float() if isinstance(a, torch.Tensor) else a for a in rest]
        actual = outcome(operator(layer), (x, *rest))
        expected = outcome(lambda *a: composed(layer, *a), (x, *rest))
        assert_close(actual[0], expected[0])
        # Backward starts from the rounded output.
        assert_close(actual[1:], expected[1:], rtol=4 * torch.finfo(dtype).eps, atol=0.02)

    @over(("contiguous", "channels last", "transposed"))
    def test_weights_for_each_element(self, layout):
        args = make("lk_prelu", layout, weights="element")
        expected = outcome(lambda *a: composed("lk_prelu", *a), args)
        assert_close(outcome(operator("lk_prelu"), args), expected)

    @over(LAYERS, LAYOUTS, (False, True))
    def test_opcheck(self, layer, layout, bias):
        opcheck(operator(layer), make(layer, layout, bias, torch.float))

    @over(OPTIONAL)
    def test_opcheck_of_optional_layers(self, layer):
        opcheck(operator(layer), make(layer, dtype=torch.float))

    @over(LAYERS)
    def test_opcheck_without_gradients(self, layer):
        opcheck(operator(layer), make(layer, grad=False))

    @over(("one", "element"))
    def test_opcheck_weights(self, weights):
        opcheck(operator("lk_prelu"), make("lk_prelu", weights=weights))

    @over(LAYERS, SOME_LAYOUTS)
    def test_opcheck_parts(self, layer, layout):
        self.check_parts(layer, layout)

    @over(OPTIONAL, ("contiguous", "transposed"))
    def test_opcheck_parts_of_optional_layers(self, layer, layout):
        self.check_parts(layer, layout)

    def check_parts(self, layer, layout):
        """Of the operators that run the kernels."""
        x, *weights, bias, dim = make(layer, layout, grad=False)
        number = NUMBERS.get(layer, {}).values()
        forward, backward = (operator(f"_{layer}_{part}") for part in ("forward", "backward"))
        for keep_masks in (False, True):
            opcheck(forward, (x, *weights, bias, dim, x.stride(), keep_masks, *number))
        y, masks = forward(x, *weights, bias, dim, x.stride(), True, *number)
        saved = saved_for_backward(layer, x, y)
        place = y.stride(), dim % x.dim()
        opcheck(backward, (y, saved, masks, *weights, bias, *place, saved is x, (bool(weights), True), *number))
        opcheck(backward, (y, saved, masks, *weights, None, *place, saved is x, (False, False), *number))
        opcheck(backward, (y, x, masks[:0], *weights, bias, *place, True, (bool(weights), True), *number))

    @over(VARIED, LAYOUTS)
    def test_shapes(self, layer, layout):
        """What the shape functions say is what comes. (opcheck looks at strides on GPUs only.)"""
        x, *weights, bias, dim = make(layer, layout, grad=False)
        number = NUMBERS.get(layer, {}).values()
        forward, backward = (operator(f"_{layer}_{part}") for part in ("forward", "backward"))

        def results(x, weights, bias):
            y, masks = forward(x, *weights, bias, dim, x.stride(), True, *number)
            saved = saved_for_backward(layer, x, y)
            wanted = saved is x, (bool(weights), True)
            grads = backward(y, saved, masks, *weights, bias, y.stride(), dim % x.dim(), *wanted, *number)
            return [y, masks, *grads, forward(x, *weights, bias, dim, x.stride(), False, *number)[1]]

        def shape(tensor):
            strides = [  # of an axis of one index they mean nothing
                stride for size, stride in zip(tensor.shape, tensor.stride())
                if size > 1 and tensor.numel() > 0]
            return tensor.shape, strides, tensor.dtype

        def without_memory(tensor):
            return torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")

        actual = results(without_memory(x), [*map(without_memory, weights)], without_memory(bias))
        self.assertEqual([*map(shape, actual)], [*map(shape, results(x, weights, bias))])

    @over(LAYERS, LAYOUTS, (False, True))
    def test_gradcheck(self, layer, layout, bias):
        gradcheck(operator(layer), make(layer, layout, bias))

    @over(("one", "element"))
    def test_gradcheck_weights(self, weights):
        gradcheck(operator("lk_prelu"), make("lk_prelu", weights=weights))

    @over(ALL_LAYERS, (False, True), (False, True))
    def test_gradient_of_one_argument_alone(self, layer, bias, keep_input):
        args = make(layer, bias=bias, grad=False)
        for argument in args:
            if isinstance(argument, torch.Tensor):
                argument.requires_grad_()
                gradcheck(functools.partial(operator(layer), keep_input=keep_input), args)
                argument.requires_grad_(False)

    @over(HALVES, SOME_LAYOUTS, (False, True))
    def test_keep_output(self, layer, layout, bias):
        args = make(layer, layout, bias)
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.dtype), lambda t: None):
            operator(layer)(*args, True)
        self.assertIn(args[0].dtype, saved)
        expected = outcome(lambda *a: composed(layer, *a), args)
        assert_close(outcome(lambda *a: operator(layer)(*a, True), args), expected)
        gradgradcheck(lambda *a: operator(layer)(*a, True), args)

    @over(LAYERS, SOME_LAYOUTS, (False, True))
    def test_keep_input(self, layer, layout, bias):
        args = make(layer, layout, bias)
        keeping = functools.partial(operator(layer), keep_input=True)
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()), lambda t: None):
            y = keeping(*args)
        self.assertLessEqual(sum(saved), sum(a.numel() for a in args if isinstance(a, torch.Tensor)))
        self.assertEqual(y.shape, operator(layer)(*args).shape)
        expected = outcome(lambda *a: composed(layer, *a), args)
        assert_close(outcome(keeping, args), expected)
        gradgradcheck(keeping, args)

    @over(HALVES)
    def test_keeps_one_of_both(self, layer):
        with self.assertRaisesRegex(RuntimeError, "keep_output or keep_input to be true, got both"):
            operator(layer)(*make(layer), True, keep_input=True)

    @over(LAYERS, ("contiguous", "transposed", "no elements"))
    def test_double_backward(self, layer, layout):
        gradgradcheck(operator(layer), make(layer, layout))

    @over(OPTIONAL_HALVES)
    def test_double_backward_of_optional_layers(self, layer):
        gradgradcheck(operator(layer), make(layer, "first axis"))

    @over(LAYERS)
    def test_autocast(self, layer):
        """Layers take the type that arrives; a float bias and float weights go with it."""
        args = make(layer, dtype=torch.float, grad=False)
        weight = torch.randn(3, 3, generator=torch.Generator().manual_seed(SEED))

        def linear(x):
            return F.linear(x.movedim(1, -1), weight).movedim(-1, 1)

        def step(x, *rest):
            return operator(layer)(linear(x), *rest)

        with torch.autocast("cpu", torch.bfloat16):
            x = linear(args[0])
            y = step(*args)
            gradients = outcome(step, args)[1:]
        self.assertEqual((x.dtype, y.dtype), (torch.bfloat16, torch.bfloat16))
        assert_close(y, composed(layer, x, *args[1:]))
        self.assertEqual({gradient.dtype for gradient in gradients}, {torch.float})

    @over(LAYERS)
    def test_transforms(self, layer):
        """torch.func and forward mode."""
        x, *rest = make(layer, "first axis", grad=False)

        def function(x):
            return operator(layer)(x, *rest)

        ones = torch.ones_like(x)
        expected = torch.autograd.functional.jvp(function, x, ones)  # by double backward
        assert_close(torch.func.jvp(function, (x,), (ones,)), expected)
        leaf = x.clone().requires_grad_()
        function(leaf).square().sum().backward()
        gradient = torch.func.grad(lambda x: function(x).square().sum())(x)
        assert_close(gradient, leaf.grad)
        batch = torch.stack([x, -x])
        assert_close(torch.vmap(function)(batch), torch.stack([*map(function, batch)]))

    @over(LAYERS)
    def test_negation_that_is_only_promised(self, layer):
        x, *rest = make(layer, grad=False)
        lazy = torch.complex(x, -x).conj().imag
        self.assertTrue(lazy.is_neg())
        assert_close(operator(layer)(lazy, *rest), operator(layer)(x, *rest), rtol=0, atol=0)

    @over(LAYERS)
    def test_inference_mode(self, layer):
        args = make(layer, grad=False)
        expected = operator(layer)(*args)
        with torch.inference_mode():
            x = args[0].clone()
            assert_close(operator(layer)(x, *args[1:]), expected, rtol=0, atol=0)

    def test_errors(self):
        ops = torch.ops.linked_neurons
        x = torch.ones(2, 3)
        two = torch.ones(2)
        for message, call in (
            ("lk_relu: expected dim in", lambda: ops.lk_relu(x, None, 2)),
            ("lk_selu: expected a tensor of type", lambda: ops.lk_selu(x.int())),
            ("lk_swish: expected bias of shape", lambda: ops.lk_swish(x, two)),
            ("lk_prelu: expected weight_pos", lambda: ops.lk_prelu(x, two, two)),
            ("lk_elu: expected alpha to be a number of at least 0, got -1", lambda: ops.lk_elu(x, alpha=-1)),
            ("lk_elu: expected alpha to be a number of at least 0, got nan",
             lambda: ops.lk_elu_linear(x, torch.ones(2, 6), alpha=float("nan"))),
        ):
            with self.subTest(message), self.assertRaisesRegex(RuntimeError, message):
                call()


class NetTest(unittest.TestCase):
    def setUp(self):
        self.net = Net()
        self.x = torch.randn(2, 3, 4, 5)
        self.larger = torch.randn(7, 3, 6, 5)
        sizes = {0: torch.export.Dim("n"), 2: torch.export.Dim("h")}
        self.dynamic_shapes = {"x": sizes}


class CaptureTest(NetTest):
    """torch.export, TorchScript."""

    def test_export(self):
        program = torch.export.export(self.net, (self.x,), dynamic_shapes=self.dynamic_shapes)
        targets = [str(node.target) for node in program.graph.nodes]
        for layer in VARIED:
            self.assertEqual(targets.count(f"linked_neurons.{layer}.default"), 1)
        for x in (self.x, self.larger):
            assert_close(program.module()(x), self.net.composed(x))

    def test_decomposed(self):
        program = torch.export.export(self.net, (self.x,), dynamic_shapes=self.dynamic_shapes)
        program = program.run_decompositions()
        targets = [str(node.target) for node in program.graph.nodes]
        self.assertFalse([target for target in targets if "linked_neurons" in target])
        assert_close(program.module()(self.larger), self.net.composed(self.larger))

    def test_script(self):
        scripted = torch.jit.script(self.net)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.pt")
            scripted.save(path)
            scripted = torch.jit.load(path)
        parameters = [*scripted.parameters()]
        y = scripted(self.x)
        expected = self.net.composed(self.x)
        assert_close(y, expected)
        assert_close(
            torch.autograd.grad(y.sum(), parameters),
            torch.autograd.grad(expected.sum(), [*self.net.parameters()]))


class OnnxTest(NetTest):
    @over((Net, JointNet))
    def test_onnx(self, kind):
        import onnxruntime

        net = kind().eval()
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(net, (self.x,), dynamo=True, dynamic_shapes=self.dynamic_shapes)
        self.assertEqual({node.domain for node in program.model.graph}, {""})
        session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
        for x in (self.x, self.larger):
            [y] = session.run(None, {"x": x.numpy()})
            assert_close(torch.from_numpy(y), net.composed(x).detach())


class CompileTest(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()

    def test_training_with_dynamic_shapes(self):
        net = Net()
        compiled = torch.compile(net, dynamic=True, fullgraph=True)
        x = torch.randn(2, 3, 4, 5)
        assert_close(outcome(compiled, [x]), outcome(net.composed, [x]))
        x = torch.randn(7, 3, 6, 8)
        with torch.compiler.set_stance("fail_on_recompile"):
            with torch.profiler.profile(activities=[CPU]) as profile:
                actual = outcome(compiled, [x])
        assert_close(actual, outcome(net.composed, [x]))
        ours = [event.name for event in profile.events() if "linked_neurons" in event.name]
        parts = itertools.product(VARIED, ("forward", "backward"))
        self.assertCountEqual(ours, [f"linked_neurons::_{layer}_{part}" for layer, part in parts])

    def test_channels_last(self):
        compiled = torch.compile(lambda x: torch.ops.linked_neurons.lk_relu(x.sin()), fullgraph=True)
        x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
        actual = outcome(compiled, [x])
        assert_close(actual, outcome(lambda x: composed("lk_relu", x.sin(), None, 1), [x]))
        for tensor in actual:
            self.assertTrue(tensor.is_contiguous(memory_format=torch.channels_last))

    def test_inference(self):
        compiled = torch.compile(lambda x: torch.ops.linked_neurons.lk_swish(x.sin()), fullgraph=True)
        x = torch.randn(2, 6, 3).transpose(1, 2)
        with torch.inference_mode():
            y = compiled(x)
        assert_close(y, composed("lk_swish", x.sin(), None, 1))
        self.assertEqual(y.stride(), operator("lk_swish")(x).stride())

    def test_compiled_autograd(self):
        """Backward compiled, of a forward that was not."""
        net = Net()
        graphs = []

        def compile_graph(module):
            def keep(graph, inputs):
                graphs.append(graph)
                return graph

            return torch.compile(module, backend=aot_autograd(fw_compiler=keep), dynamic=True)

        for sizes in ((2, 3, 4, 5), (7, 3, 6, 8)):
            x = torch.randn(sizes)
            with torch._dynamo.compiled_autograd._enable(compile_graph):
                actual = outcome(net, [x])
            assert_close(actual, outcome(net.composed, [x]))
        called = [str(node.target) for graph in graphs for node in graph.graph.nodes]
        for layer in VARIED:
            self.assertIn(f"linked_neurons._{layer}_backward.default", called)


if __name__ == "__main__":
    load_operators()
    unittest.main()

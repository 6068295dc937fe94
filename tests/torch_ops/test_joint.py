"""The operators of the joint layers, against the two layers one after the other.

    python test_joint.py <the two shared libraries> [unittest's arguments]

JointCompileTest needs a C++ compiler and the headers of Python (Debian's python3-dev) for torch.compile with Inductor.
"""

import itertools
import sys
import unittest

import torch
from cases import ALL_LAYERS, NUMBERS, load_operators, outcome, over
from functorch.compile import min_cut_rematerialization_partition
from joint_cases import JOINTS, JointNet, call, composed_joint, make_joint
from test_ways import WAYS
from torch._dynamo.backends.common import aot_autograd
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import gradgradcheck
from torch.library import opcheck
from torch.testing import assert_close

# One that saves masks alone, one with weights, one that saves its output, one with a number: where nothing else of an
# activation is looked at.
VARIED = ("lk_relu", "lk_prelu", "lk_swish", "lk_elu")
CPU = torch.profiler.ProfilerActivity.CPU


def operator(layer, case):
    return getattr(torch.ops.linked_neurons, f"{layer}_{JOINTS[case][0]}").default


def functions(layer, case, **options):
    """The operator and what it stands for, of the tensors that there are, and these."""
    tensors, numbers = make_joint(layer, case, **options)
    number = NUMBERS.get(layer, {})

    def filled(given):
        given = iter(given)
        return [tensor if tensor is None else next(given) for tensor in tensors]

    return (
        lambda *given: call(operator(layer, case), filled(given), numbers, **number),
        lambda *given: composed_joint(layer, case, filled(given), numbers, **number),
        tuple(tensor for tensor in tensors if tensor is not None))


class JointTest(unittest.TestCase):
    def test_every_layer_has_all(self):
        names = torch._C._dispatch_get_all_op_names()
        joints = {f"linked_neurons::{layer}_{case[0]}" for layer in ALL_LAYERS for case in JOINTS.values()}
        self.assertEqual(joints, {name for name in names if name.endswith(("_conv1d", "_conv2d", "_conv3d", "_linear"))
                                  and name.startswith("linked_neurons::")})

    @over(ALL_LAYERS, JOINTS, (False, True))
    def test_equals_composed(self, layer, case, bias):
        joint, composed, tensors = functions(layer, case, bias=bias)
        assert_close(outcome(joint, tensors), outcome(composed, tensors))

    @over(VARIED, ("conv2d", "linear of sequences"))
    def test_gradient_of_one_argument_alone(self, layer, case):
        joint, composed, tensors = functions(layer, case, grad=False)
        for tensor in tensors:
            tensor.requires_grad_()
            [gradient], [expected] = (
                torch.autograd.grad(function(*tensors).square().sum(), tensor) for function in (joint, composed))
            tensor.requires_grad_(False)
            assert_close(gradient, expected)

    @over(VARIED, ("conv2d, all options", "linear of sequences"))
    def test_double_backward(self, layer, case):
        joint, _, tensors = functions(layer, case)
        gradgradcheck(joint, tensors)

    @over(VARIED, ("conv2d, channels last", "linear of sequences"))
    def test_opcheck(self, layer, case):
        tensors, numbers = make_joint(layer, case, dtype=torch.float)
        opcheck(operator(layer, case), (*tensors[:-1], *numbers), {"input_bias": tensors[-1], **NUMBERS.get(layer, {})})

    @over(VARIED, JOINTS, itertools.product((False, True), repeat=2))
    def test_shapes_of_backward(self, layer, case, wanted):
        """What the shape function says is what comes."""
        tensors, numbers = make_joint(layer, case, grad=False)
        y = call(operator(layer, case), tensors, numbers)
        x, *slopes, weight, _, input_bias = tensors
        if case == "conv2d of one image":
            x, y = x.unsqueeze(0), y.unsqueeze(0)
        flags = [wanted[0], wanted[0] and bool(slopes), wanted[0], wanted[1], wanted[1]]
        layer_numbers = [n for each in numbers for n in ([each] if isinstance(each, int) else each)]

        def shapes(*tensors):
            results = getattr(torch.ops.linked_neurons, f"_{layer}_joint_backward")(
                *tensors, layer_numbers, flags, *NUMBERS.get(layer, {}).values())
            return [(each.shape, each.dtype, each.stride() if each.numel() else ()) for each in results]

        arguments = (y, x, *slopes, weight, input_bias)
        self.assertEqual(shapes(*(each.to("meta") for each in arguments)), shapes(*arguments))

    @over(VARIED, ("conv2d", "conv2d, channels last", "linear of sequences"))
    def test_saves_the_input_and_never_the_pair(self, layer, case):
        joint, composed, (x, *parameters) = functions(layer, case)
        for function, channels in ((joint, 1), (composed, 3)):
            saved = {}
            with torch.autograd.graph.saved_tensors_hooks(
                    lambda t: [saved.setdefault(t.untyped_storage().data_ptr(), t.untyped_storage().nbytes()), t][1],
                    lambda t: t):
                y = function(x, *parameters)
            for parameter in parameters:
                saved.pop(parameter.untyped_storage().data_ptr(), None)
            if function is joint:
                self.assertEqual(sum(saved.values()), x.nbytes)
            else:  # what is looked at sees the pair, where it is kept
                self.assertGreaterEqual(sum(saved.values()), channels * x.nbytes)
            y.sum().backward()

    @over(VARIED, ("conv2d", "linear"))
    def test_an_input_modified_in_place_is_refused(self, layer, case):
        joint, _, (x, *parameters) = functions(layer, case)
        x = x.detach().clone()
        y = joint(x, *parameters)
        x.add_(1)
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            y.sum().backward()

    @over(VARIED, ("conv2d", "linear"), (torch.bfloat16, torch.half))
    def test_types(self, layer, case, dtype):
        joint, composed, tensors = functions(layer, case, dtype=dtype, grad=False)
        actual, expected = outcome(joint, tensors), outcome(composed, tensors)
        assert_close(actual, expected, rtol=8 * torch.finfo(dtype).eps, atol=0.05)

    @over(VARIED, ("conv2d", "linear"))
    def test_autocast(self, layer, case):
        """The weight and the pair are cast, as for the convolution alone; gradients come back in float."""
        joint, composed, tensors = functions(layer, case, dtype=torch.float, grad=False)
        with torch.autocast("cpu", torch.bfloat16):
            actual, expected = outcome(joint, tensors), outcome(composed, tensors)
        self.assertEqual([each.dtype for each in actual], [torch.bfloat16] + [torch.float] * len(tensors))
        assert_close(actual, expected, rtol=0.02, atol=0.02)

    @over(VARIED, WAYS, ("conv2d", "linear"))
    def test_ways(self, layer, way, case):
        joint, composed, tensors = functions(layer, case)
        assert_close([*WAYS[way](joint, tensors)], outcome(composed, tensors))

    @over(VARIED, ("conv2d", "linear"))
    def test_fake_tensors(self, layer, case):
        joint, composed, tensors = functions(layer, case, dtype=torch.float)
        with FakeTensorMode() as mode:
            given = [mode.from_tensor(tensor) for tensor in tensors]
            y = joint(*given)
            gradients = torch.autograd.grad(y.sum(), given)
        self.assertEqual(y.shape, composed(*tensors).shape)
        self.assertEqual([each.shape for each in gradients], [each.shape for each in tensors])

    def test_jagged_sequences(self):
        weight = torch.rand(3, 8)
        sequences = [torch.randn(length, 4) for length in (2, 5)]

        def jagged(weight, *sequences):
            nested = torch.nested.as_nested_tensor([*sequences], layout=torch.jagged)
            return torch.ops.linked_neurons.lk_selu_linear(nested, weight).values()

        def each(weight, *sequences):
            return torch.ops.linked_neurons.lk_selu_linear(torch.cat(sequences), weight)

        assert_close(outcome(jagged, [weight, *sequences]), outcome(each, [weight, *sequences]))

    def test_one_number_for_all_axes(self):
        x, weight = torch.randn(2, 3, 7, 7), torch.randn(4, 6, 3, 3)
        conv = torch.ops.linked_neurons.lk_relu_conv2d
        assert_close(conv(x, weight, None, [2], [1]), conv(x, weight, None, [2, 2], [1, 1]), rtol=0, atol=0)

    def test_errors(self):
        ops = torch.ops.linked_neurons
        x, weight, slopes = torch.ones(2, 3, 5, 5), torch.ones(4, 6, 3, 3), torch.ones(2)
        for message, run in (
            ("lk_relu_conv2d: expected a weight of 4 axes for 6 channels .twice those of the input., got one of shape "
             r"\[4, 3, 3, 3\]", lambda: ops.lk_relu_conv2d(x, weight[:, :3])),
            ("lk_selu_conv1d: expected an input of 2 or 3 axes, got 4", lambda: ops.lk_selu_conv1d(x, weight[..., 0])),
            ("lk_swish_linear: expected a weight of 2 axes for 10 channels", lambda: ops.lk_swish_linear(x, weight)),
            ("lk_relu_linear: expected a tensor of type", lambda: ops.lk_relu_linear(x.int(), weight[0, 0])),
            (r"expected stride, padding and dilation to have a number for each of 3 axes, got \[0, 0\]",
             lambda: ops.lk_relu_conv2d(x, weight, None, [1, 1, 1])),
            ("lk_prelu: expected weight_pos", lambda: ops.lk_prelu_conv2d(x, slopes, slopes, weight)),
        ):
            with self.subTest(message), self.assertRaisesRegex(RuntimeError, message):
                run()


class JointCaptureTest(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()
        self.net = JointNet()
        self.x = torch.randn(2, 3, 6, 5)
        self.larger = torch.randn(7, 3, 8, 5)

    def test_export(self):
        sizes = {"x": {0: torch.export.Dim("n"), 2: torch.export.Dim("h")}}
        program = torch.export.export(self.net, (self.x,), dynamic_shapes=sizes)
        targets = [str(node.target) for node in program.graph.nodes]
        for name in ("lk_prelu_conv2d", "lk_elu_linear"):
            self.assertEqual(targets.count(f"linked_neurons.{name}.default"), 1)
        decomposed = program.run_decompositions()
        self.assertFalse([node for node in decomposed.graph.nodes if "linked_neurons" in str(node.target)])
        for each in (program, decomposed):
            assert_close(each.module()(self.larger), self.net.composed(self.larger))

    def test_script(self):
        assert_close(outcome(torch.jit.script(self.net), [self.x]), outcome(self.net.composed, [self.x]))

    def test_the_pair_is_not_kept_between_compiled_passes(self):
        """Nor is it hidden in another: what forward returns for backward is z of each layer, and what is no larger."""
        kept = []

        def keep(graph, inputs):
            [results] = graph.graph.output_node().args
            kept.extend(each.meta["val"].shape for each in results[1:] if isinstance(each, torch.fx.Node))
            return graph

        compiled = torch.compile(self.net, fullgraph=True, backend=aot_autograd(
            fw_compiler=keep, bw_compiler=lambda graph, inputs: graph,
            partition_fn=min_cut_rematerialization_partition))
        assert_close(outcome(compiled, [self.larger]), outcome(self.net.composed, [self.larger]))
        self.assertIn(self.larger.shape, kept)
        largest = 7 * 4 * 8 * 5  # z of the linear layer; the pair of the convolution has 7 * 6 * 8 * 5
        self.assertLessEqual(max(sizes.numel() for sizes in kept), largest, kept)

    def test_autocast_in_a_compiled_step(self):
        compiled = torch.compile(self.net, fullgraph=True, backend="aot_eager")
        with torch.autocast("cpu", torch.bfloat16):
            actual, expected = outcome(compiled, [self.x]), outcome(self.net, [self.x])
        self.assertEqual(actual[0].dtype, torch.bfloat16)
        assert_close(actual, expected, rtol=0.02, atol=0.02)

    def test_compiled_autograd(self):
        """Backward compiled, of a forward that was not."""
        called = []

        def compile_graph(module):
            def keep(graph, inputs):
                called.extend(str(node.target) for node in graph.graph.nodes)
                return graph

            return torch.compile(module, backend=aot_autograd(fw_compiler=keep), dynamic=True)

        for x in (self.x, self.larger):
            with torch._dynamo.compiled_autograd._enable(compile_graph):
                actual = outcome(self.net, [x])
            assert_close(actual, outcome(self.net.composed, [x]))
        for layer in ("lk_prelu", "lk_elu"):
            self.assertIn(f"linked_neurons._{layer}_joint_backward.default", called)


class JointCompileTest(unittest.TestCase):
    def test_training_with_a_dynamic_batch(self):
        """(Of a convolution Inductor takes the other sizes as they are.)"""
        torch._dynamo.reset()
        net = JointNet()
        compiled = torch.compile(net, dynamic=True, fullgraph=True)
        x = torch.randn(2, 3, 6, 5)
        assert_close(outcome(compiled, [x]), outcome(net.composed, [x]))
        x = torch.randn(7, 3, 6, 5)
        with torch.compiler.set_stance("fail_on_recompile"):
            with torch.profiler.profile(activities=[CPU]) as profile:
                actual = outcome(compiled, [x])
        assert_close(actual, outcome(net.composed, [x]))
        ours = [event.name for event in profile.events() if "linked_neurons" in event.name]
        parts = itertools.product(("lk_prelu", "lk_elu"), ("forward", "joint_backward"))
        self.assertCountEqual(ours, [f"linked_neurons::_{layer}_{part}" for layer, part in parts])


if __name__ == "__main__":
    load_operators()
    unittest.main()

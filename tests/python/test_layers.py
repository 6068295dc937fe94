"""The Python package's functions and modules, against the expressions that they stand for.

    python test_layers.py [unittest's arguments]

with the compiled operators, which LINKED_NEURONS_CACHE has, or, where WITHOUT_OPERATORS is set and no
compiler can be found, without.
"""

import copy
import doctest
import io
import os
import pydoc
import re
import sys
import tempfile
import unittest
import warnings

import torch
from torch import nn
from torch.autograd import gradgradcheck
from torch.testing import assert_close

import linked_neurons_torch as ln
from cases import (
    ALL_LAYERS, LAYERS, LAYOUTS, NUMBERS, OPTIONAL_HALVES, SEED, VARIED, composed, make, outcome, over)

MODULES = {"lk_relu": ln.LKReLU, "lk_prelu": ln.LKPReLU, "lk_selu": ln.LKSELU, "lk_swish": ln.LKSwish,
           "lk_sin_cos": ln.LKSinCos, "lk_elu": ln.LKELU, "lk_gelu": ln.LKGELU, "lk_gelu_tanh": ln.LKGELUTanh,
           "lk_hardswish": ln.LKHardswish, "lk_leaky_relu": ln.LKLeakyReLU, "lk_mish": ln.LKMish,
           "lk_softplus": ln.LKSoftplus}
BATCH = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(SEED))
HAS_OPERATORS = "WITHOUT_OPERATORS" not in os.environ


def function(layer):
    return getattr(ln.functional, layer)


def net_of(layer, **options):
    """A network with a layer between two convolutions, whose numbers are always the same."""
    torch.manual_seed(SEED)
    return nn.Sequential(nn.Conv2d(3, 4, 3), MODULES[layer](**options), nn.Conv2d(8, 2, 1))


class LoadTest(unittest.TestCase):
    def test_operators_are_as_expected(self):
        for optional in (False, True):
            self.assertEqual(ln.load(optional), HAS_OPERATORS)

    def test_missing_tools_are_named_once(self):
        for name in WARNED:
            self.assertIn("linked_neurons_torch: the operators cannot be built here, for want of a C++ compiler", name)
        self.assertEqual(len(WARNED), 0 if HAS_OPERATORS else 1)

    def test_settles_the_allocator_with_operators(self):
        self.assertIs(ln.settle_allocator(), HAS_OPERATORS and torch.ops.linked_neurons.settle_allocator())


class FunctionsTest(unittest.TestCase):
    @over(ALL_LAYERS, LAYOUTS, (False, True))
    def test_equals_composed(self, layer, layout, bias):
        args = make(layer, layout, bias)
        expected = outcome(lambda *a: composed(layer, *a), args)
        assert_close(outcome(function(layer), args), expected)

    @over(ALL_LAYERS, (torch.float, torch.bfloat16, torch.half), (False, True))
    def test_types(self, layer, dtype, float_parameters):
        """16-bit numbers are computed in float and rounded once."""
        x, *rest = make(layer, dtype=dtype, grad=False)
        if float_parameters:
            rest = [a.float() if isinstance(a, torch.Tensor) else a for a in rest]
        actual = outcome(function(layer), (x, *rest))
        expected = outcome(lambda *a: composed(layer, *a), (x, *rest))
        assert_close(actual[0], expected[0])
        # The operators' backward starts from the rounded output.
        assert_close(actual[1:], expected[1:], rtol=4 * torch.finfo(dtype).eps, atol=0.02)

    @over(("one", "channel", "element"), ("contiguous", "channels last", "last axis"))
    def test_weights(self, weights, layout):
        args = make("lk_prelu", layout, weights=weights)
        expected = outcome(lambda *a: composed("lk_prelu", *a), args)
        assert_close(outcome(ln.functional.lk_prelu, args), expected)

    @over(NUMBERS)
    def test_numbers(self, layer):
        args, number = make(layer), NUMBERS[layer]
        expected = outcome(lambda *a: composed(layer, *a, **number), args)
        assert_close(outcome(lambda *a: function(layer)(*a, **number), args), expected)
        module = MODULES[layer](*number.values(), dim=args[-1], bias=args[1].numel(), dtype=args[1].dtype)
        module.bias.data.copy_(args[1])
        assert_close(module(args[0]), expected[0])

    @over(VARIED)
    def test_double_backward(self, layer):
        gradgradcheck(function(layer), make(layer))

    @over(LAYERS)
    def test_defaults(self, layer):
        x, *weights, bias, dim = make(layer, "channels last")
        assert_close(function(layer)(x, *weights), function(layer)(x, *weights, None, 1), rtol=0, atol=0)
        assert_close(
            function(layer)(x, *weights, bias=bias, dim=dim), function(layer)(x, *weights, bias, dim), rtol=0, atol=0)

    @over(LAYERS)
    def test_memory_format_is_the_input_s(self, layer):
        args = make(layer, "channels last")
        self.assertTrue(function(layer)(*args).is_contiguous(memory_format=torch.channels_last))

    @over(LAYERS, (-1, 2), (False, True))
    def test_jagged_sequences(self, layer, dim, bias):
        """Of several lengths, each of four channels an element."""
        parameters = [*([torch.rand(4)] * 2 if layer == "lk_prelu" else []), torch.rand(4) if bias else None]
        sequences = [torch.randn(length, 4) for length in (2, 5)]

        def jagged(*sequences):
            nested = torch.nested.as_nested_tensor([*sequences], layout=torch.jagged)
            return function(layer)(nested, *parameters, dim).values()

        def each(*sequences):
            return torch.cat([composed(layer, x, *parameters, -1) for x in sequences])

        assert_close(outcome(jagged, sequences), outcome(each, sequences))

    @over(("lk_relu", "lk_selu", "lk_swish", *OPTIONAL_HALVES))
    def test_infinite_inputs_give_the_limits(self, layer):
        infinity = float("inf")
        selu = float(torch.selu(torch.tensor(-100.0)))
        below = {"lk_selu": selu, "lk_elu": -1.0, "lk_leaky_relu": -infinity}.get(layer, 0.0)
        y = function(layer)(torch.tensor([[infinity, -infinity]]))
        assert_close(y, torch.tensor([[infinity, below, below, infinity]]))

    def test_bad_input_is_refused_by_name(self):
        f = ln.functional
        x, two, three = torch.ones(2, 3), torch.ones(2), torch.ones(3)
        nested = torch.nested.nested_tensor([x, torch.ones(1, 3)])
        for message, call in (
            ("lk_relu: expected dim in [-2, 1] for a tensor of 2 axes, got 2", lambda: f.lk_relu(x, None, 2)),
            ("lk_relu: expected a tensor with a channel axis", lambda: f.lk_relu(torch.tensor(1.0))),
            ("lk_relu: expected a strided tensor, got one of layout", lambda: f.lk_relu(x.to_sparse())),
            ("lk_swish: expected a tensor of one shape, got a nested one", lambda: f.lk_swish(nested)),
            ("lk_selu: expected a tensor of type Double, Float, Half or BFloat16, got", lambda: f.lk_selu(x.int())),
            ("lk_swish: expected bias of shape [3] (the channels at dim 1), got [2]", lambda: f.lk_swish(x, two)),
            ("lk_swish: expected bias of type", lambda: f.lk_swish(x, three.double())),
            ("lk_prelu: expected weight_pos to have 1 weight, 3 (the channels at dim 1) or one an element (shape [3]),"
             " got 2 of shape [2]", lambda: f.lk_prelu(x, two, two)),
            ("lk_prelu: expected weight_pos and weight_neg of one shape, got [3] and [1]",
             lambda: f.lk_prelu(x, three, torch.ones(1))),
            ("lk_elu: expected alpha to be a number of at least 0, got -1", lambda: f.lk_elu(x, alpha=-1)),
            ("lk_leaky_relu: expected negative_slope to be a number of at least -inf, got nan",
             lambda: f.lk_leaky_relu(x, negative_slope=float("nan"))),
        ):
            with self.subTest(message), self.assertRaisesRegex(RuntimeError, re.escape(message)):
                call()


class ModulesTest(unittest.TestCase):
    def test_every_layer_has_one(self):
        joint = ("_conv1d", "_conv2d", "_conv3d", "_linear")
        listed = {name for name in ln.functional.__all__ if not name.endswith(joint)} - {"lk_silu"}
        self.assertEqual(listed, set(ALL_LAYERS))
        self.assertEqual(set(MODULES), set(ALL_LAYERS))
        self.assertIs(ln.LKSiLU, ln.LKSwish)
        self.assertIs(ln.functional.lk_silu, ln.functional.lk_swish)

    def test_print_as_in_cpp(self):
        for text, layer, parameters in (
            ("LKReLU(dim=1)", ln.LKReLU(), {}),
            ("LKReLU(dim=-1, bias=3)", ln.LKReLU(-1, 3), {"bias": (3,)}),
            ("LKReLU(dim=1, bias=3, keep_output=True)", ln.LKReLU(bias=3, keep_output=True), {"bias": (3,)}),
            ("LKSELU(dim=1)", ln.LKSELU(), {}),
            ("LKSwish(dim=0, keep_input=True)", ln.LKSwish(dim=0, keep_input=True), {}),
            ("LKPReLU(num_parameters=1, dim=1)", ln.LKPReLU(), {"weight_pos": (1,), "weight_neg": (1,)}),
            ("LKPReLU(num_parameters=3, dim=1, bias=3)", ln.LKPReLU(3, 0.1, bias=3),
             {"bias": (3,), "weight_pos": (3,), "weight_neg": (3,)}),
            ("LKPReLU(shape=[3, 4, 5], dim=-3)", ln.LKPReLU(shape=(3, 4, 5), dim=-3),
             {"weight_pos": (3, 4, 5), "weight_neg": (3, 4, 5)}),
            ("LKELU(alpha=0.5, dim=1, bias=3)", ln.LKELU(0.5, bias=3), {"bias": (3,)}),
            ("LKLeakyReLU(negative_slope=0.01, dim=-1)", ln.LKLeakyReLU(dim=-1), {}),
            ("LKGELUTanh(dim=1, keep_output=True)", ln.LKGELUTanh(keep_output=True), {}),
        ):
            with self.subTest(text):
                self.assertEqual(repr(layer), text)
                self.assertEqual([(name, (*p.shape,)) for name, p in layer.named_parameters()], [*parameters.items()])

    @over((ln.LKReLU, ln.LKSELU, ln.LKSwish), ("keep_input", "keep_output"), (False, True))
    def test_keep(self, module, option, is_set):
        """Changes what is saved, and no number."""
        saved, layer, x = [], module(**{option: is_set}), torch.randn(2, 3, 64, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: [saved.append(t.dtype), t][1], lambda t: t):
            y = layer(x)
        [gradient] = torch.autograd.grad(y.square().sum(), x)
        expected = module()(x)
        assert_close((y, gradient), (expected, torch.autograd.grad(expected.square().sum(), x)[0]))
        if HAS_OPERATORS and module is ln.LKReLU:
            self.assertEqual(torch.float in saved, is_set)

    def test_start_as_in_cpp(self):
        layer = ln.LKPReLU(3, bias=3)
        for _ in range(2):
            for name, value in (("bias", 0), ("weight_pos", 0.25), ("weight_neg", 0.25)):
                assert_close(getattr(layer, name).data, torch.full((3,), float(value)), rtol=0, atol=0)
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.weight_pos)
            layer.reset_parameters()
        self.assertEqual(ln.LKPReLU(init=0).weight_neg.item(), 0)
        self.assertEqual(ln.LKPReLU(bias=2, dtype=torch.half).bias.dtype, torch.half)

    def test_bad_options_are_refused_by_name(self):
        for message, call in (
            ("LKReLU: expected bias to be the input's channels, or 0 for none, got -1", lambda: ln.LKReLU(bias=-1)),
            ("LKReLU: expected bias to be the input's channels, or 0 for none, got True", lambda: ln.LKReLU(bias=True)),
            ("LKReLU: expected keep_output to be a bool, got 1", lambda: ln.LKReLU(keep_output=1)),
            ("expected keep_output or keep_input to be True, got both", lambda: ln.LKSELU(1, 0, True, keep_input=True)),
            ("LKSELU: expected dim to be the channel axis, got False", lambda: ln.LKSELU(False)),
            ("LKPReLU: expected num_parameters to be 1 or the input's channels, got 0", lambda: ln.LKPReLU(0)),
            ("LKPReLU: expected num_parameters or shape, got both: 4 and [3, 4]", lambda: ln.LKPReLU(4, shape=[3, 4])),
            ("LKELU: expected alpha to be a number of at least 0, got -1", lambda: ln.LKELU(-1)),
            ("LKPReLU: expected each size of shape to be positive, got 0", lambda: ln.LKPReLU(shape=[3, 0])),
        ):
            with self.subTest(message), self.assertRaisesRegex(ValueError, re.escape(message)):
                call()

    @over(ALL_LAYERS, LAYOUTS, (False, True))
    def test_compute_what_functions_do(self, layer, layout, has_bias):
        x, *weights, bias, dim = make(layer, layout, has_bias)
        options = {"num_parameters": weights[0].numel()} if weights else {}
        options |= {"bias": x.size(dim), "keep_input": True} if has_bias else {}
        module = MODULES[layer](dim=dim, dtype=x.dtype, **options)
        for parameter, value in zip(module.parameters(), (*([bias] if has_bias else []), *weights), strict=True):
            parameter.data.copy_(value)
        assert_close(module(x), function(layer)(x, *weights, bias, dim), rtol=0, atol=0)

    @over(VARIED)
    def test_copies(self, layer):
        """deepcopy, pickle and a checkpoint."""
        net, x = net_of(layer, bias=4), torch.randn(2, 3, 6, 6)
        file = io.BytesIO()
        torch.save(net, file)
        file.seek(0)
        other = net_of(layer, bias=4)
        nn.init.normal_(other[1].bias)
        other.load_state_dict(net.state_dict())
        for copied in (copy.deepcopy(net), torch.load(file, weights_only=False), other):
            assert_close(copied(x), net(x), rtol=0, atol=0)
            self.assertEqual(repr(copied), repr(net))

    @over(LAYERS)
    def test_train(self, layer):
        net = net_of(layer, bias=4)
        before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        images = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(SEED))
        labels = (images.mean((1, 2, 3)) > 0).long()
        losses = []
        for _ in range(40):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images).mean((2, 3)), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], 0.9 * losses[0])
        for name, parameter in net.named_parameters():
            self.assertFalse(parameter.equal(before[name]), name)

    @over(ALL_LAYERS)
    def test_script(self, layer):
        net = net_of(layer, bias=4)
        file = io.BytesIO()
        torch.jit.save(torch.jit.script(net), file)
        file.seek(0)
        x = torch.randn(2, 3, 6, 6)
        assert_close(torch.jit.load(file)(x), net(x))

    @over(VARIED)
    def test_export(self, layer):
        net = net_of(layer, bias=4)
        x = torch.randn(2, 3, 6, 6)
        program = torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        larger = torch.randn(5, 3, 6, 6)
        assert_close(program.module()(larger), net(larger))
        if HAS_OPERATORS:
            self.assertIn(f"linked_neurons.{layer}.default", str(program.graph))


@unittest.skipUnless(HAS_OPERATORS, "two more processes for the same modules")
class DistributedTest(unittest.TestCase):
    def test_two_processes_train_as_one(self):
        """Each has half of the batch."""
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(train_distributed, args=(folder,), nprocs=2)
            gradients = torch.load(f"{folder}/gradients")
        net = net_of("lk_prelu", bias=4)
        net(BATCH).square().mean().backward()
        assert_close(gradients, [parameter.grad for parameter in net.parameters()])


def train_distributed(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    net = net_of("lk_prelu", bias=4)
    parallel = nn.parallel.DistributedDataParallel(net)
    parallel(BATCH.chunk(2)[rank]).square().mean().backward()
    if rank == 0:
        torch.save([parameter.grad for parameter in net.parameters()], f"{folder}/gradients")
    torch.distributed.destroy_process_group()


class BiasTest(unittest.TestCase):
    @over(range(5), LAYERS)
    def test_moves_and_comes_back(self, index, layer):
        source, dim, x = (
            (nn.Conv1d(3, 4, 3), 1, torch.randn(2, 3, 9)),
            (nn.Conv2d(3, 4, 3), -3, torch.randn(2, 3, 7, 6)),
            (nn.ConvTranspose2d(3, 4, 3), 1, torch.randn(2, 3, 7, 6)),
            (nn.Linear(5, 4), -1, torch.randn(2, 3, 5)),
            (nn.Linear(5, 4), 1, torch.randn(2, 5)),
        )[index]
        target = MODULES[layer](dim=dim)
        expected = target(source(x))
        names = [*source.state_dict()], [*target.state_dict()]
        bias = source.bias
        ln.move_bias(source, target)
        self.assertIs(target.bias, bias)  # an optimizer that has it goes on
        self.assertIsNone(source.bias)
        self.assertIn("bias=4", repr(target))
        assert_close(target(source(x)), expected, rtol=1e-5, atol=1e-5)
        ln.move_bias(target, source)
        self.assertIs(source.bias, bias)
        self.assertEqual(([*source.state_dict()], [*target.state_dict()]), names)
        assert_close(target(source(x)), expected, rtol=0, atol=0)

    @over((
        (nn.Linear(6, 4), 1, (2, 6), (2, 5, 6)), (nn.Linear(6, 4), 2, (2, 5, 6), (1, 2, 5, 6)),
        (nn.Conv2d(3, 4, 1), 1, (2, 3, 4, 5), (3, 4, 5)), (nn.Conv2d(3, 4, 1), 0, (3, 4, 5), (2, 3, 4, 5)),
    ))
    def test_an_input_of_another_axis_is_refused(self, case):
        """As long as the bias is not where it was."""
        layer, dim, right, wrong = case
        source, target = copy.deepcopy(layer), ln.LKReLU(dim)
        right, wrong = torch.randn(right), torch.randn(wrong)
        expected = target(source(right)), target(source(wrong))
        ln.move_bias(source, target)
        assert_close(target(source(right)), expected[0])
        with self.assertRaisesRegex(RuntimeError, "to which the bias belongs that move_bias.. moved, got dim"):
            target(source(wrong))
        ln.move_bias(target, source)
        assert_close((target(source(right)), target(source(wrong))), expected)

    def test_what_does_not_fit_is_refused_by_name(self):
        for message, source, target in (
            ("expected LKReLU(dim=1) to have a bias, got none", ln.LKReLU(), nn.Linear(2, 2)),
            ("expected LKReLU(dim=1, bias=2) to have no bias yet, got one of shape [2]",
             nn.Linear(2, 2), ln.LKReLU(1, 2)),
            ("expected a convolution or linear layer, and a linked layer behind it, got Linear and ReLU",
             nn.Linear(2, 2), nn.ReLU()),
            ("got BatchNorm2d and LKReLU", nn.BatchNorm2d(2), ln.LKReLU()),
            ("got LKSELU and LKReLU", ln.LKSELU(bias=2), ln.LKReLU()),
            ("expected dim -1, the channel axis of Linear", nn.Linear(2, 2), ln.LKReLU(-2)),
            ("expected dim -3, the channel axis of Conv2d", nn.Conv2d(3, 4, 1), ln.LKReLU(-1)),
            ("expected 4 channels, those of Conv2d", nn.Conv2d(3, 4, 1), ln.LKPReLU(8)),
            ("expected 4 channels, those of Conv2d", nn.Conv2d(3, 4, 1), ln.LKPReLU(shape=(8, 5, 5))),
            ("expected 4 channels, those of Linear", nn.Linear(3, 4), ln.LKPReLU(shape=(4, 8), dim=-1)),
            ("expected 4 channels, those of Conv2d", ln.LKReLU(bias=8), nn.Conv2d(3, 4, 1, bias=False)),
        ):
            with self.subTest(message), self.assertRaisesRegex(ValueError, re.escape(message)):
                ln.move_bias(source, target)


class DocumentationTest(unittest.TestCase):
    def test_examples(self):
        attempted = 0
        for name, module in [*sys.modules.items()]:
            if name.split(".")[0] == ln.__name__:
                result = doctest.testmod(module, extraglobs={**vars(ln), "torch": torch})
                self.assertEqual(result.failed, 0, name)
                attempted += result.attempted
        self.assertGreater(attempted, 10)

    def test_help_tells_of_everything(self):
        for name in ln.__all__:
            item = getattr(ln, name)
            if not isinstance(item, str):
                text = pydoc.render_doc(item, renderer=pydoc.plaintext)
                self.assertRegex(text, r"\.\n", name)
        for module in MODULES.values():
            text = pydoc.render_doc(module, renderer=pydoc.plaintext)
            for words in ("Shapes: input (..., C, ...) with C", "output (..., 2C, ...)", "Parameters:", ">>>"):
                self.assertIn(words, text)


if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        ln.LKReLU()(torch.ones(2, 3))
        ln.functional.lk_selu(torch.ones(2, 3))
    WARNED = [str(each.message) for each in recorded if each.category is RuntimeWarning]
    unittest.main(verbosity=2)

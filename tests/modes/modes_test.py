"""The C++ layers, called as an extension of Python's calls them, in each way of running that Python has.

    python modes_test.py <the shared library of layers.cpp> [unittest's arguments]

Each layer in each way, forward and backward, against the expression that it stands for in the same way.
"""

import functools
import pathlib
import sys
import unittest

import torch
import torch._dynamo.compiled_autograd
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.append(str(pathlib.Path(__file__).parents[1] / "torch_ops"))
from cases import LAYERS, composed, make, over


class Log(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(function.name())
        return function(*args, **kwargs or {})


# A way takes a function of tensors, those that it records the function with, and those that what was
# recorded is called with: as many rows, where the sizes may change.


def eager(function, example, tensors):
    return function(*tensors)


def jit_trace(function, example, tensors):
    with torch.no_grad():
        example = [tensor.detach() for tensor in example]
        return torch.jit.trace(function, example)(*tensors)


def logged(function, example, tensors):
    with Log() as log:
        result = function(*tensors)
    # Memory that something unseen fills is all that a kernel would show.
    assert not {"aten::empty_strided", "aten::empty.memory_format"}.issuperset(log.seen), log.seen
    return result


def inference_mode(function, example, tensors):
    with torch.inference_mode():
        return function(*tensors)


def functionalized(function, example, tensors):
    return torch.func.functionalize(function)(*tensors)


def inside_a_transform(function, example, tensors):
    """The tensors are the outside's."""
    return torch.func.jvp(lambda one: function(*tensors) * one, (torch.ones(()),), (torch.ones(()),))[0]


def recorded(tracing_mode):
    def run(function, example, tensors):
        record = make_fx(function, tracing_mode=tracing_mode, _allow_non_fake_inputs=True)
        return record(*example)(*tensors)

    return run


def recorded_before_dispatch(function, example, tensors):
    return make_fx(function, pre_dispatch=True)(*example)(*tensors)


def recorded_functionalized(function, example, tensors):
    return make_fx(torch.func.functionalize(function))(*example)(*tensors)


def exported(function, example, tensors):
    class Module(torch.nn.Module):
        def forward(self, *tensors):
            return function(*tensors)

    return torch.export.export(Module(), tuple(example)).module()(*tensors)


def compiled(function, example, tensors):
    torch._dynamo.reset()
    return torch.compile(function, backend="aot_eager")(*tensors)


ANY_ROWS = {
    "eager": eager,
    "jit.trace": jit_trace,
    "logged": logged,
    "inference mode": inference_mode,
    "functionalized": functionalized,
    "inside a transform": inside_a_transform,
    "make_fx, symbolic": recorded("symbolic"),
    "compiled": compiled,
}
SAME_ROWS = {
    "make_fx, real": recorded("real"),
    "make_fx, fake": recorded("fake"),
    "make_fx, before dispatch": recorded_before_dispatch,
    "make_fx, functionalized": recorded_functionalized,
    "exported": exported,
}
WAYS = ANY_ROWS | SAME_ROWS
# Those in which autograd can be called, and what it calls is seen.
BACKWARD_WAYS = ["eager", "logged", "compiled", "make_fx, real", "make_fx, fake", "make_fx, symbolic"]
BACKWARD_OF_EAGER_WAYS = [
    "eager", "logged", "functionalized", "make_fx, real", "make_fx, fake", "make_fx, functionalized"]


def in_cpp(layer, *args):
    return getattr(torch.ops.linked_neurons_modes, layer)(*args)


def arguments(layer, bias, rows=2, seed=1, grad=False):
    """The tensors of a layer whose sizes no other way has: the input has this many rows."""
    args = [a for a in make(layer, bias=bias, grad=False) if isinstance(a, torch.Tensor)]
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, *args[0].shape[1:], generator=generator, dtype=torch.double)
    return [tensor.requires_grad_(grad) for tensor in (x, *args[1:])]


def of_tensors(function, layer, bias):
    return lambda *tensors: function(layer, *tensors, *(() if bias else (None,)), 1)


def with_gradients(function):
    def run(*tensors):
        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        y = function(*leaves)
        return [y.detach(), *torch.autograd.grad((y * y).sum(), leaves)]

    return run


class ModesTest(unittest.TestCase):
    @over(LAYERS, (False, True), WAYS)
    def test_forward(self, layer, bias, way):
        example = arguments(layer, bias)
        tensors = arguments(layer, bias, rows=5 if way in ANY_ROWS else 2, seed=2)
        expected = of_tensors(composed, layer, bias)(*tensors)
        assert_close(WAYS[way](of_tensors(in_cpp, layer, bias), example, tensors), expected)

    @over(LAYERS, (False, True), BACKWARD_WAYS)
    def test_forward_and_backward(self, layer, bias, way):
        example = arguments(layer, bias)
        tensors = arguments(layer, bias, rows=5 if way in ANY_ROWS else 2, seed=2)
        expected = with_gradients(of_tensors(composed, layer, bias))(*tensors)
        function = with_gradients(of_tensors(in_cpp, layer, bias))
        assert_close(WAYS[way](function, example, tensors), expected)

    @over(LAYERS, (False, True), BACKWARD_OF_EAGER_WAYS)
    def test_backward_of_an_eager_forward(self, layer, bias, way):
        def backward(function):
            tensors = arguments(layer, bias, grad=True)
            y = of_tensors(function, layer, bias)(*tensors)
            return y, lambda grad: torch.autograd.grad(y, tensors, grad, retain_graph=True)

        expected_y, expected = backward(composed)
        y, ours = backward(in_cpp)
        assert_close(y, expected_y)
        example, grad = torch.randn(2, *y.shape, dtype=torch.double).unbind()
        assert_close(WAYS[way](ours, [example], [grad]), expected(grad))

    @over(LAYERS, (False, True), (False, True), (False, True))
    def test_under_fake_tensors(self, layer, bias, real, grad):
        """Real tensors become fake ones; nothing is computed."""
        tensors = arguments(layer, bias, grad=grad)
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            if not real:
                tensors = [mode.from_tensor(tensor) for tensor in tensors]
            y, expected = (of_tensors(f, layer, bias)(*tensors) for f in (in_cpp, composed))
        self.assertIs(type(y), type(expected))
        self.assertEqual((y.shape, y.dtype, y.requires_grad), (expected.shape, expected.dtype, grad))

    @over(LAYERS)
    def test_a_grad_mode_of_the_outside_stays_there(self, layer):
        """A transform turns gradients on, for its own tensors and not for those of a `no_grad` around it."""
        tensors = arguments(layer, False, grad=True)

        def outside(function):
            kept = []

            def inside(one):
                kept.append(of_tensors(function, layer, False)(*tensors))
                return one * 1

            with torch.no_grad():
                torch.func.grad(inside)(torch.ones(()))
            return kept[0].requires_grad

        self.assertEqual(outside(in_cpp), outside(composed))


class CompiledAutogradTest(unittest.TestCase):
    @over(LAYERS)
    def test_is_refused_by_name(self, layer):
        """As docs/questions.md has it."""
        tensors = arguments(layer, True, grad=True)
        y = of_tensors(in_cpp, layer, True)(*tensors)
        compiler = functools.partial(torch.compile, backend="eager")
        message = rf"compiled_args not implemented: LinkedBackward<{layer}>"
        with torch._dynamo.compiled_autograd._enable(compiler), self.assertRaisesRegex(RuntimeError, message):
            y.sum().backward()


class NestedTest(unittest.TestCase):
    """Tensors of several sizes at once, which PyTorch has in two layouts."""

    @staticmethod
    def arguments(layer, bias, layout):
        _, *parameters = arguments(layer, bias, grad=True)
        parts = [torch.randn(rows, parameters[0].numel() if parameters else 3, dtype=torch.double) for rows in (2, 5)]
        return torch.nested.nested_tensor(parts, layout=layout, requires_grad=True), parameters

    @over(LAYERS, (False, True))
    def test_jagged_ones_are_taken(self, layer, bias):
        x, parameters = self.arguments(layer, bias, torch.jagged)
        options = () if bias else (None,)
        y = in_cpp(layer, x, *parameters, *options, -1)
        self.assertEqual(y.layout, torch.jagged)
        leaves = [x, *parameters]
        grads = torch.autograd.grad(y.values().square().sum(), leaves)
        expected = composed(layer, x.values(), *parameters, *options, -1)
        expected_grads = torch.autograd.grad(expected.square().sum(), leaves)
        assert_close(y.values(), expected)
        for grad, expected_grad in zip(grads, expected_grads):
            assert_close(grad.values() if grad.is_nested else grad,
                         expected_grad.values() if expected_grad.is_nested else expected_grad)

    @over(LAYERS)
    def test_strided_ones_are_refused(self, layer):
        x, parameters = self.arguments(layer, False, torch.strided)
        with self.assertRaisesRegex(RuntimeError, f"{layer}: expected a tensor of one shape, got a nested one"):
            in_cpp(layer, x, *parameters, None, -1)


if __name__ == "__main__":
    torch.ops.load_library(sys.argv.pop(1))
    unittest.main()

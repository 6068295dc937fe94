"""The Python package's layers in torch.compile, whose trace is their first use.

    python test_compile.py <torch.compile's backend>

LINKED_NEURONS_CACHE has the operators.
"""

import sys
import unittest

import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.testing import assert_close

import linked_neurons_torch as ln


def step(net, images):
    """The output and the gradients of the parameters."""
    net.zero_grad()
    y = net(images)
    y.square().mean().backward()
    return [y.detach(), *(parameter.grad for parameter in net.parameters())]


class CompileTest(unittest.TestCase):
    def test_functions(self):
        assert_close(FIRST_USE, torch.cat([X.sin().relu(), (-X.sin()).relu()], 1))
        self.assertEqual(FIRST_COUNT, 1)

    def test_modules(self):
        torch.manual_seed(0)
        net = nn.Sequential(
            ln.LKReLU(), ln.LKPReLU(6, bias=6),
            ln.LKELUConv2d(12, 3, (2, 3), padding="same", input_bias=True, alpha=0.5), ln.LKLeakyReLU(0.3, dim=-3), ln.LKSwish(dim=-1), ln.LKPReLULinear(16, 5))
        compiled = torch.compile(net, backend=BACKEND, fullgraph=True, dynamic=True)
        for sizes in ((2, 3, 8, 8), (5, 3, 9, 8)):
            images = torch.randn(sizes)
            assert_close(step(compiled, images), step(net, images))
            with torch.no_grad():
                assert_close(compiled(images), net(images))


if __name__ == "__main__":
    [BACKEND] = sys.argv[1:]
    X = torch.randn(2, 3, 4)
    COUNTER = CompileCounterWithBackend(BACKEND)
    FUNCTION = torch.compile(lambda x: ln.functional.lk_relu(x.sin()), backend=COUNTER, fullgraph=True)
    FIRST_USE = FUNCTION(X)
    FUNCTION(X)
    FIRST_COUNT = COUNTER.frame_count
    unittest.main(argv=sys.argv[:1], verbosity=2)

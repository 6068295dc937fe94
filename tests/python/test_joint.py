"""The Python package's joint layers, against the two layers one after the other.

    python test_joint.py [unittest's arguments]

with the compiled operators, which LINKED_NEURONS_CACHE has, or, where WITHOUT_OPERATORS is set and no
compiler can be found, without.
"""

import copy
import io
import os
import pickle
import re
import unittest

import torch
from cases import ALL_LAYERS, LAYERS, NUMBERS, SEED, outcome, over
from joint_cases import JOINTS, call, composed_joint, make_joint
from torch import nn
from torch.autograd import gradgradcheck
from torch.testing import assert_close

import linked_neurons_torch as ln
from linked_neurons_torch.joint_modules import MODULES

ACTIVATIONS = {each.layer: each.activation for each in MODULES}
HAS_OPERATORS = "WITHOUT_OPERATORS" not in os.environ
# What torch.nn's layer is made with, for 3 channels in front of the activation, and an input.
CONVOLUTIONS = {
    "plain": (nn.Conv2d, {"kernel_size": 3}, (2, 3, 7, 6)),
    "all options": (
        nn.Conv2d, {"kernel_size": (3, 2), "stride": (2, 1), "padding": (2, 0), "dilation": (1, 2), "groups": 2,
                    "bias": False}, (2, 3, 7, 6)),
    "same": (nn.Conv2d, {"kernel_size": (4, 3), "padding": "same", "dilation": (1, 2)}, (2, 3, 7, 6)),
    "valid": (nn.Conv1d, {"kernel_size": 3, "padding": "valid"}, (2, 3, 9)),
    "same in three axes": (nn.Conv3d, {"kernel_size": (2, 3, 4), "padding": "same"}, (2, 3, 4, 5, 4)),
    "circular": (nn.Conv2d, {"kernel_size": 3, "padding": 1, "padding_mode": "circular"}, (2, 3, 7, 6)),
    "reflected, same": (nn.Conv2d, {"kernel_size": (2, 3), "padding": "same", "padding_mode": "reflect"}, (2, 3, 7, 6)),
}


def joint_module(layer, behind):
    return getattr(ln, f"{ACTIVATIONS[layer].__name__}{behind.__name__}")


def own_options(layer):
    return {"num_parameters": 3} if layer == "lk_prelu" else NUMBERS.get(layer, {})


def pair_of(layer, behind, **options):
    """The two layers, whose numbers are always the same."""
    torch.manual_seed(SEED)
    first = ACTIVATIONS[layer](dim=-1 if behind is nn.Linear else 1, bias=3, **own_options(layer))
    nn.init.normal_(first.bias)
    return first, behind(6, 4, **options)


def step(module, x):
    """The output and the gradients of the input and of the parameters by their names' last parts."""
    x = x.detach().requires_grad_()
    y = module(x)
    names, parameters = zip(*module.named_parameters())
    gradients = torch.autograd.grad(y.square().sum(), [x, *parameters])
    return y, gradients[0], dict(zip(names, gradients[1:]))


class JointFunctionsTest(unittest.TestCase):
    @over(ALL_LAYERS, JOINTS, (False, True))
    def test_equals_composed(self, layer, case, bias):
        tensors, options = make_joint(layer, case, bias)
        function = getattr(ln.functional, f"{layer}_{JOINTS[case][0]}")

        def filled(given):
            given = iter(given)
            return [tensor if tensor is None else next(given) for tensor in tensors]

        given = [tensor for tensor in tensors if tensor is not None]
        number = NUMBERS.get(layer, {})
        actual = outcome(lambda *given: call(function, filled(given), options, **number), given)
        expected = outcome(lambda *given: composed_joint(layer, case, filled(given), options, **number), given)
        assert_close(actual, expected)

    @over(LAYERS)
    def test_double_backward(self, layer):
        tensors, options = make_joint(layer, "conv2d")
        gradgradcheck(lambda *tensors: call(getattr(ln.functional, f"{layer}_conv2d"), tensors, options), tensors)

    def test_bad_arguments_are_refused_by_name(self):
        f, x, weight = ln.functional, torch.ones(2, 3, 5, 5), torch.ones(4, 6, 3, 3)
        for message, run in (
            ("lk_relu_conv2d: expected stride 1 with padding 'same', got [2, 1]",
             lambda: f.lk_relu_conv2d(x, weight, None, (2, 1), "same")),
            ("lk_selu_conv2d: expected padding to be numbers, 'same' or 'valid', got 'full'",
             lambda: f.lk_selu_conv2d(x, weight, padding="full")),
        ):
            with self.subTest(message), self.assertRaisesRegex(RuntimeError, re.escape(message)):
                run()
        with self.assertRaises(RuntimeError):
            f.lk_relu_conv2d(x, weight[:, :3])


class JointModulesTest(unittest.TestCase):
    def test_every_layer_has_all(self):
        expected = {joint_module(layer, behind) for layer in ALL_LAYERS
                    for behind in (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)}
        self.assertEqual({*MODULES}, expected)
        functions = {name for name in ln.functional.__all__ if name.split("_")[-1] in
                     ("conv1d", "conv2d", "conv3d", "linear")}
        self.assertEqual(functions, {f"{layer}_{behind}" for layer in ALL_LAYERS
                                     for behind in ("conv1d", "conv2d", "conv3d", "linear")})

    @over((*LAYERS, *NUMBERS), CONVOLUTIONS)
    def test_convolutions_equal_the_two_layers(self, layer, case):
        behind, options, sizes = CONVOLUTIONS[case]
        first, second = pair_of(layer, behind, **options)
        joint = joint_module(layer, behind)(3, 4, **options, **own_options(layer), input_bias=True)
        of_activation = first.state_dict()
        of_activation["input_bias"] = of_activation.pop("bias")
        joint.load_state_dict({**of_activation, **second.state_dict()})
        self.check(joint, nn.Sequential(first, second), torch.randn(sizes))

    @over((*LAYERS, *NUMBERS), ((5, 3), (2, 4, 3), (3,)))
    def test_linear_equals_the_two_layers(self, layer, sizes):
        first, second = pair_of(layer, nn.Linear)
        self.check(ln.link(first, second), nn.Sequential(first, second), torch.randn(sizes))

    def check(self, joint, net, x):
        joint, net, x = joint.double(), net.double(), x.double()
        y, gradient, of_parameters = step(joint, x)
        expected_y, expected_gradient, expected = step(net, x)
        assert_close((y, gradient), (expected_y, expected_gradient))
        moved = {"0.bias": "input_bias"}
        assert_close(of_parameters, {moved.get(name, name[2:]): value for name, value in expected.items()})

    @over(("one image", "weights for each element"))
    def test_inputs(self, case):
        x = torch.randn(3, 6, 6)
        if case == "one image":
            joint, first, second = ln.LKSELUConv2d(3, 4, 3), ln.LKSELU(-3), nn.Conv2d(6, 4, 3)
        else:
            x = torch.stack([x, -x])
            options = {"padding": 1, "padding_mode": "replicate"}
            joint = ln.LKPReLUConv2d(3, 4, 3, **options, shape=(3, 6, 6))
            first, second = ln.LKPReLU(shape=(3, 6, 6)), nn.Conv2d(6, 4, 3, **options)
        second.load_state_dict({name: joint.state_dict()[name] for name in ("weight", "bias")})
        assert_close(joint(x), second(first(x)))

    @over(MODULES)
    def test_start_as_the_layer_behind(self, kind):
        """Its checkpoint fits, and the numbers are the same."""
        size = () if kind.behind is nn.Linear else (3,)
        torch.manual_seed(SEED)
        joint = kind(3, 4, *size, device="cpu", dtype=torch.double)
        torch.manual_seed(SEED)
        behind = kind.behind(6, 4, *size, dtype=torch.double)
        state = {name: joint.state_dict()[name] for name in behind.state_dict()}
        assert_close(state, dict(behind.state_dict()), rtol=0, atol=0)
        torch.manual_seed(SEED)
        joint.reset_parameters()
        assert_close({name: joint.state_dict()[name] for name in state}, state, rtol=0, atol=0)

    def test_print(self):
        for text, layer in (
            ("LKReLUConv2d(16, 64, kernel_size=(3, 3), stride=(1, 1))", ln.LKReLUConv2d(16, 64, 3)),
            ("LKPReLULinear(in_features=8, out_features=4, bias=False, input_bias=True, weight_pos=[8])",
             ln.LKPReLULinear(8, 4, bias=False, input_bias=True, num_parameters=8)),
            ("LKELULinear(in_features=8, out_features=4, bias=True, alpha=0.5)", ln.LKELULinear(8, 4, alpha=0.5)),
        ):
            self.assertEqual(repr(layer), text)

    def test_bad_options_are_refused_by_name(self):
        with self.assertRaisesRegex(ValueError, "LKReLULinear: expected no num_parameters and no shape, since LKReLU"):
            ln.LKReLULinear(3, 4, num_parameters=3)
        with self.assertRaisesRegex(TypeError, "alpha"):
            ln.LKReLULinear(3, 4, alpha=0.5)

    def test_copies(self):
        """deepcopy, pickle and a checkpoint."""
        x = torch.randn(2, 3, 6, 6)
        for kind, options in ((ln.LKPReLUConv2d, {}), (ln.LKELUConv2d, {"alpha": 0.5})):
            layer = kind(3, 4, 3, input_bias=True, **options)
            file = io.BytesIO()
            torch.save(layer.state_dict(), file)
            file.seek(0)
            other = kind(3, 4, 3, input_bias=True, **options)
            other.load_state_dict(torch.load(file))
            for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), other):
                assert_close(copied(x), layer(x), rtol=0, atol=0)

    @unittest.skipUnless(HAS_OPERATORS, "PyTorch's own operators keep what they do")
    @over(LAYERS, (nn.Conv2d, nn.Linear))
    def test_keep_the_input_alone(self, layer, behind):
        joint = joint_module(layer, behind)(3, 4, *(() if behind is nn.Linear else (3,)))
        x = torch.randn((2, 3, 6, 6) if behind is nn.Conv2d else (2, 3), requires_grad=True)
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: [saved.append(t), t][1], lambda t: t):
            joint(x)
        parameters = {parameter.data_ptr() for parameter in joint.parameters()}
        self.assertEqual([t.data_ptr() for t in saved if t.data_ptr() not in parameters], [x.data_ptr()])

    def test_autocast(self):
        for joint, sizes in ((ln.LKReLUConv2d(3, 4, 3), (2, 3, 6, 6)), (ln.LKSwishLinear(3, 4), (2, 3))):
            x = torch.randn(sizes)
            with torch.autocast("cpu", torch.bfloat16):
                y = joint(x)
            self.assertEqual(y.dtype, torch.bfloat16)
            assert_close(y.float(), joint(x), rtol=0.02, atol=0.02)
            y.float().sum().backward()
            self.assertEqual(joint.weight.grad.dtype, torch.float)

    def test_export(self):
        net = nn.Sequential(ln.LKReLUConv2d(3, 4, (2, 3), padding="same"), nn.Flatten(2), ln.LKPReLULinear(36, 2))
        program = torch.export.export(net, (torch.randn(2, 3, 6, 6),), dynamic_shapes=({0: torch.export.Dim("n")},))
        x = torch.randn(5, 3, 6, 6)
        assert_close(program.module()(x), net(x))
        if HAS_OPERATORS:
            self.assertIn("linked_neurons.lk_relu_conv2d.default", str(program.graph))


class LinkTest(unittest.TestCase):
    def make_net(self):
        torch.manual_seed(SEED)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), ln.LKPReLU(bias=8), nn.Conv2d(16, 4, 3),
            nn.Sequential(ln.LKELU(0.5), nn.Conv2d(8, 4, 1)), ln.LKReLU(), nn.Flatten(), ln.LKSwish(), nn.Linear(8 * 2 * 4, 3))

    def test_a_network(self):
        net, x = self.make_net(), torch.randn(2, 3, 6, 6)
        linked = ln.link(net)
        kinds = [(name, type(module).__name__) for name, module in linked.named_modules()]
        self.assertEqual(kinds, [
            ("", "Sequential"), ("0", "Conv2d"), ("2", "LKPReLUConv2d"), ("3", "Sequential"), ("3.1", "LKELUConv2d"),
            ("4", "LKReLU"), ("5", "Flatten"), ("7", "LKSwishLinear")])
        self.assertIs(linked[0], net[0])
        self.assertIs(linked[1].weight, net[2].weight)
        self.assertIs(linked[1].input_bias, net[1].bias)
        assert_close(linked(x), net(x))
        keys = {name for name in net.state_dict() if name in linked.state_dict()}
        self.assertEqual({*net.state_dict()} - keys, {"1.bias", "1.weight_pos", "1.weight_neg"})
        self.assertEqual({*linked.state_dict()} - keys, {"2.input_bias", "2.weight_pos", "2.weight_neg"})

    def test_an_optimizer_goes_on(self):
        net, x = self.make_net(), torch.randn(2, 3, 6, 6)
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        linked = ln.link(net)
        before = linked(x)
        linked(x).sum().backward()
        optimizer.step()
        self.assertFalse(linked(x).equal(before))
        assert_close(linked(x), net(x))

    def test_another_axis_in_front_of_a_linear_layer(self):
        """Axis 1 is doubled, as before."""
        first, second = ln.LKReLU(), nn.Linear(4, 2)
        linked = ln.link(first, second)
        for sizes in ((5, 2), (5, 3, 4)):
            x = torch.randn(sizes)
            assert_close(linked(x), second(first(x)))

    def test_what_does_not_go_together(self):
        hooked = ln.LKReLU()
        hooked.register_forward_hook(lambda *_: None)
        for first, second in (
            (nn.ReLU(), nn.Conv2d(4, 2, 1)), (ln.LKReLU(), nn.BatchNorm2d(4)), (ln.LKReLU(), nn.Conv2d(3, 2, 1)),
            (ln.LKReLU(-1), nn.Conv2d(4, 2, 1)), (hooked, nn.Conv2d(4, 2, 1)),
        ):
            with self.subTest(f"{first}, {second}"):
                with self.assertRaisesRegex(ValueError, "link: expected a linked layer"):
                    ln.link(first, second)
                net = nn.Sequential(first, second)
                self.assertEqual([*ln.link(net)], [first, second])
        with self.assertRaisesRegex(ValueError, "link: expected a Sequential, or two layers, got Linear"):
            ln.link(nn.Linear(2, 2))


if __name__ == "__main__":
    unittest.main(verbosity=2)

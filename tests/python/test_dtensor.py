"""The package's layers on DTensors, in two processes and in four.

    python test_dtensor.py [unittest's arguments]
"""

import tempfile
import unittest

import linked_neurons_torch as ln
import torch
from cases import LAYERS, OPTIONAL, SEED, composed, make, outcome
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor, init_device_mesh
from torch.testing import assert_close

# How an input of four axes, whose channels are axis 1, is split: a placement for each axis of the mesh.
PLACEMENTS = {
    (2,): ([Shard(0)], [Shard(1)], [Shard(2)], [Shard(3)], [Replicate()]),
    (2, 2): ([Shard(0), Shard(2)], [Shard(2), Shard(2)], [Replicate(), Shard(3)]),
}


def run(rank, folder, mesh_sizes, check):
    world_size = torch.Size(mesh_sizes).numel()
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=world_size)
    torch.set_num_threads(1)
    check(init_device_mesh("cpu", mesh_sizes))
    torch.distributed.destroy_process_group()


def check_layers(mesh):
    for layer in (*LAYERS, *OPTIONAL):
        for placements in PLACEMENTS[mesh.shape]:
            for bias in (False, True) if layer in LAYERS else (True,):
                for weights in ("one", "channel", "element") if layer == "lk_prelu" else ("none",):
                    for lies_otherwise in (False, True):
                        args = make(layer, bias=bias, weights=weights)
                        try:
                            check_layer(layer, mesh, placements, args, lies_otherwise)
                        except Exception as error:
                            raise AssertionError(f"{layer}, {placements}, bias {bias}, weights for {weights}, "
                                                 f"another order in memory {lies_otherwise}") from error


def check_layer(layer, mesh, placements, args, lies_otherwise):
    x, *parameters, dim = args
    whole = [distribute_tensor(x.detach(), mesh, placements)]
    if lies_otherwise:  # than the sizes and strides of the whole tensor say
        part = whole[0].to_local().contiguous(memory_format=torch.channels_last)
        whole = [DTensor.from_local(part, mesh, placements, shape=x.shape, stride=x.stride())]
    everywhere = [Replicate()] * mesh.ndim
    whole += [p if p is None else distribute_tensor(p.detach(), mesh, everywhere) for p in parameters]
    whole = [tensor if tensor is None else tensor.requires_grad_() for tensor in whole]
    y = getattr(ln.functional, layer)(*whole, dim)
    assert y.placements == tuple(Replicate() if placement == Shard(1) else placement for placement in placements)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)
    loss = (y * distribute_tensor(weights, mesh, everywhere)).sum()
    gradients = torch.autograd.grad(loss, [tensor for tensor in whole if tensor is not None])
    actual = [tensor.full_tensor() for tensor in (y, *gradients)]
    assert_close(actual, outcome(lambda *args: composed(layer, *args), args))


def make_net():
    torch.manual_seed(SEED)
    return torch.nn.Sequential(
        torch.nn.Linear(6, 4), ln.LKPReLU(num_parameters=4, bias=4), torch.nn.Linear(8, 3),
        ln.LKPReLULinear(3, 4, num_parameters=3, input_bias=True), ln.LKELULinear(4, 2, alpha=0.5))


def check_training(mesh):
    """A step of a network whose batch is split."""
    images = torch.randn(8, 6, generator=torch.Generator().manual_seed(SEED))
    alone = make_net()
    alone(images).square().mean().backward()
    net = torch.distributed.tensor.distribute_module(make_net(), mesh)
    net(distribute_tensor(images, mesh, [Shard(0)])).square().mean().backward()
    assert_close([p.grad.full_tensor() for p in net.parameters()], [p.grad for p in alone.parameters()])


def check_fully_sharded_training(mesh):
    """A step of a network whose parameters are split among the processes."""
    images = torch.randn(8, 6, generator=torch.Generator().manual_seed(SEED))
    alone = make_net()
    alone(images).square().mean().backward()
    net = fully_shard(make_net(), mesh=mesh)
    net(images.chunk(mesh.size())[mesh.get_rank()]).square().mean().backward()
    assert_close([p.grad.full_tensor() for p in net.parameters()], [p.grad for p in alone.parameters()])


class DTensorTest(unittest.TestCase):
    def check(self, mesh_sizes, check):
        with tempfile.TemporaryDirectory() as folder:
            processes = torch.Size(mesh_sizes).numel()
            torch.multiprocessing.spawn(run, args=(folder, mesh_sizes, check), nprocs=processes)

    def test_two_processes(self):
        self.check((2,), check_layers)

    def test_four_processes_in_two_axes(self):
        self.check((2, 2), check_layers)

    def test_training(self):
        self.check((2,), check_training)

    def test_fully_sharded_training(self):
        self.check((2,), check_fully_sharded_training)


if __name__ == "__main__":
    ln.load()
    unittest.main(verbosity=2)

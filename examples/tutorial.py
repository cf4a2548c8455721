"""The classic lesson on parameters, step by step with initkit; every step asserts its facts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initkit import (
    apply_init,
    find_reused_parameters,
    find_tied_parameters,
    list_schemes,
    plan_init,
    register_scheme,
)


def perceptron() -> nn.Sequential:
    """Return the lesson's model: four inputs, eight hidden units, one output."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def layer(net: nn.Sequential, index: int) -> nn.Linear:
    """Return a linear layer as what it is, which `net[index]` keeps from type checkers."""
    found = net[index]
    assert isinstance(found, nn.Linear)
    return found


def step(number: int, title: str) -> None:
    """Print a heading."""
    print(f"\n{number}. {title}\n")


def list_parameters(net: nn.Module) -> None:
    """Show every parameter with its shape: a plan without rules that writes nothing."""
    before = [p.clone() for p in net.parameters()]
    plan = plan_init(net, {"*": "keep"})
    print(plan)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))


def normal_weights_zero_biases(net: nn.Sequential) -> None:
    """Weights from N(0, 0.01), biases zero, told apart by name."""
    report = apply_init(net, {"*.weight": "normal(std=0.01)", "*.bias": 0}, seed=1)
    print(report)
    assert layer(net, 0).weight.abs().max() < 0.07
    assert layer(net, 0).bias.eq(0).all() and layer(net, 2).bias.eq(0).all()


def constant_weights(net: nn.Sequential) -> None:
    """A number is a constant; a block of its own comes first, as in if / elif."""
    apply_init(net, {"2.weight": 42, "*.weight": 1, "*.bias": 0})
    assert layer(net, 0).weight.eq(1).all() and layer(net, 2).weight.eq(42).all()
    print("first layer 1, last layer 42:", layer(net, 2).weight.data[0, :4].tolist())


def masked_uniform(net: nn.Sequential) -> None:
    """U(-10, 10) with everything below 5 set to zero: built in, and as one's own function."""
    first = layer(net, 0)
    apply_init(first, {"weight": "zero_mask_uniform", "bias": 0}, seed=2)
    size = first.weight.abs()
    assert (size.eq(0) | (size.ge(5) & size.le(10))).all()
    assert size.eq(0).any() and size.ge(5).any()
    print("built in:", [f"{x:.3g}" for x in first.weight.data[0].tolist()])

    if "my_masked_uniform" not in list_schemes():

        @register_scheme("my_masked_uniform")
        def my_masked_uniform(weight: Tensor) -> None:
            """Draw U(-10, 10), and set to zero what is smaller than 5."""
            nn.init.uniform_(weight, -10, 10)
            weight[weight.abs() < 5] = 0

    apply_init(first, {"weight": "my_masked_uniform", "bias": 0}, seed=2)
    size = first.weight.abs()
    assert (size.eq(0) | size.ge(5)).all() and size.eq(0).any()
    print("my own:  ", [f"{x:.3g}" for x in first.weight.data[0].tolist()])


def by_hand(net: nn.Sequential) -> None:
    """A parameter stays the object that it was, so what torch can do by hand, it still can."""
    first = layer(net, 0)
    bias = first.bias
    apply_init(net, {"*.bias": 0, "*.weight": "keep"})
    first.bias.data += 1
    assert first.bias is bias and bias.eq(1).all() and bias.requires_grad
    first.weight.data[0, 0] = 42
    assert first.weight[0, 0] == 42
    print("bias after `.data += 1`:", bias.data.tolist())


def shared_layer() -> None:
    """One layer in two places is one memory: written once, and its gradient sums over both uses."""
    linear = nn.Linear(1, 1, bias=False)
    net = nn.Sequential(linear, linear)
    ties = find_tied_parameters(net)
    print("tied:", [list(group) for group in ties], ties[0].kind)
    assert [list(group) for group in ties] == [["0.weight", "1.weight"]]
    assert ties[0].kind == "module"

    apply_init(net, {"1.weight": 3})  # any of its names will do
    assert linear.weight.item() == 3
    net(torch.ones(1, 1)).sum().backward()
    assert linear.weight.grad is not None and linear.weight.grad.item() == 6
    print("constant 3, gradient 6: d(w * w * x)/dw = 2 * w")


class FancyMLP(nn.Module):
    """A layer used twice in forward, a constant weight, and control flow."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rand_weight", torch.rand(20, 20))
        self.linear = nn.Linear(20, 20)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        x = F.relu(x @ self.get_buffer("rand_weight") + 1)
        x = self.linear(x)
        while x.norm() > 1:
            x = x / 2
        return x.sum()


def reused_layer() -> None:
    """A layer that one forward uses twice has no second name; only running the model shows it."""
    net = FancyMLP()
    assert list(find_tied_parameters(net)) == []
    reused = find_reused_parameters(net, torch.randn(2, 20))
    print({name: reuse.count for name, reuse in reused.items()})
    assert {name: reuse.count for name, reuse in reused.items()} == {
        "linear.weight": 2,
        "linear.bias": 2,
    }


class ConvNet(nn.Module):
    """A convolution, a norm and a classifier whose names say what they are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 10)


def by_name_in_a_state_dict() -> None:
    """Xavier or Kaiming for what is called 'conv', 1 and 0 for what is called 'bn'."""
    net = ConvNet()
    rules = {"*bn*.weight": 1, "*conv*.weight": "xavier_uniform", "*.bias": 0, "fc.*": "keep"}
    apply_init(net.state_dict(), rules, seed=3)  # its entries are the model's own memory
    bound = (6 / (5 * 5 * (1 + 6))) ** 0.5
    assert 0.9 * bound < net.conv1.weight.abs().max() <= bound
    assert net.bn1.weight.eq(1).all() and net.bn1.bias.eq(0).all()

    report = apply_init(net.state_dict(), {**rules, "*conv*.weight": "kaiming_normal"}, seed=3)
    print(report)
    std = (2 / (5 * 5 * 6)) ** 0.5
    assert abs(net.conv2.weight.std().item() / std - 1) < 5 / (2 * net.conv2.weight.numel()) ** 0.5


def main() -> None:
    """Go through the lesson."""
    torch.manual_seed(0)
    net = perceptron()
    step(1, "List the parameters")
    list_parameters(net)
    step(2, "Weights from N(0, 0.01), biases 0")
    normal_weights_zero_biases(net)
    step(3, "Constants")
    constant_weights(net)
    step(4, "A uniform with a hole in the middle, built in and one's own")
    masked_uniform(net)
    step(5, "By hand, through .data")
    by_hand(net)
    step(6, "One layer, two places")
    shared_layer()
    step(7, "One layer, used twice in one forward")
    reused_layer()
    step(8, "Xavier and Kaiming over a state_dict, by name")
    by_name_in_a_state_dict()


if __name__ == "__main__":
    main()

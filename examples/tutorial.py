"""The classic lesson on parameters, step by step with initkit; every step asserts its facts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initkit import (
    apply_init,
    check_init,
    describe_scheme,
    find_reused_parameters,
    find_tied_parameters,
    init_,
    list_schemes,
    plan_init,
    register_scheme,
    summary,
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


def list_parameters(net: nn.Sequential) -> None:
    """Every parameter by name, as `named_parameters` lists them, with its values."""
    before = [p.clone() for p in net.parameters()]
    found = summary(net)
    print(found)
    assert [row.name for row in found] == [name for name, _ in net.named_parameters()]
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))


def access_by_layer(net: nn.Sequential) -> None:
    """A layer by its index, a parameter by its name; a layer without parameters has none."""
    found = summary(net)
    print(found[0])
    print(found["2.bias"])
    assert [(row.name, row.shape) for row in found[0]] == [("weight", (8, 4)), ("bias", (8,))]
    assert len(found[1]) == 0 and found[-1]["bias"].shape == net[-1].bias.shape == (1,)
    assert type(layer(net, 0).weight) is nn.Parameter
    assert layer(net, 0).weight.data.equal(layer(net, 0).weight)  # the values, without a gradient


def gradients(net: nn.Sequential) -> None:
    """Before a backward no parameter has a gradient; after it, each has one of its own shape."""
    first = layer(net, 0).weight
    before = first.grad
    assert before is None and summary(net)["0.weight"].gradient is None
    net(torch.rand(2, 4)).sum().backward()
    print(summary(net)["0.weight"])
    assert first.grad is not None and first.grad.shape == first.shape
    # The sum over two rows has a slope of 2 in the last bias, whatever the weights are.
    assert summary(net)["2.bias"].gradient == 2
    net.zero_grad()


class MyModel(nn.Module):
    """A parameter, and a tensor that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.weight1 = nn.Parameter(torch.rand(20, 20))
        self.weight2 = torch.rand(20, 20)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight1 @ self.weight2


class ListedModel(nn.Module):
    """Layers in a Python list, which no model looks into."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(4, 4), nn.Linear(4, 4)]


def what_the_list_misses() -> None:
    """`weight2` is not in the list, and layers in a list are not either; initkit says both."""
    net = MyModel()
    assert [name for name, _ in net.named_parameters()] == ["weight1"]
    found = summary(net)
    print(found)
    assert [row.name for row in found] == ["weight1"]
    assert [(one.path, one.kind) for one in found.unregistered] == [("weight2", "tensor")]

    # A constant may be meant so. Layers that nobody trains are not: that is a failed check.
    report = check_init(ListedModel())
    print(report.failures[0])
    assert [failure.name for failure in report.failures] == ["layers[0]", "layers[1]"]

    # A rule that names such a thing is told what it is.
    problem = str(plan_init(net, {"weight2": 0, "weight1": 1}).problems[0])
    assert "weight2 is a plain tensor of MyModel, not a parameter" in problem


def torch_defaults() -> None:
    """What the constructors of torch draw, before anybody asks."""
    print(describe_scheme("torch_default"))
    layers = nn.ModuleDict(
        {
            "linear": nn.Linear(16, 4),
            "conv": nn.Conv2d(4, 8, 3),
            "embedding": nn.Embedding(10, 4),
            "norm": nn.BatchNorm2d(4),
            "lstm": nn.LSTM(4, 25),
        }
    )
    plan = plan_init(layers, "torch_default")
    print(plan)
    assert plan["linear.weight"].start == plan["linear.bias"].start == "U(-0.25, 0.25)"
    assert plan["lstm.weight_ih_l0"].start == "U(-0.2, 0.2)"  # 1 / sqrt(25)
    # What the constructors drew is what the plan says of them.
    wide = nn.Linear(400, 300)
    assert check_init(wide, "torch_default").ok and 0.049 < wide.weight.abs().max() <= 0.05


def one_tensor() -> None:
    """A bare tensor, without a model around it."""
    weight = init_(torch.empty(3, 5), "xavier_uniform(gain='relu')", seed=0)
    print(weight)
    assert weight.abs().max() <= 2**0.5 * (6 / (3 + 5)) ** 0.5


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
    """A constant that is no parameter, a layer used twice, and control flow."""

    def __init__(self) -> None:
        super().__init__()
        self.rand_weight = torch.rand((20, 20), requires_grad=False)  # never trained
        self.linear = nn.Linear(20, 20)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        x = F.relu(x @ self.rand_weight + 1)
        x = self.linear(x)  # the same layer again: the two share their parameters
        while x.norm().item() > 1:
            x = x / 2
        if x.norm().item() < 0.8:
            x = x * 10
        return x.sum()


class NestMLP(nn.Module):
    """A block inside a module."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(40, 30), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.net(x))


def nested_models() -> None:
    """Blocks in blocks: names show the nesting, and a constant is told from a parameter."""
    net = nn.Sequential(NestMLP(), nn.Linear(30, 20), FancyMLP())
    assert net(torch.rand(1, 40)).shape == ()
    found = summary(net)
    print(found)
    assert [row.name for row in found[0]] == ["net.0.weight", "net.0.bias"]
    constant = found.unregistered[0]
    assert (constant.path, constant.problem) == ("2.rand_weight", False)
    assert found.ok and any("register_buffer('rand_weight'" in note for note in found.notes)


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
    step(2, "One layer by its index, one parameter by its name")
    access_by_layer(net)
    step(3, "Gradients")
    gradients(net)
    step(4, "What the list misses")
    what_the_list_misses()
    step(5, "What torch draws by itself")
    torch_defaults()
    step(6, "Weights from N(0, 0.01), biases 0")
    normal_weights_zero_biases(net)
    step(7, "Constants")
    constant_weights(net)
    step(8, "A uniform with a hole in the middle, built in and one's own")
    masked_uniform(net)
    step(9, "By hand, through .data")
    by_hand(net)
    step(10, "One bare tensor")
    one_tensor()
    step(11, "One layer, two places")
    shared_layer()
    step(12, "Blocks in blocks")
    nested_models()
    step(13, "One layer, used twice in one forward")
    reused_layer()
    step(14, "Xavier and Kaiming over a state_dict, by name")
    by_name_in_a_state_dict()


if __name__ == "__main__":
    main()

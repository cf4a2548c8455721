"""`import initkit` loads next to nothing beyond what `import torch` loads; no time is asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "numpy",
    "scipy",
    "mpmath",
    "sympy",
    "transformers",
    "timm",
    "torchvision",
    "safetensors",
    "tqdm",
    "yaml",
    "tomllib",
    "pytest",
    "_pytest",
    "hypothesis",
    "IPython",
    "argparse",
    "asyncio",
    "multiprocessing",
    "concurrent.futures.process",
    "torch._dynamo",
    "torch._inductor",
    "torch._export",
    "torch._subclasses.fake_tensor",
    "torch.distributed.tensor",
    "torch.distributed.fsdp",
    "torch.testing",
    "torch.utils.cpp_extension",
    "torch.utils.tensorboard",
)
ON_FIRST_USE = ("initkit.cli", "initkit.testing", "initkit.pytest_plugin", "initkit.recipes.")


def loaded(statement: str) -> set[str]:
    """Return the names of all modules that are loaded after a statement in a fresh process."""
    code = f"{statement}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def heavy(names: set[str], roots: tuple[str, ...] = HEAVY) -> list[str]:
    """Return those of the names that are one of the roots, or stand under one."""
    return sorted(
        name for name in names if any(name == root or name.startswith(root + ".") for root in roots)
    )


@pytest.fixture(scope="module")
def by_torch() -> set[str]:
    return loaded("import torch")


@pytest.fixture(scope="module")
def by_initkit() -> set[str]:
    return loaded("import initkit")


def test_importing_initkit_loads_nothing_heavy(by_torch: set[str], by_initkit: set[str]) -> None:
    assert heavy(by_initkit - by_torch) == []


def test_importing_initkit_loads_few_modules(by_torch: set[str], by_initkit: set[str]) -> None:
    more = {name for name in by_initkit - by_torch if not name.startswith("initkit")}
    assert len(more) <= 12, sorted(more)


def test_recipes_and_tools_load_on_first_use(by_initkit: set[str]) -> None:
    assert [name for name in by_initkit if name.startswith(ON_FIRST_USE)] == []


def test_the_name_of_a_scheme_loads_no_family() -> None:
    statement = "import torch, initkit; initkit.plan_init(torch.nn.Linear(2, 2), 'xavier_uniform')"
    assert [name for name in loaded(statement) if name.startswith("initkit.recipes.")] == []


def test_a_heavy_import_would_be_caught(by_torch: set[str]) -> None:
    assert "tqdm.auto" in heavy({"tqdm.auto", "json", "tqdmlike"})
    assert heavy(loaded("import torch, torch._dynamo") - by_torch) != []


WITHOUT_NUMPY = """
import sys, warnings

class NoNumpy:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "numpy":
            raise ModuleNotFoundError(f"{name} is hidden", name=name)

sys.meta_path.insert(0, NoNumpy())
warnings.filterwarnings("ignore", "Failed to initialize NumPy")  # torch's own
import torch
warnings.simplefilter("error")
from torch import nn
import initkit
from initkit.files import stored_tensors

model = nn.Sequential(nn.Linear(8, 4), nn.LSTM(4, 4))
rules = {"0.weight": "orthogonal", "*.weight*": "trunc_normal(std=0.02)", "*": 0}
print(initkit.apply_init(model, rules, seed=0))
assert initkit.check_init(model, rules).ok
initkit.summary(model).to_html()
initkit.record_init(nn.Linear, 3, 3)
torch.save(model.state_dict(), "model.pt")
print(initkit.plan_init(model, {"*": "pretrained('model.pt')"}))
print(initkit.apply_init(model, {"*": "pretrained('model.pt')"}, seed=0))
assert len({each.digest for each in stored_tensors("model.pt").values()}) > 2
assert "numpy" not in sys.modules
"""


def test_nothing_needs_numpy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY],
        capture_output=True,
        check=False,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr

"""Which parameters of which functions a constant reaches, followed by names."""

# ruff: noqa: E501 - a case is a line
import pytest

from tune.promotion.find.value_flow import receiving_parameters
from tune.promotion.find_constants import find_all, find_constant
from tune.promotion.options.declared_options import find_options

HEAD = "import torch\nfrom torch import nn, optim\nfrom torch.utils.data import DataLoader\nimport argparse\n"
REACHES = {
    "as it is": ("BETA = 0.9\nnn.Dropout(BETA)\n", "BETA", {("Dropout", "p")}),
    "in a tuple": ("B1 = 0.9\noptim.Adam([], betas=(B1, 0.99))\n", "B1", {("Adam", "betas")}),
    "as an attribute": ("class C:\n    k = 0.5\noptim.SGD([], momentum=C.k)\n", "C.k", {("SGD", "momentum")}),
    "as an entry": ("C = {'k': 0.5}\noptim.SGD([], momentum=C['k'])\n", "C['k']", {("SGD", "momentum")}),
    "by a parameter of the project": (
        "K = 0.5\nclass Net(nn.Module):\n    def __init__(self, rate):\n        self.drop = nn.Dropout(rate)\nNet(rate=K)\n",
        "K",
        {("Net", "rate"), ("Dropout", "p")},
    ),
    "by an attribute": (
        "class Net:\n    def __init__(self, k=0.5):\n        self.rate = k\n    def f(self):\n        nn.Dropout(self.rate)\n",
        "Net.k",
        {("Dropout", "p")},
    ),
    "by a variable": ("K = 0.5\ndef f():\n    rate = K\n    nn.Dropout(rate)\n", "K", {("Dropout", "p")}),
    "an option": (
        "p = argparse.ArgumentParser()\np.add_argument('--b1', default=0.5)\na = p.parse_args()\noptim.Adam([], betas=(a.b1, 0.9))\n",
        "--b1",
        {("Adam", "betas")},
    ),
    "an argument": ("nn.Dropout(p=0.5)\n", "Dropout.p", {("Dropout", "p")}),
    "an argument among several": ("nn.Dropout(p=0.5)\nnn.Dropout(p=0.7)\n", "Dropout.p@6", {("Dropout", "p")}),
    "by a name that a function of the program makes of it": (
        "def env(key, default):\n    return default\nK = env('K', 0.5)\nnn.Dropout(K)\n",
        "env.default",
        {("Dropout", "p")},
    ),
    "by an entry that a function makes of it": (
        "def env(key, default):\n    return default\nC = {'k': env('K', default=0.5)}\nnn.Dropout(C['k'])\n",
        "env.default",
        {("Dropout", "p")},
    ),
    "by a name that a library's function makes of it": (
        "import json\nK = json.JSONDecoder().get(default=0.5)\nR = torch.full(size=(1,), fill_value=0.5)\nnn.Dropout(R)\n",
        "full.fill_value",
        {("Dropout", "p")},
    ),
    "nothing": ("K = 0.5\nprint(1)\n", "K", set()),
}


@pytest.mark.parametrize(("text", "name", "receivers"), REACHES.values(), ids=REACHES)
def test_a_value_when_followed_by_its_names_then_leads_to_what_takes_it(program_of, text, name, receivers):
    program = program_of(HEAD + text)
    findings = find_all(program)
    options = [each for each in find_options(program) if name in each.names]
    held = options[0] if options else find_constant(name, program, findings.constants, "")

    assert set(receiving_parameters(held, findings.flows)) == receivers

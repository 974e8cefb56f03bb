"""The transform network: its prior looks back only, its description is what it computes, and where it starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engram.codecs.analysis import evaluate
from engram.errors import UsageError
from engram.networks.registry import make
from engram.networks.transform import Transform, sizes_for


def transform(units: int = 6, **options: int) -> Transform:
    network = make("transform", (7, 6, 3), units=units, **({"hidden": 20, "context": 17} | options))
    assert isinstance(network, Transform)
    return network


@pytest.mark.parametrize(("units", "context"), [(1, 4), (6, 17), (7, 3)])
def test_a_distribution_depends_on_the_units_before_it_alone(units: int, context: int) -> None:
    network = transform(units, context=context)
    with torch.no_grad():
        network.prior.bypass.weight.normal_()
        network.prior.output.weight.normal_()
    symbols = torch.randint(-5, 6, (3, units)).float().requires_grad_()
    for part in network.distributions(symbols):
        for unit in range(units):
            (gradient,) = torch.autograd.grad(part[:, unit].sum(), symbols, retain_graph=True)
            assert not gradient[:, unit:].any()
            assert unit == 0 or gradient[:, unit - 1].any()


def test_the_description_computes_what_the_network_computes() -> None:
    network = transform()
    network.start_from_components(torch.rand(50, 3, 7, 6), 0.1)
    with torch.no_grad():
        network.prior.bypass.weight.normal_()
        images = torch.rand(5, 3, 7, 6)
        code = network.analysis(images)
        description = network.describe()
        np.testing.assert_allclose(evaluate(description.analysis, images.numpy()), code.numpy(), rtol=1e-4, atol=1e-4)
        made = evaluate(description.synthesis, code.numpy())
        np.testing.assert_allclose(made, network.synthesis(code).numpy(), rtol=1e-4, atol=1e-4)
        ends = torch.cat(network.distributions(code), 1)
        np.testing.assert_allclose(evaluate(description.prior, code.numpy()), ends.numpy(), rtol=1e-4, atol=1e-4)


def test_it_starts_as_principal_components() -> None:
    images = torch.rand(50, 3, 7, 6) ** 3
    network = transform(units=40)
    for part in (network.encoder, network.decoder):
        torch.nn.init.zeros_(part.output.weight)
    network.start_from_components(images, 0.1)
    with torch.no_grad():
        kept = (network.synthesis(network.analysis(images)) - images).square().mean()
        spread = network.analysis(images).std(0)
    assert kept < 0.1 * images.var()
    assert torch.equal(spread.argsort(descending=True)[:10], torch.arange(10))


def test_more_bytes_take_more_units() -> None:
    assert sizes_for(8) == {"units": 64, "hidden": 768, "context": 512}
    assert sizes_for(48)["units"] > sizes_for(16)["units"]
    with pytest.raises(UsageError, match="units, hidden and context are at least 1, not 0, 20 and 17"):
        transform(0)

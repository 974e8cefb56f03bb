"""`bidirectional`: Gedeon's network, whose weights are used in both directions (paper 2.2.3, references 6 and 9).

    forwards    pixels --A--> code --B--> pixels        what is described, frozen and packed
    backwards   pixels --B'--> code --A'--> pixels      in training: what comes in enters at the output's side

From the references: weights that serve both directions of one network, as a milder symmetry than one shared matrix,
and that a draw says for each step of the training which direction it goes (stochastic bidirectional training). Ours:
the code and the pixels have one bias each for both directions, steps are batches, and the chance is one half.
"""

from __future__ import annotations

from typing import Any, final

from torch import Tensor

from engram.networks.fully_connected import TwoMatrices


@final
class BidirectionalAutoencoder(TwoMatrices):
    """Two matrices A, B; while `backwards` is set, their transposes in each other's place."""

    method = "bidirectional"

    def __init__(self, image_shape: tuple[int, int, int], **options: Any) -> None:
        super().__init__(image_shape, **options)
        self.backwards = False

    @property
    def analysis_matrix(self) -> Tensor:
        return self.synthesis_weight.t() if self.backwards else self.analysis_weight

    @property
    def synthesis_matrix(self) -> Tensor:
        return self.analysis_weight.t() if self.backwards else self.synthesis_weight

"""Processors that reshape the distribution before a token is drawn, as in transformers.

R rows, V vocabulary; scores [R, V]. ``at_least`` tokens always stay.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .generation_config import GenerationConfig
from .logits_processors import FORBIDDEN_SCORE, Processor


class Temperature(Processor):
    """Divide the scores: below 1 sharpens the distribution, above 1 flattens it."""

    def __init__(self, temperature: float):
        self.temperature = temperature

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return scores / self.temperature


class TopK(Processor):
    """Keep the ``k`` best tokens (Fan et al. 2018), and all that tie with the last of them."""

    def __init__(self, k: int):
        self.k = k

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        kept = torch.topk(scores, min(self.k, scores.shape[-1]))[0][:, -1:]
        return scores.masked_fill(scores < kept, FORBIDDEN_SCORE)


class TopP(Processor):
    """Keep the fewest best tokens with a total probability of ``p`` (Holtzman 2020)."""

    def __init__(self, p: float, at_least: int):
        self.p, self.at_least = p, at_least

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        rising, order = torch.sort(scores)
        unlikely = rising.softmax(-1).cumsum(-1) <= 1 - self.p
        unlikely[:, -self.at_least :] = False
        return scores.masked_fill(unlikely.scatter(1, order, unlikely), FORBIDDEN_SCORE)


class TopH(Processor):
    """Keep the best tokens up to a share of the entropy of the best hundred (Potraghloo 2025)."""

    most = 100

    def __init__(self, share: float):
        self.share = share

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        best, order = torch.topk(scores, min(self.most, scores.shape[-1]))
        log_probs = best - best.logsumexp(-1, keepdim=True)
        probabilities = log_probs.softmax(-1)
        terms = -probabilities * torch.log(probabilities)
        finite = log_probs.clamp(min=torch.finfo(log_probs.dtype).min)
        entropy = -(finite * probabilities).sum(-1, keepdim=True)
        kept = terms.cumsum(-1) <= entropy * self.share
        kept[:, 0] = True
        mask = torch.zeros_like(scores, dtype=torch.bool).scatter(1, order, kept)
        return scores.masked_fill(~mask, FORBIDDEN_SCORE)


class MinP(Processor):
    """Keep tokens with a share of the best one's probability (Nguyen et al. 2024)."""

    def __init__(self, share: float, at_least: int):
        self.share, self.at_least = share, at_least

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        probabilities = scores.softmax(-1)
        unlikely = probabilities < self.share * probabilities.amax(-1, keepdim=True)
        best = torch.topk(probabilities, min(self.at_least, scores.shape[-1])).indices
        return scores.masked_fill(unlikely.scatter(1, best, False), FORBIDDEN_SCORE)


class Typical(Processor):
    """Keep the tokens whose information is nearest to the entropy (Meister et al. 2022)."""

    def __init__(self, mass: float, at_least: int):
        self.mass, self.at_least = mass, at_least

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        log_probs = scores.log_softmax(-1)
        entropy = -(log_probs * log_probs.exp()).nansum(-1, keepdim=True)
        distance, order = torch.sort((-log_probs - entropy).abs())
        mass = scores.gather(-1, order).softmax(-1).cumsum(-1)
        last = (mass < self.mass).sum(1, keepdim=True).clamp(max=scores.shape[-1] - 1)
        atypical = distance > distance.gather(1, last)
        atypical[:, : self.at_least] = False
        return scores.masked_fill(atypical.scatter(1, order, atypical), FORBIDDEN_SCORE)


class EpsilonCutoff(Processor):
    """Keep tokens of at least a probability (Hewitt et al. 2022)."""

    def __init__(self, epsilon: float, at_least: int):
        self.epsilon, self.at_least = epsilon, at_least

    def threshold(self, scores: Tensor) -> Tensor | float:
        return self.epsilon

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        unlikely = scores.softmax(-1) < self.threshold(scores)
        best = torch.topk(scores, min(self.at_least, scores.shape[-1]))[0][:, -1:]
        return scores.masked_fill(unlikely & (scores < best), FORBIDDEN_SCORE)


class EtaCutoff(EpsilonCutoff):
    """Keep tokens of at least a probability that falls with the entropy (Hewitt et al. 2022)."""

    def threshold(self, scores: Tensor) -> Tensor:
        epsilon = torch.tensor(self.epsilon, device=scores.device)
        log_probs = scores - scores.logsumexp(-1, keepdim=True)
        finite = log_probs.clamp(min=torch.finfo(log_probs.dtype).min)
        entropy = -(finite * log_probs.softmax(-1)).sum(-1)
        return torch.min(epsilon, epsilon.sqrt() * torch.exp(-entropy))[:, None]


def build_warpers(c: GenerationConfig, at_least: int) -> list[Processor]:
    """Return the processors of a config that reshape probabilities, in transformers' order.

    ``at_least`` tokens stay: with beams one token besides each EOS.
    """
    warpers: list[Processor] = []
    if c.temperature != 1.0:
        warpers.append(Temperature(c.temperature))
    if c.top_h is not None:
        warpers.append(TopH(c.top_h))
    if c.top_k:
        warpers.append(TopK(max(c.top_k, at_least)))
    if c.top_p < 1.0:
        warpers.append(TopP(c.top_p, at_least))
    if c.min_p is not None:
        warpers.append(MinP(c.min_p, at_least))
    if c.typical_p < 1.0:
        warpers.append(Typical(c.typical_p, at_least))
    if c.epsilon_cutoff:
        warpers.append(EpsilonCutoff(c.epsilon_cutoff, at_least))
    if c.eta_cutoff:
        warpers.append(EtaCutoff(c.eta_cutoff, at_least))
    return warpers

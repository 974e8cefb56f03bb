"""Ranges of a collection packed by many nodes, of which some are slow and some are lost: a simulation, event by event.

A range is taken by a free core as soon as there is one. How long it takes is drawn: the mean, spread log-normally, and
for some ranges many times that, as where a disk or a neighbour is slow. A node is lost after an exponentially
distributed time, with all ranges that its cores work on, which wait again; it comes back later. No range is begun a
second time while it is worked on. The same seed gives the same run.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import count

import numpy as np

_LOST, _BACK = -1, -2
"""In the place of a life: what befalls a node, and not one of its ranges."""


@dataclass(frozen=True)
class Cluster:
    """So many nodes alike, and what befalls them.

    spread: the standard deviation of the logarithm of a range's seconds. slow, times: the share of ranges that take so
    many times as long. hours_between_losses: of one node, on average; infinity for never. seconds_away: until a node
    that was lost is there again.
    """

    nodes: int
    cores: int
    spread: float = 0.1
    slow: float = 0.0
    times: float = 5.0
    hours_between_losses: float = math.inf
    seconds_away: float = 600.0


@dataclass(frozen=True)
class Run:
    """Seconds until all ranges were done; how many were begun again; core seconds that came to nothing."""

    seconds: float
    repeated: int
    lost_seconds: float


def simulate(ranges: int, seconds: float, cluster: Cluster, seed: int) -> Run:
    """One run: so many ranges, of so many core seconds each on average (slow ones apart)."""
    draw = np.random.default_rng(seed)
    numbers, events = count(), list[tuple[float, int, int, int]]()  # when, order, node, and its life
    lives, begun = [0] * cluster.nodes, [dict[int, float]() for _ in range(cluster.nodes)]
    there, waiting, done, repeated, lost, now = set(range(cluster.nodes)), ranges, 0, 0, 0.0, 0.0

    def start(node: int) -> None:
        nonlocal waiting
        while waiting and len(begun[node]) < cluster.cores:
            takes = seconds * math.exp(cluster.spread * draw.standard_normal() - cluster.spread**2 / 2)
            if cluster.slow and draw.random() < cluster.slow:
                takes *= cluster.times
            waiting, number = waiting - 1, next(numbers)
            begun[node][number] = now
            heapq.heappush(events, (now + takes, number, node, lives[node]))

    def await_loss(node: int) -> None:
        if math.isfinite(cluster.hours_between_losses):
            heapq.heappush(
                events, (now + draw.exponential(3600 * cluster.hours_between_losses), next(numbers), node, -1)
            )

    for node in range(cluster.nodes):
        start(node)
        await_loss(node)
    while done < ranges:
        now, number, node, life = heapq.heappop(events)
        if life == _BACK:
            there.add(node)
            start(node)
            await_loss(node)
        elif life == _LOST:
            there.remove(node)
            lives[node] += 1
            repeated += len(begun[node])
            waiting += len(begun[node])
            lost += sum(now - since for since in begun[node].values())
            begun[node].clear()
            heapq.heappush(events, (now + cluster.seconds_away, next(numbers), node, _BACK))
            for other in sorted(there):
                start(other)
        elif life == lives[node]:
            del begun[node][number]
            done += 1
            start(node)
    return Run(now, repeated, lost)

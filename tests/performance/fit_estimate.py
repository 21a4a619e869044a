#!/usr/bin/env python3
"""Fits the weights of cost_model/features/fitted.cpp to recorded times.

Usage: cost_model_evaluation --dump rows.csv LOG.h5... && fit_estimate.py rows.csv [COUNT]

Least squares on log2(ns) - estimate, centred within each task, a row's weight being its part of the task's best to
the fourth power. Takes in the feature that helps most until there are COUNT (10); prints each with what is left of
the squares in four folds by shape, then all weights. Features that only name a task's size are left out: within a task they say nothing.
Needs numpy.
"""
import csv
import sys

import numpy

SIZES = {
    "fitted", "estimate", "work", "outer_iterations", "all_input", "all_constant", "all_output", "parallel",
    "outer_0", "outer_1", "outer_2", "outer_3", "reduce_points", "reduce_0", "reduce_1", "reduce_2", "lane_use",
    "transcendentals", "excess",
}
RIDGE = 10
FOLDS = 4


def read(path):
    with open(path, newline="") as file:
        rows = csv.reader(file)
        names = next(rows)[4:]
        tasks, shapes, ns, values = [], [], [], []
        for row in rows:
            tasks.append(row[0])
            shapes.append(row[1])
            ns.append(float(row[2]))
            values.append([float(value) for value in row[4:]])
    return names, numpy.array(tasks), numpy.array(shapes), numpy.array(ns), numpy.array(values)


def fold_of(shapes):
    distinct = {shape: i % FOLDS for i, shape in enumerate(sorted(set(shapes), key=lambda shape: shape[::-1]))}
    return numpy.array([distinct[shape] for shape in shapes])


def main():
    names, tasks, shapes, ns, values = read(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    task = numpy.unique(tasks, return_inverse=True)[1]
    best = numpy.full(task.max() + 1, numpy.inf)
    numpy.minimum.at(best, task, ns)
    weight = (best[task] / ns) ** 4
    of_task = numpy.bincount(task, weight)

    def centred(column):
        return column - (numpy.bincount(task, column * weight) / of_task)[task]

    used = [i for i, name in enumerate(names) if name not in SIZES and values[:, i].std() > 1e-6]
    target = centred(numpy.log2(ns) - values[:, names.index("estimate")])
    columns = numpy.column_stack([centred(values[:, i]) for i in used])
    scale = columns.std(axis=0) + 1e-9
    columns /= scale
    fold = fold_of(shapes)

    def solve(rows, chosen):
        x = columns[numpy.ix_(rows, chosen)]
        weighted = x * weight[rows, None]
        return numpy.linalg.solve(x.T @ weighted + RIDGE * numpy.eye(len(chosen)), weighted.T @ target[rows])

    everything = numpy.arange(len(ns))
    products, sides = [], []
    for i in range(FOLDS):
        x = columns[fold != i]
        weighted = x * weight[fold != i, None]
        products.append(x.T @ weighted)
        sides.append(weighted.T @ target[fold != i])

    def left(chosen):
        sum_of_squares = 0
        for i in range(FOLDS):
            part = products[i][numpy.ix_(chosen, chosen)] + RIDGE * numpy.eye(len(chosen))
            unseen = numpy.flatnonzero(fold == i)
            error = target[unseen] - columns[numpy.ix_(unseen, chosen)] @ numpy.linalg.solve(part, sides[i][chosen])
            sum_of_squares += (weight[unseen] * error * error).sum()
        return sum_of_squares

    chosen = []
    for _ in range(count):
        chosen.append(min((j for j in range(len(used)) if j not in chosen), key=lambda j: left(chosen + [j])))
        print(f"{names[used[chosen[-1]]]:24} {left(chosen):10.1f}")
    for j, one in zip(chosen, solve(everything, chosen)):
        print(f'{{"{names[used[j]]}", {one / scale[j]:.4f}}},')


if __name__ == "__main__":
    main()

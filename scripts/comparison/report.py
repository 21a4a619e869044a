"""What the comparison writes: statistics of a row, the Markdown tables and the SVG picture."""
import html
import math
import statistics


def median_interval(values, rng):
    """Median and the 95 % bootstrap interval of it."""
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(2000))
    return statistics.median(values), medians[50], medians[1949]


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def table(rows, tuned):
    """Markdown lines of the rows of one number of threads."""
    heading = ["model", "hone ms", "ONNX Runtime ms", "ratio", "95 % of the ratio's median", "difference (L2)",
               "memory MB (ORT)", "first result ms (ORT)"]
    if tuned:
        heading[1:1] = ["untuned ms"]
        heading += ["untuned speed, of the tuned"]
    lines = ["| " + " | ".join(heading) + " |", "|" + " --- |" * len(heading)]
    for row in rows:
        hone, peer = row["hone"], row["onnxruntime"]
        cells = [row["model"], f"{hone['ms']:.2f}", f"{peer['ms']:.2f}", f"{row['ratio']:.2f}",
                 f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}", f"{row['relative_l2']:.0e}",
                 f"{hone['memory_mb']:.1f} ({peer['memory_mb']:.1f})", f"{hone['first_ms']:.1f} ({peer['first_ms']:.1f})"]
        if tuned:
            cells[1:1] = [f"{row['untuned']['ms']:.2f}"]
            cells += [f"{100 * row['tuned_over_untuned']:.0f} %"]
        if row["disturbed_rounds"]:
            cells[0] += f" ({row['disturbed_rounds']} rounds disturbed)"
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def summary(rows, tuned):
    """One line on the rows of one number of threads."""
    parts = [f"geometric mean {geometric_mean([row['ratio'] for row in rows]):.2f}",
             f"least lower bound {min(row['ratio_low'] for row in rows):.2f}"]
    if tuned:
        parts.append(f"untuned {geometric_mean([row['untuned_ratio'] for row in rows]):.2f}")
    for what, key, of in (("memory", "memory_mb", "of ONNX Runtime's"), ("first result in", "first_ms", "of its time")):
        shares = [row["hone"][key] / row["onnxruntime"][key] for row in rows]
        parts.append(f"{what} {geometric_mean(shares):.2f} {of} (at most {max(shares):.2f})")
    return ", ".join(parts)


def markdown(facts, rows):
    tuned = any("untuned" in row for row in rows)
    lines = [f"# Against ONNX Runtime {facts['onnxruntime']}, {facts['date']}, commit {facts['commit']}", "",
             f"{facts['machine']}. Batch 1, float32; the models of torchvision and those named light_ and tv_ have seeded weights, the "
             "others are trained. "
             f"`{facts['command']}`.", "",
             "Each library runs in a process of its own, only while the other's threads sleep; "
             f"{facts['rounds']} rounds of a batch of calls each after untimed ones, in alternating order; rounds beside other "
             "busy processes are repeated. With several threads the calling one is bound to a CPU, and ONNX Runtime's others to "
             "one each by its own option: left alone, two may share a CPU for seconds. Memory is the peak resident set of a fresh "
             "process after its first result, less the interpreter's, less hone's packed constants or ONNX Runtime's "
             "initialisers. First result: from loading the library in a running interpreter to the end of the first run, with "
             "the files in the page cache."]
    for threads in sorted({row["threads"] for row in rows}):
        of = [row for row in rows if row["threads"] == threads]
        lines += ["", f"## {threads} thread{'s' if threads > 1 else ''}: {summary(of, tuned)}", ""] + table(of, tuned)
    return "\n".join(lines) + "\n"


def svg(facts, rows):
    """Bars of the ratios, one group per model, with the 95 % interval of the median as a whisker."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    threads = sorted({row["threads"] for row in rows})
    colours = ["#2e86c1", "#1e8449", "#ca6f1e", "#7d3c98"]
    left, top, bar, gap, width = 170, 84, 15, 14, 900
    group = bar * len(threads) + gap
    height = top + group * len(models) + 50
    largest = max(2.0, max(row["ratio_high"] for row in rows) * 1.08)

    def x(ratio):
        return left + (width - left - 60) * ratio / largest

    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' "
             "font-family='sans-serif' font-size='12'>", f"<rect width='{width}' height='{height}' fill='#fff'/>",
             f"<text x='20' y='28' font-size='17' fill='#222'>How many times faster than ONNX Runtime "
             f"{html.escape(facts['onnxruntime'])}</text>",
             f"<text x='20' y='48' fill='#555'>{html.escape(facts['machine'])}, {facts['date']}, commit {facts['commit']}</text>"]
    for i, count in enumerate(threads):
        of = [row["ratio"] for row in rows if row["threads"] == count]
        parts.append(f"<rect x='{20 + 330 * i}' y='58' width='12' height='12' fill='{colours[i % 4]}'/>"
                     f"<text x='{38 + 330 * i}' y='69' fill='#333'>{count} thread{'s' if count > 1 else ''}, geometric mean "
                     f"{geometric_mean(of):.2f}</text>")
    for tick in (i / 2 for i in range(math.ceil(2 * largest))):
        strong = tick == 1
        parts.append(f"<path d='M{x(tick):.1f} {top}V{height - 40}' stroke='{'#c0392b' if strong else '#e3e6ea'}'/>"
                     f"<text x='{x(tick):.1f}' y='{height - 22}' text-anchor='middle' fill='#555'>{tick:g}</text>")
    for m, model in enumerate(models):
        y0 = top + gap / 2 + group * m
        parts.append(f"<text x='{left - 10}' y='{y0 + bar * len(threads) / 2 + 4:.1f}' text-anchor='end' fill='#222'>"
                     f"{html.escape(model)}</text>")
        for row in (row for row in rows if row["model"] == model):
            i = threads.index(row["threads"])
            y, middle = y0 + bar * i, y0 + bar * i + bar / 2 - 1
            parts.append(f"<rect x='{left}' y='{y:.1f}' width='{x(row['ratio']) - left:.1f}' height='{bar - 2}' "
                         f"fill='{colours[i % 4]}' fill-opacity='0.85'/>"
                         f"<path d='M{x(row['ratio_low']):.1f} {middle:.1f}H{x(row['ratio_high']):.1f}' stroke='#222' stroke-width='1.5'/>"
                         f"<text x='{x(row['ratio_high']) + 6:.1f}' y='{y + bar - 4:.1f}' fill='#222'>{row['ratio']:.2f}</text>")
    return "\n".join(parts) + "\n</svg>\n"

"""Tables of what compare_torch_compile.py measured."""

from tables import table

COLUMNS = {"ours": "ours, µs", "ours_compiled": "ours inside torch.compile, µs",
           "compile": "torch.compile, µs", "eager": "eager, µs", "bn_relu": "BN+ReLU, µs"}


def ratio_to(rival, row):
    """How many times as fast as a rival ours is."""
    return f"{row[f'{rival}_us'] / row['ours_us']:.2f}×"


def compared_tables(rows):
    """Lines of Markdown."""
    lines = []
    for heading, prefix in (("Layers", "layer/"), ("Training step", "network/")):
        chosen = [row for row in rows if row["case"].startswith(prefix)]
        if not chosen:
            continue
        names = [name for name in COLUMNS if f"{name}_us" in chosen[0]]
        rivals = [name for name in names if not name.startswith("ours")]
        head = ["case", *(COLUMNS[name] for name in names), *(f"{name} / ours" for name in rivals)]
        cells = [[row["case"].removeprefix(prefix), *(f"{row[f'{name}_us']:.4g}" for name in names),
                  *(ratio_to(name, row) for name in rivals)] for row in chosen]
        lines += [f"### {heading} against torch.compile", "",
                  "A ratio says how many times as fast ours is.", "", *table(head, cells, 1)]
    return lines

"""Tables in Markdown."""

NOTHING = "–"


def table(header, rows, text_columns):
    """A Markdown table without the columns that have nothing to say; those of numbers are set to
    the right."""
    rule = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    columns = [column for column in zip(header, rule, *rows)
               if any(cell != NOTHING for cell in column[2:])]
    return ["| " + " | ".join(line) + " |" for line in zip(*columns)] + [""]


def number(value):
    """Three digits, or all in front of the point; three decimals at most, and no exponent."""
    if value is None:
        return NOTHING
    value = max(value, float(f"{value:.3g}"))  # 99.96 becomes 100, not 100.0
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 or value == 0 else 3
    return f"{value:.{decimals}f}"


def time(result, unit):
    return number(result and result.seconds / unit)


def ratio(other, ours):
    """How many times as fast ours is."""
    return f"{other.seconds / ours.seconds:.2f}×" if other and ours else NOTHING


def counter(result, name, factor=1):
    value = result.counters.get(name) if result else None
    return number(None if value is None else value * factor)


def between(values, write):
    """`1 to 3`, or `1` where all are written alike."""
    ends = list(dict.fromkeys(write(value) for value in (min(values), max(values))))
    return " to ".join(ends)

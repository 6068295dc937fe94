"""Tables in Markdown."""


def table(header, rows, text_columns):
    """A Markdown table; the columns of numbers are set to the right."""
    rule = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    return ["| " + " | ".join(row) + " |" for row in [header, rule, *rows]] + [""]

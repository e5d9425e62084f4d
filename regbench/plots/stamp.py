"""A line above a figure that says what must not be overlooked."""

from matplotlib.figure import Figure


def stamp(figure: Figure, text: str) -> None:
    """Write a line above all panels; the figure grows by its height."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.25)
    figure.suptitle(text, fontsize="small", color="#882255")

"""What a covariance matrix must be, and its eigenvalues."""

from __future__ import annotations

from typing import Any

import numpy as np


def checked_covariance(covariance: Any) -> np.ndarray:
    """Returns a covariance as a float64 array; raises `ValueError` where it is not square, finite and symmetric."""
    matrix = np.asarray(covariance, "float64")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"`covariance` must be a square matrix. Received: shape={matrix.shape!r}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"`covariance` must be finite. Received: {np.sum(~np.isfinite(matrix))} entries that are not")
    asymmetry = np.abs(matrix - matrix.T)
    # As far as a symmetric matrix may be off that was computed in float32.
    if asymmetry.max() > 1e-5 * np.abs(matrix).max():
        row, column = map(int, np.unravel_index(asymmetry.argmax(), matrix.shape))
        raise ValueError(
            f"`covariance` must be symmetric. Received: {float(matrix[row, column])!r} at ({row}, {column}) "
            f"and {float(matrix[column, row])!r} at ({column}, {row})"
        )
    return matrix


def decomposed(covariance: np.ndarray, definite: bool) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues in ascending order, none negative, and eigenvectors (columns) of a covariance.

    Raises `ValueError` where an eigenvalue is negative by more than rounding explains or, if it must be
    `definite`, where one is zero but for rounding.
    """
    eigenvalues, eigenvectors = np.linalg.eigh((covariance + covariance.T) / 2)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    rounding = len(eigenvalues) * np.finfo("float64").eps * max(largest, -smallest)
    must_be = f"`covariance` must be positive {'definite' if definite else 'semi-definite'}. Received:"
    if smallest < -rounding:
        kind = "an indefinite matrix" if largest > rounding else "a matrix without a positive eigenvalue"
        raise ValueError(f"{must_be} {kind}, smallest eigenvalue {smallest:.6g}")
    if definite and smallest <= rounding:
        raise ValueError(
            f"{must_be} a singular matrix, smallest eigenvalue {smallest:.6g} beside a largest of {largest:.6g}; "
            "adding a multiple of the identity makes it definite"
        )
    return np.clip(eigenvalues, 0, None), eigenvectors


def check_rank(rank: int) -> None:
    """Raises `ValueError` where kernels cannot be cut into samples of this rank."""
    if rank not in (2, 3):
        raise ValueError(f"`rank` must be 2 (slices of h x w) or 3 (filters of h x w x in). Received: rank={rank!r}")


def check_kernel_shape(shape: tuple[int, ...], rank: int, dimension: int) -> None:
    """Raises `ValueError` where a kernel's samples do not have as many entries as the covariance has rows."""
    if len(shape) != 4 or np.prod(shape[:rank]) != dimension:
        product = "h * w" if rank == 2 else "h * w * in"
        raise ValueError(
            f"The kernel must have shape (h, w, in, out) with {product} = {dimension}, the size of the covariance. "
            f"Received: shape={tuple(shape)!r}"
        )


def check_kernel_rank(shape: tuple[int, ...]) -> None:
    """Raises `ValueError` where a kernel has no slices."""
    if len(shape) != 4:
        raise ValueError(f"The kernel must have shape (h, w, in, out). Received: shape={tuple(shape)!r}")


def check_length(length: float, rank: int) -> None:
    """Raises `ValueError` where a number does not stand for a covariance."""
    if isinstance(length, bool) or not (np.isfinite(length) and length > 0):
        raise ValueError(f"`covariance` must be a matrix, or a positive length in pixels. Received: {length!r}")
    if rank != 2:
        raise ValueError(f"`rank` must be 2 where `covariance` is a length. Received: rank={rank!r}")


def exponential_covariance(height: int, width: int, length: float) -> np.ndarray:
    """exp(-distance / length) between the places of a slice, row by row; positive definite."""
    rows, columns = np.divmod(np.arange(height * width), width)
    distances = np.hypot(rows[:, np.newaxis] - rows, columns[:, np.newaxis] - columns)
    return np.exp(-distances / length)

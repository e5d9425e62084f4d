"""Kernels as matrices, and norms of matrices with gradients that are finite everywhere."""

from __future__ import annotations

from typing import Any

from keras import ops

BLOCK = 8
"""Vectors that the power method carries along. The first is the vector of ones."""

SQUARINGS = 12
"""The dominant eigenvector of a small matrix T is read off T**(2**12): an error of 1e-3 in the eigenvalue at most."""


def as_matrix(kernel: Any) -> Any:
    """Flattens a kernel to one column per output: (h, w, in, out) becomes (h*w*in, out), a matrix stays as it is."""
    if len(kernel.shape) < 2:
        raise ValueError(f"`kernel` must have at least two axes. Received: shape={tuple(kernel.shape)!r}")
    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def euclidean_norm(tensor: Any, factor: float = 1.0) -> Any:
    """`factor` times the root of the sum of squares; the gradient at zero is zero, where a root alone has NaN."""
    square = ops.sum(ops.square(tensor))
    is_zero = ops.equal(square, 0)
    # XLA moves a constant factor between the cases; if it is there already, one in a variable rounds in the same way.
    return ops.where(is_zero, 0.0, factor * ops.sqrt(ops.where(is_zero, 1.0, square)))


def column_norms(matrix: Any) -> Any:
    """The Euclidean norm of each column; its gradient is zero at a column of zeros."""
    squares = ops.sum(ops.square(matrix), axis=0)
    are_zero = ops.equal(squares, 0)
    return ops.where(are_zero, 0.0, ops.sqrt(ops.where(are_zero, 1.0, squares)))


def absolute(tensor: Any) -> Any:
    """Written out, because the derivative of the absolute value at 0 differs between backends: here it is 0."""
    return tensor * ops.stop_gradient(ops.sign(tensor))


def exact_spectral_norm(matrix: Any) -> Any:
    """The largest singular value by a singular value decomposition, with the gradient of `spectral_norm`."""
    scale = _largest_entry(matrix)
    scaled = matrix / scale
    _, _, rows = ops.svd(ops.stop_gradient(scaled), full_matrices=False)
    return scale * euclidean_norm(ops.matmul(scaled, ops.stop_gradient(rows[0])))


def spectral_norm(matrix: Any, iterations: int = 9) -> Any:
    """The largest singular value, from below.

    A block power method with the Rayleigh-Ritz procedure: `iterations` products of A'A with a block of eight vectors
    span a space; v is the unit vector in it for which `|Av|` is largest; the result is `|Av|`. A or its transpose is
    taken, whichever has fewer columns; if these are at most `8 * (iterations + 1)`, the space is everything.

    The gradient is that of `|Av|` with v held fixed, u v' with u = Av / |Av|. Since |Av| <= |A| for every A, it is a
    subgradient of the spectral norm up to the error of the value: |B| >= |Av| + <u v', B - A> for every B.

    Args:
        matrix: Any size, also all zeros (norm and gradient are 0). Not finite where an entry is not finite.
        iterations: Products with A'A, at least 1.
    """
    rows, columns = matrix.shape
    tall = matrix if rows >= columns else ops.transpose(matrix)
    # Squares of squares are taken below: without scaling, entries above 1e9 or so would overflow float32.
    scale = _largest_entry(tall)
    tall = tall / scale
    direction = ops.stop_gradient(_dominant_direction(ops.stop_gradient(tall), iterations))
    return scale * euclidean_norm(ops.matmul(tall, direction))


def unconverged_spectral_norm(matrix: Any, iterations: int = 9) -> Any:
    """The root of the Rayleigh quotient of (W'W)**iterations times the ones, to be differentiated as it stands.

    Below the largest singular value, by some per cent where it is not far above the next one. The iterates are scaled,
    which changes neither value nor gradient: the quotient does not depend on their length.
    """
    scale = _largest_entry(matrix)
    scaled = matrix / scale
    vector = ops.ones((matrix.shape[1],), dtype=matrix.dtype)
    for _ in range(iterations):
        vector = ops.matmul(ops.transpose(scaled), ops.matmul(scaled, vector))
        vector = vector / _largest_entry(vector)
    length = euclidean_norm(vector)
    return scale * euclidean_norm(ops.matmul(scaled, vector)) / ops.where(ops.equal(length, 0), 1.0, length)


def carried_spectral_norm(matrix: Any, block: Any) -> tuple[Any, Any]:
    """One step of the block power method with the Rayleigh-Ritz procedure, and the block for the next step.

    v is the unit vector in the span of the block for which |Wv| is largest, and the result is |Wv|, with the gradient
    u v' of `spectral_norm`; then the block is multiplied by W'W and made orthonormal. As long as W changes little from
    step to step, the block follows its dominant singular vectors. One vector alone would fall behind: the penalty
    pushes the largest singular value down to the next ones, between which a vector turns slowly.

    Args:
        matrix: W.
        block: orthonormal columns, (columns of W, some).
    """
    fixed = ops.stop_gradient(matrix)
    images = ops.matmul(fixed, block)
    scale = _largest_entry(images)
    images = images / scale
    mixture = _unit(_dominant_eigenvector(_gram(images)))
    image, vector = ops.matmul(images, mixture), ops.matmul(block, mixture)
    length, left = scale * euclidean_norm(image), _unit(image)

    # The gradient is known: it takes no product with W more.
    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def norm(tensor: Any) -> tuple[Any, Any]:
        del tensor

        def gradient(*upstreams: Any, upstream: Any = None) -> Any:
            slope = upstreams[0] if upstream is None else upstream
            return slope * ops.matmul(left, ops.transpose(vector))

        return length, gradient

    following = ops.matmul(ops.transpose(fixed), images)
    following, _ = ops.qr(following / _largest_entry(following))
    return norm(matrix), ops.stop_gradient(following)


def first_block(matrix: Any, iterations: int = 9) -> Any:
    """The block to begin with for a matrix: the vector v of `spectral_norm` and some others, orthonormal."""
    rows, columns = matrix.shape
    if rows >= columns:
        direction = _dominant_direction(matrix / _largest_entry(matrix), iterations)
    else:
        left = _dominant_direction(ops.transpose(matrix) / _largest_entry(matrix), iterations)
        direction = ops.matmul(ops.transpose(matrix), left)
    waves = _waves(columns, matrix.dtype)
    block, _ = ops.qr(ops.concatenate([direction / _largest_entry(direction), waves], axis=1)[:, : min(BLOCK, columns)])
    return block


def _unit(vector: Any) -> Any:
    """A vector at length 1; zeros stay."""
    scaled = vector / _largest_entry(vector)
    norm = euclidean_norm(scaled)
    return scaled / ops.where(ops.equal(norm, 0), 1.0, norm)


def _largest_entry(tensor: Any) -> Any:
    """The largest absolute entry as a constant to divide by: squares of what is divided never overflow."""
    largest = ops.max(ops.abs(ops.stop_gradient(tensor)))
    return ops.where(ops.equal(largest, 0), 1.0, largest)


def _dominant_direction(matrix: Any, iterations: int) -> Any:
    """The unit vector v with the largest |Av| in the Krylov space; zeros for a matrix of zeros."""
    if matrix.shape[1] <= BLOCK * (iterations + 1):
        direction = _dominant_eigenvector(_gram(matrix))
    else:
        basis = _krylov_basis(matrix, iterations)
        direction = ops.matmul(basis, _dominant_eigenvector(_gram(ops.matmul(matrix, basis))))
    norm = euclidean_norm(direction)
    return direction / ops.where(ops.equal(norm, 0), 1.0, norm)


def _krylov_basis(matrix: Any, iterations: int) -> Any:
    """An orthonormal basis of the span of S, A'A S, (A'A)**2 S ..., for a fixed block S of eight vectors."""
    columns = matrix.shape[1]
    block, _ = ops.qr(_waves(columns, matrix.dtype))
    basis = ops.concatenate([block, ops.zeros((columns, BLOCK * iterations), dtype=matrix.dtype)], axis=1)

    # A loop of the backend, not of Python: XLA compiles the unrolled one for ten seconds.
    def extend(iteration: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        block, basis = state
        block = ops.matmul(ops.transpose(matrix), ops.matmul(matrix, block))
        # Twice, because what is left after the first time may be small and consist of rounding errors.
        for _ in range(2):
            block = block - ops.matmul(basis, ops.matmul(ops.transpose(basis), block))
            block, _ = ops.qr(block)
        return block, ops.slice_update(basis, (0, BLOCK * (iteration + 1)), block)

    _, basis = ops.fori_loop(0, iterations, extend, (block, basis))
    return basis


def _waves(columns: int, dtype: Any) -> Any:
    # The waves cos(j i), of which j = 0 are the ones, are orthogonal to no kernel that a training would come upon. The
    # ones alone are: the outputs of a softmax layer that started at zero add up to zero for ever.
    return ops.cos(ops.outer(ops.arange(columns, dtype=dtype), ops.arange(BLOCK, dtype=dtype)))


def _dominant_eigenvector(gram: Any) -> Any:
    """A multiple of the dominant eigenvector of a positive semi-definite matrix, as a column.

    Not by `eigh`, which raises on NaN: a training that diverges should end as such and not as a crash.
    """

    def square(_: Any, power: Any) -> Any:
        trace = ops.trace(power)
        power = power / ops.where(ops.equal(trace, 0), 1.0, trace)
        return ops.matmul(power, power)

    power = ops.fori_loop(0, SQUARINGS, square, gram)
    column = ops.argmax(ops.diagonal(power))
    return ops.expand_dims(ops.take(power, column, axis=1), axis=1)


def _gram(matrix: Any) -> Any:
    return ops.matmul(ops.transpose(matrix), matrix)

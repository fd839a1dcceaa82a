"""Ridge regression with an unpenalised intercept, and its exact leave-one-out predictions, by one SVD.

    minimise over b, w:   |t - b - X w|^2 + S strength |w|^2          S samples; sklearn's alpha = S * strength

With the SVD of the centred design, Xc = U diag(s) V', the residuals are t - t_hat = D t with

    D = (I - 1 1'/S - U U') + U diag(a / (s^2 + a)) U',     a = S strength

and the sample i left out is predicted (a held fixed) without a refit: t_i - t_loo_i = (D t)_i / D_ii
[Golub, Heath, Wahba 1979; Hastie et al., ESL 7.10]. Writing D this way, not as I - H, keeps the ratio
accurate where the fit interpolates and both sides of it vanish: fewer samples than coefficients is the
usual case here.

Shapes: S samples, P columns, R rank, L strengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_RANK_TOLERANCE = 1e-10


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """The design, decomposed once and used for every strength and every target."""

    mean_P: np.ndarray
    U_SR: np.ndarray
    s_R: np.ndarray
    Vt_RP: np.ndarray

    @classmethod
    def of(cls, X_SP: np.ndarray) -> Decomposition:
        """Decomposes the (S, P) design; directions without variance are dropped."""
        mean_P = X_SP.mean(axis=0)
        U, s, Vt = np.linalg.svd(X_SP - mean_P, full_matrices=False)
        kept = s > _RANK_TOLERANCE * max(float(s[0]) if s.size else 0.0, 1e-300)
        return cls(mean_P=mean_P, U_SR=U[:, kept], s_R=s[kept], Vt_RP=Vt[kept])

    def fit(self, t_S: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
        """(intercept, coefficients (P,)) at one strength."""
        t_mean = float(t_S.mean())
        shrunk_R = self.s_R / (self.s_R**2 + len(t_S) * strength)
        w_P = self.Vt_RP.T @ (shrunk_R * (self.U_SR.T @ (t_S - t_mean)))
        return t_mean - float(self.mean_P @ w_P), w_P

    def leave_one_out(self, t_S: np.ndarray, strengths_L: np.ndarray) -> np.ndarray:
        """(L, S): for each strength, every sample as predicted by the fit on all the others."""
        S, R = self.U_SR.shape
        shrink_LR = _shrinkage(self.s_R, S * strengths_L)
        centred = t_S - t_S.mean()
        along_R = self.U_SR.T @ centred
        residual_LS = (shrink_LR * along_R) @ self.U_SR.T
        leverage_LS = shrink_LR @ (self.U_SR**2).T
        if R < S - 1:  # otherwise nothing is outside the span, and rounding must not pretend so
            residual_LS += centred - self.U_SR @ along_R
            leverage_LS += np.maximum(1 - 1 / S - (self.U_SR**2).sum(axis=1), 0.0)
        return t_S - residual_LS / np.maximum(leverage_LS, 1e-300)


def _shrinkage(s_R: np.ndarray, a_L: np.ndarray) -> np.ndarray:
    """(L, R): the part a / (s^2 + a) of each direction that stays in the residual."""
    return a_L[:, None] / (s_R[None, :] ** 2 + a_L[:, None])
